"""The history of usage: counted from sums and runs, and kept beside the index while footage comes and goes."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from capacity.days import DAYS, merged, no_days
from capacity.keeping import bucket_days, closed_before, keep_bucket
from capacity.recorded import days_of, grown, kind_of, with_runs
from segments.clock import US_PER_DAY, US_PER_HOUR, day_start_us
from segments.errors import Conflict, DataDamaged
from segments.model import Run
from segments.shards import bucket_of
from segments.stores.memory_index import MemoryIndex
from segments.usage import DayUsage, PackedHistory, UsageSum
from tests.builders import a_run
from tests.sweep_site import DAY, footage
from tests.sweep_site import a_site as a_swept_site

MARCH = date(2026, 3, 1)
BUCKET = bucket_of("gate")


def day(number: int) -> date:
    """A day of March."""
    return MARCH + timedelta(days=number - 1)


def a_run_of(first: date, hours: float, *, begin_h: float = 0, camera: str = "gate", run: str = "home-a-1-1", width: int = 1920) -> Run:
    """A run of so many hours that begins at an hour of a day."""
    start_us = day_start_us(first) + round(begin_h * US_PER_HOUR)
    return a_run(
        camera=camera, id=run, start_us=start_us, last_us=start_us + round(hours * US_PER_HOUR), width=width, codecs="avc1.64,mp4a.2"
    )


def sums(*of_days: tuple[int, int], pool: str = "main") -> list[DayUsage]:
    """Sums of gate: bytes by day of March, a segment each hundred bytes."""
    return [DayUsage("gate", day(number), pool, UsageSum(size // 100, size)) for number, size in of_days]


async def counted(index: MemoryIndex, *of_days: tuple[int, int]) -> None:
    """The index counts so many bytes on these days."""
    for each in sums(*of_days):
        await index.put_usage(each.camera, each.day, {each.pool: each.sum} if each.sum.stored_bytes else {})


async def written(index: MemoryIndex, bucket: int = BUCKET) -> dict[int, int]:
    """What is written down of March: bytes by day."""
    clean = MemoryIndex()
    clean._usage_history = index._usage_history
    return {line["day"].day: line["recorded_bytes"] for line in (await bucket_days(clean, bucket)).iter_rows(named=True)}


# --- counting


def test_bytes_are_those_of_the_sums() -> None:
    """A line a camera, day and pool, in order; none of no sums."""
    days = days_of([*sums((2, 500)), *sums((1, 300)), *sums((1, 7), pool="b")])
    assert days.select("day", "pool", "segments", "recorded_bytes").rows() == [
        (day(1), "b", 0, 7),
        (day(1), "main", 3, 300),
        (day(2), "main", 5, 500),
    ]
    assert dict(days_of([]).schema) == DAYS


def test_seconds_and_kind_are_those_of_the_runs() -> None:
    """A run over midnight counts on both days; the kind is the one that recorded longest; a day without a run is not known."""
    runs = [
        a_run_of(day(1), 24, begin_h=18),
        a_run_of(day(2), 1.5, begin_h=19, run="home-a-1-2", width=1280),
        a_run_of(day(1), 5, camera="yard"),
    ]
    days = with_runs(days_of(sums((1, 600), (2, 600), (4, 600))), runs)
    assert days.select("recorded_s", "kind").rows() == [(6 * 3600.0, "avc1 1920x1080"), (19.5 * 3600.0, "avc1 1920x1080"), (0.0, "")]
    assert kind_of(runs[1]) == "avc1 1280x1080"


def test_seconds_are_shared_by_pools_as_bytes_are() -> None:
    """A camera that was moved at noon has half of its day in each pool, and both lanes count."""
    both = [a_run_of(day(1), 24), a_run_of(day(1), 24, run="home-b-2-1")]
    days = with_runs(days_of([*sums((1, 300)), *sums((1, 900), pool="b")]), both)
    assert days.select("pool", "recorded_s").rows() == [("b", 2 * 86_400 * 0.75), ("main", 2 * 86_400 * 0.25)]


def test_only_what_has_grown_is_looked_at() -> None:
    """New days and days with more bytes than known, up to a day; a day that shrank is left as it is."""
    known = days_of(sums((1, 100), (2, 100), (3, 100)))
    found = grown(days_of(sums((1, 100), (2, 90), (3, 110), (4, 100), (5, 100))), known, before=day(5))
    assert found["day"].to_list() == [day(3), day(4)]
    assert grown(days_of(sums((5, 100))), no_days())["day"].to_list() == [day(5)]


def test_a_day_is_closed_two_hours_after_its_end() -> None:
    """Until then its last footage may still be counted."""
    midnight_us = day_start_us(day(5))
    assert closed_before(midnight_us + 2 * US_PER_HOUR - 1) == day(4)
    assert closed_before(midnight_us + 2 * US_PER_HOUR) == day(5)


# --- keeping


async def test_what_was_recorded_stays_when_it_is_deleted() -> None:
    """Days are written once they are closed, and stay when the sums are gone."""
    index = MemoryIndex()
    await index.put_run(a_run_of(day(1), 48))
    await counted(index, (1, 100), (2, 200), (3, 50))
    assert await keep_bucket(index, BUCKET, day(3)) == 2
    assert await written(index) == {1: 100, 2: 200}
    await counted(index, (1, 0), (2, 60))
    assert await keep_bucket(index, BUCKET, day(3)) == 0
    assert await written(index) == {1: 100, 2: 200}
    (first, second) = (await bucket_days(index, BUCKET, day(3))).select("recorded_s", "kind").rows()
    assert first == second == (86_400.0, "avc1 1920x1080")


@pytest.mark.parametrize("kept", [True, False])
async def test_the_history_of_footage_that_the_sweep_deleted_stays(kept: bool) -> None:
    """Rows, objects and sums go by the real door out; the history says what was recorded. The control: if nobody wrote it, it is gone."""
    site = await a_swept_site(footage())
    recorded = sum(row.size for row in footage())
    if kept:
        await keep_bucket(site.index, BUCKET, date.max)
    assert (await bucket_days(site.index, BUCKET))["recorded_bytes"].to_list() == [recorded]
    await site.run(site.sweep())
    assert await site.rows() == []
    assert list(await site.index.usage(DAY.replace(day=1), BUCKET)) == []
    assert (await bucket_days(site.index, BUCKET))["recorded_bytes"].to_list() == [recorded] * kept


async def test_late_footage_is_added() -> None:
    """A node that was away for days brings its footage: the days grow, and what was there before is not written again."""
    index = MemoryIndex()
    await counted(index, (1, 100), (2, 100))
    await keep_bucket(index, BUCKET, day(9))
    before = await index.usage_history(MARCH, BUCKET)
    assert await keep_bucket(index, BUCKET, day(9)) == 0
    assert await index.usage_history(MARCH, BUCKET) == before
    await counted(index, (2, 180), (4, 90))
    assert await keep_bucket(index, BUCKET, day(9)) == 2
    assert await written(index) == {1: 100, 2: 180, 4: 90}


async def test_months_and_buckets_are_kept_apart() -> None:
    """A day of April is in April's history, a camera of another bucket in that of its bucket."""
    index = MemoryIndex()
    other = next(f"cam{n}" for n in range(100) if bucket_of(f"cam{n}") != BUCKET)
    for camera, when in (("gate", day(31)), ("gate", date(2026, 4, 1)), (other, day(31))):
        await index.put_usage(camera, when, {"main": UsageSum(1, 10)})
    assert await keep_bucket(index, BUCKET, date(2026, 4, 2)) == 2
    assert await index.usage_history_months() == [MARCH, date(2026, 4, 1)]
    assert (await index.usage_history(MARCH, bucket_of(other))).revision == 0
    assert (await bucket_days(index, BUCKET))["day"].to_list() == [day(31), date(2026, 4, 1)]


async def test_open_days_are_read_without_being_written() -> None:
    """A reader sees today too, if it wants to; asked for closed days it does not."""
    index = MemoryIndex()
    await counted(index, (1, 100), (2, 10))
    await keep_bucket(index, BUCKET, day(2))
    assert (await bucket_days(index, BUCKET))["recorded_bytes"].to_list() == [100, 10]
    assert (await bucket_days(index, BUCKET, day(2)))["recorded_bytes"].to_list() == [100]
    assert await written(index) == {1: 100}


async def test_two_keepers_lose_nothing() -> None:
    """One that comes between the reading and the writing of another makes it a Conflict; done again, both are in."""
    index = MemoryIndex()
    await counted(index, (1, 100))

    class Between(MemoryIndex):
        async def put_usage_history(self, history: PackedHistory) -> None:
            if index._usage_history == {}:
                await counted(index, (1, 100), (2, 100))
                await keep_bucket(index, BUCKET, day(9))
            await index.put_usage_history(history)

    slow = Between()
    slow._usage, slow._usage_history = dict(index._usage), index._usage_history
    with pytest.raises(Conflict):
        await keep_bucket(slow, BUCKET, day(9))
    await keep_bucket(index, BUCKET, day(9))
    assert await written(index) == {1: 100, 2: 100}


async def test_a_damaged_history_is_told_and_not_written_over() -> None:
    """It is left for the backup that can bring it back."""
    index = MemoryIndex()
    await counted(index, (1, 100))
    await index.put_usage_history(PackedHistory(MARCH, BUCKET, 1, b"no parquet"))
    with pytest.raises(DataDamaged, match=f"2026-03, bucket {BUCKET}"):
        await keep_bucket(index, BUCKET, day(9))
    assert (await index.usage_history(MARCH, BUCKET)).packed == b"no parquet"


async def test_a_keeper_that_counts_what_is_there_now_loses_the_past() -> None:
    """The negative control: merged by the last count and not by the most, the history shrinks with the footage."""

    def newest(*frames: pl.DataFrame) -> pl.DataFrame:
        return pl.concat(frames).unique(["camera", "day", "pool"], keep="last")

    before, after = days_of(sums((1, 100))), days_of(sums((1, 60)))
    assert sum_of(merged(before, after)) == 100
    assert sum_of(newest(before, after)) == 60


def sum_of(days: pl.DataFrame) -> int:
    """All bytes."""
    return int(days["recorded_bytes"].sum())


def test_a_run_of_a_year_is_no_load() -> None:
    """Days are looked up by the lines that want them: a run over a year beside one line is one line."""
    long = a_run(start_us=day_start_us(date(2025, 1, 1)), last_us=day_start_us(date(2025, 1, 1)) + 730 * US_PER_DAY)
    found = with_runs(days_of(sums((1, 100))), [long] * 50)
    assert found.height == 1
    assert found["recorded_s"].to_list() == [86_400.0 * 50]
