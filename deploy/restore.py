"""A backup put into an empty installation. Rows and runs come back by `keepsight index rebuild` after that.

Safe if it stops anywhere, and then to be done again: a record in the index says which backup is being put there, and only that one may go
on. Before anything else of a backup is there, the sweep is held: what was decided since the backup was made is not known, and a hold may
be among it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from deploy.backup import BACKUPS, CARRIED, Origin, camera_key, contents_of, holds_footage, opened_backup
from deploy.backup_objects import BackupObjects, backup_named, fetch
from deploy.backup_receipts import bring_receipts, refuse_part
from deploy.placed_duties import placed_duties
from deploy.settings import Settings
from retention.clock_notes import SWEEP_CLOCK
from retention.sweep_clock import ClockNote
from retention.sweep_values import SWEEP
from segments.clock import Clock, iso
from segments.errors import BadInput, Conflict, NotFound
from segments.index_copy import BUT_FOOTAGE, copy_index, one_more_epoch
from segments.patience import patiently
from segments.ports import Index, Records
from segments.record import Record, new_record

EPOCHS_AHEAD = 1_000_000_000
"""So many are left out: which were given after the backup was made is not known, and footage of their runs may lie in a spool."""
_RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore would put into the installation. `again`: a restore of this backup was begun there before and not finished."""

    origin: Origin
    contents: Mapping[str, int]
    again: bool
    warnings: tuple[str, ...]


async def lay_out(source: str, objects: BackupObjects | None, file: Path, settings: Settings, clock: Clock) -> None:
    """Brings a backup (a file, or by its name in a pool) to a new file of ours. Raises NotFound, BadInput or DataDamaged."""
    if Path(source).is_file():
        await asyncio.to_thread(shutil.copyfile, source, file)
        return
    if objects is None:
        raise BadInput(f"{source!r} is no file here, and no pool is set for backups: name a file, or set replication.backup_pool")
    card = await backup_named(objects, settings.site.name, source, clock)
    await fetch(objects, card, file, clock)
    await bring_receipts(card, objects, file, clock)


async def planned(file: Path, index: Index, settings: Settings, clock: Clock) -> RestorePlan:
    """What a restore of a backup would do; nothing is changed.

    Raises BadInput for another site's backup, and Conflict if the installation is not empty.
    """
    async with opened_backup(file) as (backup, origin):
        await refuse_part(backup)
        contents = await contents_of(backup, clock)
    if origin.site != settings.site.name:
        raise BadInput(f"the backup is of site {origin.site!r}, this configuration of {settings.site.name!r}: an index belongs to one site")
    before = await _restored(index)
    again = before is not None and before.values["backup"] == origin.id and not before.values["done_us"]
    if not again:
        await _refuse_full(index, before, clock)
    return RestorePlan(origin, contents, again, _warnings(origin, contents, settings))


async def restore(file: Path, plan: RestorePlan, index: Index, settings: Settings, clock: Clock) -> None:
    """Puts a backup that was planned with into the index. Raises as the index does; then it may be done again."""
    began = {"backup": plan.origin.id, "made_us": plan.origin.made_us, "begun_us": clock.now_us(), "done_us": 0}
    if not plan.again:
        await index.put_record(new_record(BACKUPS, _RESTORED, began))
    await _hold_sweep(index, plan.origin, settings, clock)
    async with opened_backup(file) as (backup, _):
        await copy_index(backup, index, clock, so_far=BUT_FOOTAGE, kinds=CARRIED)
    epoch = await patiently(partial(one_more_epoch, index, clock), clock)
    await patiently(partial(index.spend_epochs, epoch + EPOCHS_AHEAD), clock)
    record = await index.record(BACKUPS, _RESTORED)
    await index.put_record(record.changed(record.values | {"done_us": clock.now_us()}))


async def _refuse_full(index: Index, before: Record | None, clock: Clock) -> None:
    found = [f"{count} {what}" for what, count in (await contents_of(index, clock)).items() if count]
    if await holds_footage(index):
        found.append("footage")
    if before is not None:
        found.append(f"a restore of the backup of {iso(before.values['made_us'])}")
    if found:
        raise Conflict(
            f"this installation is not empty (it has {', '.join(found)}): stop its service and restore into a new index "
            f"(another file or keyspace in [index]), so that nothing of it is lost"
        )


async def _hold_sweep(records: Records, origin: Origin, settings: Settings, clock: Clock) -> None:
    """Nothing is deleted until somebody accepts the clock, or it has run evenly for hours (retention/sweep_clock.py)."""
    why = f"restored from a backup of {iso(origin.made_us)}: holds and rules of after that have to be given again first"
    note = ClockNote(clock.now_us(), clock.monotonic_ns(), "", held=why, steady_ns=clock.monotonic_ns())
    for duty in placed_duties(settings):
        if duty.kind == SWEEP:
            try:
                record = (await records.record(SWEEP_CLOCK, str(duty))).changed(asdict(note))
            except NotFound:
                record = new_record(SWEEP_CLOCK, str(duty), asdict(note))
            await records.put_record(record)


async def _restored(records: Records) -> Record | None:
    try:
        return await records.record(BACKUPS, _RESTORED)
    except NotFound:
        return None


def _warnings(origin: Origin, contents: Mapping[str, int], settings: Settings) -> tuple[str, ...]:
    """What a backup cannot know or bring back, in sentences."""
    made = iso(origin.made_us)
    said = [
        f"What was decided after {made} is not known: place holds and write policies of after that again. Nothing is deleted until "
        f"somebody says `keepsight retention clock accept`, or for 6 hours.",
        f"Holds that were lifted after {made} stand again, and cameras are as they were then.",
        f"Receipts of what was deleted after {made} are missing. That footage stays deleted: its gaps have the cause `unknown`, and "
        f"the chains of receipts go on from the last one of the backup.",
        "States of cameras are not in a backup: gaps of the past have the cause `unknown`.",
    ]
    if settings.sites:
        said.append(
            "Which cameras of other sites were recorded here in their place is not restored: see `keepsight site list`, and take over "
            "again what is still lost. Before this site records its own, it asks whether others do; footage is compared with them anew."
        )
    if contents["passwords"] and not origin.camera_key:
        said.append("With which key the camera passwords are sealed is not known; set those again that do not open.")
    elif contents["passwords"] and origin.camera_key != camera_key(settings):
        said.append(
            f"THE CAMERA PASSWORDS DO NOT OPEN: they are sealed with another key than {settings.camera_key_path}. The key is in no "
            f"backup: put the file back that the site had, before the service starts, or give the passwords of "
            f"{contents['passwords']} cameras again."
        )
    return tuple(said)
