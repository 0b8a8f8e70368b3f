"""Forecasts as frames (polars), for CSV, Parquet and programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from capacity.outlook import Filling
from capacity.pools import PoolForecast, Reached

ENDS = ("low_90", "low_50", "likely", "high_50", "high_90")
"""Where the intervals of 90 and 50 per cent end, and what is likely between them; in order of `pools.QUANTILES`."""

FORECAST = {
    "what": pl.String,
    "name": pl.String,
    "day": pl.Date,
    **{f"kept_{end}_bytes": pl.Float64 for end in ENDS},
    **{f"bound_{end}_bytes": pl.Float64 for end in ENDS},
    "mark_bytes": pl.Float64,
    "size_bytes": pl.Float64,
}
"""A line a pool or site (`what`) and day: what it keeps at the end of it, and what of that is under its floor or held (`bound`)."""


def forecast_table(fillings: Sequence[Filling]) -> pl.DataFrame:
    """Every day of every pool and site (frame `FORECAST`)."""
    return pl.concat([pl.DataFrame(schema=FORECAST), *(_lines(each) for each in fillings)])


def _lines(filling: Filling) -> pl.DataFrame:
    days, room = filling.kept.likely.size, filling.room
    columns = {
        "what": ["site" if filling.is_site else "pool"] * days,
        "name": [filling.name] * days,
        "day": [filling.kept.first + timedelta(days=day) for day in range(days)],
        **_ends("kept", filling.kept),
        **_ends("bound", filling.bound),
        "mark_bytes": [room.mark_bytes if room else None] * days,
        "size_bytes": [room.size_bytes if room else None] * days,
    }
    return pl.DataFrame(columns, schema=FORECAST)


def _ends(name: str, forecast: PoolForecast) -> dict[str, object]:
    return {f"{name}_{end}_bytes": line for end, line in zip(ENDS, forecast.at, strict=True)}


def filling_values(filling: Filling) -> dict[str, object]:
    """What is ahead of a pool or site as plain values, for JSON; what it keeps in the end with its intervals."""
    end = filling.kept.first + timedelta(days=filling.kept.likely.size - 1)
    return {
        "what": "site" if filling.is_site else "pool",
        "name": filling.name,
        "pools": list(filling.pools),
        "now_bytes": round(filling.now_bytes),
        "size_bytes": filling.room and round(filling.room.size_bytes),
        "mark_bytes": filling.room and round(filling.room.mark_bytes),
        "pressed": _reached(filling.pressed),
        "full": _reached(filling.full),
        "floor_breaks": _reached(filling.breaks),
        "first_hit": [{"tier": hit.tier, "day": hit.day.isoformat(), "bytes": round(hit.bytes)} for hit in filling.hits],
        "whose": [{**each._asdict(), "day_bytes": round(each.day_bytes), "share": round(each.share, 4)} for each in filling.whose],
        "at_the_end": {"day": end.isoformat(), **{name: round(line[-1]) for name, line in zip(ENDS, filling.kept.at, strict=True)}},
    }


def _reached(dates: Reached) -> dict[str, str | None]:
    return {name: _text(day) for name, day in zip(("earliest", "likely", "latest"), dates, strict=True)}


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
