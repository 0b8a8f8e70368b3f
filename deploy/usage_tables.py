"""Usage as people read it: tables of groups, days, hot cameras and bitrates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from capacity.amounts import amount
from deploy.capacity_usage import Used

Row = Mapping[str, Any]
Columns = Mapping[str, Callable[[Row], str]]
"""What stands in each column of a table."""


def _in(name: str, unit: str) -> Callable[[Row], str]:
    """A value in its unit; nothing where there is none."""
    return lambda row: "" if row[name] is None else amount(float(row[name]), unit)


GROUPS: Columns = {
    "cameras": _in("cameras", ""),
    "a day": _in("bytes_per_day", "B"),
    "Mbit/s": lambda row: "" if row["bit_per_s"] is None else f"{row['bit_per_s'] / 1e6:.3g}",
    "PUT/s": lambda row: "" if row["puts_per_s"] is None else f"{row['puts_per_s']:.3g}",
    "bytes*": _in("bytes_per_camera_day", "B"),
    "hours*": lambda row: "" if row["s_per_camera_day"] is None else f"{row['s_per_camera_day'] / 3600:.3g}",
    "objects*": _in("objects_per_camera_day", ""),
}
KEPT: Columns = {
    "kept": _in("kept_bytes", "B"),
    "held": lambda row: "" if row["held_share"] is None else f"{row['held_share']:.1%}",
}
DAYS: Columns = {
    "camera-days": _in("camera_days", ""),
    "recorded": _in("recorded_bytes", "B"),
    "hours": lambda row: f"{row['recorded_s'] / 3600:,.1f}",
    "objects": _in("segments", ""),
}
HOT: Columns = {
    "bitrate": _in("bit_per_s", "bit/s"),
    "usual": _in("usual_bit_per_s", "bit/s"),
    "times": lambda row: f"{row['factor']:.1f}",
    "wasted a day": _in("wasted_bytes_per_day", "B"),
}
BITRATES: Columns = {
    "cameras": _in("cameras", ""),
    "5 %": _in("p05_bit_per_s", "bit/s"),
    "25 %": _in("p25_bit_per_s", "bit/s"),
    "middle": _in("p50_bit_per_s", "bit/s"),
    "75 %": _in("p75_bit_per_s", "bit/s"),
    "95 %": _in("p95_bit_per_s", "bit/s"),
    "most": _in("most_bit_per_s", "bit/s"),
}
PER_CAMERA_DAY = "* of a camera-day. An object has one row in the index, one PUT to be made and one DELETE to go."


def title_of(used: Used) -> str:
    """Which days, and of how many cameras."""
    if not used.days:
        return "nothing was recorded on these days"
    cameras = used.lines.filter(pl.col("segments") > 0)["camera"].n_unique()
    so_far = f", {'the last of them ' if used.days > 1 else ''}so far" if used.so_far else ""
    between = f"{used.first}" if used.days == 1 else f"{used.first} to {used.last}, {used.days} days"
    return f"{cameras:,} camera{'' if cameras == 1 else 's'}, {between} (UTC){so_far}"


def table_of(found: pl.DataFrame, names: Sequence[str], columns: Columns, title: str, top: int, whole: pl.DataFrame | None = None) -> Table:
    """A table of the first `top` lines: what they are of, and their values; below them the whole. What is not known is a dash."""
    table = Table(*names, *columns, title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for column in table.columns[len(names) :]:
        column.justify = "right"
    for row in found.head(top).iter_rows(named=True):
        table.add_row(*(escape(str(row[name])) or "-" for name in names), *(said(row) for said in columns.values()))
    if whole is not None:
        table.add_section()
        table.add_row("all", *("" for _ in names[1:]), *(said(whole.row(0, named=True)) for said in columns.values()))
    return table
