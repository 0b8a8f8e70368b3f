"""Writes exports to files: whole or not at all, with the manifest beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from deploy.cli_frame import err
from deploy.wiring import Stores
from playback.export import plan_export, read_export
from playback.virtual_mp4 import VirtualMp4
from segments.clock import SystemClock
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


async def export_footage(stores: Stores, camera: str, span: Span, file: Path) -> list[Written]:
    """Writes the span's files; raises BadInput if one is there already or cannot be written."""
    plans = await plan_export(stores.index, stores.pools, camera, span, SystemClock().now_us())
    paths = [file] if len(plans) == 1 else [file.with_stem(f"{file.stem}-{n}") for n in range(1, len(plans) + 1)]
    for path in (*paths, *map(_manifest, paths)):
        if path.exists():
            raise BadInput(f"{path} is there already; choose another name")
    with Progress(console=err, transient=True) as progress:
        bar = progress.add_task("export", total=sum(plan.size for plan in plans))
        return [await _write(stores, plan, path, lambda n: progress.advance(bar, n)) for plan, path in zip(plans, paths, strict=True)]


async def _write(stores: Stores, plan: VirtualMp4, path: Path, written: Callable[[int], None]) -> Written:
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb") as out:
            async for piece in read_export(plan, stores.pools):
                out.write(piece)
                written(len(piece))
        _manifest(path).write_text(json.dumps(plan.manifest, ensure_ascii=False, indent=2))
        unfinished.rename(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    return Written(path, _manifest(path), plan.size)


def _manifest(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
