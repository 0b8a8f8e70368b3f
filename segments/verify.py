"""Checks that the index and a pool tell the same: reads both sides of camera-days, confirms what differs, and reports it.

Rows are read before objects are listed: a commit puts the object first and a sweep takes the row first, so what happens meanwhile can only
look like an orphan or a vanished row. Both are looked at again before they are reported. Camera-days on their way out are left alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeVar

from segments.clock import Clock
from segments.commit import COMMIT_DEADLINE_S
from segments.compare import LOSSES, CameraDay, Difference, Finding, Kind, Level, compare
from segments.errors import DataDamaged, NotFound
from segments.keys import OUR_FOLDER, SegmentKey, day_prefix
from segments.model import Row, RowPosition
from segments.patience import patiently, some_at_once
from segments.ports import Batches, Cameras, ReadRows, Runs
from segments.stored_segment import Pool, hash_object

T = TypeVar("T")

AT_ONCE = 8
"""Objects looked at, or read and hashed, at once."""
MAX_FINDINGS = 1000
"""Most findings a report names; it counts all."""
MAX_WAITING = 10_000
"""Objects without a row that are remembered before they are looked at again."""


class VerifyIndex(ReadRows, Runs, Batches, Cameras, Protocol):
    """What a check needs of the index."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check has found so far. `left_alone` counts the camera-days that are being deleted; `counts` has every kind found."""

    days: int = 0
    left_alone: int = 0
    rows: int = 0
    objects: int = 0
    hashed_bytes: int = 0
    counts: Mapping[Kind, int] = field(default_factory=lambda: MappingProxyType({}))
    findings: tuple[Finding, ...] = ()

    @property
    def lost(self) -> int:
        """Rows whose footage is not there as it was promised."""
        return sum(self.counts.get(kind, 0) for kind in LOSSES)

    @property
    def orphans(self) -> list[str]:
        """The keys of named objects without rows, ready to be adopted (segments/rebuild.py)."""
        return [finding.key for finding in self.findings if finding.kind is Kind.ORPHAN]

    def plus(self, found: Iterable[Finding]) -> VerifyReport:
        """The report with more findings."""
        new = list(found)
        counts = dict(self.counts)
        for finding in new:
            counts[finding.kind] = counts.get(finding.kind, 0) + 1
        return replace(self, counts=MappingProxyType(counts), findings=(*self.findings, *new)[:MAX_FINDINGS])


Progress = Callable[[VerifyReport], None]


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared, and the clock that waiting goes by."""

    pool: Pool
    index: VerifyIndex
    clock: Clock


async def verify(sides: Sides, days: AsyncIterable[CameraDay], level: Level, *, progress: Progress | None = None) -> VerifyReport:
    """Compares these camera-days in one pool, as deep as `level` says; tells the progress after each.

    An object without a row is reported only if it has none a commit deadline later, so a check that sees one ends with a wait of up to
    60 s. Passing faults are waited for about 13 s, then raised as TryAgain.
    """
    check = _Check(sides, level)
    async for day in days:
        await check.day(day)
        if progress is not None:
            progress(check.report)
    await check.settle()
    return check.report


async def camera_days(sides: Sides, first: date, last: date) -> AsyncIterator[CameraDay]:
    """Every day from `first` to `last` of every camera that is in the archive or has objects in the pool."""
    names = {camera async for camera in _archive(sides)} | {camera async for camera in _in_pool(sides)}
    for camera in sorted(names):
        for number in range((last - first).days + 1):
            yield CameraDay(camera, first + timedelta(days=number))


async def _archive(sides: Sides) -> AsyncIterator[str]:
    after: str | None = ""
    while after is not None:
        page = await patiently(partial(sides.index.cameras, after=after), sides.clock)
        for camera in page.items:
            yield camera.id
        after = page.next


async def _in_pool(sides: Sides) -> AsyncIterator[str]:
    """The first parts of keys, by one short listing each: what follows all of `camera/` begins at `camera0` (0 comes after the slash)."""
    after = ""
    while (page := await patiently(partial(sides.pool.objects.list, "", after=after, limit=1), sides.clock)).items:
        camera, slash, _ = page.items[0].key.partition("/")
        after = f"{camera}0" if slash else camera
        if slash and f"{camera}/" != OUR_FOLDER:
            yield camera


# --- one check ---------------------------------------------------------------------------------------------------------


class _Waiting(NamedTuple):
    """An object seen without a row, and when (monotonic)."""

    key: str
    segment: SegmentKey
    seen_ns: int


class _Check:
    """Compares camera-day after camera-day and keeps what must be looked at again."""

    def __init__(self, sides: Sides, level: Level) -> None:
        self._pool, self._index, self._clock = sides.pool, sides.index, sides.clock
        self._level = level
        self._waiting: list[_Waiting] = []
        self.report = VerifyReport()

    async def day(self, day: CameraDay) -> None:
        """Compares one camera-day; orphans wait for `settle`."""
        if await self._is_leaving(day):
            self.report = replace(self.report, days=self.report.days + 1, left_alone=self.report.left_alone + 1)
            return
        rows = await self._rows(day)
        sizes = await self._sizes(day)
        difference = compare(rows, sizes)
        findings = [Finding(Kind.STRANGER, key, "left alone") for key in difference.strangers]
        findings += await self._confirm(difference)
        report = self.report.plus(findings)
        self.report = replace(report, days=report.days + 1, rows=report.rows + len(rows), objects=report.objects + len(sizes))
        self._waiting += [_Waiting(key, segment, self._clock.monotonic_ns()) for key, segment in difference.orphans]
        if len(self._waiting) >= MAX_WAITING:
            await self.settle()

    async def settle(self) -> None:
        """Reports the objects that have no row although they could have got one by now; waits for that only while there are such."""
        waiting, self._waiting = self._waiting, []
        known = await some_at_once(self._is_known, [seen.segment for seen in waiting], AT_ONCE)
        waiting = [seen for seen, has_row in zip(waiting, known, strict=True) if not has_row]
        if not waiting:
            return
        due_ns = waiting[-1].seen_ns + COMMIT_DEADLINE_S * 1_000_000_000
        while (left_ns := due_ns - self._clock.monotonic_ns()) > 0:
            await self._clock.sleep(left_ns / 1e9)
        self.report = self.report.plus(await _findings(self._orphan, waiting))

    async def _is_leaving(self, day: CameraDay) -> bool:
        return await patiently(partial(self._index.batch, day.camera, day.day), self._clock) is not None

    async def _rows(self, day: CameraDay) -> list[Row]:
        found: list[Row] = []
        page = await patiently(partial(self._index.rows, day.camera, day.day), self._clock)
        found += page.items
        while page.next is not None:
            page = await patiently(partial(self._index.rows, day.camera, day.day, after=page.next), self._clock)
            found += page.items
        return [row for row in found if row.pool == self._pool.name]

    async def _sizes(self, day: CameraDay) -> dict[str, int]:
        found: dict[str, int] = {}
        after: str | None = ""
        while after is not None:
            page = await patiently(partial(self._pool.objects.list, day_prefix(day.camera, day.day), after=after), self._clock)
            found |= {listed.key: listed.size for listed in page.items}
            after = page.next
        return found

    async def _confirm(self, difference: Difference) -> list[Finding]:
        findings = await _findings(self._look, difference.ghosts)
        if self._level is not Level.PRESENCE:
            findings += await _findings(self._look, difference.sizes)
        if self._level is Level.HASH:
            findings += await _findings(self._hash, difference.same)
        return findings

    async def _look(self, row: Row) -> Finding | None:
        """A row that the listing speaks against, by the object itself."""
        try:
            info = await patiently(partial(self._pool.objects.head, row.key), self._clock)
        except NotFound:
            return await self._ghost(row)
        if info.size == row.size or self._level is Level.PRESENCE:
            return None
        return Finding(Kind.SIZE, row.key, f"the row says {row.size} bytes, the object has {info.size}")

    async def _hash(self, row: Row) -> Finding | None:
        try:
            found = await patiently(partial(hash_object, self._pool.objects, row.key), self._clock)
        except NotFound:
            return await self._ghost(row)
        except DataDamaged as error:
            return Finding(Kind.HASH, row.key, str(error))
        self.report = replace(self.report, hashed_bytes=self.report.hashed_bytes + row.size)
        if found == row.sha256:
            return None
        return Finding(Kind.HASH, row.key, f"the row says SHA-256 {row.sha256 or 'nothing'}, the object has {found}")

    async def _ghost(self, row: Row) -> Finding | None:
        """The object is not there: a ghost, unless the row has gone too or is about to."""
        if not await self._has_row(row.camera, row.position) or await self._is_leaving(CameraDay(row.camera, row.day)):
            return None
        return Finding(Kind.GHOST, row.key, f"the row of {row.size} bytes has no object in pool {row.pool}")

    async def _orphan(self, waiting: _Waiting) -> Finding | None:
        """An object that had no row: reported if it still has none, is still there, and is not on its way out."""
        segment = waiting.segment
        if await self._is_known(segment) or await self._is_leaving(CameraDay(*_partition(waiting.key))):
            return None
        try:
            info = await patiently(partial(self._pool.objects.head, waiting.key), self._clock)
        except NotFound:
            return None
        return Finding(Kind.ORPHAN, waiting.key, f"an object of {info.size} bytes has no row")

    async def _is_known(self, segment: SegmentKey) -> bool:
        if not segment.is_end:
            return await self._has_row(segment.camera, RowPosition(segment.start_us, segment.run, segment.counter))
        try:
            await patiently(partial(self._index.run, segment.camera, segment.run), self._clock)
        except NotFound:
            return False
        return True

    async def _has_row(self, camera: str, position: RowPosition) -> bool:
        """Whether this pool's object at the position has a row."""
        try:
            row = await patiently(partial(self._index.row, camera, position), self._clock)
        except NotFound:
            return False
        return row.pool == self._pool.name


def _partition(key: str) -> tuple[str, date]:
    camera, day = key.split("/")[:2]
    return camera, date.fromisoformat(day)


async def _findings(look: Callable[[T], Awaitable[Finding | None]], things: Iterable[T]) -> list[Finding]:
    return [finding for finding in await some_at_once(look, things, AT_ONCE) if finding is not None]
