"""Plots of figures, as SVG for a page and PNG for anywhere. No words in them but units: titles are the page's, in its language."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from typing import Literal

import numpy as np
import polars as pl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator
from numpy.typing import NDArray

from capacity.outlook import Filling

Picture = Literal["svg", "png"]

COLOURS = ("#1f6feb", "#b35900", "#1a7f37", "#8250df")
_LIMIT = "#cf222e"
SIZE_IN = (7.2, 2.9)
"""Of one plot: wide as a page."""


def by_year(lines: Sequence[pl.DataFrame], form: Picture, *, limit: float | None = None) -> bytes:
    """One figure of one or some plans over the years (`tables.whole`): the likely value as a line, 90 of 100 worlds as a band.

    `limit` is drawn across: the size of what is there.
    """
    figure = Figure(figsize=SIZE_IN, layout="constrained")
    axes = figure.add_subplot()
    for colour, line in zip(COLOURS, lines, strict=False):
        axes.fill_between(line["year"], line["low"], line["high"], color=colour, alpha=0.18, linewidth=0)
        axes.plot(line["year"], line["likely"], color=colour, marker="o", markersize=3, linewidth=1.6)
    if limit is not None:
        axes.axhline(limit, color=_LIMIT, linestyle="--", linewidth=1)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(EngFormatter(unit=str(lines[0]["unit"][0]) if lines[0].height else "", places=None))
    quiet(axes)
    return drawn(figure, form)


def fillings(found: Sequence[Filling], history_first: date, known: Sequence[NDArray[np.float64]], form: Picture) -> bytes:
    """A panel for each pool or site: what it kept and will keep with its intervals, what of that may not go, its size and its high mark.

    `known`: what each kept at the end of each day from `history_first` on.
    """
    figure = Figure(figsize=(SIZE_IN[0], SIZE_IN[1] * len(found)), layout="constrained")
    for place, (filling, line) in enumerate(zip(found, known, strict=True)):
        axes = figure.add_subplot(len(found), 1, place + 1)
        axes.set_title(filling.name, loc="left", fontsize=9)
        before, ahead = _days(history_first, len(line)), _days(filling.kept.first, filling.kept.likely.size)
        axes.plot(before, line, color="#57606a", linewidth=1.4)
        for low, high, alpha in ((0, 4, 0.14), (1, 3, 0.22)):
            axes.fill_between(ahead, filling.kept.at[low], filling.kept.at[high], color=COLOURS[0], alpha=alpha, linewidth=0)
        axes.plot(ahead, filling.kept.likely, color=COLOURS[0], linewidth=1.6)
        axes.plot(ahead, filling.bound.likely, color=COLOURS[1], linewidth=1.2, linestyle=":")
        if filling.room is not None:
            axes.axhline(filling.room.size_bytes, color=_LIMIT, linestyle="--", linewidth=1)
            axes.axhline(filling.room.mark_bytes, color=_LIMIT, linestyle=":", linewidth=0.8)
        axes.set_ylim(bottom=0)
        axes.set_xlim(before[0], ahead[-1])
        axes.yaxis.set_major_formatter(EngFormatter(unit="B", places=None))
        axes.xaxis_date()
        axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
        quiet(axes)
    return drawn(figure, form)


def _days(first: date, days: int) -> NDArray[np.float64]:
    """So many days as matplotlib counts them: from 1970 on."""
    return (first - date(1970, 1, 1)).days + np.arange(days, dtype=np.float64)


def quiet(axes: object) -> None:
    """No frame, and lines to read a height by."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)  # type: ignore[attr-defined]
    axes.grid(axis="y", color="#d0d7de", linewidth=0.6)  # type: ignore[attr-defined]


def drawn(figure: Figure, form: Picture) -> bytes:
    """The picture as a file has it."""
    target = io.BytesIO()
    if form == "svg":
        FigureCanvasSVG(figure).print_svg(target, metadata={"Date": None})  # type: ignore[no-untyped-call]
    else:
        FigureCanvasAgg(figure).print_png(target)  # type: ignore[no-untyped-call]
    return target.getvalue()
