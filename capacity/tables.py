"""The figures of plans as frames (polars), for CSV, Parquet, tables and plots. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from capacity.formulas import FORMULAS, SHOWN
from capacity.plan import WHOLE, Figures
from capacity.ranges import summed_up

UNITS: Mapping[str, str] = {"cameras": "", **{formula.name: formula.unit for formula in FORMULAS}}

SCHEMA = {
    "year": pl.Int32,
    "site": pl.String,
    "figure": pl.String,
    "unit": pl.String,
    "low": pl.Float64,
    "likely": pl.Float64,
    "high": pl.Float64,
}
"""`site` '' is all sites together; 90 of 100 worlds lie between `low` and `high`, half below `likely`."""


def table(by_year: Mapping[int, Figures]) -> pl.DataFrame:
    """Every shown figure of every year, of each site and of the whole."""
    return pl.DataFrame(list(_lines(by_year)), schema=SCHEMA, orient="row")


def _lines(by_year: Mapping[int, Figures]) -> Iterator[tuple[object, ...]]:
    for year, figures in by_year.items():
        for site, values in sorted(figures.places.items()):
            for name in SHOWN:
                if name in values:
                    yield year, site, name, UNITS[name], *summed_up(values[name])


def beside(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Two plans side by side: each figure that both have, and by how much of the left the right is more (`change`, 0.1 is a tenth)."""
    both = left.join(right, on=["year", "site", "figure", "unit"], how="inner", suffix="_other", maintain_order="left")
    change = pl.when(pl.col("likely") != 0).then(pl.col("likely_other") / pl.col("likely") - 1)
    return both.with_columns(change.alias("change"))


def whole(frame: pl.DataFrame, figure: str) -> pl.DataFrame:
    """One figure of all sites together, by year."""
    return frame.filter((pl.col("site") == WHOLE) & (pl.col("figure") == figure)).sort("year")
