"""Civil days and the ends of terms, found by walking: the oracle's own calendar.

Civil Code of the PRC, Article 201: a term of days, months or years begins with the day after the day it is counted from; Article 202: it
ends with the day of the same number of its last month, or with that month's last day; Article 203: its last day ends at 24:00.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

S = 1_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


class Told(NamedTuple):
    """A term: the longer of days and months, and days on top."""

    days: int
    months: int = 0
    more: int = 0


def utc_us(day: date) -> int:
    """The UTC day's begin."""
    return (day.toordinal() - _BEGIN.toordinal()) * DAY


def civil_date(us: int, zone: str) -> date:
    """The date on the wall calendar at this moment."""
    return (_BEGIN + timedelta(microseconds=us)).astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=1 << 16)
def begin_us(day: date, zone: str) -> int:
    """The first minute at which the calendar shows this date or a later one: hour by hour, then minute by minute."""
    hour_us = utc_us(day) - 16 * HOUR
    while civil_date(hour_us, zone) < day:
        hour_us += HOUR
    minute_us = hour_us - HOUR
    while civil_date(minute_us, zone) < day:
        minute_us += MINUTE
    return minute_us


@lru_cache(maxsize=1 << 16)
def last_day(day: date, told: Told) -> date:
    """The last day of a term that is counted from this day."""
    by_days = date.fromordinal(day.toordinal() + told.days)
    year, month, number = day.year, day.month, day.day
    for _ in range(told.months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    while not _is_day(year, month, number):
        number -= 1
    later = max(by_days, date(year, month, number))
    return date.fromordinal(later.toordinal() + told.more)


def over_us(end_us: int, told: Told, zone: str) -> int:
    """When a term is over for footage whose last picture was shown just before `end_us`."""
    last = last_day(civil_date(end_us - 1, zone), told)
    return begin_us(date.fromordinal(last.toordinal() + 1), zone)


def _is_day(year: int, month: int, number: int) -> bool:
    try:
        date(year, month, number)
    except ValueError:
        return False
    return True
