"""Counting what camera-days keep: when it is done, that repeating it changes nothing, and what a lost mark costs."""

from __future__ import annotations

from datetime import date

from recorder.usage import COUNT_S, FIRST_COUNT_S, RETRY_S, UsageCounter
from segments.clock import US_PER_DAY, day_of
from segments.errors import TryAgain
from segments.stores.memory_index import MemoryIndex
from segments.usage import PoolUsage, UsageSum, usage_by_pool
from tests.builders import NOON_US, a_row
from tests.clocks import HandClock

DAY = day_of(NOON_US)


class Counted(MemoryIndex):
    """An index that remembers which camera-days were summed, and fails on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.summed: list[date] = []
        self.fails = False

    async def row_sums(self, camera: str, day: date) -> dict[str, UsageSum]:
        """See `Usage`."""
        if self.fails:
            raise TryAgain("the index is away")
        self.summed.append(day)
        return dict(await super().row_sums(camera, day))


async def _index(counter: UsageCounter, index: MemoryIndex, number: int, start_us: int = NOON_US) -> None:
    row = a_row(start_us=start_us + number * 60_000_000, counter=number, size=100)
    await index.publish(row)
    counter.indexed(row)


async def test_a_camera_day_is_counted_about_once_an_hour() -> None:
    """First soon, then once an hour however much footage came, and what is counted is what the rows say."""
    index, clock = Counted(), HandClock(NOON_US)
    counter = UsageCounter(index, clock)
    for minute in range(180):
        await _index(counter, index, minute)
        clock.move(60)
        await counter.count_due()
    assert index.summed.count(DAY) == 1 + 2
    clock.move(COUNT_S)
    await counter.count_due()
    assert await usage_by_pool(index) == {"main": PoolUsage(180, 18_000, 1, 1, DAY, DAY)}


async def test_a_day_that_is_over_is_counted_to_its_end() -> None:
    """The last footage of a day is counted within the hour, although later footage is another day's."""
    index, clock = Counted(), HandClock(NOON_US)
    counter = UsageCounter(index, clock)
    await _index(counter, index, 0)
    clock.move(FIRST_COUNT_S)
    await counter.count_due()
    await _index(counter, index, 1)
    await _index(counter, index, 2, NOON_US + US_PER_DAY)
    clock.move(COUNT_S)
    await counter.count_due()
    assert (await usage_by_pool(index))["main"].segments == 3


async def test_a_new_process_counts_what_the_last_one_did_not() -> None:
    """A process that died had a day to count; the next one's first footage of the camera has it counted. Control: without it, not."""
    index, clock = Counted(), HandClock(NOON_US)
    await _index(UsageCounter(index, clock), index, 0)
    clock.move(COUNT_S)
    assert await usage_by_pool(index) == {}
    after = UsageCounter(index, clock)
    await _index(after, index, 1, NOON_US + US_PER_DAY)
    clock.move(FIRST_COUNT_S)
    await after.count_due()
    assert (await usage_by_pool(index))["main"] == PoolUsage(2, 200, 1, 2, DAY, day_of(NOON_US + US_PER_DAY))


async def test_a_count_that_failed_gets_another_turn() -> None:
    """While the index is away nothing is counted and nothing forgotten."""
    index, clock = Counted(), HandClock(NOON_US)
    counter = UsageCounter(index, clock)
    await _index(counter, index, 0)
    index.fails = True
    clock.move(FIRST_COUNT_S)
    await counter.count_due()
    index.fails = False
    await counter.count_due()
    assert await usage_by_pool(index) == {}
    clock.move(RETRY_S)
    await counter.count_due()
    assert (await usage_by_pool(index))["main"].segments == 1
