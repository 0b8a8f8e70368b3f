"""Writes exports to files: whole or not at all, with the manifest beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from deploy.cli_frame import err
from deploy.wiring import Stores
from playback.elsewhere import Elsewhere, Nowhere
from playback.export import find_parts, gaps_of, plan_file
from playback.file_bytes import file_bytes
from playback.file_parts import Part
from playback.footage import no_footage
from playback.live import NoLive
from playback.problems import NoFootage
from playback.services import Services
from playback.virtual_mp4 import MAX_FILE_US, Gap, manifest
from segments.clock import SystemClock
from segments.damage import KnownDamage
from segments.errors import BadInput
from segments.model import Span


@dataclass(frozen=True, slots=True)
class _Plan:
    """One file to be written, and the times of its day without footage. It is laid out when its turn comes: a head takes up to 28 MB."""

    part: Part
    gaps: Sequence[Gap]


@dataclass(frozen=True, slots=True)
class Written:
    """One file that was written."""

    path: Path
    manifest: Path
    size_bytes: int

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        return {"file": str(self.path), "manifest": str(self.manifest), "bytes": self.size_bytes}


async def export_footage(stores: Stores, camera: str, span: Span, file: Path, *, elsewhere: Elsewhere | None = None) -> list[Written]:
    """Writes the span's files, all or none, of what is indexed here or is at other sites.

    Raises BadInput if one is there already or cannot be written.
    """
    clock = SystemClock()
    damage = KnownDamage(stores.index, clock)
    services = Services(stores.index, stores.pools, NoLive(), clock, "", elsewhere=elsewhere or Nowhere(), damage=damage)
    plans = await _plans(services, camera, span)
    paths = [file] if len(plans) == 1 else [file.with_stem(f"{file.stem}-{n}") for n in range(1, len(plans) + 1)]
    made = [name for path in paths for name in (path, _manifest(path))]
    for path in made:
        if path.exists():
            raise BadInput(f"{path} is there already; choose another name")
    try:
        with Progress(console=err, transient=True) as progress:
            bar = progress.add_task("export", total=sum(plan.part.content_bytes for plan in plans))
            sizes = [
                await _write(services, plan, path, lambda n: progress.advance(bar, n)) for plan, path in zip(plans, paths, strict=True)
            ]
        for path in made:
            _unfinished(path).rename(path)
    except OSError as error:
        _remove(made)
        raise BadInput(f"{error.filename or file} cannot be written: {error.strerror}") from None
    finally:
        _remove(_unfinished(path) for path in made)
    return [Written(path, _manifest(path), size) for path, size in zip(paths, sizes, strict=True)]


async def _plans(services: Services, camera: str, span: Span) -> list[_Plan]:
    """All files of a span, day by day; a day without footage has none. Raises NoFootage if no day has."""
    plans: list[_Plan] = []
    for start_us in range(span.start_us, span.end_us, MAX_FILE_US):
        window = Span(start_us, min(start_us + MAX_FILE_US, span.end_us))
        with suppress(NoFootage):
            found = await find_parts(services, camera, window)
            gaps = await gaps_of(services, camera, window, found.rows)
            plans += [_Plan(part, gaps) for part in found.parts]
    if not plans:
        raise await no_footage(services, camera, span)
    return plans


async def _write(services: Services, plan: _Plan, path: Path, written: Callable[[int], None]) -> int:
    """Its size."""
    file = await plan_file(services, plan.part)
    with _unfinished(path).open("wb") as out:
        async for piece in file_bytes(services, file):
            out.write(piece)
            written(len(piece))
    beside = json.dumps(manifest(file, plan.gaps), ensure_ascii=False, indent=2)
    _unfinished(_manifest(path)).write_text(beside, encoding="utf-8")
    return file.size


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _manifest(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
