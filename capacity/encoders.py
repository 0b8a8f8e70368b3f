"""How cameras are set: bitrates of each kind, and cameras far above their kind, whose encoder is probably misconfigured. Pure.

A bitrate is bytes over the seconds recorded, so that outages make no camera look modest.
"""

from __future__ import annotations

import polars as pl

HOT_FACTOR = 2.0
"""A camera with less than this times the middle of its kind is not called hot, however alike the others are."""
HOT_DEVIATIONS = 3.5
"""Nor one that lies nearer to it than so many robust deviations (in logarithms): its kind is lively, and it is one of them."""
LEAST_ALIKE = 8
"""With fewer cameras of a kind nobody can say what is usual."""
_TO_DEVIATION = 1.4826
"""Median absolute deviation to standard deviation, of a normal distribution."""

SPREAD = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Where the distribution of bitrates is told."""


def bitrates(lines: pl.DataFrame) -> pl.DataFrame:
    """The bitrates of the cameras (of `usage.LINES`) of each kind: how many there are, `p05` to `p95` and the highest, in bit/s."""
    spread = [pl.col("bit_per_s").quantile(each, "linear").alias(f"p{each * 100:02.0f}_bit_per_s") for each in SPREAD]
    found = _rates(lines).group_by("kind")
    told = found.agg(pl.len().cast(pl.UInt32).alias("cameras"), *spread, pl.col("bit_per_s").max().alias("most_bit_per_s"))
    return told.sort("cameras", "kind", descending=[True, False])


def hot(lines: pl.DataFrame) -> pl.DataFrame:
    """The cameras far above their kind, the one that wastes most first.

    `usual_bit_per_s` is the middle of its kind, `factor` how many times that it is, and `wasted_bytes_per_day` what it records more than
    that on a day it records. Cameras of no known kind, and of kinds with less than `LEAST_ALIKE` cameras, are compared with nothing.
    """
    rates = _rates(lines).filter(pl.col("kind") != "")
    log = pl.col("bit_per_s").log()
    away = log - log.median().over("kind")
    compared = rates.with_columns(
        pl.len().over("kind").alias("alike"),
        pl.col("bit_per_s").median().over("kind").alias("usual_bit_per_s"),
        away.alias("away"),
        (away.abs().median().over("kind") * _TO_DEVIATION).alias("deviation"),
    )
    far = (pl.col("away") >= HOT_DEVIATIONS * pl.col("deviation")) & (pl.col("bit_per_s") >= HOT_FACTOR * pl.col("usual_bit_per_s"))
    found = compared.filter(far & (pl.col("alike") >= LEAST_ALIKE))
    more = (pl.col("bit_per_s") - pl.col("usual_bit_per_s")) / 8 * pl.col("recorded_s") / pl.col("camera_days").clip(1)
    return (
        found.with_columns((pl.col("bit_per_s") / pl.col("usual_bit_per_s")).alias("factor"), more.alias("wasted_bytes_per_day"))
        .select("camera", "kind", "area", "owner", "class", "bit_per_s", "usual_bit_per_s", "factor", "wasted_bytes_per_day")
        .sort("wasted_bytes_per_day", "camera", descending=[True, False])
    )


def _rates(lines: pl.DataFrame) -> pl.DataFrame:
    """A line a camera and kind, of all its pools together."""
    sums = lines.group_by("camera", "kind").agg(
        pl.col("recorded_bytes", "recorded_s", "camera_days").sum(), pl.col("area", "owner", "class").first()
    )
    rate = (pl.col("recorded_bytes").cast(pl.Float64) * 8 / pl.col("recorded_s")).alias("bit_per_s")
    return sums.filter((pl.col("recorded_s") > 0) & (pl.col("recorded_bytes") > 0)).with_columns(rate)
