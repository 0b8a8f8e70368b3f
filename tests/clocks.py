"""A clock that stands until something sleeps by it."""

from __future__ import annotations

import asyncio

from segments.clock import US_PER_S
from tests.builders import NOON_US


class HandClock:
    """Begins at noon; a sleep moves it at once and is remembered in `slept_s`."""

    def __init__(self, now_us: int = NOON_US) -> None:
        self.start_us = now_us
        self.passed_ns = 0
        self.slept_s: list[float] = []

    def now_us(self) -> int:
        """See `segments.clock.Clock`."""
        return self.start_us + self.passed_ns // 1000

    def monotonic_ns(self) -> int:
        """See `segments.clock.Clock`."""
        return self.passed_ns

    async def sleep(self, seconds: float) -> None:
        """See `segments.clock.Clock`."""
        self.slept_s.append(seconds)
        self.move(seconds)
        await asyncio.sleep(0)

    def move(self, seconds: float) -> None:
        """Lets time pass."""
        self.passed_ns += round(seconds * US_PER_S) * 1000
