"""A digital twin: years of cameras nobody fitted, to test forecasts against a truth. Pure; the same seed is the same province.

What is in it: kinds of cameras with bitrates of their own, weekdays and weekends, a year's season (long nights cost bits), slow drift,
noise that lasts some days, outages of hours and days, encoders that are set anew, cameras that come (evenly, and in campaigns) and go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from capacity.history import CAMERAS, History, weekdays
from capacity.inflow import Addition

Floats = NDArray[np.float64]

_KINDS = (("avc1 1920x1080", 3.6, 0.10), ("avc1 1280x720", 1.9, 0.12), ("hvc1 1920x1080", 1.7, 0.08), ("hvc1 3840x2160", 6.5, 0.09))
"""Codec and picture size, usual Mbit/s, and how much it moves from day to day."""
_TIERS = ("general", "key-area")
_CAMPAIGN_DAYS = 45


@dataclass(frozen=True, slots=True)
class TwinOrder:
    """A province to be lived through: cameras there at some time, days, and what happens to them."""

    cameras: int = 10_000
    days: int = 3 * 365
    first: date = date(2023, 1, 1)
    pools: int = 12
    seed: int = 1
    growth_per_year: float = 0.12
    campaigns: int = 2
    """How often many cameras come within some weeks."""
    leaving_per_year: float = 0.02
    set_anew_per_year: float = 0.25
    outages_per_year: float = 3.0


@dataclass(frozen=True, slots=True)
class Lived:
    """What all cameras recorded on all days, and the campaigns that were planned."""

    history: History
    additions: tuple[Addition, ...]


def live(order: TwinOrder) -> Lived:
    """Lives through all days."""
    rng = np.random.default_rng(order.seed)
    cameras, kinds = _cameras(order, rng)
    there, additions = _there(order, cameras, rng)
    mbit = np.array([_KINDS[kind][1] for kind in kinds]) * rng.lognormal(0, 0.35, order.cameras)
    moves = np.array([_KINDS[kind][2] for kind in kinds]) * rng.uniform(0.5, 1.6, order.cameras)
    bytes_a_day = (mbit * 1e6 / 8 * 86_400)[:, None] * _rhythm(order, kinds, rng) * _noise(order, moves, rng) * _set_anew(order, rng)
    recorded = (bytes_a_day * _up(order, rng)).astype(np.float32)
    recorded[~there] = np.nan
    return Lived(History(cameras, order.first, recorded), additions)


def _cameras(order: TwinOrder, rng: np.random.Generator) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    kinds = rng.choice(len(_KINDS), order.cameras, p=(0.45, 0.2, 0.25, 0.1))
    pools = rng.integers(0, order.pools, order.cameras)
    classes = rng.choice((1, 2, 3), order.cameras, p=(0.45, 0.4, 0.15))
    key = rng.random(order.cameras) < np.where(classes == 1, 0.4, 0.1)
    columns = {
        "camera": [f"c{number:06d}" for number in range(order.cameras)],
        "pool": [f"pool-{pool}" for pool in pools],
        "site": [f"site-{pool % 4}" for pool in pools],
        "area": [f"city-{pool % 4}/district-{pool}" for pool in pools],
        "owner": ["" for _ in pools],
        "class": classes,
        "tier": [_TIERS[int(each)] for each in key],
        "kind": [_KINDS[kind][0] for kind in kinds],
    }
    return pl.DataFrame(columns, schema=CAMERAS), kinds


def _there(order: TwinOrder, cameras: pl.DataFrame, rng: np.random.Generator) -> tuple[NDArray[np.bool_], tuple[Addition, ...]]:
    """Most are there from the start; the others come evenly and in campaigns; some go for good."""
    new = 1 - 1 / (1 + order.growth_per_year) ** (order.days / 365)
    comes = np.zeros(order.cameras)
    later = rng.random(order.cameras) < new
    comes[later] = rng.uniform(0, order.days, later.sum())
    additions: list[Addition] = []
    for _ in range(order.campaigns):
        among = later & (rng.random(order.cameras) < 0.3)
        begin = int(rng.integers(0, order.days - _CAMPAIGN_DAYS))
        comes[among] = begin + rng.uniform(0, _CAMPAIGN_DAYS, among.sum())
        later &= ~among
        start = order.first + timedelta(days=begin)
        counted = cameras.filter(pl.Series(among)).group_by("pool", "tier").len().sort("pool", "tier")
        additions += [Addition(pool, start, start + timedelta(days=_CAMPAIGN_DAYS), n, tier) for pool, tier, n in counted.iter_rows()]
    goes = comes + rng.exponential(365 / max(order.leaving_per_year, 1e-9), order.cameras)
    day = np.arange(order.days)
    return (day >= np.floor(comes)[:, None]) & (day < np.maximum(goes, comes + 1)[:, None]), tuple(additions)


def _rhythm(order: TwinOrder, kinds: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Week and year: alike within a kind, a little different for each camera."""
    weekday = weekdays(order.first, order.days)
    weekend = rng.normal(-0.08, 0.05, order.cameras)
    busy = rng.normal(0.03, 0.02, order.cameras)
    week = 1 + weekend[:, None] * (weekday >= 5) + busy[:, None] * (weekday == 4)
    swing = rng.uniform(0.03, 0.09, len(_KINDS))[kinds] * rng.uniform(0.6, 1.4, order.cameras)
    angle = 2 * np.pi * (np.arange(order.days) + order.first.timetuple().tm_yday - 10) / 365.25
    return np.asarray(week * (1 + swing[:, None] * np.cos(angle)))


def _noise(order: TwinOrder, moves: Floats, rng: np.random.Generator) -> Floats:
    """Weather and scenes: a part of a day, a part that lasts some days, and a slow drift."""
    shocks = rng.standard_normal((order.cameras, order.days), dtype=np.float32)
    lasting = np.empty_like(shocks)
    lasting[:, 0] = shocks[:, 0]
    for day in range(1, order.days):
        lasting[:, day] = 0.7 * lasting[:, day - 1] + 0.71 * shocks[:, day]
    daily = rng.standard_normal((order.cameras, order.days), dtype=np.float32)
    drift = np.cumsum(rng.standard_normal((order.cameras, order.days), dtype=np.float32) * 0.003, axis=1)
    return np.exp(moves[:, None] * (0.6 * lasting + 0.7 * daily) + drift)


def _set_anew(order: TwinOrder, rng: np.random.Generator) -> Floats:
    """Encoders that are set anew: from a day on so much more or less."""
    factor = np.ones((order.cameras, order.days))
    for camera in np.flatnonzero(rng.random(order.cameras) < order.set_anew_per_year * order.days / 365):
        factor[camera, rng.integers(0, order.days) :] *= rng.choice((0.5, 0.7, 1.3, 1.6))
    return factor


def _up(order: TwinOrder, rng: np.random.Generator) -> Floats:
    """The share of each day that is recorded: outages last an hour to some weeks, and the night after a storm many at once."""
    share = np.ones((order.cameras, order.days))
    outages = rng.poisson(order.outages_per_year * order.days / 365, order.cameras)
    for camera in np.flatnonzero(outages):
        for begin in rng.uniform(0, order.days, outages[camera]):
            end = min(begin + rng.lognormal(-0.8, 1.3), order.days)
            for day in range(int(begin), int(np.ceil(end))):
                share[camera, day] *= 1 - (min(end, day + 1) - max(begin, day))
    for day in rng.integers(0, order.days, max(1, order.days // 120)):
        struck = rng.random(order.cameras) < 0.15
        share[struck, day] *= rng.uniform(0, 1, struck.sum())
    return np.clip(share, 0, 1)
