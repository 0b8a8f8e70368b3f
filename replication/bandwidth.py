"""How many bytes a second may come from another site, by a schedule of the site's civil time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import time, tzinfo

from segments.clock import Clock, to_datetime
from segments.pace import Pace


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some hours of each day, and the rate in them; one that ends at or before its start goes over midnight."""

    start: time
    end: time
    mbit_per_s: float

    def has(self, moment: time) -> bool:
        """Whether a time of day lies in it; its end does not."""
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rate of the first stretch that fits, else `mbit_per_s`; None: as fast as it goes."""

    mbit_per_s: float | None = None
    hours: Sequence[Stretch] = ()

    def bytes_per_s(self, moment: time) -> float:
        """At a time of day; infinite where there is no bound. A Mbit is 1,000,000 bits."""
        rate = next((each.mbit_per_s for each in self.hours if each.has(moment)), self.mbit_per_s)
        return math.inf if rate is None else rate * 1e6 / 8


UNBOUNDED = Schedule()


class Bandwidth:
    """The share of one of `shares` shards in a schedule."""

    def __init__(self, schedule: Schedule, clock: Clock, *, zone: tzinfo, shares: int = 1) -> None:
        self._schedule = schedule
        self._clock = clock
        self._zone = zone
        self._shares = shares
        self._pace = Pace(math.inf, clock)

    @property
    def is_bounded(self) -> bool:
        """Whether there is a bound at some time of the day."""
        return self._schedule != UNBOUNDED

    async def take(self, count: int) -> None:
        """Waits until so many bytes more may come."""
        if not self.is_bounded:
            return
        now = to_datetime(self._clock.now_us()).astimezone(self._zone).time()
        self._pace.per_s = self._schedule.bytes_per_s(now) / self._shares
        await self._pace.take(count)


class Flying:
    """So many bytes are under way at once, of whatever segments; one that is larger than all of it goes alone."""

    def __init__(self, most: int) -> None:
        self._most = self._free = most
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def room(self, count: int) -> AsyncIterator[None]:
        """Waits for room for so many bytes, and has it."""
        count = min(count, self._most)
        while self._free < count:
            self._freed.clear()
            await self._freed.wait()
        self._free -= count
        try:
            yield
        finally:
            self._free += count
            self._freed.set()
