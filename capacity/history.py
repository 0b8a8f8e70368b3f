"""What was recorded, day by day: one line a camera, one column a UTC day. The frame all of usage and forecasts stand on. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from segments.errors import BadInput

Days = NDArray[np.float32]

CAMERAS = {
    "camera": pl.String,
    "pool": pl.String,
    "site": pl.String,
    "area": pl.String,
    "class": pl.Int8,
    "tier": pl.String,
    "kind": pl.String,
}
"""Columns of the cameras of a history; `kind` is what cameras are alike in: codec and picture size."""


@dataclass(frozen=True, slots=True)
class History:
    """Bytes recorded by each of `cameras` (frame `CAMERAS`) on each day from `first` on; not a number before a camera was there.

    A day on which a camera was there and recorded nothing is 0.
    """

    cameras: pl.DataFrame
    first: date
    recorded_bytes: Days

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

    def before(self, day: date) -> Self:
        """What was known at the beginning of a day: cameras that were there, and the days before it."""
        known = self.recorded_bytes[:, : max(0, (day - self.first).days)]
        there = ~np.isnan(known).all(axis=1)
        return type(self)(self.cameras.filter(pl.Series(there)), self.first, known[there])

    def of(self, column: str, value: str) -> Self:
        """The cameras that have this value in a column."""
        mine = (self.cameras[column] == value).to_numpy()
        return type(self)(self.cameras.filter(pl.Series(mine)), self.first, self.recorded_bytes[mine])


def weekdays(first: date, days: int) -> NDArray[np.int64]:
    """The weekday of each of so many days, Monday 0."""
    return (first.weekday() + np.arange(days)) % 7
