"""How fast something is done at most."""

from __future__ import annotations

from segments.clock import Clock

BURST_S = 1.0
"""What may be done at once is a second's worth, and one call at least."""


class Pace:
    """Lets so many through a second, in the order they come. `per_s` may be set anew at any time; infinite: all of them."""

    def __init__(self, per_s: float, clock: Clock) -> None:
        self.per_s = per_s
        self._clock = clock
        self._full_ns = clock.monotonic_ns() - BURST_S * 1e9

    async def take(self, count: int) -> None:
        """Waits until so many more may be done."""
        now_ns = self._clock.monotonic_ns()
        self._full_ns = max(self._full_ns, now_ns - BURST_S * 1e9)
        wait_ns = self._full_ns - now_ns
        self._full_ns += count * 1e9 / self.per_s
        if wait_ns > 0:
            await self._clock.sleep(wait_ns / 1e9)
