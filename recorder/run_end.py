"""The mark that a run is over: a file `ended` in the run's folder of the spool, holding the cause.

It is made durable by the next group sync. The uploader closes the run in pool and index when nothing else is left in the folder.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recorder.spool_folder import FILE_MODE, remove_path, spool_file
from segments.model import Cause

ENDED = "ended"


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run whose mark was found; `left` says whether footage of it still waits in the spool: what a crash left unnamed is none."""

    camera: str
    run: str
    cause: Cause
    path: Path
    left: bool


def mark_end(folder: Path, camera: str, run: str, cause: Cause) -> None:
    """Leaves the mark; a run that never wrote anything has no folder and needs none. The first cause given stays."""
    with suppress(FileNotFoundError, FileExistsError):
        handle = os.open(folder / camera / run / ENDED, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(handle, "w") as file:
            file.write(cause.value)


def ended_runs(folder: Path) -> list[EndedRun]:
    """All marks in the spool."""
    found = []
    for path in sorted(folder.glob(f"*/*/{ENDED}")):
        with suppress(FileNotFoundError):
            text = path.read_text()
            cause = Cause(text) if text in set(Cause) else Cause.RECORDER_AWAY
            left = any(spool_file(entry) is not None for entry in path.parent.iterdir())
            found.append(EndedRun(path.parent.parent.name, path.parent.name, cause, path, left))
    return found


def forget(ended: EndedRun) -> None:
    """Removes the mark, and the folders it leaves empty."""
    remove_path(ended.path)
