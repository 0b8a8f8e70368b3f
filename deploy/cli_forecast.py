"""`keepsight capacity forecast` and `backtest`: when pools and sites fill, and how right such forecasts were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from deploy.cli_frame import Config, Json, guarded, out, print_json, settings_of, shown, with_stores
from deploy.new_file import new_path
from segments.clock import SystemClock
from segments.errors import BadInput

if TYPE_CHECKING:
    from capacity.outlook import Filling
    from capacity.planned_file import Planned
    from deploy.capacity_forecast import Foretold, Known

HistoryFile = Annotated[
    str, typer.Option("--history", help="Of these days instead of the installation's: a Parquet file of days (needs --cameras).")
]
CamerasFile = Annotated[str, typer.Option("--cameras", help="The cameras of --history: a Parquet file.")]
PlannedFile = Annotated[str, typer.Option("--planned", help="What is planned (TOML): cameras, tiers, holds, sizes of pools.")]
WHOSE_SHOWN = 3
MOST_PANELS = 12


def forecast(
    days: Annotated[int, typer.Option(help="How far to look ahead.")] = 365,
    planned: PlannedFile = "",
    history: HistoryFile = "",
    cameras: CamerasFile = "",
    only: Annotated[str, typer.Option(help="Only this pool or site.")] = "",
    to: Annotated[str, typer.Option("--out", help="Into a new file: every day as .csv or .parquet, a picture as .svg or .png.")] = "",
    json_: Json = False,
    config: Config = None,
) -> None:
    """When each pool and site fills, with intervals; which floor breaks first, and for whom."""
    from deploy.capacity_forecast import foretell

    plan, known = asked(planned, history, cameras, config)
    with shown("forecasting"):
        found = guarded(lambda: foretell(known, days, plan))
    fillings = guarded(lambda: _only(found.fillings, only))
    if to:
        guarded(lambda: _write(found, fillings, to))
        out.print(f"the forecast is in {to}", highlight=False, markup=False)
    elif json_:
        print_json(_as_json(found, fillings))
    else:
        _print(found, fillings)


def backtest(
    days: Annotated[int, typer.Option(help="How far the forecasts that are tried look ahead.")] = 90,
    planned: PlannedFile = "",
    history: HistoryFile = "",
    cameras: CamerasFile = "",
    json_: Json = False,
    config: Config = None,
) -> None:
    """How right forecasts would have been on earlier days: error and coverage of each model, against the naive ones."""
    from deploy.capacity_backtest import backtest_values, tried_on

    plan, known = asked(planned, history, cameras, config)
    with shown("trying"):
        found = guarded(lambda: tried_on(known, days, plan))
    values = backtest_values(found)
    if json_:
        print_json(values)
        return
    for title, said, rows in found.tables():
        table = Table("model", "error", "of baseline", "in 50 %", "in 90 %", title=title, title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for row in rows:
            table.add_row(*row)
        out.print(table)
        out.print(said, highlight=False, markup=False)


def asked(planned: str, history: str, cameras: str, config: Path | None) -> tuple[Planned, Known]:
    """What is planned, and what is known: of the files, or of the installation; ends the command where they are wrong."""
    from capacity.planned_file import NOTHING_PLANNED, read_planned
    from deploy.capacity_forecast import from_files, of_installation

    plan = guarded(lambda: read_planned(Path(planned))) if planned else NOTHING_PLANNED
    if bool(history) != bool(cameras):
        guarded(both_files)
    if history:
        return plan, guarded(lambda: from_files(Path(history), Path(cameras), plan))
    settings = settings_of(config)
    return plan, with_stores(settings, lambda stores: of_installation(settings, stores.index, SystemClock().now_us(), plan))


def both_files() -> None:
    """Raises BadInput: one of the two is missing."""
    raise BadInput("--history and --cameras go together: days say what was recorded, cameras say whose class, tier and area it is")


def _only(fillings: Sequence[Filling], name: str) -> Sequence[Filling]:
    """Those of this name; without one all but sites that are their only pool."""
    if not name:
        return [each for each in fillings if not each.is_site or len(each.pools) > 1]
    if not (found := [each for each in fillings if each.name == name]):
        raise BadInput(f"there is no pool or site {name!r}; there is {', '.join(each.name for each in fillings)}")
    return found


def _write(found: Foretold, fillings: Sequence[Filling], to: str) -> None:
    from capacity.forecast_tables import forecast_table

    path = new_path(to)
    match path.suffix:
        case ".csv":
            forecast_table(fillings).write_csv(path)
        case ".parquet":
            forecast_table(fillings).write_parquet(path)
        case ".svg":
            path.write_bytes(found.picture(fillings[:MOST_PANELS], "svg"))
        case ".png":
            path.write_bytes(found.picture(fillings[:MOST_PANELS], "png"))
        case _:
            raise BadInput(f"{to}: the file's name says its form: .csv, .parquet, .svg or .png")


def _as_json(found: Foretold, fillings: Sequence[Filling]) -> dict[str, object]:
    from capacity.forecast_tables import filling_values

    return {**found.basis(), "fillings": [filling_values(each) for each in fillings]}


def _print(found: Foretold, fillings: Sequence[Filling]) -> None:
    from capacity.amounts import amount

    for said in found.sentences():
        out.print(said, highlight=False, markup=False)
    table = Table("", "keeps", "what", "likely", "earliest", "latest")
    for each in fillings:
        keeps = amount(each.now_bytes, "B")
        if each.room:
            keeps += f" of {amount(each.room.size_bytes, 'B')}"
        name = f"site {each.name}" if each.is_site else each.name
        for row in list(_events(each)) or [(f"not in {found.ahead.horizon} days" if each.room else "", "", "", "")]:
            table.add_row(name, keeps, *row)
            name = keeps = ""
    out.print(table)
    out.print("pressed: above its high mark, so footage goes early; breaks: what may not go yet is above it, too", style="dim")
    if unknown := [each.name for each in fillings if each.room is None and not each.is_site]:
        out.print(
            f"how large is {', '.join(unknown)}? Set pools.NAME.size_bytes, or say it in what is planned", highlight=False, markup=False
        )
    for each in fillings:
        for said in () if each.is_site else _who(each):
            out.print(f"pool {each.name}: {said}", highlight=False, markup=False)


def _events(filling: Filling) -> Iterator[tuple[str, str, str, str]]:
    for what, (early, middle, late) in (("pressed", filling.pressed), ("full", filling.full), ("breaks", filling.breaks)):
        if early is not None:
            yield what, str(middle or "later"), str(early), str(late or "later")


def _who(filling: Filling) -> Iterator[str]:
    from capacity.amounts import amount

    if filling.hits:
        hits = "; ".join(f"{hit.tier}, of {hit.day} ({amount(hit.bytes, 'B')})" for hit in filling.hits)
        yield f"first to go under its floor: {hits}"
    for each in filling.whose[:WHOSE_SHOWN] if filling.pressed[0] else ():
        whose = f"{each.area or 'no area'} class {each.camera_class}, {each.tier}"
        yield f"{whose}: {amount(each.day_bytes, 'B')} a day of {each.cameras:,} cameras ({each.share:.0%})"
