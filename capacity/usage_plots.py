"""Plots of usage: groups, days, bitrates of each kind, hot cameras. No words in them but names of groups and units."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.ticker import EngFormatter, MaxNLocator

from capacity.plots import COLOURS, SIZE_IN, Picture, drawn, quiet

MOST_BARS = 20
MOST_LINES = len(COLOURS)
_REST = "#afb8c1"
_BAR_IN = 0.28
_LONGEST_LABEL = 42
_FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "SimHei", "Microsoft YaHei")
"""Names of areas and owners may be Chinese: the first of these that are installed and have a character draw it."""


def of_groups(found: pl.DataFrame, names: Sequence[str], form: Picture) -> bytes:
    """Bytes recorded a day by each group (`usage.usage_by` by `names`), the first `MOST_BARS`."""
    figure, axes = _bars(found.head(MOST_BARS), names)
    axes.barh(range(min(found.height, MOST_BARS)), found["bytes_per_day"].fill_null(0).head(MOST_BARS), color=COLOURS[0], height=0.65)
    axes.xaxis.set_major_formatter(EngFormatter(unit="B"))
    return _named(figure, form)


def of_days(daily: pl.DataFrame, names: Sequence[str], form: Picture) -> bytes:
    """Bytes recorded on each day, one group on the other (`usage.recorded_daily` by `names`); all but the largest are one, in grey."""
    table = _fewer(daily.with_columns(_label(names).alias("group")))
    days: list[float] = table["day"].cast(pl.Int32).cast(pl.Float64).unique().sort().to_list()
    figure = Figure(figsize=SIZE_IN, layout="constrained")
    axes = figure.add_subplot()
    below = [0.0] * len(days)
    for place, group in enumerate(table["group"].unique(maintain_order=True)):
        sums = dict(table.filter(pl.col("group") == group).select(pl.col("day").cast(pl.Int32), "recorded_bytes").iter_rows())
        heights = [float(sums.get(day, 0)) for day in days]
        colour = COLOURS[place] if place < MOST_LINES else _REST
        axes.bar(days, heights, bottom=below, width=0.85, color=colour, label=f" {group}")  # a label that begins with _ would be hidden
        below = [a + b for a, b in zip(below, heights, strict=True)]
    axes.yaxis.set_major_formatter(EngFormatter(unit="B"))
    axes.xaxis_date()
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
    axes.set_axisbelow(True)
    if names:
        axes.legend(frameon=False, prop={"family": _fonts(), "size": 8}, loc="upper left", bbox_to_anchor=(1, 1))
    quiet(axes)
    return _named(figure, form)


def of_bitrates(found: pl.DataFrame, form: Picture) -> bytes:
    """Each kind's bitrates (`encoders.bitrates`): nine tenths of its cameras on the thin line, half on the thick one, the middle a tick."""
    shown = found.head(MOST_BARS)
    figure, axes = _bars(shown, ["kind"])
    for place, row in enumerate(shown.iter_rows(named=True)):
        axes.plot([row["p05_bit_per_s"], row["p95_bit_per_s"]], [place] * 2, color=COLOURS[0], linewidth=1.4)
        axes.plot([row["p25_bit_per_s"], row["p75_bit_per_s"]], [place] * 2, color=COLOURS[0], linewidth=7, solid_capstyle="butt")
        axes.plot([row["p50_bit_per_s"]], [place], color="white", marker="|", markersize=9, markeredgewidth=2)
        axes.plot([row["most_bit_per_s"]], [place], color=COLOURS[1], marker=".", markersize=6)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(EngFormatter(unit="bit/s"))
    return _named(figure, form)


def of_hot(found: pl.DataFrame, form: Picture) -> bytes:
    """The bitrates of hot cameras (`encoders.hot`), and the middle of their kinds as a tick."""
    shown = found.head(MOST_BARS)
    figure, axes = _bars(shown, ["camera", "kind"])
    axes.barh(range(shown.height), shown["bit_per_s"], color=COLOURS[1], height=0.65)
    axes.plot(shown["usual_bit_per_s"], range(shown.height), color="black", marker="|", markersize=11, markeredgewidth=2, linestyle="")
    axes.xaxis.set_major_formatter(EngFormatter(unit="bit/s"))
    return _named(figure, form)


def _bars(shown: pl.DataFrame, names: Sequence[str]) -> tuple[Figure, Axes]:
    """Axes with a line for each row, the first on top."""
    figure = Figure(figsize=(SIZE_IN[0], max(1.4, 0.7 + _BAR_IN * shown.height)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_yticks(range(shown.height), shown.select(_label(names).alias("group"))["group"].to_list(), fontsize=8, family=_fonts())
    axes.set_ylim(max(1, shown.height) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    quiet(axes)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#d0d7de", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _label(names: Sequence[str]) -> pl.Expr:
    """What a group is called: its values, `-` for one that is not known; shortened if it is long, and no formula if it has a dollar."""
    values = [pl.col(name).cast(pl.String).replace("", "-").fill_null("-") for name in names]
    label = pl.concat_str(values, separator=" · ") if values else pl.lit("")
    short = pl.when(label.str.len_chars() > _LONGEST_LABEL).then(label.str.head(_LONGEST_LABEL - 1) + "…").otherwise(label)
    return short.str.replace_all("$", r"\$", literal=True)


def _fewer(table: pl.DataFrame) -> pl.DataFrame:
    """Bytes by group and day, the largest group first; those after the first `MOST_LINES` are one, called `…`."""
    total = table.group_by("group").agg(pl.col("recorded_bytes").sum().alias("total")).sort("total", "group", descending=[True, False])
    ranked = total.with_row_index("rank").with_columns(
        pl.when(pl.col("rank") < MOST_LINES).then("group").otherwise(pl.lit("…")).alias("called")
    )
    joined = table.join(ranked, on="group").with_columns(pl.col("rank").clip(upper_bound=MOST_LINES))
    sums = joined.group_by("rank", "called", "day").agg(pl.col("recorded_bytes").sum()).sort("rank", "day")
    return sums.select(pl.col("called").alias("group"), "day", "recorded_bytes")


def _named(figure: Figure, form: Picture) -> bytes:
    """Drawn with the names as they are: an SVG's reader has the fonts, and a PNG has boxes for characters that no font here has."""
    with mpl.rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        return drawn(figure, form)


def _fonts() -> list[str]:
    there = set(get_font_names())
    return [name for name in _FONTS if name in there]
