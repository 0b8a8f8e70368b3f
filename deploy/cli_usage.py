"""`keepsight capacity usage`: what is recorded and kept, by whom, and which encoders waste it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli_forecast import CamerasFile, HistoryFile, both_files
from deploy.cli_frame import Config, Json, day_of_text, guarded, out, print_json, settings_of, shown, with_stores
from deploy.new_file import new_path
from segments.clock import SystemClock
from segments.errors import BadInput
from segments.usage import By

if TYPE_CHECKING:
    from datetime import date

    import polars as pl

    from capacity.plots import Picture
    from deploy.capacity_usage import Used


class Show(StrEnum):
    """What of usage is shown."""

    GROUPS = "groups"
    DAYS = "days"
    HOT = "hot"
    BITRATES = "bitrates"


def usage(
    show: Annotated[Show, typer.Option(help="hot: cameras far above their kind; bitrates: of each kind.")] = Show.GROUPS,
    by: Annotated[list[By] | None, typer.Option("--by", help="Default: pool. More than once: by each combination.")] = None,
    depth: Annotated[int, typer.Option(help="Areas by so many of their parts, 1 for the outermost; 0: whole.", min=0)] = 0,
    days: Annotated[int, typer.Option(help="How many days, up to yesterday (UTC).", min=1)] = 30,
    until: Annotated[str, typer.Option(help="The last of the days, 2026-01-31, instead of yesterday.")] = "",
    top: Annotated[int, typer.Option(help="So many lines of a table; files and JSON have all.", min=1)] = 20,
    history: HistoryFile = "",
    cameras: CamerasFile = "",
    to: Annotated[str, typer.Option("--out", help="Into a new file: .csv or .parquet, or a picture as .svg or .png.")] = "",
    json_: Json = False,
    config: Config = None,
) -> None:
    """What is recorded and kept: bytes, hours, objects, rows and requests, by pool, area, class, tier, site, owner, kind or camera."""
    names = by if by is not None else [By.POOL]
    last = guarded(lambda: day_of_text(until)) if until else None
    with shown("counting"):
        used = _used(days, last, (names, depth) if show is Show.DAYS else None, history, cameras, config)
    found = guarded(lambda: _of(used, show, names, depth))
    if to:
        guarded(lambda: _write(found, show, names, to))
        out.print(f"{found.height:,} lines in {to}", highlight=False, markup=False)
    elif json_:
        print_json(_as_json(used, show, found))
    else:
        _print(used, show, names, found, top)


def _used(days: int, last: date | None, daily_by: tuple[Sequence[By], int] | None, history: str, cameras: str, config: Path | None) -> Used:
    from deploy.capacity_usage import Daily, from_files, of_installation

    daily = Daily(*daily_by) if daily_by is not None else None
    if bool(history) != bool(cameras):
        guarded(both_files)
    if history:
        return guarded(lambda: from_files(Path(history), Path(cameras), days, last, daily))
    settings, now_us = settings_of(config), SystemClock().now_us()
    return with_stores(settings, lambda stores: of_installation(settings, stores.index, now_us, days, last, daily))


def _of(used: Used, show: Show, names: Sequence[By], depth: int) -> pl.DataFrame:
    from capacity.encoders import bitrates, hot

    if show is Show.DAYS and used.daily is not None:
        return used.daily
    if show is Show.HOT:
        return hot(used.lines)
    return bitrates(used.lines) if show is Show.BITRATES else used.by(names, depth=depth)


def _write(found: pl.DataFrame, show: Show, names: Sequence[By], to: str) -> None:
    path = new_path(to)
    match path.suffix:
        case ".csv":
            found.write_csv(path)
        case ".parquet":
            found.write_parquet(path)
        case ".svg":
            path.write_bytes(_picture(found, show, names, "svg"))
        case ".png":
            path.write_bytes(_picture(found, show, names, "png"))
        case _:
            raise BadInput(f"{to}: the file's name says its form: .csv, .parquet, .svg or .png")


def _picture(found: pl.DataFrame, show: Show, names: Sequence[By], form: Picture) -> bytes:
    from capacity.usage_plots import of_bitrates, of_days, of_groups, of_hot  # matplotlib takes a while to load

    match show:
        case Show.GROUPS:
            return of_groups(found, names, form)
        case Show.DAYS:
            return of_days(found, names, form)
        case Show.HOT:
            return of_hot(found, form)
        case Show.BITRATES:
            return of_bitrates(found, form)


def _as_json(used: Used, show: Show, found: pl.DataFrame) -> dict[str, object]:
    ends = {name: day.isoformat() if day else None for name, day in (("first", used.first), ("last", used.last))}
    lines = [{name: value.isoformat() if name == "day" else value for name, value in row.items()} for row in found.iter_rows(named=True)]
    whole = {"whole": used.by(()).row(0, named=True)} if show is Show.GROUPS else {}
    return {**ends, "days_counted": used.days, "so_far": used.so_far, show.value: lines, **whole}


def _print(used: Used, show: Show, names: Sequence[By], found: pl.DataFrame, top: int) -> None:
    from deploy.usage_tables import BITRATES, DAYS, GROUPS, HOT, KEPT, PER_CAMERA_DAY, Columns, table_of, title_of

    tables: dict[Show, tuple[list[str], Columns]] = {
        Show.GROUPS: ([*names], {**GROUPS, **(KEPT if used.kept_known else {})}),
        Show.DAYS: (["day", *names], DAYS),
        Show.HOT: (["camera", "kind", "area", "owner"], HOT),
        Show.BITRATES: (["kind"], BITRATES),
    }
    whose, columns = tables[show]
    whole = used.by(()) if show is Show.GROUPS and whose else None
    out.print(table_of(found, whose, columns, title_of(used), top, whole))
    if show is Show.GROUPS and found.height:
        out.print(PER_CAMERA_DAY, highlight=False, markup=False)
    if show is Show.HOT and found.is_empty():
        out.print("no camera is far above its kind", highlight=False)
    if found.height > top:
        out.print(f"and {found.height - top:,} more: --top, or all of them with --out or --json", highlight=False)
