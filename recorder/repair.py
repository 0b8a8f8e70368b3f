"""Gives a torn segment its end again: cut back to its last whole fragment, its tail written, sealed under its `.mp4` name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from recorder.spool_folder import SpoolFile, SpoolKind, spool_file, write_durably
from segments.boxes import codecs
from segments.errors import BadInput
from segments.facts import Facts
from segments.media import VideoTrack
from segments.model import Fragment, Run
from segments.segment_file import Scan, rebuild_tail, scan


class Found(Protocol):
    """What is found in the bytes of a segment, torn at any place; see `segments.segment_file.Scan`."""

    @property
    def good_bytes(self) -> int:
        """The end of the last whole fragment."""

    @property
    def complete(self) -> bool:
        """The tail is there and whole."""

    @property
    def fragments(self) -> Sequence[Fragment]:
        """The whole fragments."""


S = TypeVar("S", bound=Found)


@dataclass(frozen=True, slots=True)
class SegmentFormat(Generic[S]):
    """The two things repair must know of segments: how to find what is whole in one, and how to make the tail that belongs to it."""

    scan: Callable[[bytes], S]
    tail: Callable[[SpoolFile, S], bytes]


@dataclass(frozen=True, slots=True)
class Repaired:
    """A segment that is sealed now: how many fragments it has, and how many bytes behind them were dropped."""

    file: SpoolFile
    fragments: int
    dropped_bytes: int


def fmp4(run: Run | None = None) -> SegmentFormat[Scan]:
    """The format of real segments; `run` is what the index knows of the segment's run."""
    return SegmentFormat(scan, lambda file, found: rebuild_tail(found, facts_of(file, found, run).as_json()))


def repair(path: Path, form: SegmentFormat[S]) -> Repaired | None:
    """Seals what is whole in a `.part` whose writer is dead, or in a `.torn` one; None if nothing was whole and it was removed.

    The segment is written anew and never cut in place: after a failed sync the pages of the old file cannot be believed to reach the
    disk, and a writer thought dead may still append to it. Of a torn file only the durable bytes are read, and of any file only what
    lies before its first hole: bytes behind may have their place but not their content. The order (new file synced, named `.mp4`,
    folder synced, old file removed) leaves the old file, or both, or the new one at any crash; running it again ends the same. It
    needs room for one segment, out of the space the spool keeps back; an OSError says that the old file is still as it was.
    """
    torn = spool_file(path)
    if torn is None or torn.kind not in (SpoolKind.PART, SpoolKind.TORN):
        raise BadInput(f"{path} is not an open segment of a spool")
    sealed = torn.as_kind(SpoolKind.SEALED)
    if sealed.path.exists():  # a crash came between the last two steps
        repaired: Repaired | None = Repaired(sealed, len(form.scan(sealed.path.read_bytes()).fragments), 0)
    else:
        repaired = _seal_again(torn, sealed, form)
    path.unlink()
    return repaired


def _seal_again(torn: SpoolFile, sealed: SpoolFile, form: SegmentFormat[S]) -> Repaired | None:
    size_bytes = torn.path.stat().st_size
    data = _written(torn.path)[: torn.durable_bytes]
    found = form.scan(data)
    if not found.fragments:
        return None
    if found.complete:
        write_durably(sealed.path, data)
        return Repaired(sealed, len(found.fragments), size_bytes - len(data))
    write_durably(sealed.path, memoryview(data)[: found.good_bytes], form.tail(torn, found))
    return Repaired(sealed, len(found.fragments), size_bytes - found.good_bytes)


def _written(path: Path) -> bytes:
    """What was really written. After a power cut a file may have its length on the disk but not yet its last blocks, which read as zeros
    in whole-looking fragments; the file system knows them as holes, as long as no cached page hides them."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            hole = os.lseek(file.fileno(), 0, os.SEEK_HOLE)
        except OSError:  # empty, or a file system that knows no holes
            return file.read()
        file.seek(0)
        return file.read(hole)


def facts_of(torn: SpoolFile, found: Scan, run: Run | None) -> Facts:
    """What is known of a segment without its writer.

    A run that the index does not know yet is taken to start with this segment; the first segment of the run says it right. Whether the
    clock was synchronised died with the writer, so that is not claimed.
    """
    first, last = found.fragments[0], found.fragments[-1]
    video = next((track for track in found.tracks if isinstance(track, VideoTrack)), None)
    return Facts(
        camera=torn.camera,
        run=torn.run,
        counter=torn.counter,
        start_us=torn.start_us,
        end_us=torn.start_us + _us(last.pts + last.duration - first.pts),
        run_start_us=run.start_us if run else torn.start_us,
        codecs=codecs(found.tracks),
        width=video.width if video else 0,
        height=video.height if video else 0,
        notes=run.notes if run else (),
        clock_synced=False,
    )


def _us(ticks: int) -> int:
    return ticks * 100 // 9
