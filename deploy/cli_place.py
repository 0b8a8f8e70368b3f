"""`keepsight capacity place`: which cameras to move to which pool before one fills, and moving them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from deploy.cli_forecast import CamerasFile, HistoryFile, PlannedFile, asked
from deploy.cli_frame import (
    By,
    Config,
    Exit,
    Json,
    Yes,
    fail,
    guarded,
    must_confirm,
    out,
    print_json,
    settings_of,
    shown,
    who,
    with_stores,
)
from deploy.new_file import new_path
from segments.clock import SystemClock
from segments.errors import BadInput

if TYPE_CHECKING:
    from capacity.placement import Move
    from deploy.capacity_placement import NotMoved, Placement
    from deploy.settings import Settings

MOVES_SHOWN = 10
CHANCES = {50: 0.5, 75: 0.75, 95: 0.95}


def place(
    days: Annotated[int, typer.Option(help="How far to look ahead.")] = 180,
    chance: Annotated[int, typer.Option(help="In so many of 100 worlds the pools shall have room: 50, 75 or 95.")] = 75,
    planned: PlannedFile = "",
    history: HistoryFile = "",
    cameras: CamerasFile = "",
    to: Annotated[str, typer.Option("--out", help="All moves into a new file: .csv or .parquet.")] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Move the cameras: their new footage goes to the other pool.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why they are moved; it is kept for good.")] = "",
    by: By = "",
    yes: Yes = False,
    json_: Json = False,
    config: Config = None,
) -> None:
    """Which cameras to move before a pool fills, with as few bytes a day as can be. Exit code 1 if pools get too full all the same."""
    from deploy.capacity_placement import place as placement

    if apply and history:
        guarded(_only_own)
    if apply and not reason.strip():
        fail("moving cameras needs a reason: --reason", Exit.BAD_INPUT)
    wanted = guarded(lambda: _chance(chance))
    settings = None if history else settings_of(config)
    plan, known = asked(planned, history, cameras, config)
    with shown("looking for room"):
        found = guarded(lambda: placement(known, days, plan, chance=wanted, settings=settings))
    if to:
        guarded(lambda: _write(found, to))
    left = _apply(settings, found, by, reason, yes=yes) if apply and settings is not None else None
    if json_:
        print_json(found.as_json() | ({} if left is None else {"not_moved": [each._asdict() for each in left]}))
    else:
        _print(found, left)
    if found.advice.too_full:
        raise typer.Exit(Exit.FINDINGS)


def _only_own() -> None:
    raise BadInput("--apply moves cameras of this installation: leave --history out, so that the advice is about them")


def _chance(hundredths: int) -> float:
    if hundredths not in CHANCES:
        raise BadInput(f"--chance is 50, 75 or 95, not {hundredths}")
    return CHANCES[hundredths]


def _apply(settings: Settings, found: Placement, by: str, reason: str, *, yes: bool) -> Sequence[NotMoved]:
    from deploy.capacity_placement import move_cameras

    moves = found.advice.moves
    if not moves:
        return ()
    person = guarded(lambda: who(by))
    must_confirm(f"move the new footage of {len(moves)} cameras to other pools?", yes=yes)
    now_us = SystemClock().now_us()
    return with_stores(settings, lambda stores: move_cameras(settings, stores.index, moves, by=person, reason=reason, now_us=now_us))


def _write(found: Placement, to: str) -> None:
    path = new_path(to)
    match path.suffix:
        case ".csv":
            found.as_frame().write_csv(path)
        case ".parquet":
            found.as_frame().write_parquet(path)
        case _:
            raise BadInput(f"{to}: the file's name says its form: .csv or .parquet")


def _print(found: Placement, left: Sequence[NotMoved] | None) -> None:
    from capacity.amounts import amount

    for pool, (first, _) in found.without.items():
        _say(f"pool {pool} passes its high mark on {first} if nothing is moved")
    moves = found.advice.moves
    if not moves:
        _say(
            "nothing to move" if found.without else f"no pool passes its high mark in {found.foretold.ahead.horizon} days: nothing to move"
        )
    else:
        table = Table("from", "to", "tier", "cameras", "a day")
        for (source, target, tier), mine in sorted(_grouped(moves).items()):
            table.add_row(source, target, tier, f"{len(mine):,}", amount(sum(move.day_bytes for move in mine), "B"))
        out.print(table)
        largest = sorted(moves, key=lambda move: -move.day_bytes)[:MOVES_SHOWN]
        named = ", ".join(f"{move.camera} to {move.target} ({amount(move.day_bytes, 'B')})" for move in largest)
        _say(f"{'moved' if left is not None else 'to move'}, the largest first: {named}{' ...' if len(moves) > MOVES_SHOWN else ''}")
    for pool, (first, last) in found.advice.too_full.items():
        for_good = last == found.first + timedelta(days=found.foretold.ahead.horizon - 1)
        way_on = "it takes more room, or shorter terms" if for_good else "until then footage goes early, where it may"
        _say(f"pool {pool} is above its high mark from {first} to {last} all the same: {way_on}", style="red")
    for each in left or ():
        _say(f"camera {each.camera} was not moved: {each.why}", style="red")
    if moves and left is None:
        _say("stored footage stays where it is; --apply moves the cameras' new footage")


def _grouped(moves: Sequence[Move]) -> dict[tuple[str, str, str], list[Move]]:
    found: dict[tuple[str, str, str], list[Move]] = {}
    for move in moves:
        found.setdefault((move.source, move.target, move.tier), []).append(move)
    return found


def _say(text: str, style: str = "") -> None:
    out.print(text, style=style, highlight=False, markup=False)
