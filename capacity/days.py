"""What was recorded, a line a camera, UTC day and pool: what usage is counted from, and what outlives the footage. Pure."""

from __future__ import annotations

from io import BytesIO

import polars as pl
from polars.exceptions import PolarsError

from segments.errors import DataDamaged

DAYS = {
    "camera": pl.String,
    "day": pl.Date,
    "pool": pl.String,
    "kind": pl.String,
    "segments": pl.UInt32,
    "recorded_bytes": pl.UInt64,
    "recorded_s": pl.Float64,
}
"""Columns of a day frame. `kind`: codec and picture size ("avc1 1920x1080") that most of the day had, "" where that is not known.

`segments` is objects and rows, too. `recorded_s` is seconds of footage: a camera recorded in both lanes has twice those of the day.
"""

KEY = ("camera", "day", "pool")
_RANK = ("recorded_bytes", "segments", "recorded_s", "kind")


def no_days() -> pl.DataFrame:
    """A day frame without a line."""
    return pl.DataFrame(schema=DAYS)


def merged(*frames: pl.DataFrame) -> pl.DataFrame:
    """All lines of day frames, in order of camera, day and pool; of two of the same, the one with more bytes.

    So deletion makes nothing smaller, whatever is merged in whatever order, and however often.
    """
    lines = pl.concat([no_days(), *frames])
    return lines.sort(*KEY, *_RANK).unique(list(KEY), keep="last", maintain_order=True)


def packed(days: pl.DataFrame) -> bytes:
    """A day frame as it is stored: Parquet, zstd."""
    body = BytesIO()
    days.write_parquet(body, compression="zstd")
    return body.getvalue()


def unpacked(body: bytes, what: str) -> pl.DataFrame:
    """The day frame that was packed; raises DataDamaged, which names `what` it is of, where that is no such frame."""
    try:
        days = pl.read_parquet(BytesIO(body))
    except (PolarsError, OSError) as error:
        raise DataDamaged(f"{what} cannot be read: {error}; bring it back from a backup") from None
    if dict(days.schema) != DAYS:
        raise DataDamaged(f"{what} has the columns {', '.join(days.columns)}; expected: {', '.join(DAYS)}")
    return days
