"""Plots of figures, as SVG for a page and PNG for anywhere. No words in them but units: titles are the page's, in its language."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

import polars as pl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

Picture = Literal["svg", "png"]

_COLOURS = ("#1f6feb", "#b35900", "#1a7f37", "#8250df")
_SIZE_IN = (7.2, 2.9)


def by_year(lines: Sequence[pl.DataFrame], form: Picture, *, limit: float | None = None) -> bytes:
    """One figure of one or some plans over the years (`tables.whole`): the likely value as a line, 90 of 100 worlds as a band.

    `limit` is drawn across: the size of what is there.
    """
    figure = Figure(figsize=_SIZE_IN, layout="constrained")
    axes = figure.add_subplot()
    for colour, line in zip(_COLOURS, lines, strict=False):
        axes.fill_between(line["year"], line["low"], line["high"], color=colour, alpha=0.18, linewidth=0)
        axes.plot(line["year"], line["likely"], color=colour, marker="o", markersize=3, linewidth=1.6)
    if limit is not None:
        axes.axhline(limit, color="#cf222e", linestyle="--", linewidth=1)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(EngFormatter(unit=str(lines[0]["unit"][0]) if lines[0].height else "", places=None))
    _quiet(axes)
    return _drawn(figure, form)


def _quiet(axes: object) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)  # type: ignore[attr-defined]
    axes.grid(axis="y", color="#d0d7de", linewidth=0.6)  # type: ignore[attr-defined]


def _drawn(figure: Figure, form: Picture) -> bytes:
    target = io.BytesIO()
    if form == "svg":
        FigureCanvasSVG(figure).print_svg(target, metadata={"Date": None})  # type: ignore[no-untyped-call]
    else:
        FigureCanvasAgg(figure).print_png(target)  # type: ignore[no-untyped-call]
    return target.getvalue()
