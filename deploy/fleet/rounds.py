"""Duties that are done in rounds, one after the other, while their lease holds: the handler of every kind but recording and supervising."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from segments.clock import Clock
from segments.duty import Duty
from segments.errors import KeepsightError
from segments.model import Lease

log = logging.getLogger(__name__)

Round = Callable[[], Awaitable[float]]
"""One round of work; gives the seconds until the next is due. May be cut off at any await, and the work begun anew by another."""
FAILED_S = 60.0
"""After a round that failed."""


class RoundsDuty:
    """A `DutyHandler`. `begin` makes what does the rounds of a duty, anew each time the duty is begun."""

    def __init__(self, begin: Callable[[Duty], Round], clock: Clock) -> None:
        self._begin = begin
        self._clock = clock
        self._working: dict[Duty, asyncio.Task[None]] = {}
        self._ending: dict[Duty, asyncio.Task[None]] = {}

    def held(self, lease: Lease, *, resumed: bool) -> None:  # noqa: ARG002 - what an earlier process left is in the index
        """See `DutyHandler`."""
        self._start(lease.duty)

    def stands(self, lease: Lease, left_s: float, *, answers: bool) -> None:  # noqa: ARG002 - without the index nothing is done anyway
        """See `DutyHandler`; ends when the lease is over by our own clock, and begins anew when it holds again."""
        if left_s > 0:
            self._start(lease.duty)
        else:
            self._stop(lease.duty)

    def lost(self, duty: Duty, *, linger_s: float) -> None:  # noqa: ARG002 - nobody waits for it, and two would do the same twice
        """See `DutyHandler`; ends at once."""
        self._stop(duty)

    def _start(self, duty: Duty) -> None:
        if duty not in self._working:
            self._working[duty] = asyncio.get_running_loop().create_task(self._work(duty, self._ending.pop(duty, None)))

    def _stop(self, duty: Duty) -> None:
        if duty in self._working:
            self._ending[duty] = self._working.pop(duty)
            self._ending[duty].cancel()

    async def _work(self, duty: Duty, before: asyncio.Task[None] | None) -> None:
        """Rounds until cancelled, once the work before has ended."""
        if before is not None:
            await asyncio.wait((before,))
        work = self._begin(duty)
        failing = False
        while True:
            wait_s = FAILED_S
            try:
                wait_s = await work()
                failing = False
            except Exception as error:
                if not failing:
                    trace = None if isinstance(error, KeepsightError) else error
                    log.warning("duty.failed: %(duty)s: %(error)s", {"duty": duty, "error": error}, exc_info=trace)
                failing = True
            await self._clock.sleep(wait_s)
