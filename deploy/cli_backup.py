"""`keepsight backup` and `keepsight restore`: all that is not footage, out of an index and into an empty one."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from deploy.cli_frame import Config, Json, Yes, err, guarded, must_confirm, out, print_json, settings_of, shown, with_stores
from deploy.new_file import new_path
from deploy.settings import Settings
from deploy.sizes import in_units
from deploy.wiring import Stores
from segments.clock import SystemClock, iso
from segments.errors import BadInput

app = typer.Typer(help="Backups of all that is not footage: cameras, passwords (sealed), policies, holds, receipts.", no_args_is_help=True)

KEY_IS_APART = (
    "the key of the camera passwords, {path}, is in no backup: keep a copy of it elsewhere, or all passwords have to be given again"
)


@app.command("make")
def make(
    to: Annotated[str, typer.Option("--to", help="A new file; default: the pool of replication.backup_pool.")] = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Make a backup now. It is read back before it counts, and the oldest ones over replication.backup_keep are removed."""
    settings = settings_of(config)
    path = guarded(lambda: new_path(to)) if to else None

    with shown("backup"):
        made = with_stores(settings, lambda stores: _make(settings, stores, path))
    if json:
        print_json(made)
    else:
        contents = ", ".join(f"{count} {what}" for what, count in made["contents"].items())
        out.print(f"backup {made['name']}: {contents}; {in_units(made['size_bytes'])}", highlight=False, markup=False)
    err.print(KEY_IS_APART.format(path=settings.camera_key_path), style="yellow", highlight=False, markup=False)


async def _make(settings: Settings, stores: Stores, path: Path | None) -> dict[str, Any]:
    from deploy.backup import make_backup, working_folder, write_backup  # the embedded index's libraries

    clock = SystemClock()
    if path is None:
        return asdict(await make_backup(settings, stores, clock))
    with working_folder(settings, clock) as folder:
        part = folder / "backup.sqlite"
        contents = await write_backup(part, settings, stores.index, clock)
        await asyncio.to_thread(_move, part, path)
    return {"name": str(path), "size_bytes": path.stat().st_size, "contents": contents}


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _move(part: Path, path: Path) -> None:
    """Under its name once it is whole; it may lie on another disk."""
    draft = path.with_name(f".{path.name}.part")
    try:
        with part.open("rb") as source, open(draft, "xb", opener=_private) as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        os.link(draft, path)  # which refuses a name that is taken
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror})") from None
    finally:
        draft.unlink(missing_ok=True)


@app.command("list")
def list_(json: Json = False, config: Config = None) -> None:
    """The backups in the pool of the settings, the oldest first."""
    from deploy.backup_objects import backups

    settings = settings_of(config)
    pool = guarded(lambda: _pool(settings))
    found = with_stores(settings, lambda stores: backups(stores.pools[pool], settings.site.name, SystemClock()))
    if json:
        print_json([asdict(card) for card in found])
        return
    table = Table("backup", "made", "size", "cameras", "records", "receipts")
    for card in found:
        counts = [str(card.contents.get(what, "")) for what in ("cameras", "records", "receipts")]
        table.add_row(card.name, iso(card.made_us), in_units(card.size_bytes), *counts)
    out.print(table)


def _pool(settings: Settings) -> str:
    if not settings.replication.backup_pool:
        raise BadInput("there is no pool for backups: set replication.backup_pool")
    return settings.replication.backup_pool


def restore_(
    from_: Annotated[str, typer.Option("--from", help="`latest`, a name of `keepsight backup list`, a key in the pool, or a file.")],
    yes: Yes = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Put a backup into an empty installation. Shows first what comes back and what cannot; may be done again if it was stopped.

    Footage comes back after it, by `keepsight index rebuild`.
    """
    settings = settings_of(config)
    with_stores(settings, lambda stores: _restore(settings, stores, from_, yes=yes, json=json))


async def _restore(settings: Settings, stores: Stores, source: str, *, yes: bool, json: bool) -> None:
    from deploy.backup import working_folder
    from deploy.restore import lay_out, planned, restore

    clock = SystemClock()
    pool = settings.replication.backup_pool
    with working_folder(settings, clock) as folder:
        file = folder / Path(source).name  # so errors name it
        await lay_out(source, stores.pools[pool] if pool else None, file, settings, clock)
        plan = await planned(file, stores.index, settings, clock)
        if not json:
            origin, contents = plan.origin, ", ".join(f"{count} {what}" for what, count in plan.contents.items())
            out.print(f"backup of site {origin.site}, made {iso(origin.made_us)} by {origin.version}: {contents}", highlight=False)
        for warning in plan.warnings:
            err.print(f"- {warning}", style="yellow", highlight=False, markup=False)
        must_confirm("Go on with the restore that was stopped?" if plan.again else "Restore it?", yes=yes)
        await restore(file, plan, stores.index, settings, clock)
    if json:
        print_json(asdict(plan))
    else:
        out.print("restored; now `keepsight index rebuild` brings the footage back from the pools", highlight=False)
