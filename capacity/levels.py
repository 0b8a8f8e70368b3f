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
_WHOLE = 0.7
"""A day with less than this of the usual is one with an outage."""
_HARMONICS = 2


def naive(history: History, horizon: int) -> Floats:
    """The last day again."""
    return np.repeat(_filled(history.recorded_bytes[:, -1:]), horizon, axis=1)


def seasonal_naive(history: History, horizon: int) -> Floats:
    """The last week again, weekday by weekday."""
    week = _filled(history.recorded_bytes[:, -7:])
    return np.tile(week, (1, horizon // week.shape[1] + 1))[:, :horizon]


def levels(history: History, horizon: int) -> Floats:
    """Level times weekday times season; what a camera does on a whole day (see `up_share` for outages)."""
    known = history.recorded_bytes
    week, season = _shared_rhythm(history, horizon)
    days = min(LOOK_BACK_DAYS, known.shape[1])
    recent = known[:, -days:].astype(np.float64)
    plain = recent / (week[:, -days - horizon : -horizon] * season[:, -days - horizon : -horizon])
    return _level(plain)[:, None] * week[:, -horizon:] * season[:, -horizon:]


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


def _shared_rhythm(history: History, horizon: int) -> tuple[Floats, Floats]:
    """Weekday and season of each camera's kind, as factors around 1, over the history and the days after it."""
    total = history.days + horizon
    week, season = np.ones((history.cameras.height, total)), np.ones((history.cameras.height, total))
    for kind in history.cameras["kind"].unique().to_list():
        mine = (history.cameras["kind"] == kind).to_numpy()
        factors = _rhythm(_usual_of(history.recorded_bytes[mine]), history.first, total)
        week[mine], season[mine] = factors
    return week, season


def _usual_of(known: NDArray[np.float32]) -> Floats:
    """The typical day of a kind, in units of each camera's own typical month before it; not a number where too few tell."""
    logs = np.log(np.where(known > 0, known, np.nan).astype(np.float64))
    steps = np.diff(logs, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        typical = np.nan_to_num(np.nanmedian(steps, axis=0)) if len(steps) else np.zeros(known.shape[1] - 1)
    return np.concatenate(([0.0], np.cumsum(typical)))


def _rhythm(usual: Floats, first: date, total: int) -> tuple[Floats, Floats]:
    """Fits trend, weekdays and harmonics of the year to a series of logarithms; returns the factors of week and year for all days."""
    day = np.arange(total)
    weekday = weekdays(first, total)
    angle = 2 * np.pi * (day + first.timetuple().tm_yday) / 365.25
    week = [(weekday == each).astype(float) - (weekday == 6) for each in range(6)]
    year = [wave(k * angle) for k in range(1, _HARMONICS + 1) for wave in (np.sin, np.cos)] if len(usual) >= LEAST_SEASON_DAYS else []
    columns = np.stack([np.ones(total), day / 365.25, *week, *year], axis=1)
    fitted, *_ = np.linalg.lstsq(columns[: len(usual)], usual, rcond=None)
    weeks = columns[:, 2:8] @ fitted[2:8]
    years = columns[:, 8:] @ fitted[8:] if year else np.zeros(total)
    return np.exp(weeks), np.exp(years)
