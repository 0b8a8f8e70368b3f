"""When a camera is tried again: soon after a loss, ever more rarely while it stays away, and never a thousand in one moment."""

from __future__ import annotations

import random
from dataclasses import dataclass

from segments.clock import Clock
from segments.model import Cause


@dataclass(frozen=True, slots=True)
class BackoffSettings:
    """Seconds: the first wait, the longest one, and the first after a refused login (cameras lock accounts)."""

    first_s: float = 0.5
    longest_s: float = 60.0
    after_refusal_s: float = 30.0


def wait_s(failures: int, cause: Cause, settings: BackoffSettings, draw: float) -> float:
    """Seconds until the next try after so many failures in a row; `draw` from 0 to 1 spreads it over half of its length."""
    first = settings.after_refusal_s if cause is Cause.LOGIN_REFUSED else settings.first_s
    whole = min(first * 2.0 ** min(failures, 16), max(settings.longest_s, first))
    return whole * (0.5 + draw / 2)


class ConnectRate:
    """Lets at most so many connections begin a second, over all cameras of a recorder."""

    def __init__(self, clock: Clock, per_s: float = 25.0) -> None:
        self._clock = clock
        self._gap_ns = int(1e9 / per_s)
        self._next_ns = 0

    async def turn(self) -> None:
        """Waits for this camera's turn."""
        now = self._clock.monotonic_ns()
        mine = max(now, self._next_ns)
        self._next_ns = mine + self._gap_ns
        if mine > now:
            await self._clock.sleep((mine - now) / 1e9)


def draw() -> float:
    """A number from 0 to 1."""
    return random.random()
