"""`keepsight doctor`: a whole installation looked over, with what to do about what is ill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from deploy.cli_frame import Config, Exit, Json, err, out, print_json, settings_of
from deploy.doctor import MACHINE, Found, Verdict, examined
from deploy.settings import Settings

_COLOURS = {Verdict.GOOD: "green", Verdict.NOTED: "yellow", Verdict.ILL: "bold red"}


def doctor(json: Json = False, config: Config = None) -> None:
    """Look a whole installation over, from settings and disk to places and alarms. Exit code 1 if anything is ill."""
    settings = settings_of(config)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=err, transient=True) as progress:
        task = progress.add_task("looking", total=None)
        found = asyncio.run(_look(settings, lambda name: progress.update(task, description=f"looking at: {name}")))
    if json:
        print_json([asdict(one) for one in found])
    else:
        out.print(_table(found))
    ill = sum(one.verdict is Verdict.ILL for one in found)
    if not json:
        out.print(f"{len(found)} things looked at, {ill} of them ill", highlight=False)
    if ill:
        raise typer.Exit(Exit.FINDINGS)


async def _look(settings: Settings, say: Callable[[str], None]) -> list[Found]:
    from deploy.doctor_site import SITE  # loads the stores' libraries

    return [found async for found in examined(settings, [*MACHINE, *SITE], say)]


def _table(found: list[Found]) -> Table:
    table = Table("what", "", Column("seen", overflow="fold"), Column("what to do", overflow="fold"))
    for one in found:
        table.add_row(Text(one.what), Text(one.verdict, style=_COLOURS[one.verdict]), Text(one.seen), Text(one.do))
    return table
