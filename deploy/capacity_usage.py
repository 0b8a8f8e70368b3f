"""What an installation, or a history in files, uses: counted bucket by bucket, for the command line and the API alike."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from capacity.days import DAYS, merged
from capacity.history import CAMERAS
from capacity.usage import KEPT, daily_of, daily_together, days_in, lines_of, usage_by
from deploy.capacity_history import CapacityIndex, read_buckets
from deploy.frame_file import read_frame
from deploy.settings import Settings
from retention.rules import Rules, read_rules
from segments.clock import day_of, day_start_us
from segments.errors import BadInput
from segments.hold import Hold, holding
from segments.model import Camera, Span
from segments.timeline import LONGEST_SEGMENT_US
from segments.usage import By, DayUsage

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Used:
    """What was recorded from `first` to `last`, both included (None: nothing was): `usage.LINES`, and day by day if asked for."""

    lines: pl.DataFrame
    daily: pl.DataFrame | None
    kept_known: bool
    """Whether what is kept was counted, too."""
    so_far: bool = False
    """Whether the day is not over, and figures a day are of what there is of it."""

    def by(self, names: Sequence[By], *, depth: int = 0) -> pl.DataFrame:
        """See `usage.usage_by`; without what is not known."""
        found = usage_by(self.lines, names, depth=depth)
        return found if self.kept_known else found.drop("kept_bytes", "held_bytes", "held_share")

    @property
    def first(self) -> date | None:
        """The first day on which anything was recorded."""
        first: date | None = self.lines.select(pl.col("first").min()).item()
        return first

    @property
    def last(self) -> date | None:
        """The last one."""
        last: date | None = self.lines.select(pl.col("last").max()).item()
        return last

    @property
    def days(self) -> int:
        """How many days that is."""
        return days_in(self.lines)


class Daily(NamedTuple):
    """Each day is asked for, by these groups, areas cut to a depth (see `usage.daily_of`)."""

    by: Sequence[By]
    depth: int = 0


class Counting:
    """Counts what is added, bucket by bucket: the days from `first` on that lie before `end`."""

    def __init__(self, first: date, end: date, daily: Daily | None = None) -> None:
        self._lies = pl.col("day").is_between(first, end, closed="left")
        self._daily = daily
        self._lines: list[pl.DataFrame] = []
        self._days: list[pl.DataFrame] = []
        self._kept_known = True

    def add(self, days: pl.DataFrame, cameras: pl.DataFrame, kept: pl.DataFrame | None = None) -> None:
        """Frames of cameras that were not added yet: `days.DAYS`, `history.CAMERAS` and `usage.KEPT`. Raises BadInput."""
        mine = days.filter(self._lies)
        self._kept_known &= kept is not None
        self._lines.append(lines_of(mine, cameras, kept))
        if self._daily is not None:
            self._days.append(daily_of(mine, cameras, self._daily.by, depth=self._daily.depth))

    def used(self) -> Used:
        """All of it."""
        daily = daily_together(self._days, self._daily.by) if self._daily is not None else None
        return Used(pl.concat(self._lines), daily, self._kept_known)


async def of_installation(
    settings: Settings, index: CapacityIndex, now_us: int, days: int, last: date | None = None, daily: Daily | None = None
) -> Used:
    """So many days of the installation, up to `last` (None: yesterday, UTC; today so far, where nothing was recorded before).

    Raises BadInput for days that cannot be told so.
    """
    today = day_of(now_us)
    end = min(last, today) + ONE_DAY if last is not None else today
    found = await _between(settings, index, now_us, _before(end, days), end, daily)
    if last is not None or found.days:
        return replace(found, so_far=found.last == today)
    return replace(await _between(settings, index, now_us, today, today + ONE_DAY, daily), so_far=True)


async def _between(settings: Settings, index: CapacityIndex, now_us: int, first: date, end: date, daily: Daily | None) -> Used:
    rules, bucket, counting = await read_rules(index), 0, Counting(first, end, daily)
    async for part in read_buckets(settings, index, now_us, since=first, before=end):
        kept = await kept_in(index, bucket, rules)
        await asyncio.to_thread(counting.add, part.days, pl.concat([part.cameras, part.former]), kept)
        bucket += 1
    return await asyncio.to_thread(counting.used)


def from_files(days: Path, cameras: Path, number: int, last: date | None = None, daily: Daily | None = None) -> Used:
    """So many days of a history in Parquet files (`DAYS`, `CAMERAS`), up to `last` (None: its last). Raises BadInput."""
    recorded, known = merged(read_frame(days, DAYS)), read_frame(cameras, CAMERAS)
    if twice := known.filter(pl.col("camera").is_duplicated())["camera"].unique().sort().to_list():
        raise BadInput(f"{cameras}: camera {twice[0]} has more than one line")
    there: date = recorded.select(pl.col("day").max()).item() or day_of(0)
    end = min(last or there, there) + ONE_DAY
    counting = Counting(_before(end, number), end, daily)
    counting.add(recorded, known)
    return counting.used()


def _before(end: date, days: int) -> date:
    """So many days before a day, or the first of all days."""
    return end - days * ONE_DAY if days < (end - date.min).days else date.min


async def kept_in(index: CapacityIndex, bucket: int, rules: Rules) -> pl.DataFrame:
    """What is kept now of the cameras of a bucket (`usage.KEPT`): a month is in memory at a time."""
    archive = {camera.id: camera for camera in await index.cameras_in(bucket)} if rules.holds else {}
    months = [kept_of(await index.usage(month, bucket), archive, rules) for month in await index.usage_months()]
    return pl.concat([pl.DataFrame(schema=KEPT), *months]).group_by("camera", "pool").agg(pl.col("kept_bytes", "held_bytes").sum())


def kept_of(usages: Iterable[DayUsage], archive: Mapping[str, Camera], rules: Rules) -> pl.DataFrame:
    """What is kept of some cameras by their usage sums (`usage.KEPT`), and how much of that the holds that stand cover.

    A camera-day of which any part is held counts as held, as it does where a pool is under pressure.
    """
    sums: dict[tuple[str, str], list[int]] = {}
    known: dict[str, tuple[Camera, list[Hold]]] = {}
    for each in usages:
        if each.camera not in known:
            camera = rules.camera(each.camera, archive.get(each.camera))
            known[each.camera] = camera, [hold for hold in rules.holds if hold.covers(camera)]
        camera, holds = known[each.camera]
        total = sums.setdefault((each.camera, each.pool), [0, 0])
        total[0] += each.sum.stored_bytes
        if holds and holding(holds, camera, _span(each.day)):
            total[1] += each.sum.stored_bytes
    return pl.DataFrame([(*place, *total) for place, total in sums.items()], schema=KEPT, orient="row")


def _span(day: date) -> Span:
    """The time that footage of a day may show."""
    return Span(day_start_us(day), day_start_us(day + timedelta(1)) + LONGEST_SEGMENT_US)
