"""Making the index anew from a pool alone: every segment tells its row and its run, every `_end` object that a run is over.

Rows and runs come back as they were; policies, holds, receipts, batches and cameras come back from a copy of the index. The work goes
camera-day by camera-day in the order of keys and may be done twice, also over an index in use: what is on its way out is left alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import NamedTuple, Protocol

from segments.clock import Clock, day_of
from segments.errors import BadInput, DataDamaged, NotFound
from segments.keys import OUR_FOLDER, SegmentKey, parse_key, parse_run
from segments.model import Run
from segments.patience import patiently, some_at_once
from segments.ports import Batches, Leases, ListObjects, Runs, WriteRows
from segments.stored_segment import Pool, StoredSegment, read_stored

AT_ONCE = 16
"""Segments whose facts are read at once."""
GROUP_KEYS = 1000
"""Most objects of a camera-day that are read before their rows are written."""
MAX_LEFT_OUT = 1000
"""Most objects a report names; it counts all."""
LEAVING = "its camera-day is being deleted"


class RebuildIndex(WriteRows, Runs, Batches, Leases, Protocol):
    """What a rebuild needs of the index."""


class LeftOut(NamedTuple):
    """An object that got no row, and why."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """How far a rebuild has come: `rows` written (`adopted` of them for objects others uploaded), objects `left_out`, `examples` of these.

    Started again with `after=last_key`, it goes on from there.
    """

    last_key: str = ""
    rows: int = 0
    adopted: int = 0
    left_out: int = 0
    examples: tuple[LeftOut, ...] = ()

    def plus(self, last_key: str, segments: Sequence[StoredSegment], left: Sequence[LeftOut]) -> RebuildReport:
        """The report with one more group of objects."""
        return RebuildReport(
            last_key=last_key,
            rows=self.rows + len(segments),
            adopted=self.adopted + sum(segment.adopted for segment in segments),
            left_out=self.left_out + len(left),
            examples=(*self.examples, *left)[:MAX_LEFT_OUT],
        )


Progress = Callable[[RebuildReport], None]


async def rebuild(pool: Pool, index: RebuildIndex, clock: Clock, *, after: str = "", progress: Progress | None = None) -> RebuildReport:
    """Writes rows and runs of all objects with a key greater than `after`; tells the progress after each camera-day.

    Idempotent. A passing fault is waited for about 13 s, then raised as TryAgain; Refused is raised at once. Listings are eventual: an
    object put a moment ago may be missing; its row comes with its commit.
    """
    work = _Rebuild(pool, index, clock)
    report = RebuildReport(last_key=after)
    async for keys in _groups(_keys(pool.objects, clock, after)):
        segments, left = await work.group(keys)
        report = report.plus(keys[-1], segments, left)
        if progress is not None:
            progress(report)
    return report


async def adopt(pool: Pool, index: RebuildIndex, clock: Clock, keys: Iterable[str]) -> RebuildReport:
    """The same for these objects only: those a check found without rows."""
    work = _Rebuild(pool, index, clock)
    report = RebuildReport()
    for _, group in groupby(sorted(keys), key=_camera_day):
        listed = list(group)
        segments, left = await work.group(listed)
        report = report.plus(listed[-1], segments, left)
    return report


# --- listing ---------------------------------------------------------------------------------------------------------


async def _keys(objects: ListObjects, clock: Clock, after: str) -> AsyncIterator[str]:
    cursor: str | None = after
    while cursor is not None:
        page = await patiently(partial(objects.list, "", after=cursor), clock)
        for listed in page.items:
            if not listed.key.startswith(OUR_FOLDER):
                yield listed.key
        cursor = page.next


async def _groups(keys: AsyncIterator[str]) -> AsyncIterator[list[str]]:
    """Keys of one camera-day together, at most `GROUP_KEYS` at a time; in order of key they stand side by side."""
    group: list[str] = []
    async for key in keys:
        if group and (_camera_day(key) != _camera_day(group[0]) or len(group) == GROUP_KEYS):
            yield group
            group = []
        group.append(key)
    if group:
        yield group


def _camera_day(key: str) -> list[str]:
    return key.split("/")[:2]


# --- one camera-day ----------------------------------------------------------------------------------------------------


class _Rebuild:
    """Reads and writes one group of objects at a time."""

    def __init__(self, pool: Pool, index: RebuildIndex, clock: Clock) -> None:
        self._pool = pool
        self._index = index
        self._clock = clock
        self._epoch = 0

    async def group(self, keys: Sequence[str]) -> tuple[list[StoredSegment], list[LeftOut]]:
        """Reads these objects of one camera-day and writes their rows and runs; gives what was written and what was not.

        Nothing is written if a batch covers the camera-day before the reading or after it: a sweep takes longer than that, so none is
        overtaken (its objects would get rows again).
        """
        parsed, left = _parse(keys)
        footage = [(key, segment) for key, segment in parsed if not segment.is_end]
        await self._spend_epochs([segment for _, segment in parsed])
        if footage and await self._is_leaving(footage[0][1]):
            return [], left + [LeftOut(key, LEAVING) for key, _ in footage]
        outcomes = await some_at_once(self._read, [key for key, _ in footage], AT_ONCE)
        segments = [outcome for outcome in outcomes if isinstance(outcome, StoredSegment)]
        left += [outcome for outcome in outcomes if isinstance(outcome, LeftOut)]
        if segments and await self._is_leaving(footage[0][1]):
            return [], left + [LeftOut(segment.row.key, LEAVING) for segment in segments]
        await self._write(segments)
        for key, segment in parsed:
            if segment.is_end:
                await self._end_run(key, segment)
        return segments, left

    async def _is_leaving(self, segment: SegmentKey) -> bool:
        return await patiently(partial(self._index.batch, segment.camera, day_of(segment.start_us)), self._clock) is not None

    async def _read(self, key: str) -> StoredSegment | LeftOut:
        try:
            return await patiently(partial(read_stored, self._pool, key), self._clock)
        except (DataDamaged, NotFound) as error:
            return LeftOut(key, str(error))

    async def _spend_epochs(self, segments: Sequence[SegmentKey]) -> None:
        """No epoch that is in a key may be given again: its runs would be taken for others."""
        highest = max((_epoch(segment.run) for segment in segments), default=0)
        if highest > self._epoch:
            await patiently(partial(self._index.spend_epochs, highest), self._clock)
            self._epoch = highest

    async def _write(self, segments: Sequence[StoredSegment]) -> None:
        """Runs first, then rows: a reader that finds a row finds what plays it."""
        for run in _runs(segments):
            await patiently(partial(self._index.put_run, run), self._clock)
        await patiently(partial(self._index.publish_many, [segment.row for segment in segments]), self._clock)

    async def _end_run(self, key: str, segment: SegmentKey) -> None:
        """An `_end` object lies where the last sample ended; that of a run without any row says nothing."""
        try:
            run = await patiently(partial(self._index.run, segment.camera, segment.run), self._clock)
            info = await patiently(partial(self._pool.objects.head, key), self._clock)
        except NotFound:
            return
        ended = replace(run, ended=True, end_cause=info.attributes.get("end-cause", ""))
        await patiently(partial(self._index.put_run, ended), self._clock)


def _parse(keys: Sequence[str]) -> tuple[list[tuple[str, SegmentKey]], list[LeftOut]]:
    parsed, left = [], []
    for key in keys:
        try:
            parsed.append((key, parse_key(key)))
        except BadInput as error:
            left.append(LeftOut(key, str(error)))
    return parsed, left


def _epoch(run: str) -> int:
    """The epoch of a run of ours; cameras that upload by themselves have none."""
    try:
        return parse_run(run).epoch
    except BadInput:
        return 0


def _runs(segments: Sequence[StoredSegment]) -> list[Run]:
    """The runs of these segments as of their last ones, from the first start that is known."""
    runs: dict[str, Run] = {}
    for segment in sorted(segments, key=lambda segment: segment.row.position):
        known = runs.get(segment.run.id, segment.run)
        runs[segment.run.id] = replace(segment.run, start_us=known.start_us, last_us=max(known.last_us, segment.run.last_us))
    return list(runs.values())
