"""What is written down of pressure: which pools are pressed, and breaches, each dated from when it began to when it was over.

Writing is idempotent and may be done by several at once: there is one open breach a pool, whoever finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from retention.pressure import Breach, CameraDay, Pressure, Relief
from segments.clock import US_PER_DAY
from segments.errors import Conflict, NotFound
from segments.ports import Records
from segments.record import Record, new_record

BREACHES = "breach"
"""The kind of breaches; their ids are the pool and a number, from 1."""
PRESSED = "pressed"
"""The kind of the records that say of a pool whether it is pressed."""


@dataclass(frozen=True, slots=True)
class BreachRecord:
    """A breach as it is kept. `missing_bytes` is the worst of it; `hits` and `waiting` are those of the last look, `seen_us` when that was.

    `closed_us` is 0 while it lasts.
    """

    pool: str
    number: int
    opened_us: int
    seen_us: int
    missing_bytes: int
    hits: tuple[CameraDay, ...]
    eased_us: int
    closed_us: int = 0
    waiting: tuple[CameraDay, ...] = ()

    @property
    def id(self) -> str:
        """Its record's."""
        return f"{self.pool}.{self.number}"


async def breaches(records: Records) -> Sequence[BreachRecord]:
    """All, in order of pool and number."""
    return sorted((_breach_of(record) for record in await records.records(BREACHES)), key=lambda breach: (breach.pool, breach.number))


async def pressed_pools(records: Records) -> set[str]:
    """The pools that were pressed when they were last looked at."""
    return {record.id for record in await records.records(PRESSED) if record.values["since_us"]}


async def note_pressure(records: Records, pressure: Pressure) -> list[BreachRecord]:
    """Writes down what was found; returns the breaches that were opened or closed by this call.

    A breach closes when its pool is not pressed any more, or enough of it may go; what somebody else notes at the same moment stands.
    """
    changed = []
    for pool, relief in sorted(pressure.pools.items()):
        try:
            await _note_pressed(records, pool, relief, pressure.at_us)
            found = await _note_breach(records, pool, relief, pressure.at_us)
        except Conflict:
            continue
        changed += [found] if found else []
    return changed


async def _note_pressed(records: Records, pool: str, relief: Relief, at_us: int) -> None:
    try:
        present = await records.record(PRESSED, pool)
    except NotFound:
        if relief.pressed:
            await records.put_record(new_record(PRESSED, pool, {"since_us": at_us}))
        return
    if bool(present.values["since_us"]) != relief.pressed:
        await records.put_record(present.changed({"since_us": at_us if relief.pressed else 0}))


async def _note_breach(records: Records, pool: str, relief: Relief, at_us: int) -> BreachRecord | None:
    former = [(record, _breach_of(record)) for record in await records.records(BREACHES)]
    of_pool = sorted(((each.number, record, each) for record, each in former if each.pool == pool), key=lambda found: found[0])
    number, record, last = of_pool[-1] if of_pool else (0, None, None)
    if record is None or last is None or last.closed_us:
        return await _open(records, number + 1, relief.breach) if relief.breach else None
    if relief.breach is None:
        closed = replace(last, closed_us=at_us)
        await records.put_record(record.changed(_values(closed)))
        return closed
    if at_us - last.seen_us >= US_PER_DAY or relief.breach.missing_bytes > last.missing_bytes:
        worst = max(last.missing_bytes, relief.breach.missing_bytes)
        still = replace(last, seen_us=at_us, missing_bytes=worst, hits=relief.breach.hits, eased_us=relief.breach.eased_us)
        still = replace(still, waiting=relief.breach.waiting)
        await records.put_record(record.changed(_values(still)))
    return None


async def _open(records: Records, number: int, found: Breach) -> BreachRecord:
    breach = BreachRecord(found.pool, number, found.at_us, found.at_us, found.missing_bytes, found.hits, found.eased_us, 0, found.waiting)
    await records.put_record(new_record(BREACHES, breach.id, _values(breach)))
    return breach


def _values(breach: BreachRecord) -> dict[str, Any]:
    days = {"hits": breach.hits, "waiting": breach.waiting}
    return asdict(breach) | {name: [[camera, day.isoformat()] for camera, day in found] for name, found in days.items()}


def _breach_of(record: Record) -> BreachRecord:
    values = record.values
    days = {name: values.get(name, ()) for name in ("hits", "waiting")}
    return BreachRecord(
        **values | {name: tuple((camera, date.fromisoformat(day)) for camera, day in found) for name, found in days.items()}
    )
