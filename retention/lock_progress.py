"""How far the locks in the store have followed the holds: a record for each hold and shard, shown with the hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

from segments.duty import Duty
from segments.errors import Conflict, NotFound
from segments.ports import Records
from segments.record import Record, new_record

LOCKS = "locks"
"""The kind of the records; their ids are `<hold>.<shard>-of-<shards>`."""


@dataclass(frozen=True, slots=True)
class LockProgress:
    """Segments of a hold: `locked` of `of`, those the store refused to lock, and those in pools that have no locks.

    What falls due until `through_us` is done. `lifted`: the hold does not stand any more, and all its locks are off.
    """

    locked: int = 0
    of: int = 0
    refused: int = 0
    unlockable: int = 0
    pools: tuple[str, ...] = ()
    """The pools of the unlockable ones."""
    through_us: int = 0
    lifted: bool = False
    at_us: int = 0

    def __str__(self) -> str:
        if self.lifted:
            return "all locks lifted"
        without = f"; {self.unlockable} in pools that have none ({', '.join(self.pools)})" if self.unlockable else ""
        refused = f"; {self.refused} refused by the store" if self.refused else ""
        return f"locks set {self.locked} of {self.of}{without}{refused}"


class ShardProgress(NamedTuple):
    """One record: of which hold, by how many shards, and what it says."""

    hold: str
    shard: int
    shards: int
    progress: LockProgress


def progress_of(record: Record) -> ShardProgress:
    """What a record says."""
    hold, _, division = record.id.rpartition(".")
    shard, _, shards = division.partition("-of-")
    values = record.values
    return ShardProgress(hold, int(shard), int(shards), LockProgress(**values | {"pools": tuple(values["pools"])}))


def record_id(hold: str, duty: Duty) -> str:
    """The id of the record of a shard of a hold."""
    return f"{hold}.{duty.shard}-of-{duty.of}"


async def write_progress(hold: str, duty: Duty, progress: LockProgress, records: Records) -> None:
    """Notes it, over whatever was there: of two that do so at once one is kept, and both count again later."""
    values = asdict(progress)
    try:
        present = await records.record(LOCKS, record_id(hold, duty))
        record = present.changed(values)
    except NotFound:
        record = new_record(LOCKS, record_id(hold, duty), values)
    try:
        await records.put_record(record)
    except Conflict:
        return


async def lock_progress(hold: str, records: Records) -> LockProgress:
    """Over all shards of a hold, as they are divided now."""
    found = [each for each in map(progress_of, await records.records(LOCKS)) if each.hold == hold]
    newest = max(found, key=lambda each: each.progress.at_us, default=None)
    return total([each.progress for each in found if newest is not None and each.shards == newest.shards])


def total(parts: list[LockProgress]) -> LockProgress:
    """Of several shards together."""
    if not parts:
        return LockProgress()
    return LockProgress(
        locked=sum(part.locked for part in parts),
        of=sum(part.of for part in parts),
        refused=sum(part.refused for part in parts),
        unlockable=sum(part.unlockable for part in parts),
        pools=tuple(sorted({pool for part in parts for pool in part.pools})),
        through_us=min(part.through_us for part in parts),
        lifted=all(part.lifted for part in parts),
        at_us=max(part.at_us for part in parts),
    )
