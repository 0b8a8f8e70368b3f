"""Writes exports to files: whole or not at all, with the manifest beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from deploy.cli_frame import err
from deploy.wiring import Stores
from playback.elsewhere import Elsewhere, Nowhere
from playback.export import plan_export, read_export
from playback.live import NoLive
from playback.services import Services
from playback.virtual_mp4 import VirtualMp4
from segments.clock import SystemClock
from segments.damage import KnownDamage
from segments.errors import BadInput
from segments.model import Span


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
    plans = await plan_export(services, camera, span)
    paths = [file] if len(plans) == 1 else [file.with_stem(f"{file.stem}-{n}") for n in range(1, len(plans) + 1)]
    made = [name for path in paths for name in (path, _manifest(path))]
    for path in made:
        if path.exists():
            raise BadInput(f"{path} is there already; choose another name")
    try:
        with Progress(console=err, transient=True) as progress:
            bar = progress.add_task("export", total=sum(plan.size for plan in plans))
            for plan, path in zip(plans, paths, strict=True):
                await _write(services, plan, path, lambda n: progress.advance(bar, n))
        for path in made:
            _unfinished(path).rename(path)
    except OSError as error:
        _remove(made)
        raise BadInput(f"{error.filename or file} cannot be written: {error.strerror}") from None
    finally:
        _remove(_unfinished(path) for path in made)
    return [Written(path, _manifest(path), plan.size) for plan, path in zip(plans, paths, strict=True)]


async def _write(services: Services, plan: VirtualMp4, path: Path, written: Callable[[int], None]) -> None:
    with _unfinished(path).open("wb") as out:
        async for piece in read_export(plan, services):
            out.write(piece)
            written(len(piece))
    _unfinished(_manifest(path)).write_text(json.dumps(plan.manifest, ensure_ascii=False, indent=2), encoding="utf-8")


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _manifest(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
