"""Day frames counted from what an index knows: bytes from the sums of camera-days, seconds and kind from runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import polars as pl

from capacity.days import DAYS, KEY
from segments.clock import US_PER_DAY, US_PER_S
from segments.model import Run
from segments.usage import DayUsage

_SUMMED = {"camera": pl.String, "day": pl.Date, "pool": pl.String, "segments": pl.UInt32, "recorded_bytes": pl.UInt64}
_OF_RUNS = {"camera": pl.String, "start_us": pl.Int64, "last_us": pl.Int64, "kind": pl.String}


def days_of(sums: Sequence[DayUsage]) -> pl.DataFrame:
    """The day frame of sums of camera-days; kind and seconds are not known yet."""
    columns = zip(*((camera, day, pool, *of_day) for camera, day, pool, of_day in sums), strict=True)
    days = pl.DataFrame(dict(zip(_SUMMED, columns, strict=True)) if sums else None, schema=_SUMMED)
    return _in_order(days.with_columns(kind=pl.lit(""), recorded_s=pl.lit(0.0)))


def grown(counted: pl.DataFrame, known: pl.DataFrame, before: date | None = None) -> pl.DataFrame:
    """The lines of `counted` that have more bytes than `known` has of them: new days, and days to which footage came late.

    Those of days before `before`; None: of all.
    """
    closed = counted if before is None else counted.filter(pl.col("day") < before)
    beside = closed.join(known.select(*KEY, then="recorded_bytes"), on=KEY, how="left")
    return beside.filter(pl.col("recorded_bytes") > pl.col("then").fill_null(0)).drop("then")


def kind_of(run: Run) -> str:
    """What cameras are alike in: codec of the picture, and its size ("avc1 1920x1080")."""
    codec = run.codecs.split(",")[0].split(".")[0].strip()
    return f"{codec} {run.width}x{run.height}"


def with_runs(days: pl.DataFrame, runs: Iterable[Run]) -> pl.DataFrame:
    """The lines with seconds and kind, by the runs of their cameras.

    A run records from its start to its last moment. The seconds of a camera-day are shared by its pools in proportion to their bytes. A
    camera-day of which no run is known has 0 s and the kind "". Holds a line for each day of each run: give it some cameras at a time.
    """
    listed = pl.DataFrame([(run.camera, run.start_us, run.last_us, kind_of(run)) for run in runs], schema=_OF_RUNS, orient="row")
    begin_us = pl.col("day").cast(pl.Datetime("us")).dt.timestamp("us")
    recorded_us = pl.min_horizontal("last_us", begin_us + US_PER_DAY) - pl.max_horizontal("start_us", begin_us)
    by_kind = (
        days.select("camera", "day")
        .unique()
        .join(listed, on="camera")
        .with_columns(us=recorded_us)
        .filter(pl.col("us") > 0)
        .group_by("camera", "day", "kind")
        .agg(pl.col("us").sum())
        .sort("us", "kind")
        .group_by("camera", "day")
        .agg(pl.col("us").sum(), pl.col("kind").last())
    )
    share = pl.col("recorded_bytes") / pl.col("recorded_bytes").sum().over("camera", "day")
    found = days.drop("kind", "recorded_s").join(by_kind, on=["camera", "day"], how="left")
    seconds = (pl.col("us").fill_null(0) * share.fill_nan(0) / US_PER_S).round(1)
    return _in_order(found.with_columns(kind=pl.col("kind").fill_null(""), recorded_s=seconds))


def _in_order(days: pl.DataFrame) -> pl.DataFrame:
    return days.select(pl.col(name).cast(kind) for name, kind in DAYS.items()).sort(*KEY)
