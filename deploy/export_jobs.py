"""Puts the parts of export jobs together, by the settings: queue and pool of results, and what makes them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

from deploy.exports_section import exports_pool
from deploy.settings import FilePool, Settings
from deploy.wiring import Stores, make_folder, open_pool
from playback.exports.job import Rules
from playback.exports.queue import ExportQueue, Exports
from segments.clock import Clock
from segments.errors import TryAgain
from segments.ports import Records

CJK_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
)
"""Where Debian, Ubuntu and Fedora put fonts that write Chinese."""


@contextmanager
def open_exports(settings: Settings, index: Records, clock: Clock) -> Iterator[Exports | None]:
    """The queue and the pool of results; None where the settings have none."""
    pool = exports_pool(settings)
    if pool is None:
        yield None
        return
    with open_pool("of exports", pool, settings) as store:
        yield Exports(ExportQueue(index, clock, rules_of(settings)), store)


@asynccontextmanager
async def exports_beside(settings: Settings, stores: Stores, clock: Clock) -> AsyncIterator[Exports | None]:
    """The same, beside stores that are open."""
    with open_exports(settings, stores.index, clock) as exports:
        yield exports


def rules_of(settings: Settings) -> Rules:
    """What the settings say of jobs."""
    own = settings.exports
    return Rules(own.waiting, own.waiting_per_subject, own.max_span_hours, own.keep_hours, own.remember_days)


def work_folder(settings: Settings) -> Path:
    """The node's own folder for what is under way."""
    return settings.site.folder / "run" / "exports"


def empty_work_folder(settings: Settings) -> Path:
    """The same, made, and without what a program left there that was killed."""
    folder = work_folder(settings)
    shutil.rmtree(folder, ignore_errors=True)
    make_folder("exports", folder)
    return folder


class Room:
    """Sees that jobs leave room on the disks they write to."""

    def __init__(self, settings: Settings) -> None:
        pool = exports_pool(settings)
        own = [pool.folder] if isinstance(pool, FilePool) and pool.folder is not None else []
        self._folders = [work_folder(settings), *own]
        self._least = settings.exports.min_free_bytes

    def __call__(self, wanted_bytes: int) -> None:
        """Raises TryAgain if there is not enough for so many bytes."""
        for folder in self._folders:
            free = shutil.disk_usage(folder).free
            if free < wanted_bytes + self._least:
                raise TryAgain(f"the disk of {folder.name} has {free} bytes free, and {wanted_bytes} more would leave too few")


def font_of(settings: Settings) -> Path:
    """The font of watermarks: the one named, else one of the system's that writes Chinese, else DejaVu Sans, which matplotlib brings."""
    if settings.exports.font_file is not None:
        return settings.exports.font_file
    chinese = next((path for path in map(Path, CJK_FONTS) if path.exists()), None)
    return chinese or _dejavu()


def zone_of(settings: Settings) -> ZoneInfo:
    """The zone of the time in watermarks."""
    return ZoneInfo(settings.exports.time_zone)


def _dejavu() -> Path:
    found = find_spec("matplotlib")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
