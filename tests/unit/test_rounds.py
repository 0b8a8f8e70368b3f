"""Duties done in rounds: begun with the lease, ended with it, and never two at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from deploy.fleet.rounds import FAILED_S, Round, RoundsDuty
from segments.duty import Duty
from segments.errors import TryAgain
from tests.builders import a_lease
from tests.virtual_time import VirtualClock, run_virtual

DUTY = Duty("sweep", 0, 2)
LEASE = a_lease(duty=DUTY)


@dataclass
class Work:
    """Counts what is begun and done; `during` is awaited in each round."""

    during: Callable[[], Awaitable[None]]
    begun: int = 0
    rounds: list[float] = field(default_factory=list)
    under_way: int = 0
    most: int = 0

    def begin(self, duty: Duty) -> Round:
        assert duty == DUTY
        self.begun += 1
        return self.round

    async def round(self) -> float:
        self.rounds.append(asyncio.get_running_loop().time())
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.during()
        finally:
            self.under_way -= 1
        return 10.0


async def nothing() -> None:
    """A round with nothing to do."""


def at_s(work: Work) -> list[float]:
    """When rounds began, in seconds since the first."""
    return [round(one - work.rounds[0], 3) for one in work.rounds]


def test_rounds_follow_each_other_while_the_lease_holds() -> None:
    """Each after the pause the one before asked for; none after the duty is lost."""

    async def main() -> None:
        work = Work(nothing)
        handler = RoundsDuty(work.begin, VirtualClock())
        handler.held(LEASE, resumed=False)
        for _ in range(25):
            handler.stands(LEASE, 1.0, answers=True)
            await asyncio.sleep(1)
        handler.lost(DUTY, linger_s=2.0)
        await asyncio.sleep(100)
        assert (at_s(work), work.begun) == ([0, 10, 20], 1)

    run_virtual(main())


def test_a_lease_that_is_over_ends_the_work_at_once() -> None:
    """In the middle of a round; whether the index answers or not. It begins anew when the lease holds again, after the old end."""

    async def main() -> None:
        async def long() -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(3)

        work = Work(long)
        handler = RoundsDuty(work.begin, VirtualClock())
        handler.held(LEASE, resumed=False)
        await asyncio.sleep(5)
        handler.stands(LEASE, 0.0, answers=False)
        handler.stands(LEASE, 1.0, answers=True)
        await asyncio.sleep(50)
        assert (at_s(work), work.begun, work.most) == ([0, 8], 2, 1)

    run_virtual(main())


@pytest.mark.parametrize(("error", "traced"), [(TryAgain("the index is away"), False), (ZeroDivisionError("a fault of ours"), True)])
def test_a_round_that_fails_is_done_again(caplog: pytest.LogCaptureFixture, error: Exception, traced: bool) -> None:
    """A minute later, said once; a fault of ours with its traceback."""

    async def main() -> None:
        async def fail() -> None:
            raise error

        work = Work(fail)
        handler = RoundsDuty(work.begin, VirtualClock())
        handler.held(LEASE, resumed=False)
        await asyncio.sleep(2.5 * FAILED_S)
        assert at_s(work) == [0, FAILED_S, 2 * FAILED_S]
        handler.lost(DUTY, linger_s=0)

    run_virtual(main())
    (said,) = caplog.records
    assert said.getMessage() == f"duty.failed: {DUTY}: {error}"
    assert bool(said.exc_info) is traced
