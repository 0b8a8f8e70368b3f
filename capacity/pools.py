"""When pools fill: what each will keep, with intervals, and the day it is too full. Pure.

What comes in is forecast for the cameras that are there (`levels`), for those that go, and for those that come: the few that come in a
usual week, and those that are planned (whoever puts up a thousand in a month knows it before; a forecast cannot). What goes out is decided
by the rules of retention. How wide the intervals are says the past: the same forecast, made on earlier days, and how wrong it was so many
days later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from capacity.backtest import split
from capacity.flow import Leaves, kept_bytes
from capacity.history import History
from capacity.levels import LEAST_SEASON_DAYS, Floats, levels, up_share
from segments.errors import BadInput

ORIGIN_STEP_DAYS = 28
MOST_ORIGINS = 16
_ENOUGH = 2
"""Of so many origins at least a day ahead has tries of its own; days further ahead are reckoned from the last that has."""
LATE_DAYS = 364
"""Cameras come and go as they did over these days."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Addition:
    """Cameras that are planned: how many come into which pool, evenly from `start` to `end`. Each records as the pool's cameras do."""

    pool: str
    start: date
    end: date
    cameras: int
    tier: str = "general"

    def there(self, first: date, days: int) -> Floats:
        """How many of them are there on each of so many days from `first` on."""
        begin, over = (self.start - first).days, max(1, (self.end - self.start).days)
        return self.cameras * np.clip((np.arange(days) - begin + 1) / over, 0, 1)


@dataclass(frozen=True, slots=True)
class PoolForecast:
    """What a pool keeps at the end of each day from `first` on: bytes at `QUANTILES`, and `likely`."""

    pool: str
    first: date
    likely: Floats
    at: Floats

    def full_on(self, size_bytes: float) -> tuple[date | None, date | None, date | None]:
        """When it reaches a size: at the earliest (1 of 20), as likely as not, and at the latest (19 of 20); None beyond the horizon."""
        early, middle, late = (self._reaches(self.at[place], size_bytes) for place in (4, 2, 0))
        return early, middle, late

    def _reaches(self, line: Floats, size_bytes: float) -> date | None:
        over = np.flatnonzero(line >= size_bytes)
        return self.first + timedelta(days=int(over[0])) if over.size else None


def forecast_pools(
    history: History, horizon: int, leaves: Leaves, *, additions: Sequence[Addition] = (), least_days: int = 120
) -> Sequence[PoolForecast]:
    """Every pool, in order of name. `additions` are all that were planned, those of the past too: else these look like usual growth.

    Raises BadInput for a horizon without days, and for additions of a pool that has no camera of that tier yet.
    """
    if horizon < 1:
        raise BadInput("a forecast looks a day ahead at least")
    likely = keep(history, horizon, leaves, additions=additions)
    errors, pools = _errors_of_the_past(history, horizon, leaves, additions, least_days), len(likely)
    widths = np.stack([_width(errors, day, pools) for day in range(horizon)], axis=1)
    return [PoolForecast(pool, history.end, line, line[None] * np.exp(widths)) for pool, line in sorted(likely.items())]


def keep(history: History, horizon: int, leaves: Leaves, *, additions: Sequence[Addition] = ()) -> Mapping[str, Floats]:
    """The likely bytes of each pool at the end of each of the days to come."""
    coming = levels(history, horizon) * up_share(history)
    comes, goes = _turnover(history, additions)
    day = np.arange(1, horizon + 1)
    coming *= _still_there(history)[:, None] * (1 - goes) ** day
    both = np.concatenate([np.nan_to_num(history.recorded_bytes.astype(np.float64)), coming], axis=1)
    pools, tiers = history.cameras["pool"].to_list(), history.cameras["tier"].to_list()
    places = sorted(set(zip(pools, tiers, strict=True)))
    lines = np.zeros((len(places), both.shape[1]))
    np.add.at(lines, [places.index(place) for place in zip(pools, tiers, strict=True)], both)
    lines[:, history.days :] *= 1 + comes * day
    lines = _with(lines, places, history, additions)
    kept = kept_bytes(history.first, [tier for _, tier in places], lines, leaves)[:, history.days :]
    return {pool: kept[[place[0] == pool for place in places]].sum(axis=0) for pool in dict.fromkeys(pools)}


def _turnover(history: History, additions: Sequence[Addition]) -> tuple[float, float]:
    """How many cameras come, and go, on a usual day, as parts of those that are there: the middle week, so that a campaign is not usual."""
    weeks = max(1, min(LATE_DAYS, history.days - 1) // 7)
    there = ~np.isnan(history.recorded_bytes[:, -7 * weeks - 1 :])
    planned = sum(
        (np.diff(each.there(history.end - timedelta(days=7 * weeks + 1), 7 * weeks + 1)) for each in additions), np.zeros(7 * weeks)
    )
    came = (~there[:, :-1] & there[:, 1:]).sum(axis=0) - planned
    gone = (there[:, :-1] & ~there[:, 1:]).sum(axis=0)
    usual = max(1.0, float(there.sum(axis=0).mean()))
    come_a_week = float(np.median(came.reshape(weeks, 7).sum(axis=1)))
    return max(0.0, come_a_week / 7 / usual), float(gone.mean() / usual)


def _still_there(history: History) -> Floats:
    """Cameras that are gone record nothing more."""
    return (~np.isnan(history.recorded_bytes[:, -1])).astype(np.float64)


def _with(lines: Floats, places: Sequence[tuple[str, str]], history: History, additions: Sequence[Addition]) -> Floats:
    """The lines with the planned cameras that are still to come."""
    counts = dict.fromkeys(places, 0)
    for pool, tier, last in zip(history.cameras["pool"], history.cameras["tier"], _still_there(history), strict=True):
        counts[pool, tier] += int(last)
    more = np.zeros_like(lines)
    for each in additions:
        if (each.pool, each.tier) not in counts:
            raise BadInput(f"additions: there is no camera of tier {each.tier} in pool {each.pool} yet")
        row = places.index((each.pool, each.tier))
        there = each.there(history.first, lines.shape[1])
        more[row] += np.maximum(0, there - there[history.days - 1]) * lines[row] / max(1, counts[each.pool, each.tier])
    return lines + more


def _errors_of_the_past(history: History, horizon: int, leaves: Leaves, additions: Sequence[Addition], least_days: int) -> Floats:
    """By how much (logarithm) what pools kept differed from what was forecast: (tries, days ahead); not a number beyond what is known."""
    truth = _truth(history, leaves)
    if history.days >= LEAST_SEASON_DAYS + 120:
        least_days = max(least_days, LEAST_SEASON_DAYS)  # a forecast that sees the year is not as wrong as one that could not
    tries = []
    for cut in range(history.days - 7, least_days - 1, -ORIGIN_STEP_DAYS)[:MOST_ORIGINS]:
        known, _ = split(history, cut, 0)
        days = min(horizon, history.days - cut)
        seen = set(zip(known.cameras["pool"], known.cameras["tier"], strict=True))
        planned = [each for each in additions if (each.pool, each.tier) in seen]
        for pool, line in keep(known, days, leaves, additions=planned).items():
            wrong = np.full(horizon, np.nan)
            wrong[:days] = np.log(np.maximum(truth[pool][cut : cut + days], 1.0) / np.maximum(line, 1.0))
            tries.append(wrong)
    return np.array(tries) if tries else np.full((1, horizon), np.nan)


def _truth(history: History, leaves: Leaves) -> Mapping[str, Floats]:
    pools, tiers = history.cameras["pool"].to_list(), history.cameras["tier"].to_list()
    places = sorted(set(zip(pools, tiers, strict=True)))
    lines = np.zeros((len(places), history.days))
    np.add.at(lines, [places.index(place) for place in zip(pools, tiers, strict=True)], np.nan_to_num(history.recorded_bytes))
    kept = kept_bytes(history.first, [tier for _, tier in places], lines, leaves)
    return {pool: kept[[place[0] == pool for place in places]].sum(axis=0) for pool in dict.fromkeys(pools)}


def _width(errors: Floats, day: int, pools: int) -> Floats:
    """How far (logarithm) each of `QUANTILES` lies from the likely value so many days ahead.

    To both sides alike, as the errors of the few origins there are lie to one side by chance; and wider by one over the root of how many
    there are.
    """
    reached = day
    while reached > 0 and (~np.isnan(errors[:, reached])).sum() < _ENOUGH * pools:
        reached -= 1
    found = np.abs(errors[~np.isnan(errors[:, reached]), reached])
    if not found.size:
        half, most = 0.2, 0.5  # nothing was tried yet: say that little is known
    else:
        few = 1 + 1 / np.sqrt(found.size / pools)
        half, most = np.quantile(found, (0.5, 0.9)) * few * np.sqrt((day + 1) / (reached + 1))
    return np.array([-most, -half, 0.0, half, most])
