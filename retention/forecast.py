"""When a pool comes under pressure, and when its first floor breaks, if all goes on as it does now. Pure, by whole UTC days.

What is stored leaves when it falls due; every day as much comes as came lately, and leaves when its own term is over. A floor breaks when
what may not go yet is more than the pool's high mark lets in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from retention.pressure import PoolSize

HORIZON_DAYS = 1_095
"""Nothing is foretold beyond three years."""
CONTRIBUTORS_NAMED = 10


class Stock(NamedTuple):
    """Bytes that are stored now, by the days on which they may go and are due; `date.max` for what a hold keeps."""

    stored_bytes: int
    may_go: date
    due: date


class Growth(NamedTuple):
    """What comes every day of cameras of one area and class, and how many days it is under its floor, and kept."""

    area: str
    camera_class: int
    day_bytes: int
    floor_days: int
    keep_days: int


class Forecast(NamedTuple):
    """Dates are None if that does not come within the horizon. `contributors`: the largest first, by what they keep in the end."""

    pressed: date | None
    breaks: date | None
    contributors: tuple[Growth, ...]


def when_full(size: PoolSize, stock: Sequence[Stock], growth: Sequence[Growth], today: date) -> Forecast:
    """The first days at whose end the pool is above its high mark: with all that is kept, and with what may not go."""
    ours_bytes = sum(each.stored_bytes for each in stock)
    others_bytes = max(0, (size.used_bytes or 0) - ours_bytes)
    kept = _Course(others_bytes, [(each.stored_bytes, each.due) for each in stock], [(each.day_bytes, each.keep_days) for each in growth])
    bound = _Course(
        others_bytes, [(each.stored_bytes, each.may_go) for each in stock], [(each.day_bytes, each.floor_days) for each in growth]
    )
    largest = sorted((each for each in growth if each.day_bytes), key=lambda each: -each.day_bytes * each.keep_days)
    contributors = tuple(largest[:CONTRIBUTORS_NAMED])
    return Forecast(kept.first_above(size.high_bytes, today), bound.first_above(size.high_bytes, today), contributors)


class _Course(NamedTuple):
    """How a pool fills: bytes of others, ours with the day they go, and what comes every day with how many days it stays."""

    others_bytes: int
    stock: Sequence[tuple[int, date]]
    growth: Sequence[tuple[int, int]]

    def first_above(self, mark_bytes: int, today: date) -> date | None:
        """The first day after today at whose end there is more than that."""
        leaving = Counter[date]()
        for stored_bytes, goes in self.stock:
            leaving[goes] += stored_bytes
        kept_bytes = self.others_bytes + sum(stored_bytes for goes, stored_bytes in leaving.items() if goes > today)
        for number in range(1, HORIZON_DAYS + 1):
            day = today + timedelta(number)
            gone_bytes = leaving[day] + sum(day_bytes for day_bytes, stays in self.growth if number > stays)
            kept_bytes += sum(day_bytes for day_bytes, _ in self.growth) - gone_bytes
            if kept_bytes > mark_bytes:
                return day
        return None
