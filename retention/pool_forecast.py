"""The forecast of each pool, from what the usage sums say: what it keeps, and what came in the last complete days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from retention.forecast import Forecast, Growth, Stock, when_full
from retention.pressed import PressureIndex, pool_days
from retention.pressure import PoolDay, PoolSize
from retention.rules import Rules
from segments.clock import US_PER_DAY, day_of, day_start_us
from segments.model import Camera

LATELY_DAYS = 7
"""So many complete UTC days say how much comes: a week, since weekends differ."""
Kind = tuple[str, int]
"""Area and class of cameras."""


@dataclass
class _Seen:
    """What was seen of a pool: bytes by the days on which they may go and are due; of each kind what came lately, and its terms in days."""

    stock: Counter[tuple[date, date]] = field(default_factory=Counter)
    came: Counter[Kind] = field(default_factory=Counter)
    terms: dict[Kind, tuple[int, int]] = field(default_factory=dict)

    def add(self, camera: Camera, day: PoolDay, today: date) -> None:
        goes = (date.max, date.max) if day.held else (day_of(day.floor_us), day_of(day.keep_us))
        self.stock[goes] += day.stored_bytes
        if timedelta() < today - day.day <= timedelta(LATELY_DAYS):
            kind = camera.area, day.camera_class
            self.came[kind] += day.stored_bytes
            floor_days, keep_days = (-((day_start_us(day.day) - moment_us) // US_PER_DAY) for moment_us in (day.floor_us, day.keep_us))
            longest = self.terms.get(kind, (0, 0))
            self.terms[kind] = max(longest[0], floor_days), max(longest[1], keep_days)


async def forecasts(index: PressureIndex, rules: Rules, pools: Mapping[str, PoolSize], now_us: int) -> Mapping[str, Forecast]:
    """When these pools come under pressure, and when their first floors break. Reads every sum; raises BadInput if no policy binds.

    A kind of cameras counts with the longest terms that any of them has.
    """
    today, seen = day_of(now_us), {name: _Seen() for name in pools}
    async for pool, camera, day in pool_days(index, rules, now_us):
        if pool in seen:
            seen[pool].add(camera, day, today)
    return {name: when_full(pools[name], _stock(found), _growth(found), today) for name, found in seen.items()}


def _stock(found: _Seen) -> list[Stock]:
    return [Stock(stored_bytes, *goes) for goes, stored_bytes in found.stock.items()]


def _growth(found: _Seen) -> list[Growth]:
    return [Growth(*kind, round(came_bytes / LATELY_DAYS), *found.terms[kind]) for kind, came_bytes in found.came.items()]
