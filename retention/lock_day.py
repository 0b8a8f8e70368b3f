"""The locks of one camera-day: each segment that a standing hold covers is locked, each other one of a lifted hold is let go."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from retention.held import CameraDay, rows_within
from retention.rules import standing_holds
from segments.errors import NotFound, Refused, TryAgain
from segments.hold import Hold, holding
from segments.model import Camera, Row, RowPosition, Span
from segments.pace import Pace
from segments.ports import LegalHolds, ReadRows, Records
from segments.usage import UsageSum

AT_ONCE = 16

Mark = tuple[UsageSum, tuple[tuple[str, Span, bool], ...]]
"""What a camera-day was done for: what it kept, and the holds on it."""


@dataclass(slots=True)
class Count:
    """Of the segments of one hold in one camera-day."""

    locked: int = 0
    of: int = 0
    refused: int = 0
    pools: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Segments in pools without locks."""


@dataclass(slots=True)
class LockDay:
    """A camera-day that keeps something some holds cover; `locked` is what is known to be, remembered where more may come."""

    camera: Camera
    kept: CameraDay
    holds: Sequence[Hold]
    due_us: int
    mark: Mark | None = None
    counts: Mapping[str, Count] = field(default_factory=dict)
    locked: frozenset[RowPosition] = frozenset()

    @property
    def wanted(self) -> Mark:
        """What it should be done for."""
        return self.kept.sum, tuple((hold.id, hold.span, hold.stands) for hold in self.holds)

    @property
    def done(self) -> bool:
        """Whether it is."""
        return self.mark == self.wanted


class LockIndex(ReadRows, Records, Protocol):
    """What locking a day needs of an index."""


class DayLocker:
    """Does camera-days of one round; a pool that does not answer is left alone until the next. Counts the requests that took effect."""

    def __init__(self, index: LockIndex, pools: Mapping[str, LegalHolds], pace: Pace) -> None:
        self._index = index
        self._pools = pools
        self._pace = pace
        self._away: set[str] = set()
        self.locked = 0
        self.lifted = 0

    async def do(self, day: LockDay, *, remember: bool) -> None:
        """Sets and lifts the locks of a camera-day; it is not `done` afterwards if a pool did not answer, or let go of no lock.

        Raises TryAgain if the index does not answer.
        """
        mark = day.wanted
        rows = await rows_within(_whole([hold.span for hold in day.holds]), day.kept.camera, day.kept.day, self._index)
        held = {row.position: holding(day.holds, day.camera, _span(row)) for row in rows}
        refused = await self._set([row for row in rows if held[row.position] and row.position not in day.locked], held=True)
        lifted = [hold.span for hold in day.holds if not hold.stands]
        free = [row for row in rows if not held[row.position] and any(_overlap(row, span) for span in lifted)]
        kept = await self._set(await self._still_free(free, day.camera), held=False)
        day.counts = _counted(rows, held, refused, self._pools)
        lockable = (row.position for row in rows if held[row.position] and row.pool in self._pools and row.position not in refused)
        if not kept and not any(row.pool in self._away for row in rows):
            day.locked = frozenset(lockable) if remember else frozenset()
            day.mark = mark

    async def _still_free(self, rows: Sequence[Row], camera: Camera) -> list[Row]:
        """Those that no hold covers that was placed meanwhile."""
        stand = await standing_holds(self._index) if rows else []
        return [row for row in rows if not holding(stand, camera, _span(row))]

    async def _set(self, rows: Sequence[Row], *, held: bool) -> set[RowPosition]:
        """Returns those the store refused."""
        refused: set[RowPosition] = set()
        ours = [row for row in rows if row.pool in self._pools]
        for first in range(0, len(ours), AT_ONCE):
            some = [row for row in ours[first : first + AT_ONCE] if row.pool not in self._away]
            await self._pace.take(len(some))
            answers = await asyncio.gather(*(self._set_one(row, held) for row in some))
            refused |= {row.position for row, fine in zip(some, answers, strict=True) if not fine}
        return refused

    async def _set_one(self, row: Row, held: bool) -> bool:
        try:
            await self._pools[row.pool].set_legal_hold(row.key, row.version, held)
        except NotFound:
            return not held
        except Refused:
            return False
        except TryAgain:
            self._away.add(row.pool)
            return False
        self.locked += held
        self.lifted += not held
        return True


def _counted(
    rows: Sequence[Row], held: Mapping[RowPosition, Sequence[Hold]], refused: set[RowPosition], pools: Mapping[str, LegalHolds]
) -> Mapping[str, Count]:
    counts: dict[str, Count] = defaultdict(Count)
    for row in rows:
        for hold in held[row.position]:
            count = counts[hold.id]
            count.of += 1
            if row.pool not in pools:
                count.pools[row.pool] += 1
            elif row.position in refused:
                count.refused += 1
            else:
                count.locked += 1
    return counts


def _whole(spans: Sequence[Span]) -> Span:
    return Span(min(span.start_us for span in spans), max(span.end_us for span in spans))


def _overlap(row: Row, span: Span) -> bool:
    return row.start_us < span.end_us and span.start_us < row.end_us


def _span(row: Row) -> Span:
    return Span(row.start_us, row.end_us)
