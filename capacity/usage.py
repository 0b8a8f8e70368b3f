"""What is used: footage recorded over some days and kept now, by camera, area, class, tier, pool, site, owner and kind. Pure.

All is counted in *lines* (`LINES`), one a camera, pool and kind. Lines of different cameras are put together by writing them one below
the other, so that an installation is counted bucket by bucket and no more than a bucket's days are in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from segments.errors import BadInput
from segments.usage import By

KEPT = {"camera": pl.String, "pool": pl.String, "kept_bytes": pl.UInt64, "held_bytes": pl.UInt64}
"""Columns of what is kept now: of each camera and pool, and how much of it a legal hold covers."""

_RECORDED = {"camera_days": pl.UInt32, "segments": pl.UInt64, "recorded_bytes": pl.UInt64, "recorded_s": pl.Float64}
_COUNTED = {**_RECORDED, "kept_bytes": pl.UInt64, "held_bytes": pl.UInt64}
_WHOSE = {"site": pl.String, "area": pl.String, "owner": pl.String, "class": pl.Int8, "tier": pl.String}

LINES = {"camera": pl.String, "pool": pl.String, "kind": pl.String, **_WHOSE, **_COUNTED, "first": pl.Date, "last": pl.Date}
"""Columns of lines. A camera-day in two pools, or of two kinds, is counted once: in the line that has most of its bytes."""

UNKNOWN_CLASS = 3


def lines_of(days: pl.DataFrame, cameras: pl.DataFrame, kept: pl.DataFrame | None = None) -> pl.DataFrame:
    """The lines of some cameras: of their day frame (`days.DAYS`), what they are (`history.CAMERAS`), and what is kept of them (`KEPT`).

    Cameras that `cameras` has not are of class 3, and of no site, area, owner and tier. What is kept is of the kind its
    camera is, or was on the last of the days.
    """
    recorded = _marked(days).group_by("camera", "pool", "kind").agg(*_summed(_COUNTED), *_ends())
    known = cameras.select("camera", *_WHOSE)
    if kept is not None:
        recorded = pl.concat([recorded, kept.join(_kinds(days, cameras), on="camera", how="left")], how="diagonal_relaxed")
    return _filled(recorded.join(known, on="camera", how="left"), LINES).sort("camera", "pool", "kind")


def daily_of(days: pl.DataFrame, cameras: pl.DataFrame, by: Sequence[By], *, depth: int = 0) -> pl.DataFrame:
    """Camera-days, segments, bytes and seconds recorded on each day by each group, in order of days.

    Raises BadInput for `By.CAMERA`, of which there would be as many lines as camera-days, and if a group is named twice.
    """
    if By.CAMERA in by:
        raise BadInput("usage of each day is not told by camera: choose another --by")
    whose = _once(by)
    known = _marked(days).join(cameras.select("camera", *_WHOSE), on="camera", how="left")
    schema = {"day": pl.Date, **{name: kind for name, kind in LINES.items() if name in {*_WHOSE, *_RECORDED, "pool", "kind"}}}
    return daily_together([_to_depth(_filled(known, schema), depth).select("day", *whose, *_RECORDED)], by)


def daily_together(parts: Sequence[pl.DataFrame], by: Sequence[By]) -> pl.DataFrame:
    """What `daily_of` says of different cameras, as one."""
    alike = ["day", *_once(by)]
    return pl.concat(parts).group_by(alike).agg(*_summed(_RECORDED)).sort(alike)


def days_in(lines: pl.DataFrame) -> int:
    """How many days lie between the first and the last on which anything was recorded, both included; 0 if nothing was."""
    first, last = lines.select(pl.col("first").min(), pl.col("last").max()).row(0)
    return (last - first).days + 1 if first is not None else 0


def usage_by(lines: pl.DataFrame, by: Sequence[By] = (), *, depth: int = 0) -> pl.DataFrame:
    """Sums and figures of each group of lines, the one that records most first; without `by` of all together.

    `depth` cuts areas to so many of their parts, 0 leaves them whole. Figures a day are over `days_in(lines)`. An object has one row in the
    index, takes one PUT to be made and one DELETE to go: `requests` are both.
    A bitrate is of the footage whose seconds are known. Raises BadInput if a group is named twice.
    """
    days, names = days_in(lines), _once(by)
    cameras = pl.col("camera").filter(pl.col("segments") > 0).n_unique().cast(pl.UInt32).alias("cameras")
    shown = _to_depth(lines, depth)
    recording = cameras if By.CAMERA not in by else (pl.col("segments").sum() > 0).cast(pl.UInt32).alias("cameras")
    timed = pl.col("recorded_bytes").filter(pl.col("recorded_s") > 0).sum().alias("timed_bytes")
    sums = [recording, *_summed(_COUNTED), timed]
    found = shown.group_by(names).agg(*sums) if names else shown.select(*sums)
    return (
        found.with_columns(*_figures(days))
        .drop("timed_bytes")
        .sort("recorded_bytes", *names, descending=[True, *(False for _ in names)], nulls_last=True)
    )


def _once(by: Sequence[By]) -> list[str]:
    if len(set(by)) != len(by):
        raise BadInput(f"usage by {', '.join(by)}: each only once")
    return [str(each) for each in by]


def _kinds(days: pl.DataFrame, cameras: pl.DataFrame) -> pl.DataFrame:
    """The kind of each camera: the one it is said to be, else that of its last day."""
    said = cameras.filter(pl.col("kind") != "").select("camera", "kind")
    seen = days.filter(pl.col("kind") != "").sort("day").group_by("camera").agg(pl.col("kind").last())
    return pl.concat([said, seen.join(said, on="camera", how="anti")])


def _marked(days: pl.DataFrame) -> pl.DataFrame:
    """The days with what is counted of them; `camera_days` is 1 in the line that has most bytes of a camera-day, else 0."""
    most_first = days.sort("camera", "day", "recorded_bytes", "pool", "kind", descending=[False, False, True, False, False])
    return most_first.with_columns(
        (pl.col("camera").ne_missing(pl.col("camera").shift()) | pl.col("day").ne_missing(pl.col("day").shift())).alias("camera_days"),
        pl.lit(0).alias("kept_bytes"),
        pl.lit(0).alias("held_bytes"),
    )


def _summed(columns: Mapping[str, type[pl.DataType]]) -> list[pl.Expr]:
    return [pl.col(name).cast(kind).sum() for name, kind in columns.items()]


def _ends() -> list[pl.Expr]:
    return [pl.col("day").min().alias("first"), pl.col("day").max().alias("last")]


def _filled(frame: pl.DataFrame, schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    """The columns of a schema; what is not known is '', class 3, or 0."""
    empty = {pl.String: pl.lit(""), pl.Int8: pl.lit(UNKNOWN_CLASS), pl.Date: pl.lit(None)}
    return frame.select(pl.col(name).fill_null(empty.get(kind, pl.lit(0))).cast(kind) for name, kind in schema.items())


def _to_depth(frame: pl.DataFrame, depth: int) -> pl.DataFrame:
    return frame.with_columns(pl.col("area").str.split("/").list.head(depth).list.join("/")) if depth > 0 else frame


def _figures(days: int) -> list[pl.Expr]:
    """What follows from the sums; null where it is divided by nothing."""
    camera_days, objects = pl.col("camera_days"), pl.col("segments")
    return [
        _over(pl.col("recorded_bytes"), camera_days).alias("bytes_per_camera_day"),
        _over(pl.col("recorded_s"), camera_days).alias("s_per_camera_day"),
        _over(objects, camera_days).alias("objects_per_camera_day"),
        _over(objects, camera_days).alias("rows_per_camera_day"),
        _over(objects.cast(pl.Float64) * 2, camera_days).alias("requests_per_camera_day"),
        _over(pl.col("recorded_bytes"), pl.lit(days)).alias("bytes_per_day"),
        _over(objects, pl.lit(days * 86_400)).alias("puts_per_s"),
        _over(pl.col("timed_bytes").cast(pl.Float64) * 8, pl.col("recorded_s")).alias("bit_per_s"),
        _over(pl.col("held_bytes"), pl.col("kept_bytes")).alias("held_share"),
    ]


def _over(value: pl.Expr, of: pl.Expr) -> pl.Expr:
    return pl.when(of > 0).then(value.cast(pl.Float64) / of)
