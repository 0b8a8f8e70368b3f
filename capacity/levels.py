"""What each camera will record a day: its level of late, the week of its kind, and the year of its kind. Pure.

A camera's days are noisy and its kind's are not: the level is its own (late days count more, days with outages do not), weekday and
season are those all cameras of its kind share. Against it stand the naive forecast (the last day again) and the seasonal naive (the last
week again).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import date

import numpy as np
from numpy.typing import NDArray

from capacity.history import History, weekdays

Floats = NDArray[np.float64]
CameraModel = Callable[[History, int], Floats]
"""Bytes a day of each camera of a history over so many days after it."""

HALF_LIFE_DAYS = 15.0
LOOK_BACK_DAYS = 56
LEAST_SEASON_DAYS = 400
"""A year's season is not seen in less than a year."""
LEAST_WEEK_DAYS = 21
"""What is a weekday's own is not seen in less than three weeks."""
_TREND_DAYS = 120.0
_WHOLE = 0.7
"""A day with less than this of the usual is one with an outage."""
_HARMONICS = 2
_TELLING = 5_000
"""So many cameras of a kind, evenly taken, tell its rhythm: the middle of more is the same."""


def naive(history: History, horizon: int) -> Floats:
    """The last day again."""
    return np.repeat(_filled(history.recorded_bytes[:, -1:]), horizon, axis=1)


def seasonal_naive(history: History, horizon: int) -> Floats:
    """The last week again, weekday by weekday."""
    week = _filled(history.recorded_bytes[:, -7:])
    return np.tile(week, (1, horizon // week.shape[1] + 1))[:, :horizon]


def levels(history: History, horizon: int) -> Floats:
    """Level times weekday times season; what a camera does on a whole day (see `up_share` for outages)."""
    return _levels(history, horizon, _no_trend)


def expected_levels(history: History, horizon: int) -> Floats:
    """`levels`, less what outages take away: what is right for sums of many cameras."""
    return levels(history, horizon) * up_share(history)


def expected_trend(history: History, horizon: int) -> Floats:
    """`expected_levels` that go on to rise or fall as their kind did, ever less so: a trend is not believed for long."""
    return _levels(history, horizon, _damped) * up_share(history)


def up_share(history: History, days: int = 120) -> float:
    """What all cameras recorded as a part of their middle days, over the last days: outages take away, and the mean of lively days adds."""
    recent = history.recorded_bytes[:, -days:].astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # cameras that were not there yet
        usual = np.nanmedian(recent, axis=1, keepdims=True)
    seen = ~np.isnan(recent) & (usual > 0)
    total = np.where(seen, usual, 0.0).sum()
    return float(np.where(seen, recent, 0.0).sum() / total) if total else 1.0


def _filled(values: NDArray[np.float32]) -> Floats:
    return np.nan_to_num(values.astype(np.float64))


def _level(plain: Floats) -> Floats:
    """The late level of each line, days with outages left out; 0 where there is nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # lines without a number
        late = np.nanmedian(plain[:, -9:], axis=1, keepdims=True)
        usual = np.where(late > 0, late, np.nanmedian(plain, axis=1, keepdims=True))
    usable = (plain > _WHOLE * usual) & (plain < usual / _WHOLE)  # days before the encoder was set anew are left out, too
    weights = usable * 0.5 ** (np.arange(plain.shape[1])[::-1] / HALF_LIFE_DAYS)
    logs = np.log(np.where(usable, plain, 1.0))
    total = weights.sum(axis=1)
    mean = np.divide((weights * logs).sum(axis=1), total, out=np.zeros(len(plain)), where=total > 0)
    return np.where(total > 0, np.exp(mean), np.nan_to_num(usual[:, 0]))


def _levels(history: History, horizon: int, trend: Callable[[float, int], Floats]) -> Floats:
    days = min(LOOK_BACK_DAYS, history.days)
    found = np.empty((history.cameras.height, horizon))
    for kind in history.cameras["kind"].unique().to_list():
        mine = np.flatnonzero((history.cameras["kind"] == kind).to_numpy())
        telling = history.recorded_bytes[mine[:: -(-len(mine) // _TELLING)]]
        rhythm, a_year = _rhythm(_usual_of(telling), history.first, history.days + horizon)
        plain = history.recorded_bytes[mine, -days:] / rhythm[history.days - days : history.days]
        found[mine] = _level(plain)[:, None] * (rhythm[history.days :] * trend(a_year, horizon))
    return found


def _no_trend(_: float, horizon: int) -> Floats:
    return np.ones(horizon)


def _damped(a_year: float, horizon: int) -> Floats:
    """The factor of a trend (logarithm a year) for each day ahead: what it does in `_TREND_DAYS`, in the end."""
    day = np.arange(1, horizon + 1)
    return np.exp(a_year / 365.25 * _TREND_DAYS * (1 - np.exp(-day / _TREND_DAYS)))


def _usual_of(known: NDArray[np.float32]) -> Floats:
    """The typical day of a kind, in units of each camera's own typical month before it; not a number where too few tell."""
    logs = np.log(np.where(known > 0, known, np.nan).astype(np.float64))
    steps = np.diff(logs, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        typical = np.nan_to_num(np.nanmedian(steps, axis=0)) if len(steps) else np.zeros(known.shape[1] - 1)
    return np.concatenate(([0.0], np.cumsum(typical)))


def _rhythm(usual: Floats, first: date, total: int) -> tuple[Floats, float]:
    """Fits trend, weekdays and harmonics of the year to a series of logarithms.

    Returns weekday times season as a factor around 1 for all days, and the trend (logarithm a year).
    """
    if len(usual) < LEAST_WEEK_DAYS:
        return np.ones(total), 0.0
    day = np.arange(total)
    weekday = weekdays(first, total)
    angle = 2 * np.pi * (day + first.timetuple().tm_yday) / 365.25
    week = [(weekday == each).astype(float) - (weekday == 6) for each in range(6)]
    year = [wave(k * angle) for k in range(1, _HARMONICS + 1) for wave in (np.sin, np.cos)] if len(usual) >= LEAST_SEASON_DAYS else []
    columns = np.stack([np.ones(total), day / 365.25, *week, *year], axis=1)
    fitted, *_ = np.linalg.lstsq(columns[: len(usual)], usual, rcond=None)
    return np.exp(columns[:, 2:] @ fitted[2:]), float(fitted[1])
