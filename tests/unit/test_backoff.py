"""When a camera is tried again."""

from __future__ import annotations

import pytest

from recorder.backoff import BackoffSettings, ConnectRate, draw, wait_s
from segments.model import Cause
from tests.clocks import HandClock

SETTINGS = BackoffSettings(first_s=0.5, longest_s=60, after_refusal_s=30)


def test_waits_double_up_to_the_longest() -> None:
    """Soon after a loss, ever more rarely after, never more rarely than the longest."""
    waits = [wait_s(failures, Cause.CAMERA_AWAY, SETTINGS, 1.0) for failures in range(10)]

    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_refused_login_waits_longer_at_once() -> None:
    """Cameras lock accounts after some wrong passwords."""
    assert [wait_s(n, Cause.LOGIN_REFUSED, SETTINGS, 1.0) for n in range(3)] == [30, 60, 60]


def test_however_many_failures_there_were() -> None:
    """A camera away for years is still tried."""
    assert wait_s(10**9, Cause.CAMERA_AWAY, SETTINGS, 1.0) == 60


@pytest.mark.parametrize(("drawn", "expected"), [(0.0, 30), (0.5, 45), (1.0, 60)])
def test_the_draw_spreads_it_over_half(drawn: float, expected: float) -> None:
    """A thousand cameras lost at once do not come back at once."""
    assert wait_s(20, Cause.CAMERA_AWAY, SETTINGS, drawn) == expected


def test_draws_lie_between_0_and_1() -> None:
    """And differ."""
    drawn = {draw() for _ in range(50)}

    assert len(drawn) > 40
    assert all(0 <= one <= 1 for one in drawn)


async def test_connections_begin_one_after_another() -> None:
    """Fifty cameras at 25 a second take two seconds; after a rest there is no debt and no credit."""
    clock = HandClock()
    rate = ConnectRate(clock, per_s=25)
    for _ in range(51):
        await rate.turn()
    assert clock.passed_ns == pytest.approx(2e9)

    clock.move(100)
    before = clock.passed_ns
    await rate.turn()
    assert clock.passed_ns == before
    await rate.turn()
    assert clock.passed_ns == before + 40_000_000
