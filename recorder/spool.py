"""The spool of one recorder: segments that grow on its own disk until they are sealed.

Appending puts bytes into the page cache only; `recorder.group_sync` makes them durable, for all cameras in one sync. Nothing here ever
removes footage: a full spool refuses new bytes before it has written any of them, and takes new ones again when there is room.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from recorder.run_end import mark_end
from recorder.spool_folder import FILE_MODE, FOLDER_MODE, SpoolFile, SpoolKind, free_bytes, spool_usage
from segments.clock import Clock, SystemClock
from segments.errors import BadInput, KeepsightError, TryAgain
from segments.keys import CAMERA_ID, parse_run
from segments.model import Cause

_RECOUNT_FULL_NS = 900_000_000
"""A full folder is counted again so often, by questions that come each second."""
_RECOUNT_NS = 30_000_000_000
"""And a folder with room, for what other processes wrote."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


class SpoolFull(TryAgain):
    """There is no room: nothing of the refused bytes is in the segment, which may still be sealed."""


class SpoolFailed(KeepsightError):
    """The disk failed under a segment: nothing more may be appended to it. What is durable in it stays and waits for repair."""


@dataclass(frozen=True, slots=True)
class SpoolLimit:
    """How much the spool may take of its disk.

    `max_bytes` is for all files of the folder. `min_free_bytes` of the disk are never taken by footage: tails, stubs and repairs live on
    them, so it should hold some whole segments.
    """

    max_bytes: int
    min_free_bytes: int


class Spool:
    """The writing side of a spool folder, for one recorder process and one event loop; other recorders may write beside it."""

    def __init__(self, folder: Path, *, limit: SpoolLimit, clock: Clock | None = None) -> None:
        self.folder = folder
        self.limit = limit
        self.open: set[OpenSegment] = set()
        """Segments that have neither their `.mp4` name nor failed."""
        self.full = False
        """New bytes are refused, until `has_room` says yes."""
        self._clock = clock or SystemClock()
        self._count()

    def begin(self, camera: str, run: str, counter: int, start_us: int, header: bytes) -> OpenSegment:
        """Makes a new segment that begins with these bytes; raises SpoolFull, SpoolFailed, or BadInput for names that are none of ours."""
        if CAMERA_ID.fullmatch(camera) is None:
            raise BadInput(f"{camera!r} is no camera id")
        parse_run(run)
        self.claim(len(header))
        path = self.folder / camera / run / f"{start_us}.{counter}.{SpoolKind.PART}"
        try:
            descriptor = _created(path)
        except OSError as error:
            if error.errno in _FULL:
                raise self.refusal() from None
            raise SpoolFailed(f"{path} cannot be made: {error.strerror}") from None
        segment = OpenSegment(self, SpoolFile(path, camera, run, start_us, counter, SpoolKind.PART), descriptor)
        self.open.add(segment)
        try:
            segment.write(header)
        except SpoolFull:
            segment.give_up()
            raise
        return segment

    def has_room(self, wanted_bytes: int) -> bool:
        """Whether so many bytes may be appended; if not, all appending is refused until this says yes.

        To be asked each second, by as many as like. Counts the folder again about once a second while it is full, and at times for
        what others wrote; else it costs one look at the disk.
        """
        fits = self._fits(wanted_bytes)
        age_ns = self._clock.monotonic_ns() - self._counted_ns
        if age_ns >= (_RECOUNT_NS if fits and not self.full else _RECOUNT_FULL_NS):
            self._count()
            fits = self._fits(wanted_bytes)
        self.full = not fits
        return fits

    def end_run(self, camera: str, run: str, cause: Cause) -> None:
        """Leaves the mark that a run is over, and why; see `recorder.run_end`."""
        mark_end(self.folder, camera, run, cause)

    def claim(self, wanted_bytes: int) -> None:
        """Counts bytes about to be appended, or raises SpoolFull."""
        if self.full or (not self._fits(wanted_bytes) and not self.has_room(wanted_bytes)):
            raise self.refusal()
        self._used_bytes += wanted_bytes

    def refusal(self) -> SpoolFull:
        """Refuses new bytes from now on, and the error that says so."""
        self.full = True
        return SpoolFull(
            f"spool {self.folder} is full: {self._used_bytes} of {self.limit.max_bytes} bytes used, {free_bytes(self.folder)} bytes free "
            f"on its disk, of which {self.limit.min_free_bytes} are kept back; recording goes on when uploads have freed space"
        )

    def _count(self) -> None:
        self._used_bytes = spool_usage(self.folder)
        self._counted_ns = self._clock.monotonic_ns()

    def _fits(self, wanted_bytes: int) -> bool:
        """By our own count, which no removal lowers until the folder is counted again, and by the disk itself."""
        within_limit = self._used_bytes + wanted_bytes <= self.limit.max_bytes
        return within_limit and free_bytes(self.folder) - wanted_bytes >= self.limit.min_free_bytes


class OpenSegment:
    """A segment that grows, by whole fragments only.

    `written_bytes` are in the page cache at least, `durable_bytes` survive a power cut.
    """

    def __init__(self, spool: Spool, file: SpoolFile, descriptor: int) -> None:
        self.camera = file.camera
        self.run = file.run
        self.counter = file.counter
        self.start_us = file.start_us
        self.written_bytes = 0
        self.durable_bytes = 0
        self.failed = False
        self.sealing = False
        """The tail is written; only syncing and renaming are left."""
        self._spool = spool
        self._file = file
        self._descriptor = descriptor

    @property
    def unsynced(self) -> bool:
        """Whether another round has work with it."""
        return self.written_bytes > self.durable_bytes or self.sealing

    @property
    def path(self) -> Path:
        """Where it lies now: `.part`, then `.mp4`, or `.torn` after a failure."""
        return self._file.path

    def append(self, data: bytes) -> None:
        """Writes one whole fragment, or nothing of it.

        Raises SpoolFull before a byte is written, or after a full disk was met and the piece cut off again; the segment may then be
        sealed. Raises SpoolFailed for anything else: the segment is given up.
        """
        self._must_be_open()
        self._spool.claim(len(data))
        self.write(data)

    def seal(self, tail: bytes) -> None:
        """Writes the tail, out of the space kept back; the next rounds of syncing make the segment an `.mp4`.

        Where not even the tail finds room the segment is given up (SpoolFailed), and repair gives it its tail later.
        """
        self._must_be_open()
        try:
            self.write(tail)
        except SpoolFull as error:
            self.give_up()
            raise SpoolFailed(f"{self._file.path} is left without its tail: {error}") from None
        self.sealing = True

    def write(self, data: bytes) -> None:
        """Writes all of it at the end, or cuts the file back to what it was; see `append` for what it raises."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            self._cut_back(error)
        self.written_bytes += len(data)

    def name_sealed(self) -> None:
        """Gives it its `.mp4` name and closes it; raises OSError. For `GroupSync`, which knows that every byte of it is durable."""
        sealed = self._file.as_kind(SpoolKind.SEALED)
        self._file.path.rename(sealed.path)
        self._file = sealed
        self._spool.open.discard(self)
        with suppress(OSError):  # its bytes are synced: a close can lose nothing
            os.close(self._descriptor)

    def give_up(self) -> None:
        """Poisons it: nothing is written to it, synced or acknowledged any more.

        Its new name tells the repair how far it may be believed; without that name (the disk may take none) it is repaired as the
        torn tail of a dead process. A segment that has its `.mp4` name already is durable whole and keeps it.
        """
        self.failed = True
        self._spool.open.discard(self)
        if self._file.kind is SpoolKind.PART:
            torn = self._file.path.with_name(f"{self.start_us}.{self.counter}.{self.durable_bytes}.{SpoolKind.TORN}")
            with suppress(OSError):
                self._file.path.rename(torn)
                self._file = SpoolFile(torn, self.camera, self.run, self.start_us, self.counter, SpoolKind.TORN, self.durable_bytes)
            with suppress(OSError):
                os.close(self._descriptor)

    def duplicate(self) -> int:
        """A descriptor of its own for a syncing thread, so that giving the segment up meanwhile closes nothing under it."""
        return os.dup(self._descriptor)

    def _cut_back(self, error: OSError) -> NoReturn:
        """Takes a piece off again that was written in part. Only a full disk leaves the segment fit for use."""
        try:
            os.ftruncate(self._descriptor, self.written_bytes)
        except OSError as second:
            error = second
        if error.errno in _FULL:
            raise self._spool.refusal() from None
        self.give_up()
        raise SpoolFailed(f"{self._file.path} cannot be written: {error.strerror}") from None

    def _must_be_open(self) -> None:
        if self.failed or self.sealing:
            raise SpoolFailed(f"{self._file.path} takes no more bytes: {'the disk failed under it' if self.failed else 'it has its tail'}")


@dataclass(frozen=True, slots=True)
class SyncRound:
    """What one round did.

    `acknowledged` says of each segment how many of its bytes survive a power cut now; `sealed` ones bear their `.mp4` name durably;
    `failed` ones are poisoned, for `error`: what they had acknowledged before stays true, the rest of them is lost.
    """

    acknowledged: Sequence[tuple[OpenSegment, int]] = ()
    sealed: Sequence[OpenSegment] = ()
    failed: Sequence[OpenSegment] = ()
    error: OSError | None = None


def _created(path: Path) -> int:
    """A new file; it and its folders are made again if an uploader removes them at this moment.

    It is locked before it has its name, so that nobody meets it and thinks its writer dead; see `spool_folder.is_written_to`.
    """
    unnamed = path.with_name(f".{path.name}")
    if path.exists():  # runs are never used again, and a run has one writer
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    for _ in range(3):
        with suppress(FileNotFoundError):
            path.parent.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
            path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
            descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, FILE_MODE)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                unnamed.rename(path)
            except OSError:
                os.close(descriptor)
                raise
            return descriptor
    raise FileNotFoundError(errno.ENOENT, "its folder does not stay", str(path))
