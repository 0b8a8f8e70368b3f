"""`keepsight audit`: who did what and who saw footage, exported for others, and checked by anybody."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from deploy.cli_frame import CameraId, Config, Exit, Json, guarded, moment_us, out, print_json, settings_of, with_stores
from deploy.new_file import new_path, opened_new
from deploy.wiring import Stores, open_index
from playback.audit_routes import act_values
from segments.audit import Action, Outcome
from segments.audit_chains import audit_chains_named, check_index, stored_behind
from segments.audit_check import AuditFault, Checked, Ties, line_or_none, ties_of
from segments.audit_line import Line, parse_line
from segments.audit_search import Wanted, found, who_saw
from segments.clock import US_PER_DAY, SystemClock
from segments.errors import BadInput
from segments.model import Span

app = typer.Typer(help="The register: who saw and did what, when, why and with what outcome.", no_args_is_help=True)

From = Annotated[str, typer.Option("--from", help="From this moment on.")]
To = Annotated[str, typer.Option("--to", help="Up to this moment.")]


@app.command()
def search(
    who: Annotated[str, typer.Option(help="Part of the id, name or unit of who did it.")] = "",
    camera: Annotated[str, typer.Option(help="Only acts on this camera.")] = "",
    from_: Annotated[str, typer.Option("--from", help="Done from this moment on; default: a day before the end.")] = "",
    to: Annotated[str, typer.Option("--to", help="Done before this moment; default: now.")] = "",
    action: Annotated[Action | None, typer.Option(help="Only acts of this kind.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="Only acts that ended so.")] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Search the register."""
    end_us = guarded(lambda: moment_us(to)) if to else SystemClock().now_us() + 1
    start_us = guarded(lambda: moment_us(from_)) if from_ else end_us - US_PER_DAY
    wanted = Wanted(Span(start_us, end_us), who, camera, frozenset({action} if action else ()), outcome)
    _show(_found(wanted, config), json=json)


@app.command("who-saw")
def who_saw_(camera: CameraId, from_: From, to: To, json: Json = False, config: Config = None) -> None:
    """Who has seen this footage: everybody who was shown some of it, or took it away, and why."""
    span = guarded(lambda: Span(moment_us(from_), moment_us(to)))
    _show(_found(who_saw(camera, span, SystemClock().now_us()), config), json=json)


@app.command()
def export(
    file: Annotated[str, typer.Argument(help="A new file, .jsonl or .csv, or - for lines of JSON on standard output.", metavar="FILE")],
    chain: Annotated[str, typer.Option(help="Only this chain; default: all.")] = "",
    config: Config = None,
) -> None:
    """Write the register as it stands in the index, one JSON object a line; or, for people, a CSV that cannot be checked."""
    guarded(lambda: new_path(file))

    async def write(stores: Stores) -> int:
        count = 0
        with opened_new(file) as target:
            table = csv.writer(target) if file.endswith(".csv") else None
            async for text in _texts(stores, chain):
                if table is None:
                    target.write(f"{text}\n")
                elif (line := parse_line(text)).act is not None:
                    values = act_values(line)
                    if not count:
                        table.writerow(values)
                    table.writerow([_cell(value) for value in values.values()])
                count += 1
        return count

    count = with_stores(settings_of(config), write)
    if file != "-":
        out.print(f"{count} lines in {file}", highlight=False, markup=False)


@app.command()
def verify(
    file: Annotated[Path | None, typer.Argument(help="A file of `keepsight audit export`; default: the whole index.")] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Check the register, or an exported one without service and configuration. Exit code 1 if it was changed, added to or cut."""
    check, faults = guarded(lambda: _of_file(file) if file is not None else asyncio.run(_of_index(config)))
    if json:
        heads = {chain: head._asdict() for chain, head in sorted(check.heads.items())}
        print_json({"lines": check.lines, "chains": heads, "faults": [fault._asdict() for fault in faults]})
    else:
        for fault in faults:
            out.print(f"chain {fault.chain or '?'} line {fault.number}: {fault.reason}", highlight=False, markup=False)
        for chain, head in sorted(check.heads.items()):
            out.print(f"chain {chain}: {head.number} lines, the last is {head.digest}", highlight=False, markup=False)
        out.print(f"{check.lines} lines; {len(faults)} faults", highlight=False)
    if faults:
        raise typer.Exit(Exit.FINDINGS)


def _of_file(file: Path) -> tuple[Checked, list[AuditFault]]:
    """Reads it twice: its ties first, then its lines."""
    ties: Ties = {}
    for text in _lines(file):
        line = line_or_none(text)
        if line is not None:
            ties |= ties_of([line])
    check = Checked(ties)
    faults = [fault for text in _lines(file) for fault in check.take(text)]
    return check, [*faults, *check.end()]


async def _of_index(config: Path | None) -> tuple[Checked, list[AuditFault]]:
    async with open_index(settings_of(config)) as index:
        return await check_index(index, SystemClock())


def _lines(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8", newline="\n") as opened:
            for line in opened:
                yield line.removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read as lines of the register ({error})") from None


async def _texts(stores: Stores, chain: str) -> AsyncIterator[str]:
    for each in await audit_chains_named(stores.index, chain):
        async for page in stored_behind(stores.index, each, 0, SystemClock()):
            for line in page:
                yield line.text


def _found(wanted: Wanted, config: Path | None) -> list[Line]:
    async def read(stores: Stores) -> list[Line]:
        return [line async for line in found(stores.index, wanted, SystemClock())]

    return with_stores(settings_of(config), read)


def _show(lines: list[Line], *, json: bool) -> None:
    if json:
        print_json([act_values(line) for line in lines])
        return
    table = Table("at", "who", "unit", "did", "cameras", "of", "reason", "outcome", "from")
    for line in lines:
        said = act_values(line)
        of = f"{said['from']} to {said['to'] or 'any time'}" if said["from"] else ""
        name = f"{said['name']} ({said['who']})" if said["name"] else said["who"]
        did = f"{said['action']}: {said['what']}"
        table.add_row(said["at"], name, said["unit"], did, " ".join(said["cameras"]), of, said["reason"], said["outcome"], said["source"])
    out.print(table, markup=False)


def _cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = " ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
