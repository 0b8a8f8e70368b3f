"""What was recorded, day by day: one line a camera, one column a UTC day. The frame all of usage and forecasts stand on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from segments.errors import BadInput

Days = NDArray[np.float32]
LATE_DAYS = 28
"""What a camera recorded a day is said of so many days: four of each weekday."""

CAMERAS = {
    "camera": pl.String,
    "pool": pl.String,
    "site": pl.String,
    "area": pl.String,
    "owner": pl.String,
    "class": pl.Int8,
    "tier": pl.String,
    "kind": pl.String,
}
"""Columns of the cameras of a history; `kind` is what cameras are alike in: codec and picture size."""

ELSEWHERE = {"camera": pl.String, "day": pl.Date, "pool": pl.String, "recorded_bytes": pl.Float64}
"""Columns of what of a history lies in other pools than new footage goes to, since its cameras were moved."""


@dataclass(frozen=True, slots=True)
class History:
    """Bytes recorded by each of `cameras` (frame `CAMERAS`) on each day from `first` on; not a number before a camera was there.

    A day on which a camera was there and recorded nothing is 0. `elsewhere` (`ELSEWHERE`): how much of that lies in another pool.
    """

    cameras: pl.DataFrame
    first: date
    recorded_bytes: Days
    elsewhere: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ELSEWHERE))

    def __post_init__(self) -> None:
        """Raises BadInput unless there is a line for each camera."""
        if self.recorded_bytes.ndim != 2 or self.recorded_bytes.shape[0] != self.cameras.height:
            raise BadInput(f"{self.recorded_bytes.shape} bytes for {self.cameras.height} cameras: a line a camera, a column a day")

    @property
    def days(self) -> int:
        """How many days there are."""
        return int(self.recorded_bytes.shape[1])

    @property
    def end(self) -> date:
        """The day after the last."""
        return self.first + timedelta(days=self.days)

    def late_day_bytes(self) -> NDArray[np.float64]:
        """What each camera recorded a day over the last `LATE_DAYS`."""
        return np.asarray(np.nan_to_num(self.recorded_bytes[:, -LATE_DAYS:]).mean(axis=1, dtype=np.float64))

    def before(self, day: date) -> Self:
        """What was known at the beginning of a day: cameras that were there, and the days before it.

        A camera that was moved since is where it was.
        """
        known = self.recorded_bytes[:, : max(0, (day - self.first).days)]
        there = ~np.isnan(known).all(axis=1)
        cameras, elsewhere = self.cameras.filter(pl.Series(there)), self.elsewhere.filter(pl.col("day") < day)
        if elsewhere.height:
            cameras, elsewhere = _where_they_were(cameras, known[there], elsewhere)
        return type(self)(cameras, self.first, known[there], elsewhere)

    def of(self, column: str, value: str) -> Self:
        """The cameras that have this value in a column."""
        mine = (self.cameras[column] == value).to_numpy()
        cameras = self.cameras.filter(pl.Series(mine))
        return type(self)(cameras, self.first, self.recorded_bytes[mine], self.elsewhere.join(cameras, on="camera", how="semi"))


def history_of(days: pl.DataFrame, cameras: pl.DataFrame, former: pl.DataFrame | None = None, *, end: date | None = None) -> History:
    """The history of a day frame (`DAYS`), from its first day to the one before `end` (None: to its last).

    `cameras` (`CAMERAS`) are those registered: on a day without a line after their first they recorded nothing (0). Those in `former`,
    and those in neither (they get a line of nothing but their id and class 3), end with their last line. An empty `pool` or `kind` is
    filled in with that of the last day. Cameras without a line are left out. Raises BadInput where there is no line at all.
    """
    days = days if end is None else days.filter(pl.col("day") < end)
    if days.is_empty():
        raise BadInput("there is no day of usage yet: a history begins with the first whole day (UTC) that was recorded")
    known = _known(days, cameras, former)
    first, last = days.select(pl.col("day").min().alias("first"), pl.col("day").max().alias("last")).row(0)
    columns = ((end or last + timedelta(days=1)) - first).days
    numbered = known.select("camera").with_row_index("line")
    sums = days.group_by("camera", "day").agg(pl.col("recorded_bytes").sum()).join(numbered, on="camera")
    line = sums["line"].to_numpy()
    column = (sums["day"] - first).dt.total_days().to_numpy()
    begins, ends = np.full(known.height, columns), np.full(known.height, -1)
    np.minimum.at(begins, line, column)
    np.maximum.at(ends, line, column)
    ends[known["camera"].is_in(cameras["camera"].implode()).to_numpy()] = columns - 1
    day = np.arange(columns)
    recorded = np.where((day >= begins[:, None]) & (day <= ends[:, None]), np.float32(0), np.float32(np.nan))
    recorded[line, column] = sums["recorded_bytes"].to_numpy()
    return History(known, first, recorded, _elsewhere(days, known))


def stacked(parts: Iterable[History]) -> History:
    """Histories of different cameras as one, over all their days. Raises BadInput where there is none."""
    found = list(parts)
    if not found:
        raise BadInput("there is no history to put together")
    first, end = min(part.first for part in found), max(part.end for part in found)
    recorded = np.full((sum(part.cameras.height for part in found), (end - first).days), np.nan, np.float32)
    line = 0
    for part in found:
        lines, begin = slice(line, line + part.cameras.height), (part.first - first).days
        recorded[lines, begin : begin + part.days] = part.recorded_bytes
        line = lines.stop
    cameras, elsewhere = pl.concat([part.cameras for part in found]), pl.concat([part.elsewhere for part in found])
    return History(cameras, first, recorded, elsewhere)


def _elsewhere(days: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The lines of another pool than the camera's."""
    lines = days.join(known.select("camera", home="pool"), on="camera").filter(pl.col("pool") != pl.col("home"))
    return lines.select(pl.col(name).cast(kind) for name, kind in ELSEWHERE.items())


def _where_they_were(cameras: pl.DataFrame, known: Days, elsewhere: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cameras all of whose days lie in one other pool belong to it, and their days lie nowhere else any more."""
    total = cameras.select("camera", pl.Series("total", np.nansum(known, axis=1, dtype=np.float64)))
    sums = elsewhere.group_by("camera", "pool").agg(pl.col("recorded_bytes").sum()).join(total, on="camera")
    were = sums.filter(pl.col("recorded_bytes") > (1 - 1e-6) * pl.col("total")).select("camera", was="pool")
    moved = cameras.join(were, on="camera", how="left", maintain_order="left").with_columns(pool=pl.coalesce("was", "pool")).drop("was")
    return moved, elsewhere.join(were, on="camera", how="anti")


def _known(days: pl.DataFrame, cameras: pl.DataFrame, former: pl.DataFrame | None) -> pl.DataFrame:
    """A line for each camera that has days, in order of their ids."""
    last = days.sort("day", "recorded_bytes").group_by("camera").agg(pl.col("pool", "kind").last().name.suffix("_then"))
    lines = cameras if former is None else pl.concat([cameras, former.join(cameras, on="camera", how="anti")])
    there = last.join(lines, on="camera", how="left").sort("camera")
    filled = [pl.when(pl.col(name).fill_null("") == "").then(f"{name}_then").otherwise(name).alias(name) for name in ("pool", "kind")]
    return there.with_columns(*filled, pl.col("class").fill_null(3), pl.col(pl.String).exclude("pool", "kind").fill_null("")).select(
        pl.col(name).cast(kind) for name, kind in CAMERAS.items()
    )


def site_of_pools(history: History) -> Mapping[str, str]:
    """The site of each pool: that of most of its cameras; of one that has none any more, that of those whose footage lies there."""
    left = history.elsewhere.select("camera", "pool").unique().join(history.cameras.select("camera", "site"), on="camera")
    counted = [lines.group_by("pool", "site").len().sort("len", "site") for lines in (left, history.cameras)]
    return {pool: site for lines in counted for pool, site in lines.select("pool", "site").iter_rows()}


def weekdays(first: date, days: int) -> NDArray[np.int64]:
    """The weekday of each of so many days, Monday 0."""
    return (first.weekday() + np.arange(days)) % 7
