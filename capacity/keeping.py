"""The history of usage kept beside the index: what was recorded on closed days is written down before the footage goes.

Everything is found by comparing what the index counts with what is written: whatever was missed, and whatever came late, is found by the
next look, and nothing is lost by stopping anywhere. A month of one bucket of cameras is in memory at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import date
from functools import partial
from typing import NamedTuple, Protocol

import polars as pl

from capacity.days import merged, no_days, packed, unpacked
from capacity.recorded import days_of, grown, with_runs
from segments.clock import US_PER_HOUR, day_of
from segments.model import Run
from segments.patience import some_at_once
from segments.ports import Runs, Usage, UsageHistory
from segments.usage import PackedHistory

CLOSED_US = 2 * US_PER_HOUR
"""So long after its end (UTC) a day is closed: its footage is in the pools as a rule, and counted. What comes later is added later."""
CAMERAS_TOGETHER = 500
"""Cameras whose runs are in memory at a time."""
_AT_ONCE = 8


class KeptIndex(Usage, UsageHistory, Runs, Protocol):
    """What keeping needs of the index."""


class MonthOfBucket(NamedTuple):
    """What is written of a month and a bucket, as it is stored and as a day frame; and the lines to add to it."""

    written: PackedHistory
    days: pl.DataFrame
    new: pl.DataFrame


def closed_before(now_us: int) -> date:
    """The first UTC day that is not closed."""
    return day_of(now_us - CLOSED_US)


async def read_month(index: KeptIndex, month: date, bucket: int, before: date | None) -> MonthOfBucket:
    """What was recorded in a month by the cameras of a bucket, and is not written yet of days before `before` (None: of all).

    Raises DataDamaged where what is written cannot be read.
    """
    written = await index.usage_history(month, bucket)
    what = f"the history of usage of {month:%Y-%m}, bucket {bucket},"
    known = await asyncio.to_thread(unpacked, written.packed, what) if written.revision else no_days()
    sums = await index.usage(month, bucket)
    new = await asyncio.to_thread(lambda: grown(days_of(sums), known, before))
    return MonthOfBucket(written, known, merged(*[each async for each in _with_their_runs(index, month, new)]))


async def keep_bucket(index: KeptIndex, bucket: int, before: date) -> int:
    """Writes down what the cameras of a bucket recorded on days before `before`; gives how many lines were new or had grown.

    Raises Conflict if another wrote the same at the same moment: do it again.
    """
    lines = 0
    for month in await index.usage_months():
        if month < before:
            found = await read_month(index, month, bucket, before)
            if found.new.height:
                await index.put_usage_history(found.written.changed(await asyncio.to_thread(_packed, found)))
            lines += found.new.height
    return lines


async def bucket_days(index: KeptIndex, bucket: int, before: date | None = None, *, since: date = date.min) -> pl.DataFrame:
    """All that the cameras of a bucket ever recorded (`DAYS`), what is not written yet included.

    On days before `before` (None: all) and from `since` on: months that lie outside are not read.
    """
    known = {*await index.usage_history_months(), *await index.usage_months()}
    months = sorted(month for month in known if since.replace(day=1) <= month < (before or date.max))
    parts = [await read_month(index, month, bucket, before) for month in months]
    days = merged(*(frame for part in parts for frame in (part.days, part.new)))
    return days.filter(pl.col("day").is_between(since, before or date.max, closed="left"))


def _packed(found: MonthOfBucket) -> bytes:
    return packed(merged(found.days, found.new))


async def _with_their_runs(index: Runs, month: date, lines: pl.DataFrame) -> AsyncIterator[pl.DataFrame]:
    """The lines with what the runs of the month say of them, some cameras at a time."""
    cameras = lines["camera"].unique().sort().to_list()
    for first in range(0, len(cameras), CAMERAS_TOGETHER):
        some = cameras[first : first + CAMERAS_TOGETHER]
        found = await some_at_once(partial(_runs_of, index, month), some, _AT_ONCE)
        yield with_runs(lines.filter(pl.col("camera").is_in(some)), [run for runs in found for run in runs])


async def _runs_of(index: Runs, month: date, camera: str) -> Sequence[Run]:
    runs: list[Run] = []
    after: str | None = ""
    while after is not None:
        page = await index.runs(camera, month, after=after)
        runs += page.items
        after = page.next
    return runs
