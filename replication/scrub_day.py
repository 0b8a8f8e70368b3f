"""The checks of a scrub over some camera-days or rows: presence and size, then bytes; what is found goes to the mender."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Protocol

from replication.mend import Mender, MendIndex
from replication.paced import Budget, PacedReads
from replication.scrub_progress import Tally
from segments.clock import Clock
from segments.compare import LOSSES, CameraDay, Finding, Level
from segments.damage import Damaged, damaged_of
from segments.errors import DataDamaged, NotFound, Refused, TryAgain
from segments.keys import parse_key
from segments.model import Row, RowPosition
from segments.patience import patiently
from segments.ports import Cameras, ObjectStore
from segments.stored_segment import Pool, hash_object
from segments.verify import Sides, verify

log = logging.getLogger(__name__)

_MISSING = "there is no object"


class CheckIndex(MendIndex, Cameras, Protocol):
    """What the checks need of the index."""


@dataclass(frozen=True, slots=True)
class CheckParts:
    """What is checked, and by what."""

    index: CheckIndex
    pools: Mapping[str, ObjectStore]
    mender: Mender
    budget: Budget
    clock: Clock


class Checks:
    """Checks that may be done again at any time. A pool that does not answer is left out until `begin`."""

    def __init__(self, parts: CheckParts) -> None:
        self._parts = parts
        self._away: set[str] = set()

    def begin(self) -> None:
        """Asks every pool again."""
        self._away.clear()

    async def look(self, days: Sequence[CameraDay]) -> Tally:
        """Whether rows and objects of these camera-days name the same, and of the same size. Ends with a wait of up to 60 s if an object
        has no row.
        """
        tally = Tally()
        for name, objects in self._parts.pools.items():
            try:
                tally += await self._look_in(Pool(name, objects), days)
            except (TryAgain, Refused) as error:
                self._leave_out(name, error)
        return tally

    async def hash(self, rows: Sequence[Row]) -> Tally:
        """Whether the bytes of these rows are what they were."""
        found: list[Damaged] = []
        read: list[Row] = []
        for row in rows:
            if row.pool in self._away or row.pool not in self._parts.pools:
                continue
            try:
                reason = await self._hash(row)
            except (TryAgain, Refused) as error:
                self._leave_out(row.pool, error)
                continue
            if reason != _MISSING:
                read.append(row)
            if reason:
                found.append(damaged_of(row, reason, self._parts.clock.now_us()))
        return await self._parts.mender.mend(found) + Tally(hashed=len(read), hashed_bytes=sum(row.size for row in read))

    async def again(self, known: Sequence[Damaged]) -> Tally:
        """Tries what is known to be damaged once more."""
        return await self._parts.mender.mend(known)

    async def day(self, camera: str, day: date) -> Tally:
        """All of one camera-day, if it is not being deleted."""
        tally = await self.look([CameraDay(camera, day)])
        async for rows in self.rows_of(camera, day, None):
            tally += await self.hash(rows)
        return tally

    async def rows_of(self, camera: str, day: date, after: RowPosition | None) -> AsyncIterator[Sequence[Row]]:
        """The rows of a camera-day, a page at a time; none while it is being deleted."""
        index, clock = self._parts.index, self._parts.clock
        while await patiently(partial(index.batch, camera, day), clock) is None:
            page = await patiently(partial(index.rows, camera, day, after=after), clock)
            yield page.items
            if page.next is None:
                return
            after = page.next

    async def _look_in(self, pool: Pool, days: Sequence[CameraDay]) -> Tally:
        """Once more if there was more wrong than a report names, as long as something is put right."""
        tally = Tally()
        while True:
            report = await verify(Sides(pool, self._parts.index, self._parts.clock), _each(days), Level.SIZE)
            lost = [damaged for finding in report.findings if finding.kind in LOSSES for damaged in await self._damaged(finding)]
            done = await self._parts.mender.mend(lost)
            if report.orphans:
                done += Tally(adopted=await self._parts.mender.adopt(pool, report.orphans))
            tally += done
            if len(report.findings) == sum(report.counts.values()) or not (done.healed or done.adopted):
                return tally

    async def _damaged(self, finding: Finding) -> list[Damaged]:
        segment = parse_key(finding.key)
        position = RowPosition(segment.start_us, segment.run, segment.counter)
        try:
            row = await patiently(partial(self._parts.index.row, segment.camera, position), self._parts.clock)
        except NotFound:
            return []
        return [damaged_of(row, f"{finding.kind}: {finding.detail}", self._parts.clock.now_us())]

    async def _hash(self, row: Row) -> str:
        """What is wrong with the bytes; '' if nothing is. Raises TryAgain where the pool does not even tell of the object."""
        objects, clock = self._parts.pools[row.pool], self._parts.clock
        try:
            sha256 = await patiently(partial(hash_object, PacedReads(objects, self._parts.budget), row.key), clock)
        except NotFound:
            return _MISSING
        except DataDamaged as error:
            return str(error)
        except TryAgain as error:
            await objects.head(row.key)
            return f"it cannot be read: {error}"
        return "" if sha256 == row.sha256 else f"its SHA-256 is {sha256}, not {row.sha256}"

    def _leave_out(self, pool: str, error: Exception) -> None:
        if pool not in self._away:
            log.warning("scrub.pool-away: pool %(pool)s is left out for now: %(error)s", {"pool": pool, "error": error})
        self._away.add(pool)


async def _each(days: Sequence[CameraDay]) -> AsyncIterator[CameraDay]:
    for day in days:
        yield day
