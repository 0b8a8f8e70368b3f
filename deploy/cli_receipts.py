"""`keepsight receipts`: what was deleted, exported for others, and checked by anybody."""

from __future__ import annotations

import asyncio
import json as json_text
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from deploy.cli_frame import CameraId, Config, Exit, Json, guarded, out, print_json, settings_of, shown, with_stores
from deploy.new_file import new_path, opened_new
from deploy.receipts import Verified, missing, verified
from deploy.sizes import in_units
from deploy.wiring import Stores, open_index
from segments.clock import SystemClock, day_of, iso
from segments.errors import BadInput
from segments.receipt import Receipt
from segments.receipt_chains import chains_named, receipts_of

app = typer.Typer(help="What was deleted, by which rule, provably.", no_args_is_help=True)

MONTHS = 13
"""So far `list` goes back by itself: this month and the year before it."""


@app.command("list")
def list_(
    camera: CameraId,
    month: Annotated[str, typer.Option(help="Of the footage (UTC), 2026-01. Default: this month and the twelve before.")] = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """What of a camera was deleted, day by day, and by which rule."""
    months = guarded(lambda: _months(month))

    async def read(stores: Stores) -> list[Receipt]:
        return [receipt for each in months for receipt in await stores.index.receipts(camera, each)]

    found = with_stores(settings_of(config), read)
    if json:
        print_json([json_text.loads(receipt.text) for receipt in found])
        return
    table = Table("day", "receipt", Column("segments", justify="right"), Column("size", justify="right"), "gone since", "by")
    for receipt in found:
        counts = (f"{len(receipt.segments):,}", in_units(receipt.size))
        table.add_row(str(receipt.day), f"{receipt.chain} {receipt.number}", *counts, iso(receipt.confirmed_us), receipt.rule)
    out.print(table)


@app.command()
def export(
    file: Annotated[str, typer.Argument(help="A new file, or - for standard output.", metavar="FILE")],
    chain: Annotated[str, typer.Option(help="Only this chain; default: all.")] = "",
    config: Config = None,
) -> None:
    """Write receipts as they stand in the index, one JSON object a line."""

    guarded(lambda: new_path(file))

    async def write(stores: Stores) -> int:
        count = 0
        with opened_new(file) as target, shown("export") as say:
            chains = await chains_named(stores.index, chain)
            async for receipt in receipts_of(stores.index, chains, SystemClock()):
                target.write(f"{receipt.text}\n")
                count += 1
                say(f"{count} receipts")
        return count

    count = with_stores(settings_of(config), write)
    if file != "-":
        out.print(f"{count} receipts in {file}", highlight=False, markup=False)


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(help="Files of `keepsight receipts export`, in order where one goes on in the next.")],
    against_index: Annotated[
        bool, typer.Option("--against-index", help="Compare with the index, too: whether the end of a chain was cut off.")
    ] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Check exported receipts, without service, index or configuration. Exit code 1 if one was changed, left out, doubled or put in."""
    found = guarded(lambda: verified(files))
    if against_index:
        found.faults += guarded(lambda: asyncio.run(_missing(found, config)))
    if json:
        heads = {chain: head._asdict() for chain, head in sorted(found.heads.items())}
        counts = {"receipts": found.receipts, "segments": found.segments, "bytes": found.stored_bytes}
        print_json({**counts, "chains": heads, "faults": found.faults})
    else:
        _print(found)
    if found.faults:
        raise typer.Exit(Exit.FINDINGS)


async def _missing(found: Verified, config: Path | None) -> Sequence[str]:
    async with open_index(settings_of(config)) as index:
        return await missing(found, index)


def _print(found: Verified) -> None:
    for fault in found.faults:
        out.print(fault, highlight=False, markup=False)
    for chain, head in sorted(found.heads.items()):
        out.print(f"chain {chain}: {head.number} receipts, the last is {head.digest}", highlight=False, markup=False)
    counts = f"{found.receipts} receipts of {found.segments} segments, {found.stored_bytes} bytes"
    out.print(f"{counts}; {len(found.faults)} faults", highlight=False)


def _months(text: str) -> list[date]:
    """The first days of the months to list."""
    if text:
        try:
            return [date.fromisoformat(f"{text}-01")]
        except ValueError:
            raise BadInput(f"{text!r} is no month: write it as 2026-01") from None
    now = day_of(SystemClock().now_us())
    last = now.year * 12 + now.month - 1
    return [date(number // 12, number % 12 + 1, 1) for number in range(last - MONTHS + 1, last + 1)]
