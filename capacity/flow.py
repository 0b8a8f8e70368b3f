"""What pools keep, from what is recorded and how long it stays: usage stops growing when deletion meets ingest. Pure.

A camera-day is kept until its tier lets it go; who decides that arrives as a function, so that the real rules of retention are used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np

from capacity.levels import Floats

Leaves = Callable[[str, date], date]
"""The first day at whose end nothing of a day's footage of a tier is kept any more."""


def kept_bytes(first: date, tiers: Sequence[str], recorded: Floats, leaves: Leaves) -> Floats:
    """What is kept at the end of each day, of lines of bytes a day, each of a tier; the same shape. Before `first` there was nothing."""
    days = recorded.shape[1]
    kept = np.cumsum(np.nan_to_num(recorded), axis=1, dtype=np.float64)
    for tier in dict.fromkeys(tiers):
        mine = np.array([each == tier for each in tiers])
        gone = np.zeros((int(mine.sum()), days + 1))
        np.add.at(gone.T, _gone_on(first, tier, days, leaves), np.nan_to_num(recorded[mine]).T)
        kept[mine] -= np.cumsum(gone[:, :days], axis=1)
    return kept


def _gone_on(first: date, tier: str, days: int, leaves: Leaves) -> Sequence[int]:
    """Of each day, the number of the day it is gone on; `days` for one that is kept to the end."""
    return [min(days, max(day + 1, (leaves(tier, first + timedelta(days=day)) - first).days)) for day in range(days)]


def for_days(general: int, key: int) -> Leaves:
    """Fixed terms for the tiers `general` and `key`: for plans and tests; services take the rules in force."""
    terms = {"general": general, "key": key}
    return lambda tier, day: day + timedelta(days=terms[tier] + 1)
