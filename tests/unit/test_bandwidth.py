"""How much may come from another site at a time of day, and how many bytes may be under way."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, time
from zoneinfo import ZoneInfo

import pytest

from replication.bandwidth import Bandwidth, Flying, Schedule, Stretch
from segments.clock import US_PER_S
from tests.builders import at
from tests.clocks import HandClock
from tests.fakes import settled

NIGHT = Stretch(time(22), time(6), 100)
WORK = Stretch(time(8), time(18), 8)


@pytest.mark.parametrize(
    ("moment", "expected"), [("21:59", 2), ("22:00", 100), ("03:00", 100), ("06:00", 2), ("08:00", 8), ("17:59", 8), ("18:00", 2)]
)
def test_the_first_stretch_that_fits_counts(moment: str, expected: float) -> None:
    """Also over midnight; its end does not belong to it; else the rate of all hours."""
    assert Schedule(2, [NIGHT, WORK]).bytes_per_s(time.fromisoformat(moment)) == expected * 125_000


def test_without_a_rate_there_is_no_bound() -> None:
    """Outside of the stretches it is as fast as it goes."""
    assert Schedule(None, [WORK]).bytes_per_s(time(19)) == math.inf
    assert Schedule().bytes_per_s(time(9)) == math.inf


@pytest.mark.parametrize("shares", [1, 4])
async def test_so_many_bytes_take_so_long(shares: int) -> None:
    """8 Mbit/s are 1 MB/s; each of four shards has a quarter of it."""
    clock = HandClock(at("2026-03-14T09:00:00Z"))
    bandwidth = Bandwidth(Schedule(None, [WORK]), clock, zone=UTC, shares=shares)
    for _ in range(100):
        await bandwidth.take(100_000)
    assert 8 * shares <= sum(clock.slept_s) <= 10 * shares


async def test_the_hours_are_those_of_the_site() -> None:
    """09:00 UTC is 17:00 in Shanghai, and ten hours later it is night there."""
    clock = HandClock(at("2026-03-14T09:00:00Z"))
    bandwidth = Bandwidth(Schedule(None, [WORK]), clock, zone=ZoneInfo("Asia/Shanghai"))
    await bandwidth.take(5_000_000)
    await bandwidth.take(1)
    assert sum(clock.slept_s) == pytest.approx(4)
    clock.start_us += 10 * 3600 * US_PER_S
    clock.move(100)
    clock.slept_s.clear()
    for _ in range(10):
        await bandwidth.take(5_000_000)
    assert clock.slept_s == []


async def test_so_many_bytes_are_under_way() -> None:
    """The next waits until one ends; one that is larger than all the room goes alone."""
    flying, under_way, most = Flying(100), 0, []

    async def one(size: int, end: asyncio.Event) -> None:
        nonlocal under_way
        async with flying.room(size):
            under_way += 1
            most.append((under_way, size))
            await end.wait()
            under_way -= 1

    ends = [asyncio.Event() for _ in range(4)]
    async with asyncio.TaskGroup() as tasks:
        for size, end in zip([60, 40, 50, 1000], ends, strict=True):
            tasks.create_task(one(size, end))
        await settled()
        assert most == [(1, 60), (2, 40)]
        ends[0].set()
        await settled()
        assert most[2:] == [(2, 50)]
        ends[1].set()
        ends[2].set()
        await settled()
        assert most[3:] == [(1, 1000)]
        ends[3].set()
