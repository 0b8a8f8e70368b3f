"""The notes on clocks that the sweep keeps, one for each of its shards: see retention/sweep_clock.py."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict

from retention.sweep_clock import JUMP_US, ClockNote, Reading, accepted, gone_back_us, noted
from segments.clock import US_PER_S
from segments.errors import BadInput, NotFound
from segments.ports import Records
from segments.record import Record, new_record

SWEEP_CLOCK = "sweep-clock"
"""The kind of the records; the id is the duty's name."""
NOTE_US = 300 * US_PER_S
"""A note that says nothing new is written again after so long."""

log = logging.getLogger(__name__)


async def note_clock(records: Records, name: str, now: Reading) -> ClockNote:
    """Compares the clocks with the last note, and writes the next one. Raises Conflict if another did so just now: try again."""
    try:
        record: Record | None = await records.record(SWEEP_CLOCK, name)
    except NotFound:
        record = None
    before = ClockNote(**record.values) if record else None
    note = noted(before, now)
    back_us = gone_back_us(before, now)
    if back_us > JUMP_US:
        log.warning("sweep.clock-back: the clock went back by %d s; footage stays so much longer", back_us // US_PER_S)
    if note.held and not (before and before.held):
        log.error("sweep.clock-held: nothing is deleted until the clock is steady for 6 h with a time source, or accepted: %s", note.held)
    if record is None:
        await records.put_record(new_record(SWEEP_CLOCK, name, asdict(note)))
    elif before is None or _says_more(before, note):
        await records.put_record(record.changed(asdict(note)))
    return note


async def clocks_held(records: Records) -> Sequence[tuple[str, ClockNote]]:
    """The shards whose clock is not believed now, with the note that says why."""
    notes = [(record.id, ClockNote(**record.values)) for record in await records.records(SWEEP_CLOCK)]
    return [(name, note) for name, note in notes if note.held]


async def accept_clocks(records: Records, by: str) -> Sequence[str]:
    """Somebody says that the clocks are right as they are; returns the shards that were held and go on. Raises BadInput without a name."""
    if not by.strip():
        raise BadInput("who accepts the clock must be named")
    freed = []
    for record in await records.records(SWEEP_CLOCK):
        note = ClockNote(**record.values)
        if note.held:
            await records.put_record(record.changed(asdict(accepted(note, by))))
            freed.append(record.id)
    return freed


def _says_more(before: ClockNote, note: ClockNote) -> bool:
    same = (before.boot, before.held, before.steady_ns) == (note.boot, note.held, note.steady_ns)
    return not same or abs(note.wall_us - before.wall_us) >= NOTE_US
