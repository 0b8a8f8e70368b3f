"""`keepsight scrub`: how far the checks of what is stored are, what is damaged, and a check right now."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from deploy.cli_frame import Config, Exit, Json, day_of_text, guarded, out, print_json, settings_of, shown, with_stores
from deploy.settings import Settings
from deploy.sizes import in_units
from deploy.wiring import Stores, open_lock_keepers
from replication.scrub_progress import Progress, Tally, all_progress
from segments.clock import SystemClock, iso
from segments.damage import Damaged, all_damage, is_full
from segments.errors import BadInput

app = typer.Typer(help="Checks of what is stored, byte for byte, and what other sites have healed.", no_args_is_help=True)

Found = tuple[list[Progress], list[Damaged]]


@app.command()
def status(json: Json = False, config: Config = None) -> None:
    """How far each shard is, and all footage known to be damaged. Exit code 1 if there is any, or a chain of receipts does not hold."""

    async def read(stores: Stores) -> Found:
        return list(await all_progress(stores.index)), await all_damage(stores.index)

    shards, damage = with_stores(settings_of(config), read)
    if json:
        print_json({"shards": [_shard_json(each) for each in shards], "damage": _damage_json(damage)})
    else:
        _print_shards(shards)
        _print_damage(damage)
    if damage or any(each.faults for each in shards):
        raise typer.Exit(Exit.FINDINGS)


@app.command()
def run(
    camera: Annotated[str, typer.Argument(help="Only this camera; default: all.")] = "",
    day: Annotated[str, typer.Argument(help="Only this day (UTC), 2026-01-31; default: all.")] = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Check now, and heal what other sites have: presence, size and every byte, as fast as replication.scrub_mib_per_s lets it.

    Exit code 1 if something stays damaged.
    """
    settings = settings_of(config)
    only = guarded(lambda: day_of_text(day)) if day else None

    async def check(stores: Stores) -> tuple[Tally, list[Damaged]]:
        return await _check(settings, stores, camera, only)

    tally, damage = with_stores(settings, check)
    if json:
        print_json({**asdict(tally), "damage": _damage_json(damage)})
    else:
        seen = f"{tally.hashed:,} segments read ({in_units(tally.hashed_bytes)}), {tally.adopted} objects given their rows again"
        out.print(f"{seen}, {tally.found} newly found damaged, {tally.healed} healed", highlight=False)
        _print_damage(damage)
    if damage:
        raise typer.Exit(Exit.FINDINGS)


async def _check(settings: Settings, stores: Stores, camera: str, only: date | None) -> tuple[Tally, list[Damaged]]:
    """Camera-day by camera-day; then what is known to be damaged of these, from before, too."""
    from deploy.peers import open_peers  # libraries that the status does not need
    from deploy.scrub_duty import ScrubSources, check_parts
    from replication.scrub import places_from
    from replication.scrub_day import Checks
    from segments.shards import CAMERA_BUCKETS, bucket_of

    clock, tally, damage, looked = SystemClock(), Tally(), list[Damaged](), 0
    async with open_peers(settings, clock) as peers:
        with open_lock_keepers(settings, stores) as keepers, shown("scrub") as say:
            checks = Checks(check_parts(ScrubSources(settings, stores, keepers, peers, clock)))
            buckets = [bucket_of(camera)] if camera else range(CAMERA_BUCKETS)
            async for place in places_from(stores.index, buckets):
                if camera in ("", place.camera) and only in (None, place.day):
                    looked += 1
                    tally += await checks.day(place.camera, place.day)
                    say(f"{place.camera} {place.day}: {tally.hashed} segments, {tally.healed} healed")
            known = [each for each in await all_damage(stores.index) if camera in ("", each.camera) and only in (None, each.day)]
            if camera and not looked and not known:
                raise BadInput(f"nothing of camera {camera!r} is stored here{f' of {only}' if only else ''}: see `keepsight camera list`")
            tally += await checks.again(known)
            damage = [each for each in await all_damage(stores.index) if camera in ("", each.camera) and only in (None, each.day)]
    return tally, damage


def _print_shards(shards: list[Progress]) -> None:
    if not shards:
        out.print("no shard has reported yet: the service scrubs while it runs", highlight=False)
        return
    when = [Column(name, overflow="fold") for name in ("all looked at", "all read")]
    table = Table("shard", *when, *(Column(name, justify="right") for name in ("read", "found", "healed")))
    for each in shards:
        tally = each.tally
        counts = (in_units(tally.hashed_bytes), f"{tally.found:,}", f"{tally.healed:,}")
        table.add_row(each.duty, _walked(each.looked.ended_us), _walked(each.hashed.ended_us), *counts)
    out.print(table)
    for each in shards:
        for chain, fault in each.faults.items():
            out.print(f"receipts of {chain}: {fault}", style="red", highlight=False, markup=False)


def _walked(ended_us: int) -> str:
    return iso(ended_us) if ended_us else "not yet"


def _print_damage(damage: list[Damaged]) -> None:
    for each in damage:
        out.print(f"{each.camera} {iso(each.start_us)}: {each.key} in pool {each.pool}: {each.reason}", highlight=False, markup=False)
    more = " (and maybe more: so many are named at most)" if is_full(damage) else ""
    out.print(f"{len(damage)} segments are damaged{more}" if damage else "no footage is known to be damaged", highlight=False)


def _damage_json(damage: list[Damaged]) -> list[dict[str, Any]]:
    return [
        {
            "camera": each.camera,
            "start": iso(each.start_us),
            "end": iso(each.end_us),
            "pool": each.pool,
            "key": each.key,
            "reason": each.reason,
            "since": iso(each.since_us),
        }
        for each in damage
    ]


def _shard_json(each: Progress) -> dict[str, Any]:
    ends = {"looked": iso(each.looked.ended_us), "read": iso(each.hashed.ended_us)}
    return {"shard": each.duty, "at": iso(each.at_us), **ends, **asdict(each.tally), "receipt_faults": dict(each.faults)}
