"""Forecasts of places tried on days that are known: on earlier days each model is asked, and its answer laid beside what came. Pure.

The same is tried that is forecast: what pools will keep, with the rules of retention and what was planned; so which model is in use, and
how wide its intervals are, says how wrong it was so many days ahead. Holds are left out of the tries, as they stand and not as they stood.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from capacity.backtest import split
from capacity.flow import Leaves, kept_bytes
from capacity.history import History
from capacity.inflow import Addition, Place, inflow, places_of, recorded_by_place
from capacity.levels import LEAST_SEASON_DAYS, CameraModel, Floats, expected_levels, expected_trend, naive, seasonal_naive

MODELS: Mapping[str, CameraModel] = {
    "naive": naive,
    "seasonal-naive": seasonal_naive,
    "levels": expected_levels,
    "levels-trend": expected_trend,
}
"""What cameras record, each through the rules of retention."""
UNCHANGED = "unchanged"
"""What pools kept last week, again, weekday by weekday: what is known without a forecast. It is tried, but cannot be in use, as it knows
no plan."""
LEAST_DAYS = 28
"""With less history before it nothing is tried."""
TRIED_FROM_DAYS = LEAST_DAYS + 7
USUAL_LEAST_DAYS = 120
ORIGIN_STEP_DAYS = 28
MOST_ORIGINS = 16
_ENOUGH = 2
"""Of so many origins at least a day ahead has tries of its own; days further ahead are reckoned from the last that has."""
_EVERY_DAYS = 7
"""Coverage is counted on every seventh day ahead: the others say the same."""
HALF, MOST = 0.5, 0.9
_UNKNOWN = np.array([0.2, 0.5])
"""Nothing was tried yet: say that little is known."""


@dataclass(frozen=True, slots=True)
class Past:
    """What each model forecast for each place from some days of the past on, and what came: {model: (origins, places, days ahead)}.

    Not a number: beyond what is known, and places without a camera at that time.
    """

    places: Sequence[Place]
    truth: Floats
    forecasts: Mapping[str, Floats]

    def of(self, groups: Sequence[Sequence[int]]) -> Past:
        """The same of groups of places."""
        truth, forecasts = summed(self.truth, groups), {name: summed(each, groups) for name, each in self.forecasts.items()}
        return Past([self.places[group[0]] for group in groups], truth, forecasts)

    @property
    def origins(self) -> int:
        """From how many days of the past on it was tried."""
        return len(self.truth)

    @property
    def tried_days(self) -> int:
        """How many days ahead there are tries, often enough to have widths of their own."""
        seen = (~np.isnan(self.truth)).any(axis=1).sum(axis=0)
        return int((seen >= _ENOUGH).sum())


def summed(values: Floats, groups: Sequence[Sequence[int]]) -> Floats:
    """Values of places as values of groups of them: (..., groups, days); not a number only where all are."""
    parts = [values[..., list(group), :] for group in groups]
    return np.stack([np.where(np.isnan(part).all(axis=-2), np.nan, np.nansum(part, axis=-2)) for part in parts], axis=-2)


def try_the_past(
    history: History, horizon: int, leaves: Leaves, *, additions: Sequence[Addition] = (), models: Mapping[str, CameraModel] = MODELS
) -> Past:
    """Tries all models on up to `MOST_ORIGINS` days, four weeks apart; on none where there is too little history."""
    places = places_of(history)
    recorded = recorded_by_place(history, places)
    kept = kept_bytes(history.first, [tier for _, tier in places], recorded, leaves)
    cuts = _cuts(history.days)
    truth = np.full((len(cuts), len(places), horizon), np.nan)
    forecasts = {name: truth.copy() for name in (*models, UNCHANGED)}
    for origin, cut in enumerate(cuts):
        days = min(horizon, history.days - cut)
        known, _ = split(history, cut, 0)
        seen = np.flatnonzero((recorded[:, :cut] > 0).any(axis=1)).tolist()
        truth[origin, seen, :days] = kept[seen, cut : cut + days]
        forecasts[UNCHANGED][origin, seen, :days] = np.tile(kept[seen, cut - 7 : cut], days // 7 + 1)[:, :days]
        planned = [each for each in additions if each.place in {places[place] for place in seen}]
        for name, model in models.items():
            come = inflow(known, days, model, additions=planned)
            found = kept_bytes(history.first, [tier for _, tier in come.places], come.recorded, leaves)[:, cut:]
            forecasts[name][origin, [places.index(place) for place in come.places], :days] = found
    return Past(places, truth, forecasts)


def days_needed(horizon: int, known_days: int = 0) -> int:
    """How many days of history it takes to try a forecast of so many days to its end, often enough to have widths of its own."""
    from_days = max(known_days, LEAST_DAYS + horizon)
    return next(days for days in count(from_days) if sum(days - cut >= horizon for cut in _cuts(days)) >= _ENOUGH)


def _cuts(days: int) -> Sequence[int]:
    least = LEAST_DAYS if days < 2 * USUAL_LEAST_DAYS else USUAL_LEAST_DAYS
    if days >= LEAST_SEASON_DAYS + USUAL_LEAST_DAYS:
        least = LEAST_SEASON_DAYS  # a forecast that sees the year is not as wrong as one that could not
    return range(days - 7, least - 1, -ORIGIN_STEP_DAYS)[:MOST_ORIGINS]


@dataclass(frozen=True, slots=True)
class Tried:
    """A model on the past: mean absolute error as a share of what was kept, and how much of what came lay in its intervals of 50 and 90 %.

    Coverage is counted on each origin with the intervals that the others say; not a number with fewer than two.
    """

    error: float
    covers: tuple[float, float]


def tried(past: Past) -> Mapping[str, Tried]:
    """Each model's errors, the least wrong first."""
    found = {name: Tried(_error(past, name), _covers(errors(past, name))) for name in past.forecasts}
    return dict(sorted(found.items(), key=lambda item: (np.isnan(item[1].error), item[1].error)))


def best_of(found: Mapping[str, Tried]) -> str:
    """The model in use: the least wrong of those that can be; `levels` where nothing could be tried."""
    known = [name for name, each in found.items() if name != UNCHANGED and not np.isnan(each.error)]
    return known[0] if known else "levels"


def errors(past: Past, model: str) -> Floats:
    """By how much (logarithm) what came differed from what was forecast: (origins, places, days ahead)."""
    return np.log(np.maximum(past.truth, 1.0) / np.maximum(past.forecasts[model], 1.0))


def widths(wrong: Floats) -> Floats:
    """How far (logarithm) the intervals of 50 and 90 % reach to each side, for each day ahead: (2, days).

    To both sides alike, as the errors of the few origins there are lie to one side by chance; and wider by one over the root of how many
    there are.
    """
    days, places = wrong.shape[2], max(1, wrong.shape[1])
    flat = np.abs(wrong.reshape(-1, days))
    counts = (~np.isnan(flat)).sum(axis=0)
    usable = np.flatnonzero(counts >= _ENOUGH * places)
    last = int(usable[-1]) if usable.size else 0
    if not counts[: last + 1].any():
        return np.repeat(_UNKNOWN[:, None], days, axis=1)
    found = np.empty((2, days))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found[:, : last + 1] = np.nanquantile(flat[:, : last + 1], (HALF, MOST), axis=0) * (1 + 1 / np.sqrt(counts[: last + 1] / places))
    further = np.arange(last + 1, days)
    found[:, last + 1 :] = found[:, last : last + 1] * np.sqrt((further + 1) / (last + 1))
    return found


def _error(past: Past, model: str) -> float:
    known = ~np.isnan(past.truth) & ~np.isnan(past.forecasts[model])
    total = past.truth[known].sum()
    return float(np.abs(past.truth - past.forecasts[model])[known].sum() / total) if total else float("nan")


def _covers(wrong: Floats) -> tuple[float, float]:
    wrong = wrong[:, :, ::_EVERY_DAYS]
    inside, seen = np.zeros(2), 0
    for origin in range(len(wrong) if len(wrong) > 1 else 0):
        mine = np.abs(wrong[origin])
        wide = widths(np.delete(wrong, origin, axis=0))
        inside += [(mine <= wide[level]).sum() for level in range(2)]
        seen += int((~np.isnan(mine)).sum())
    half, most = inside / seen if seen else (np.nan, np.nan)
    return float(half), float(most)
