"""Forecasts tried on days that are known: how wrong each model was, and how wide its intervals must be. Pure.

At several days of the past only what was known then is forecast from, and compared with what came. The model in use is the one that was
least wrong; its errors of the past, in units of how much a camera moves, are the width of its intervals from now on (split conformal
intervals).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from capacity.history import History
from capacity.levels import CameraModel, Floats, levels, naive, seasonal_naive
from segments.errors import BadInput

MODELS: Mapping[str, CameraModel] = {"naive": naive, "seasonal-naive": seasonal_naive, "levels": levels}
BASELINE = "seasonal-naive"
STEP_DAYS = 28
LEAST_DAYS = 28
"""With less history before it no forecast is tried."""
MOST_CAMERAS = 20_000
"""On so many of the cameras models are tried; which is best, and how wide intervals must be, shows."""
_BANDS = 6
"""The horizon is divided in so many parts, each with widths of its own."""
_FLOOR = 0.02
"""No camera moves less, in logarithms: what hardly moved of late may yet."""
_NOTHING = -8.0
"""The logarithm of a day on which nothing came, where something was forecast."""


@dataclass(frozen=True, slots=True)
class Widths:
    """How far what comes lies from the forecast: quantiles of errors in units of how much a camera moves, by part of the horizon."""

    levels: tuple[float, ...]
    by_part: Floats

    def around(self, forecast: Floats, moves: Floats) -> Floats:
        """The forecast at each level: (levels, cameras, days)."""
        steps = self.by_part[:, _parts(forecast.shape[1])][:, None, :] * moves[None, :, None]
        return np.asarray(forecast[None] * np.exp(steps))


@dataclass(frozen=True, slots=True)
class Tried:
    """A model on all days it was tried on: mean absolute error in bytes a camera-day, of how many camera-days.

    `covers`: the parts of camera-days that lay in its intervals of 50 and 90 %, on each origin those that the others say; not a number
    with fewer than two.
    """

    error_bytes: float
    camera_days: int
    covers: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Backtest:
    """What trying the models showed: each one's error, the best, and the widths its intervals need."""

    tried: Mapping[str, Tried]
    best: str
    widths: Widths

    @property
    def of_baseline(self) -> Mapping[str, float]:
        """Each model's error as a part of the seasonal naive one's."""
        base = self.tried[BASELINE].error_bytes
        return {name: each.error_bytes / base if base else 1.0 for name, each in self.tried.items()}


LEVELS = (0.05, 0.25, 0.75, 0.95)
"""Where the intervals of 50 and 90 per cent end."""


def backtest(history: History, horizon: int, *, origins: int = 6, models: Mapping[str, CameraModel] = MODELS) -> Backtest:
    """Tries all models on the last so many origins, four weeks apart; raises BadInput where there is too little history for one."""
    cuts = _origins(history, horizon, origins)
    history = _some(history)
    errors: dict[str, list[tuple[float, int]]] = {name: [] for name in models}
    scores: dict[str, list[Floats]] = {name: [] for name in models}
    for cut in cuts:
        known, truth = split(history, cut, horizon)
        moves = how_they_move(known)
        for name, model in models.items():
            forecast = model(known, horizon)
            wrong = np.abs(forecast - truth)
            errors[name].append((float(np.nansum(wrong)), int((~np.isnan(wrong)).sum())))
            scores[name].append(_scores(forecast, truth, moves))
    tried = {name: _tried(each, coverage(scores[name], horizon)) for name, each in errors.items()}
    best = min(tried, key=lambda name: tried[name].error_bytes)
    return Backtest(tried, best, _widths(scores[best], horizon))


def _tried(errors: Sequence[tuple[float, int]], covers: tuple[float, float]) -> Tried:
    camera_days = sum(count for _, count in errors)
    return Tried(sum(error for error, _ in errors) / max(1, camera_days), camera_days, covers)


def forecast(history: History, horizon: int, tried: Backtest, models: Mapping[str, CameraModel] = MODELS) -> tuple[Floats, Floats]:
    """Bytes a day of each camera by the best model, and where the 50 and 90 per cent intervals end (LEVELS, cameras, days)."""
    likely = models[tried.best](history, horizon)
    return likely, tried.widths.around(likely, how_they_move(history))


def split(history: History, cut: int, horizon: int) -> tuple[History, NDArray[np.float32]]:
    """What was known at the beginning of the day `cut`, and what its cameras recorded on the days after."""
    day = history.first + timedelta(days=cut)
    there = ~np.isnan(history.recorded_bytes[:, :cut]).all(axis=1)
    return history.before(day), history.recorded_bytes[there, cut : cut + horizon]


def how_they_move(history: History, days: int = 56) -> Floats:
    """How much each camera's days differ from the week before, in logarithms: a robust deviation, at least a fiftieth."""
    recent = history.recorded_bytes[:, -days:].astype(np.float64)
    logs = np.log(np.where(recent > 0, recent, np.nan))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # cameras with too few days
        changes = logs[:, 7:] - logs[:, :-7] if logs.shape[1] > 7 else np.full((len(logs), 1), np.nan)
        found = 1.4826 * np.nanmedian(np.abs(changes), axis=1) / np.sqrt(2)
    usual = float(np.nanmedian(found)) if np.isfinite(found).any() else 0.1
    return np.maximum(np.where(np.isfinite(found), found, usual), _FLOOR)


def _some(history: History) -> History:
    """At most `MOST_CAMERAS` of the cameras, evenly taken: what they tell of a model is the same."""
    rows = slice(None, None, -(-history.cameras.height // MOST_CAMERAS) or 1)
    return History(history.cameras[rows], history.first, history.recorded_bytes[rows])


def _origins(history: History, horizon: int, origins: int) -> Sequence[int]:
    last = history.days - horizon
    if last < LEAST_DAYS:
        raise BadInput(f"{history.days} days of history: to try a forecast of {horizon} days takes {LEAST_DAYS + horizon}")
    return list(range(last, LEAST_DAYS - 1, -STEP_DAYS))[:origins]


def _scores(forecast: Floats, truth: NDArray[np.float32], moves: Floats) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        wrong = np.log(np.maximum(truth, 1e-30) / np.where(forecast > 0, forecast, np.nan))
    return np.maximum(wrong, _NOTHING) / moves[:, None]


def coverage(scores: Sequence[Floats], horizon: int) -> tuple[float, float]:
    """Which parts of the scores of all tries lie in the intervals of 50 and 90 % that the other tries say; see `Tried`."""
    inside, seen = np.zeros(2), 0
    for origin, mine in enumerate(scores if len(scores) > 1 else ()):
        wide = _widths([score for other, score in enumerate(scores) if other != origin], horizon)
        ends = wide.by_part[:, _parts(horizon)][:, None, :]
        inside += [((mine >= ends[low]) & (mine <= ends[high])).sum() for low, high in ((1, 2), (0, 3))]
        seen += int(np.isfinite(mine).sum())
    half, most = inside / seen if seen else (np.nan, np.nan)
    return float(half), float(most)


def _parts(horizon: int) -> NDArray[np.int64]:
    """Which part of the horizon each day ahead is in."""
    return np.minimum(np.arange(horizon) * _BANDS // max(1, horizon), _BANDS - 1)


def _widths(scores: Sequence[Floats], horizon: int) -> Widths:
    by_part = np.zeros((len(LEVELS), _BANDS))
    part = _parts(horizon)
    for each in range(_BANDS):
        mine = np.concatenate([score[:, part == each].ravel() for score in scores]) if (part == each).any() else np.zeros(1)
        mine = mine[np.isfinite(mine)]
        by_part[:, each] = np.quantile(mine, LEVELS) if mine.size else 0.0
    return Widths(LEVELS, by_part)
