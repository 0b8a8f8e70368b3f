"""The uploader: spool to pool to row, oldest first; closes runs; mends what dead recorders left. One process a node."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar, cast

from recorder.mend import mend
from recorder.run_end import EndedRun, ended_runs, forget
from recorder.sealed import read_sealed, read_stub, write_stub
from recorder.spool_folder import SpoolFile, SpoolKind, remove, sealed_files, shrink_to_stub, stubs
from recorder.watched_index import WatchedIndex
from recorder.watched_pool import WatchedPool
from segments.clock import Clock
from segments.commit import CommitIndex, CommitRules, Committed, commit, commit_stored, store_object
from segments.errors import Conflict, DataDamaged, KeepsightError, NotFound, Refused, TryAgain
from segments.facts import ONVIF_VERSION
from segments.keys import SegmentKey
from segments.model import Camera, Row, Run, SealedSegment, Span
from segments.pools import PoolRules, pool_for
from segments.ports import Cameras, ObjectStore, ReadRows
from segments.timeline import rows_between

T = TypeVar("T")

log = logging.getLogger(__name__)

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
ALARM_AFTER = 3
"""So many failures in a row are a passing fault; more are said."""


class UploadIndex(CommitIndex, ReadRows, Cameras, Protocol):
    """What the uploader needs of the index."""


@dataclass(frozen=True, slots=True)
class UploadSettings:
    """`at_once`: how many segments travel together; `scan_s`: how often the spool is looked through without a hint."""

    at_once: int = 4
    scan_s: float = 2.0
    rules: CommitRules = field(default_factory=CommitRules)


@dataclass(slots=True)
class _Retry:
    """A file that failed, why, and when it is its turn again."""

    failures: int
    at_ns: int
    error: KeepsightError


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the spool of one kind: how many files, and when the footage of the oldest began."""

    files: int = 0
    oldest_us: int = 0


class Uploader:
    """Moves sealed segments into their pools and the index; every step may be run again after a crash."""

    def __init__(
        self,
        folder: Path,
        *,
        pools: Mapping[str, ObjectStore],
        rules: PoolRules,
        index: UploadIndex,
        clock: Clock,
        indexed: Callable[[Row], None] = lambda _: None,
        settings: UploadSettings = UploadSettings(),
    ) -> None:
        """`rules` say which pool new footage goes to; `indexed` is told each row that was published."""
        self._folder = folder
        self._pools = pools
        self._rules = rules
        self._watched_index = WatchedIndex(index, clock)
        self._index = cast("UploadIndex", self._watched_index)
        self._clock = clock
        self._tell_indexed = indexed
        self._settings = settings
        self._hint = asyncio.Event()
        self._retries: dict[Path, _Retry] = {}
        self._pool_names: dict[str, str] = {}
        self._silent: set[str] = set()
        """Pools whose stores failed in this round: what else waits for them is left for the next one."""
        self._away: set[str] = set()
        """Pools whose stores have failed and not answered since."""
        self.stored = self.indexed = 0
        """Fragments stored, and stored and indexed, since this process started."""
        self.waiting = 0
        """Sealed segments and stubs in the spool, as last seen."""
        self.backlog: Mapping[SpoolKind, Backlog] = {}
        """The same by kind."""

    @property
    def alarms(self) -> list[str]:
        """What a person must look at, each once; an alarm goes when its cause does.

        Damaged or foreign content is named file by file, what a store or an index does not take by its last word and a number.
        """
        said = [str(retry.error) for retry in self._retries.values() if isinstance(retry.error, Conflict | DataDamaged)]
        kinds: dict[type[KeepsightError], list[_Retry]] = defaultdict(list)
        for retry in self._retries.values():
            if isinstance(retry.error, Refused) or (str(retry.error) not in said and retry.failures > ALARM_AFTER):
                kinds[type(retry.error)].append(retry)
        return said + [f"{len(retries)} waiting in the spool cannot be stored: {retries[-1].error}" for retries in kinds.values()]

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

    async def work_at_last(self) -> None:
        """Goes through all that waits once more before the process ends, whenever its turn would have been."""
        self._retries.clear()
        await self.work()

    async def work(self) -> None:
        """Goes once through all that waits and is due: torn segments of the dead, sealed segments and stubs, ended runs."""
        await self._attempt(self._folder, partial(mend, self._folder, self._index))
        files = await asyncio.to_thread(_waiting, self._folder)
        self.waiting = len(files)
        self.backlog = {kind: _backlog([file for file in files if file.kind is kind]) for kind in (SpoolKind.SEALED, SpoolKind.STUB)}
        await self._begin_round(files)
        places = asyncio.Semaphore(self._settings.at_once)
        async with asyncio.TaskGroup() as tasks:
            for file in self._due(files, lambda file: file.path):
                await places.acquire()
                if self._pool_names.get(file.camera) in self._silent or (file.kind is SpoolKind.STUB and self._watched_index.silent):
                    places.release()
                    continue
                task = tasks.create_task(self._attempt(file.path, partial(self._one, file)))
                task.add_done_callback(lambda _: places.release())
        runs = await asyncio.to_thread(ended_runs, self._folder)
        for ended in self._due([run for run in runs if not run.left], lambda run: run.path):
            await self._attempt(ended.path, partial(self._close_run, ended))
        there = {self._folder, *(file.path for file in files), *(run.path for run in runs)}
        self._retries = {path: retry for path, retry in self._retries.items() if path in there}

    async def _begin_round(self, files: list[SpoolFile]) -> None:
        """After a round with silent pools, cameras may have been moved to others meanwhile: their names are read again, once each."""
        silent, self._silent = self._silent, set()
        for camera in {file.camera for file in files if self._pool_names.get(file.camera) in silent}:
            with contextlib.suppress(KeepsightError):
                await self._pool_name(camera)

    def _due(self, things: list[T], path: Callable[[T], Path]) -> list[T]:
        now_ns = self._clock.monotonic_ns()
        return [thing for thing in things if (retry := self._retries.get(path(thing))) is None or retry.at_ns <= now_ns]

    async def _attempt(self, path: Path, step: Callable[[], Awaitable[object]]) -> None:
        """Runs a step; what fails gets a later turn. Never raises: one file that cannot be done stands in no other's way."""
        try:
            await step()
        except FileNotFoundError:
            self._retries.pop(path, None)  # another process of this service was faster
        except KeepsightError as error:
            self._failed(path, error)
        except OSError as error:
            self._failed(path, TryAgain(f"{path}: {error.strerror}"))
        except Exception as error:
            log.exception("spool.unexpected: a fault of ours at %s", path)
            self._failed(path, DataDamaged(f"{path} cannot be handled ({type(error).__name__}); it stays in the spool"))
        else:
            self._retries.pop(path, None)

    def _failed(self, path: Path, error: KeepsightError) -> None:
        failures = self._retries[path].failures + 1 if path in self._retries else 1
        wait_s = min(FIRST_WAIT_S * 2.0 ** min(failures - 1, 10), LONGEST_WAIT_S)
        self._retries[path] = _Retry(failures, self._clock.monotonic_ns() + int(wait_s * 1e9), error)
        log.warning("spool.retried: %s; tried again in %.0f s", error, wait_s)

    async def _one(self, file: SpoolFile) -> None:
        if file.kind is SpoolKind.STUB:
            segment = read_stub(await asyncio.to_thread(file.path.read_bytes))
            await self._finish_stub(file, segment)
            return
        segment = await asyncio.to_thread(read_sealed, file.path, pool=await self._pool_name(file.camera))
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
                self._was_indexed(row)

    async def _pool_name(self, camera: str) -> str:
        """The camera's pool, as last known while the index is away, and for a camera that is in the archive no more.

        Raises TryAgain where it is not known: a guess could store footage twice. Raises Refused where no pool takes its footage.
        """
        try:
            self._pool_names[camera] = pool_for(await self._index.camera(camera), self._rules)
        except NotFound:
            if camera not in self._pool_names:
                self._pool_names[camera] = pool_for(Camera(camera, name="", url=""), self._rules)
        except TryAgain:
            if camera not in self._pool_names:
                raise
        return self._pool_names[camera]

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
        self._was_indexed(row)
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

    def _was_indexed(self, row: Row) -> None:
        self.indexed += len(row.fragments)
        self._tell_indexed(row)

    def _pool(self, row: Row) -> WatchedPool:
        try:
            objects = self._pools[row.pool]
        except KeyError:
            raise Refused(f"{row.key} belongs to pool {row.pool!r}, which the configuration does not name") from None
        return WatchedPool(objects, failed=partial(self._fell_silent, row.pool), answered=partial(self._answered, row.pool))

    def _fell_silent(self, pool: str) -> None:
        self._silent.add(pool)
        self._away.add(pool)

    def _answered(self, pool: str) -> None:
        """A store that is back is used at once: what failed because of it, or of another, has its turn now."""
        if pool not in self._away:
            return
        self._away.discard(pool)
        for retry in self._retries.values():
            if isinstance(retry.error, TryAgain | Refused):
                retry.at_ns = self._clock.monotonic_ns()
        self.hint()


def _waiting(folder: Path) -> list[SpoolFile]:
    return sorted([*sealed_files(folder), *stubs(folder)], key=lambda file: (file.start_us, file.camera, file.run, file.counter))


def _backlog(files: list[SpoolFile]) -> Backlog:
    """Of files that are in order of time."""
    return Backlog(len(files), files[0].start_us) if files else Backlog()
