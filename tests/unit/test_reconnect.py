"""A thousand cameras that are lost in one moment: they come back one after another, on a clock that stands until all sleep."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from bisect import bisect_left

from recorder import backoff
from recorder.backoff import BackoffSettings, ConnectRate
from recorder.runner import CameraRunner
from recorder.source import SourceEnded
from segments.model import Cause
from tests.builders import NOON_US
from tests.recording import a_session

CAMERAS = 1000
LOST_S, BACK_S = 100.0, 160.0
"""When the switch behind which they stand goes away, and when it is back."""


class CommonClock:
    """A clock for many sleepers: it moves to the next moment somebody waits for, once nobody has anything left to do."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now_us(self) -> int:
        """See `segments.clock.Clock`."""
        return NOON_US + round(self.passed_s * 1e6)

    def monotonic_ns(self) -> int:
        """See `segments.clock.Clock`."""
        return round(self.passed_s * 1e9)

    async def sleep(self, seconds: float) -> None:
        """See `segments.clock.Clock`."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.passed_s + seconds, next(self._numbers), woken))
        await woken

    async def run_to(self, end_s: float) -> None:
        """Lets time pass, moment by moment."""
        while True:
            for _ in range(10):  # whoever was woken goes as far as the next sleep
                await asyncio.sleep(0)
            if not self._sleepers or self._sleepers[0][0] > end_s:
                return
            self.passed_s, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)


class Spool:
    """One with room, to which nothing comes."""

    def has_room(self, size):
        return True


class Listener:
    """Hears nothing."""

    def state(self, *_):
        pass


class Behind:
    """A camera behind the switch: there until it is lost, refused while it is away."""

    def __init__(self, clock: CommonClock) -> None:
        self._clock = clock

    async def run(self, sink) -> None:
        """See `Source`."""
        if LOST_S <= self._clock.passed_s < BACK_S:
            raise SourceEnded(Cause.CAMERA_AWAY, "no route to the camera")
        await self._clock.sleep(LOST_S - self._clock.passed_s if self._clock.passed_s < LOST_S else 1e6)
        raise SourceEnded(Cause.CAMERA_AWAY, "the connection was lost")


async def connections(per_s: float) -> list[float]:
    """The moments at which cameras were connected to, from the loss on."""
    clock, moments = CommonClock(), []
    rate = ConnectRate(clock, per_s)

    async def opened():
        moments.append(clock.passed_s)
        return Behind(clock)

    runners = [
        CameraRunner(f"c{n}", session=a_session(f"c{n}"), source=opened, spool=Spool(), listener=Listener(), clock=clock)
        for n in range(CAMERAS)
    ]
    tasks = [asyncio.create_task(runner.run(rate, BackoffSettings())) for runner in runners]
    await clock.run_to(BACK_S + 120)
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
    return sorted(moment for moment in moments if moment >= LOST_S)


def most_within(moments: list[float], seconds: float) -> int:
    """The most of them that lie in any stretch of this length."""
    return max(bisect_left(moments, moment + seconds) - n for n, moment in enumerate(moments))


async def test_a_thousand_cameras_do_not_come_back_in_one_moment() -> None:
    """After the loss of all, at most 25 connections begin in any second and never two in one moment; and all are back."""
    moments = await connections(25)
    assert len(moments) >= CAMERAS
    assert most_within(moments, 1.0) <= 26
    assert most_within(moments, 0.02) == 1
    assert sum(moment >= BACK_S for moment in moments) >= CAMERAS


async def test_without_rate_and_jitter_they_do(monkeypatch) -> None:
    """The control: waits without chance and connections without a rate come all at once."""
    monkeypatch.setattr("recorder.runner.draw", lambda: 1.0)
    moments = await connections(1e9)
    assert most_within(moments, 0.02) == CAMERAS


def test_waits_grow_and_are_spread() -> None:
    """Each failure doubles the wait up to a minute, and chance spreads it over half of its length; a refused login begins with 30 s."""
    settings = BackoffSettings()
    longest = [backoff.wait_s(n, Cause.CAMERA_AWAY, settings, 1.0) for n in range(12)]
    assert longest[:3] == [0.5, 1.0, 2.0]
    assert longest[-1] == settings.longest_s
    assert backoff.wait_s(3, Cause.CAMERA_AWAY, settings, 0.0) == longest[3] / 2
    assert backoff.wait_s(0, Cause.LOGIN_REFUSED, settings, 0.0) >= 15
