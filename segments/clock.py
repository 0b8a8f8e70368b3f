"""The one clock port: wall time in microseconds, monotonic time in nanoseconds, and waiting."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

US_PER_S = 1_000_000
US_PER_HOUR = 3600 * US_PER_S
US_PER_DAY = 24 * US_PER_HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where time comes from. Deciders take times as values; only shells hold a clock."""

    def now_us(self) -> int:
        """Wall time, microseconds since 1970 UTC."""

    def monotonic_ns(self) -> int:
        """Time that only rises, from an arbitrary start."""

    async def sleep(self, seconds: float) -> None:
        """Waits at least so long."""


class SystemClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        """See `Clock`."""
        return time.time_ns() // 1000

    def monotonic_ns(self) -> int:
        """See `Clock`."""
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await asyncio.sleep(seconds)


def to_datetime(us: int) -> datetime:
    """The aware UTC datetime of a microsecond time, exact."""
    return _EPOCH + timedelta(microseconds=us)


def from_datetime(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exact; a naive one raises ValueError."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def day_of(us: int) -> date:
    """The UTC date a moment lies in."""
    return to_datetime(us).date()


def day_start_us(day: date) -> int:
    """The first microsecond of a UTC date."""
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=UTC))


def iso(us: int) -> str:
    """RFC 3339 text with milliseconds: `2026-01-31T23:59:59.250Z`."""
    return to_datetime(us).isoformat(timespec="milliseconds").replace("+00:00", "Z")
