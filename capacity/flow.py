"""What pools keep, from what is recorded and how long it stays: usage stops growing when deletion meets ingest. Pure.

A camera-day is kept until its tier lets it go; who decides that arrives as a function, so that the real rules of retention are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from capacity.levels import Floats


class Leaves(Protocol):
    """When a day's footage is gone."""

    def __call__(self, tier: str, day: date, /) -> date:
        """The first day at whose end nothing of a day's footage of a tier is kept any more, `date.max` for never.

        Raises BadInput for a tier that there is not.
        """


class Held(Protocol):
    """What holds keep."""

    def __call__(self, cameras: pl.DataFrame, first: date, days: int, /) -> NDArray[np.float32]:
        """The share of each day, from `first` on, that a hold covers of each of `cameras` (frame `CAMERAS`): a line a camera, 0 to 1."""


class Goes(Protocol):
    """Whether footage is deleted."""

    def __call__(self, tier: str, day: date, on: date, /, *, held: bool, short: bool) -> bool:
        """Whether a day's footage of a tier goes by the end of the day `on`, if a hold covers it (`held`) or it misses a copy (`short`)."""


def kept_bytes(first: date, tiers: Sequence[str], recorded: Floats, leaves: Leaves, held: Floats | None = None) -> Floats:
    """What is kept at the end of each day, of lines of bytes a day, each of a tier; the same shape. Before `first` there was nothing.

    `held`: how much of the recorded bytes a hold keeps, which does not leave.
    """
    days = recorded.shape[1]
    recorded = np.nan_to_num(recorded)
    kept = np.cumsum(recorded, axis=1, dtype=np.float64)
    leaving = recorded if held is None else recorded - held
    for tier in dict.fromkeys(tiers):
        mine = np.array([each == tier for each in tiers])
        gone = np.zeros((int(mine.sum()), days + 1))
        np.add.at(gone.T, _gone_on(first, tier, days, leaves), leaving[mine].T)
        kept[mine] -= np.cumsum(gone[:, :days], axis=1)
    return kept


def _gone_on(first: date, tier: str, days: int, leaves: Leaves) -> Sequence[int]:
    """Of each day, the number of the day it is gone on; `days` for one that is kept to the end."""
    return [min(days, max(day + 1, (leaves(tier, first + timedelta(days=day)) - first).days)) for day in range(days)]


def for_days(general: int, key: int) -> Leaves:
    """Fixed terms for the tiers `general` and `key-area`: for plans and tests; services take the rules in force."""
    terms = {"general": general, "key-area": key}
    return lambda tier, day: day + timedelta(days=terms[tier] + 1)
