"""How much of camera-days that could make room misses a copy at another site, asked of the other sites and remembered for a while."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from retention.copies import Copies
from retention.look import rows_of
from retention.pressure import CameraDay, PoolDay, Waiting
from segments.clock import US_PER_S, Clock
from segments.patience import some_at_once
from segments.ports import ReadRows

AT_ONCE = 8
MOST_ASKED = 5_000
"""Of one look, so that it ends; what is not asked about counts as having its copies, until a later look comes to it."""
HEARD_WITHIN_S = 60.0
KNOWN_FOR_S = 3600.0
"""So long a camera-day is not asked about again. What has its copies goes soon; if it stays, another site may have needed room, too."""


class _Known(NamedTuple):
    missing_bytes: int
    until_us: int


class MissingCopies:
    """See `retention.pressed.Missing`. A site that has not told which holds it has makes all that could go wait, as it does in a plan."""

    def __init__(self, index: ReadRows, copies: Copies, clock: Clock) -> None:
        self._index = index
        self._copies = copies
        self._clock = clock
        self._known: dict[CameraDay, _Known] = {}

    async def __call__(self, days: Sequence[PoolDay]) -> Waiting:
        """What of them does; raises TryAgain as the index does."""
        if await self._copies.hear(HEARD_WITHIN_S):
            return {day.place: day.stored_bytes for day in days}
        now_us = self._clock.now_us()
        self._known = {place: known for place, known in self._known.items() if known.until_us > now_us}
        wanted = [day for day in days if day.copies > 1]
        unknown = [day for day in wanted if day.place not in self._known]
        await some_at_once(partial(self._ask, now_us), unknown[:MOST_ASKED], AT_ONCE)
        found = ((day.place, self._known.get(day.place)) for day in wanted)
        return {place: known.missing_bytes for place, known in found if known and known.missing_bytes}

    async def _ask(self, now_us: int, day: PoolDay) -> None:
        rows = await rows_of(self._index, day.camera, day.day)
        short = await self._copies.short(day.camera, day.day, rows, day.copies, early=now_us < day.keep_us)
        missing_bytes = sum(row.size for row in rows if row.position in short)
        self._known[day.place] = _Known(missing_bytes, now_us + int(KNOWN_FOR_S * US_PER_S))
