"""When pools and sites fill, which floor breaks first, and for whom: a forecast laid over the sizes there are. Pure.

All that is kept passes a pool's high mark: it is pressed, and footage goes before it is due. What may not go yet passes it, too: a floor
breaks. That is the day by which there must be more room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from capacity.flow import Leaves
from capacity.history import History, site_of_pools
from capacity.inflow import Place
from capacity.pools import Ahead, PoolForecast, Reached, by_pool

WHOSE_NAMED = 10
LEAST_DAYS = 7
"""A forecast takes a week: weekends differ."""


class Room(NamedTuple):
    """What a pool has room for: its size, and where its high mark is, less what others keep there."""

    size_bytes: float
    mark_bytes: float


class Whose(NamedTuple):
    """What cameras of one tier, area and class recorded a day of late, and which part that is of all that came."""

    tier: str
    area: str
    camera_class: int
    cameras: int
    day_bytes: float
    share: float


class FirstHit(NamedTuple):
    """A tier whose floor breaks, with the oldest day of which footage has to go, and how much of that came."""

    tier: str
    day: date
    bytes: float


@dataclass(frozen=True, slots=True)
class Filling:
    """What is ahead of a pool, or of a site (all its pools together; its dates are those of the first of them that is reached).

    `kept`: all that is kept; `bound`: what may not go, being under its floor or held. `hits`: whose floors break first, largest first.
    """

    name: str
    is_site: bool
    pools: Sequence[str]
    now_bytes: float
    room: Room | None
    kept: PoolForecast
    bound: PoolForecast
    pressed: Reached
    full: Reached
    breaks: Reached
    hits: Sequence[FirstHit]
    whose: Sequence[Whose]


NEVER: Reached = (None, None, None)


def outlook(ahead: Ahead, keeps: Leaves, floors: Leaves, rooms: Mapping[str, Room]) -> Sequence[Filling]:
    """Every pool, the one whose floor breaks first at the head, then every site."""
    pools = by_pool(ahead.come.places)
    fillings = _fillings(ahead, keeps, floors, pools, rooms)
    sites = _sites(ahead.history, list(pools))
    by_site = {site: [place for pool in names for place in pools[pool]] for site, names in sites.items()}
    whole = {
        site: Room(sum(rooms[pool].size_bytes for pool in names), sum(rooms[pool].mark_bytes for pool in names))
        for site, names in sites.items()
        if all(pool in rooms for pool in names)
    }
    return [*sorted(fillings, key=_urgency), *_fillings(ahead, keeps, floors, by_site, whole, is_site=True)]


def needs_days(history: History) -> int:
    """How many days of history are missing for a forecast."""
    return max(0, LEAST_DAYS - history.days)


def _fillings(
    ahead: Ahead,
    keeps: Leaves,
    floors: Leaves,
    groups: Mapping[str, Sequence[Place]],
    rooms: Mapping[str, Room],
    *,
    is_site: bool = False,
) -> list[Filling]:
    now = ahead.kept(keeps)[:, ahead.history.days - 1]
    found = []
    for kept, bound in zip(ahead.forecasts(keeps, groups), ahead.forecasts(floors, groups), strict=True):
        places, room = groups[kept.pool], rooms.get(kept.pool)
        pools = list(dict.fromkeys(pool for pool, _ in places))
        breaks = bound.full_on(room.mark_bytes) if room else NEVER
        found.append(
            Filling(
                name=kept.pool,
                is_site=is_site,
                pools=pools,
                now_bytes=float(now[[ahead.come.places.index(place) for place in places]].sum()),
                room=room,
                kept=kept,
                bound=bound,
                pressed=kept.full_on(room.mark_bytes) if room else NEVER,
                full=kept.full_on(room.size_bytes) if room else NEVER,
                breaks=breaks,
                hits=_hits(ahead, floors, places, breaks[1] or breaks[0]),
                whose=_whose(ahead.history, pools),
            )
        )
    return found


def _urgency(filling: Filling) -> tuple[date, date, date, date, str]:
    dates = (*filling.breaks[1::-1], *filling.pressed[1::-1])
    first, second, third, fourth = (each or date.max for each in dates)
    return first, second, third, fourth, filling.name


def _sites(history: History, pools: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The pools of each site."""
    site_of = site_of_pools(history)
    return {site: [pool for pool in pools if site_of.get(pool, "") == site] for site in sorted({site_of.get(pool, "") for pool in pools})}


def _hits(ahead: Ahead, floors: Leaves, places: Sequence[Place], on: date | None) -> list[FirstHit]:
    """Of each tier the footage that is nearest to its floor when the room is gone: it is what gives way first."""
    if on is None:
        return []
    found: dict[str, FirstHit] = {}
    for place in places:
        day = _oldest_under_floor(floors, place[1], on, ahead.history.first)
        column = (day - ahead.history.first).days
        came = float(ahead.come.recorded[ahead.come.places.index(place), column]) if column < ahead.come.recorded.shape[1] else 0.0
        before = found.get(place[1])
        found[place[1]] = FirstHit(place[1], day, came + (before.bytes if before else 0.0))
    return sorted((hit for hit in found.values() if hit.bytes), key=lambda hit: -hit.bytes)


def _oldest_under_floor(floors: Leaves, tier: str, on: date, first: date) -> date:
    """The oldest recorded day that may not leave yet by the end of the day `on`; found by halves, as terms never cross."""
    low, high = 0, (on - first).days
    while low < high:
        middle = (low + high) // 2
        if floors(tier, first + timedelta(days=middle)) > on:
            high = middle
        else:
            low = middle + 1
    return first + timedelta(days=low)


def _whose(history: History, pools: Sequence[str]) -> list[Whose]:
    mine = history.cameras.with_columns(pl.Series("day_bytes", history.late_day_bytes())).filter(pl.col("pool").is_in(list(pools)))
    total = float(mine["day_bytes"].sum())
    grouped = mine.group_by("tier", "area", "class").agg(pl.len().alias("cameras"), pl.col("day_bytes").sum())
    largest = grouped.filter(pl.col("day_bytes") > 0).sort(["day_bytes", "tier", "area", "class"], descending=[True, False, False, False])
    named = largest.head(WHOSE_NAMED).with_columns((pl.col("day_bytes") / total).alias("share"))
    return [Whose(*row) for row in named.select("tier", "area", "class", "cameras", "day_bytes", "share").iter_rows()]
