"""What comes into pools: bytes a day of each place (a pool and a tier), of cameras that are there, that go, and that come. Pure.

Of the cameras that come, the few of a usual week are seen in the history; those that are planned are not (whoever puts up a thousand in a
month knows it before; a forecast cannot), so they are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from capacity.flow import Held
from capacity.history import History
from capacity.levels import CameraModel, Floats
from segments.errors import BadInput

LATE_DAYS = 364
"""Cameras come and go as they did over these days."""

Place = tuple[str, str]
"""A pool and a tier."""


@dataclass(frozen=True, slots=True)
class Addition:
    """Cameras that are planned: how many come into which pool, evenly from `start` to `end`.

    Each records `camera_bytes` a day; None: as the cameras of that pool and tier do.
    """

    pool: str
    start: date
    end: date
    cameras: int
    tier: str = "general"
    camera_bytes: float | None = None

    @property
    def place(self) -> Place:
        """Where they go."""
        return self.pool, self.tier

    def there(self, first: date, days: int) -> Floats:
        """How many of them are there on each of so many days from `first` on."""
        begin, over = (self.start - first).days, max(1, (self.end - self.start).days)
        return self.cameras * np.clip((np.arange(days) - begin + 1) / over, 0, 1)


@dataclass(frozen=True, slots=True)
class Inflow:
    """Bytes a day of each place, of which holds keep `held` for good: (places, days of the history and after it)."""

    places: Sequence[Place]
    recorded: Floats
    held: Floats


def places_of(history: History, additions: Sequence[Addition] = ()) -> Sequence[Place]:
    """All places there are, were, or will be, in order."""
    there = {(pool, tier) for pool, tier in history.cameras.select("pool", "tier").unique().iter_rows()}
    return sorted({*there, *_places_elsewhere(history), *(each.place for each in additions)})


def recorded_by_place(history: History, places: Sequence[Place]) -> Floats:
    """What was recorded on each day, where it lies: cameras that were moved left footage behind."""
    lines = by_place(history, places, history.recorded_bytes)
    for (pool, tier), found in _places_elsewhere(history).items():
        column = (found["day"] - history.first).dt.total_days().to_numpy()
        row = np.array([places.index((home, tier)) for home in found["home"]], np.int64)
        np.add.at(lines[places.index((pool, tier))], column, found["recorded_bytes"].to_numpy())
        np.add.at(lines, (row, column), -found["recorded_bytes"].to_numpy())
    return np.maximum(lines, 0.0)


def _places_elsewhere(history: History) -> Mapping[Place, pl.DataFrame]:
    """What lies in other pools than new footage of its camera goes to, by place; `home` is where that goes."""
    found = history.elsewhere.join(history.cameras.select("camera", "tier", home="pool"), on="camera")
    return {(str(pool), str(tier)): lines for (pool, tier), lines in found.group_by("pool", "tier")}


def inflow(
    history: History,
    horizon: int,
    model: CameraModel,
    *,
    additions: Sequence[Addition] = (),
    held: Held | None = None,
    new_hold_share: float = 0.0,
) -> Inflow:
    """What came and what is likely to come. `new_hold_share`: how much of what will come holds will cover that nobody has placed yet.

    Raises BadInput for additions of a place where nothing says what they record.
    """
    coming = model(history, horizon)
    comes, goes = turnover(history, additions)
    day = np.arange(1, horizon + 1)
    coming *= _still_there(history)[:, None] * (1 - goes) ** day
    places = places_of(history, additions)
    recorded = np.concatenate([recorded_by_place(history, places), by_place(history, places, coming)], axis=1)
    kept_for_good = np.zeros_like(recorded) if held is None else _held(history, places, coming, held)
    recorded[:, history.days :] *= 1 + comes * day
    recorded = _with(recorded, places, history, additions)
    kept_for_good[:, history.days :] += (recorded - kept_for_good)[:, history.days :] * new_hold_share
    return Inflow(places, recorded, kept_for_good)


def by_place(history: History, places: Sequence[Place], values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> Floats:
    """Lines a camera, added up to lines a place; not a number counts as nothing."""
    pools, tiers = history.cameras["pool"], history.cameras["tier"]
    lines = np.zeros((len(places), values.shape[1]))
    for row, (pool, tier) in enumerate(places):
        mine = ((pools == pool) & (tiers == tier)).to_numpy()
        lines[row] = np.nansum(values[mine], axis=0, dtype=np.float64)
    return lines


def held_share(history: History, held: Held) -> float:
    """How much of what came over the last year holds cover, those that still grow left out: as much of what comes will be held, too."""
    shares = held(history.cameras, history.first, history.days + 1)
    late = slice(max(0, history.days - LATE_DAYS), history.days)
    came = np.nan_to_num(history.recorded_bytes[:, late])
    closed = shares[:, -1] == 0
    total = came.sum(dtype=np.float64)
    return float((came * shares[:, late])[closed].sum(dtype=np.float64) / total) if total else 0.0


def turnover(history: History, additions: Sequence[Addition] = ()) -> tuple[float, float]:
    """How many cameras come, and go, on a usual day, as parts of those that are there: the middle week, so that a campaign is not usual."""
    weeks = min(LATE_DAYS, history.days - 1) // 7
    if weeks < 1:
        return 0.0, 0.0
    there = ~np.isnan(history.recorded_bytes[:, -7 * weeks - 1 :])
    planned = sum(
        (np.diff(each.there(history.end - timedelta(days=7 * weeks + 1), 7 * weeks + 1)) for each in additions), np.zeros(7 * weeks)
    )
    came = (~there[:, :-1] & there[:, 1:]).sum(axis=0) - planned
    gone = (there[:, :-1] & ~there[:, 1:]).sum(axis=0)
    usual = max(1.0, float(there.sum(axis=0).mean()))
    come_a_week = float(np.median(came.reshape(weeks, 7).sum(axis=1)))
    return max(0.0, come_a_week / 7 / usual), float(gone.mean() / usual)


def _held(history: History, places: Sequence[Place], coming: Floats, held: Held) -> Floats:
    shares = held(history.cameras, history.first, history.days + coming.shape[1])
    past, ahead = shares[:, : history.days] * history.recorded_bytes, shares[:, history.days :] * coming
    return np.concatenate([by_place(history, places, past), by_place(history, places, ahead)], axis=1)


def _still_there(history: History) -> Floats:
    """Cameras that are gone record nothing more."""
    return (~np.isnan(history.recorded_bytes[:, -1])).astype(np.float64)


def _with(lines: Floats, places: Sequence[Place], history: History, additions: Sequence[Addition]) -> Floats:
    """The lines with the planned cameras that are still to come."""
    there_now = history.cameras.select("pool", "tier").filter(pl.Series(_still_there(history) > 0, dtype=pl.Boolean))
    counts = {(pool, tier): count for pool, tier, count in there_now.group_by("pool", "tier").len().iter_rows()}
    more = np.zeros_like(lines)
    for each in additions:
        row, count = places.index(each.place), counts.get(each.place, 0)
        if each.camera_bytes is None and not count:
            raise BadInput(f"additions: there is no camera of tier {each.tier} in pool {each.pool} yet; say how much each will record")
        usual = lines[row] / max(1, count) if each.camera_bytes is None else each.camera_bytes
        there = each.there(history.first, lines.shape[1])
        more[row] += np.maximum(0, there - there[history.days - 1]) * usual
    return lines + more
