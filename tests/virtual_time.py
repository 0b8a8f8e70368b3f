"""An event loop whose time passes only when everybody waits: hours in seconds, the same order of events each time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from segments.clock import US_PER_S
from tests.builders import NOON_US

T = TypeVar("T")


class _Instant(selectors.SelectSelector):
    """Waits for nothing outside: the time it should wait has passed when it returns."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list:
        """See `selectors.BaseSelector`."""
        if timeout is None:
            raise AssertionError("everybody waits, and nothing will ever happen")
        self.now_s += max(timeout, 0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Begins at 0. No threads, no sockets."""

    def __init__(self) -> None:
        self._instant = _Instant()
        super().__init__(self._instant)

    def time(self) -> float:
        """Seconds since the beginning."""
        return self._instant.now_s


class VirtualClock:
    """The clock of a machine in such a loop, which begins at noon."""

    def now_us(self) -> int:
        """See `segments.clock.Clock`."""
        return NOON_US + round(asyncio.get_running_loop().time() * US_PER_S)

    def monotonic_ns(self) -> int:
        """See `segments.clock.Clock`."""
        return round(asyncio.get_running_loop().time() * 1e9)

    async def sleep(self, seconds: float) -> None:
        """See `segments.clock.Clock`."""
        await asyncio.sleep(seconds)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """What it gives, run to its end in virtual time; tasks it leaves behind are cancelled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
