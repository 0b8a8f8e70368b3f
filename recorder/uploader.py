"""The uploader: spool to pool to row, oldest first; closes runs; mends what dead recorders left. One process a node."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from recorder.mend import mend
from recorder.run_end import EndedRun, ended_runs, forget
from recorder.sealed import read_sealed, read_stub, write_stub
from recorder.spool_folder import SpoolFile, SpoolKind, remove, sealed_files, shrink_to_stub, stubs
from segments.clock import Clock
from segments.commit import CommitIndex, CommitRules, Committed, commit, commit_stored, store_object
from segments.errors import Conflict, DataDamaged, KeepsightError, NotFound, Refused, TryAgain
from segments.facts import ONVIF_VERSION
from segments.keys import SegmentKey
from segments.model import Row, Run, SealedSegment, Span
from segments.ports import ObjectStore, ReadRows
from segments.timeline import rows_between

log = logging.getLogger(__name__)

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0


class UploadIndex(CommitIndex, ReadRows, Protocol):
    """What the uploader needs of the index."""


@dataclass(frozen=True, slots=True)
class UploadSettings:
    """`at_once`: how many segments travel together; `scan_s`: how often the spool is looked through without a hint."""

    at_once: int = 4
    scan_s: float = 2.0
    rules: CommitRules = field(default_factory=CommitRules)


@dataclass(slots=True)
class _Retry:
    """A file that failed, and when it is its turn again."""

    failures: int
    at_ns: int


class Uploader:
    """Moves sealed segments into their pools and the index; every step may be run again after a crash."""

    def __init__(
        self,
        folder: Path,
        *,
        pools: Mapping[str, ObjectStore],
        pool_of: Callable[[str], str],
        index: UploadIndex,
        clock: Clock,
        settings: UploadSettings = UploadSettings(),  # noqa: B008 - frozen
    ) -> None:
        self._folder = folder
        self._pools = pools
        self._pool_of = pool_of
        self._index = index
        self._clock = clock
        self._settings = settings
        self._hint = asyncio.Event()
        self._retries: dict[Path, _Retry] = {}
        self.alarms: dict[str, str] = {}
        """What a person must look at, by name; an alarm goes when its cause does."""
        self.stored = self.indexed = 0
        """Fragments stored, and stored and indexed, since this process started."""
        self.waiting = 0
        """Sealed segments and stubs in the spool, as last seen."""

    def hint(self) -> None:
        """There is something new in the spool."""
        self._hint.set()

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            await self.work()
            try:
                await asyncio.wait_for(self._hint.wait(), self._settings.scan_s)
            except TimeoutError:
                continue
            self._hint.clear()

    async def work(self) -> None:
        """Goes once through all that waits and is due: torn segments of the dead, sealed segments, stubs, ended runs."""
        await mend(self._folder, self._index)
        files = await asyncio.to_thread(lambda: [*sealed_files(self._folder), *stubs(self._folder)])
        self.waiting = len(files)
        now_ns = self._clock.monotonic_ns()
        self._retries = {file.path: self._retries[file.path] for file in files if file.path in self._retries}
        due = [file for file in files if file.path not in self._retries or self._retries[file.path].at_ns <= now_ns]
        places = asyncio.Semaphore(self._settings.at_once)
        async with asyncio.TaskGroup() as tasks:
            for file in due:
                await places.acquire()
                task = tasks.create_task(self._attempt(file.path, partial(self._one, file)))
                task.add_done_callback(lambda _: places.release())
        for ended in await asyncio.to_thread(ended_runs, self._folder):
            retry = self._retries.get(ended.path)
            if not ended.left and (retry is None or retry.at_ns <= self._clock.monotonic_ns()):
                await self._attempt(ended.path, partial(self._close_run, ended))

    async def _attempt(self, path: Path, step: Callable[[], Awaitable[None]]) -> None:
        """Runs a step; what fails gets a later turn, what a person must see gets an alarm."""
        try:
            await step()
        except FileNotFoundError:
            return  # another process of this service was faster
        except KeepsightError as error:
            self._failed(path, error)
        except OSError as error:
            self._failed(path, TryAgain(f"{path}: {error.strerror}"))
        else:
            self._retries.pop(path, None)
            self.alarms.pop(str(path), None)
            self.alarms.pop("pool", None)

    def _failed(self, path: Path, error: KeepsightError) -> None:
        failures = self._retries[path].failures + 1 if path in self._retries else 1
        wait_s = min(FIRST_WAIT_S * 2.0 ** min(failures - 1, 10), LONGEST_WAIT_S)
        self._retries[path] = _Retry(failures, self._clock.monotonic_ns() + int(wait_s * 1e9))
        if isinstance(error, Conflict | DataDamaged):
            self.alarms[str(path)] = str(error)
        elif isinstance(error, Refused) or failures > 3:
            self.alarms["pool"] = str(error)
        log.warning("%s; tried again in %.0f s", error, wait_s)

    async def _one(self, file: SpoolFile) -> None:
        if file.kind is SpoolKind.STUB:
            segment = read_stub(await asyncio.to_thread(file.path.read_bytes))
            await self._finish_stub(file, segment)
            return
        segment = await asyncio.to_thread(read_sealed, file.path, pool=self._pool_of(file.camera))
        if (segment.row.camera, segment.row.run, segment.row.counter) != (file.camera, file.run, file.counter):
            raise DataDamaged(f"{file.path} says that it is segment {segment.row.counter} of {segment.row.camera} {segment.row.run}")
        done, row = await commit(
            segment, file.path, objects=self._pool(segment.row), index=self._index, clock=self._clock, rules=self._settings.rules
        )
        fragments = len(row.fragments)
        match done:
            case Committed.STORED:
                await asyncio.to_thread(shrink_to_stub, file, write_stub(segment, row))
                self.stored += fragments
            case Committed.INDEXED:
                await asyncio.to_thread(remove, file)
                self.stored += fragments
                self.indexed += fragments

    async def _finish_stub(self, file: SpoolFile, segment: SealedSegment) -> None:
        """The commit of a stub: its object must be there, byte for byte what was put; then the row."""
        row = segment.row
        try:
            info = await self._pool(row).head(row.key)
        except NotFound:
            raise DataDamaged(f"{row.key} was stored and is not in pool {row.pool} any more") from None
        if (info.size, info.sha256) != (row.size, row.sha256):
            raise DataDamaged(f"{row.key} in pool {row.pool} is not what was stored")
        await commit_stored(segment, index=self._index, clock=self._clock, rules=self._settings.rules)
        self.indexed += len(row.fragments)
        await asyncio.to_thread(remove, file)

    async def _close_run(self, ended: EndedRun) -> None:
        """Puts the empty `_end` object and marks the run as ended; a run without footage leaves nothing."""
        try:
            run = await self._index.run(ended.camera, ended.run)
        except NotFound:
            await asyncio.to_thread(forget, ended)
            return
        last = await self._last_row(run)
        if last is not None:
            key = str(SegmentKey(run.camera, run.id, last.end_us, last.counter + 1, is_end=True))
            attributes = {"version": ONVIF_VERSION, "source": run.camera, "end-cause": ended.cause.value}
            await store_object(self._pool(last), key, b"", size=0, sha256=EMPTY_SHA256, attributes=attributes)
        await self._index.put_run(replace(run, ended=True, end_cause=ended.cause.value))
        await asyncio.to_thread(forget, ended)

    async def _last_row(self, run: Run) -> Row | None:
        rows = await rows_between(self._index, run.camera, Span(run.last_us - 1, run.last_us))
        return max((row for row in rows if row.run == run.id), key=lambda row: row.counter, default=None)

    def _pool(self, row: Row) -> ObjectStore:
        try:
            return self._pools[row.pool]
        except KeyError:
            raise Refused(f"{row.key} belongs to pool {row.pool!r}, which the configuration does not name") from None
