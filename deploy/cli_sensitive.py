"""`keepsight sensitive`: which footage needs a reason and a second person's consent."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from deploy.cli_acts import registered
from deploy.cli_frame import By, Config, Json, Reason, guarded, out, print_json, settings_of, with_stores
from deploy.cli_frame import who as name_of
from deploy.wiring import Stores
from playback.sensitive.declared import Declaration, Kind
from playback.sensitive.kept import declaration as kept_declaration
from playback.sensitive.kept import declarations, declare, undeclare
from segments.clock import SystemClock, iso
from segments.errors import BadInput
from segments.hold import HOLDS

app = typer.Typer(help="Sensitive footage: seen only with a reason and a second person's consent.", no_args_is_help=True)


@app.command()
def add(
    reason: Reason,
    camera: Annotated[str, typer.Option(help="All footage of this camera.")] = "",
    area: Annotated[str, typer.Option(help="That of all cameras of this area and below it.")] = "",
    hold: Annotated[str, typer.Option(help="What this hold covers, while it stands.")] = "",
    by: By = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Make footage sensitive. It binds within two seconds."""
    settings = settings_of(config)
    one = guarded(lambda: _wanted(camera, area, hold, reason, name_of(by)))

    async def work(stores: Stores) -> Declaration:
        if one.kind is Kind.HOLD:
            await stores.index.record(HOLDS, one.name)
        if one.kind is Kind.CAMERA:
            await stores.index.camera(one.name)
        what = f"declared {one.kind} {one.name} sensitive"
        return await registered(settings, stores, one.by, what, reason, lambda: declare(stores.index, one))

    _print(with_stores(settings, work), "is sensitive", json)


@app.command("list")
def list_(json: Json = False, config: Config = None) -> None:
    """Show what is sensitive."""
    found = with_stores(settings_of(config), lambda stores: declarations(stores.index))
    if json:
        print_json([_values(one) for one in found])
        return
    table = Table("id", "kind", "name", "reason", "by", "since")
    for one in found:
        table.add_row(one.id, one.kind, one.name, one.reason, one.by, iso(one.at_us))
    out.print(table if found else "nothing is declared sensitive")


@app.command()
def remove(
    declaration: Annotated[str, typer.Argument(help="Its id, as `keepsight sensitive list` shows it.", metavar="ID")],
    reason: Reason,
    by: By = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Take a declaration back."""
    settings = settings_of(config)
    person, now_us = guarded(lambda: name_of(by)), SystemClock().now_us()

    async def work(stores: Stores) -> Declaration:
        one = await kept_declaration(stores.index, declaration)
        what = f"declared {one.kind} {one.name} no longer sensitive"
        step = partial(undeclare, stores.index, declaration, by=person, reason=reason, now_us=now_us)
        return await registered(settings, stores, person, what, reason, step)

    after = with_stores(settings, work)
    _print(after, "is no longer sensitive", json)


def _wanted(camera: str, area: str, hold: str, reason: str, by: str) -> Declaration:
    named = [(kind, name) for kind, name in ((Kind.CAMERA, camera), (Kind.AREA, area.strip("/ ")), (Kind.HOLD, hold)) if name]
    if len(named) != 1:
        raise BadInput("say one of --camera, --area and --hold")
    return Declaration(*named[0], reason, by, SystemClock().now_us())


def _print(one: Declaration, what: str, json: bool) -> None:
    if json:
        print_json(_values(one))
    else:
        out.print(f"{one.kind} {one.name} {what} ({one.id})", highlight=False)


def _values(one: Declaration) -> dict[str, str]:
    return {"id": one.id, "kind": one.kind, "name": one.name, "reason": one.reason, "by": one.by, "declared": iso(one.at_us)}
