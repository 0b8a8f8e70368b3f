"""`keepsight capacity`: when pools fill, what a plan comes to, two plans side by side, and the report to hand in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from deploy.cli_forecast import backtest, forecast
from deploy.cli_frame import Json, guarded, out
from deploy.cli_history import history
from deploy.cli_place import place
from deploy.cli_usage import usage
from deploy.new_file import new_path
from segments.errors import BadInput

if TYPE_CHECKING:
    import polars as pl

    from capacity.explain import Step
    from capacity.plan_file import Plan

app = typer.Typer(help="How much storage there is, will be, and must be.", no_args_is_help=True)

PlanFile = Annotated[str, typer.Argument(help="A plan (TOML), or the name of a shipped one: province, province-h265.")]
Year = Annotated[int | None, typer.Option(help="Default: the last year of the plan.")]


class Lang(StrEnum):
    """Of the report."""

    EN = "en"
    ZH = "zh"


@app.callback()
def capacity() -> None:
    """How much storage there is, will be, and must be."""


@app.command()
def plan(
    file: PlanFile,
    year: Year = None,
    site: Annotated[str, typer.Option(help="Of one site only.")] = "",
    explain: Annotated[str, typer.Option(help="Say where this figure comes from, step by step.")] = "",
    to: Annotated[str, typer.Option("--out", help="All figures of all years into a new file: .csv or .parquet.")] = "",
    json_: Json = False,
) -> None:
    """What a plan comes to: bytes, disks, nodes, objects, requests, cores, network and money."""
    from capacity.explain import explain as explained
    from capacity.plan import work_out
    from capacity.tables import table

    found = guarded(lambda: _read(file))
    by_year = guarded(lambda: work_out(found))
    at = guarded(lambda: _year(found, year))
    if explain:
        steps = guarded(lambda: explained(found, by_year[at], explain, site))
        _print_json([asdict(step) for step in steps]) if json_ else _print_steps(steps)
        return
    figures = table(by_year)
    if to:
        guarded(lambda: _write(figures, to))
        out.print(f"{figures.height:,} figures in {to}", highlight=False, markup=False)
        return
    shown = guarded(lambda: _of_site(figures, at, site))
    _print_json(shown.to_dicts()) if json_ else _print_figures(found.title, at, shown)


@app.command()
def compare(file: PlanFile, other: PlanFile, year: Year = None, json_: Json = False) -> None:
    """Two plans side by side, in the same worlds."""
    import polars as pl

    from capacity.plan import work_out
    from capacity.tables import beside, table

    left, right = guarded(lambda: (_read(file), _read(other)))
    at = guarded(lambda: _year(left, year))
    both = beside(table(guarded(lambda: work_out(left))), table(guarded(lambda: work_out(right))))
    both = both.filter((pl.col("year") == at) & (pl.col("site") == ""))
    if both.is_empty():
        guarded(lambda: _nothing_shared(at))
    _print_json(both.to_dicts()) if json_ else _print_both(left.title, right.title, at, both)


@app.command()
def report(
    file: PlanFile,
    to: Annotated[str, typer.Option("--out", help="A new HTML file.")],
    other: Annotated[str, typer.Option("--with", help="Another plan to stand beside it.")] = "",
    year: Year = None,
    lang: Annotated[Lang, typer.Option(help="en or zh.")] = Lang.EN,
) -> None:
    """A page to print and hand in: tables, plots, assumptions, sources and formulas."""
    from capacity.plan import work_out
    from capacity.tables import table
    from deploy.capacity_page import Planned, capacity_page
    from retention.report_words import Language

    path = guarded(lambda: new_path(to))
    found = guarded(lambda: _read(file))
    at = guarded(lambda: _year(found, year))
    planned = Planned(found, table(guarded(lambda: work_out(found))))
    against = None
    if other:
        second = guarded(lambda: _read(other))
        against = Planned(second, table(guarded(lambda: work_out(second))))
    path.write_text(capacity_page(planned, Language(lang.value), year=at, other=against), encoding="utf-8")
    out.print(f"the report is in {to}", highlight=False, markup=False)


app.command()(usage)
app.command()(history)
app.command()(forecast)
app.command()(backtest)
app.command()(place)


def _read(name: str) -> Plan:
    from capacity.plan_file import PLANS, read_plan

    shipped = PLANS / f"{name}.toml"
    return read_plan(shipped if "." not in name and "/" not in name and shipped.exists() else Path(name))


def _year(found: Plan, year: int | None) -> int:
    if year is not None and year not in found.years:
        raise BadInput(f"the plan has no year {year}; it has {', '.join(map(str, found.years))}")
    return found.years[-1] if year is None else year


def _of_site(figures: pl.DataFrame, year: int, site: str) -> pl.DataFrame:
    import polars as pl

    shown = figures.filter((pl.col("year") == year) & (pl.col("site") == site))
    if shown.is_empty():
        raise BadInput(f"there is no site `{site}`; there is {', '.join(filter(None, figures['site'].unique().sort()))}")
    return shown


def _nothing_shared(year: int) -> None:
    raise BadInput(f"the second plan has no year {year}: choose one that both have with --year")


def _write(figures: pl.DataFrame, to: str) -> None:
    path = new_path(to)
    match path.suffix:
        case ".csv":
            figures.write_csv(path)
        case ".parquet":
            figures.write_parquet(path)
        case _:
            raise BadInput(f"{to}: the file's name says its form: .csv or .parquet")


def _print_figures(title: str, year: int, shown: pl.DataFrame) -> None:
    from capacity.amounts import amount

    table = Table("figure", "likely", "low", "high", title=f"{title}, end of {year}", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in shown.iter_rows(named=True):
        table.add_row(row["figure"], *(amount(row[name], row["unit"]) for name in ("likely", "low", "high")))
    out.print(table)


def _print_both(left: str, right: str, year: int, both: pl.DataFrame) -> None:
    from capacity.amounts import amount

    table = Table("figure", left, right, "change", title=f"end of {year}", title_justify="left")
    for row in both.iter_rows(named=True):
        change = "" if row["change"] is None else f"{row['change']:+.1%}"
        table.add_row(row["figure"], amount(row["likely"], row["unit"]), amount(row["likely_other"], row["unit"]), change)
    out.print(table)


def _print_steps(steps: Sequence[Step]) -> None:
    from capacity.amounts import likely

    for step in steps:
        summed = f", summed over {step.parts}" if step.parts > 1 and step.formula else ""
        says = f" = {step.formula}{summed}" if step.formula else ""
        out.print(f"{step.name}: {likely(step.value, step.unit)}{says}", highlight=False, markup=False)
        if step.why:
            out.print(f"    {step.why}", highlight=False, markup=False)


def _print_json(values: object) -> None:
    out.print(json.dumps(values, default=str), highlight=False, markup=False, soft_wrap=True)
