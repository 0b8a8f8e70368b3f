"""What cameras were: a camera that is moved, or given another tier, counts for what it was until its notice is over (ADR 0024).

One that is taken out of the archive counts for what it was for good. The record is written before the archive is changed, so that a change
that stops halfway keeps footage longer and never less long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from retention.policy import Belonging, belonging
from segments.errors import NotFound
from segments.hold import FOR_EVER_US
from segments.model import Camera
from segments.ports import Records
from segments.record import Record, new_record

FORMERLY = "formerly"
"""The kind of the records, one a camera."""


class Former(NamedTuple):
    """What a camera was, and until when that counts."""

    was: Belonging
    until_us: int


def former_of(record: Record) -> list[Former]:
    """What a record says."""
    return [Former(Belonging(*was), until_us) for *was, until_us in record.values["was"]]


def counting(former: Sequence[Former], now_us: int) -> list[Belonging]:
    """Those that still count."""
    return list(dict.fromkeys(each.was for each in former if each.until_us > now_us))


async def all_former(records: Records) -> Mapping[str, list[Former]]:
    """Of every camera that was ever something else."""
    return {record.id: former_of(record) for record in await records.records(FORMERLY)}


async def remember(records: Records, camera: Camera, *, now_us: int, until_us: int = FOR_EVER_US) -> None:
    """Notes what a camera is now, before it is changed. Raises Conflict if somebody else notes something of it just now."""
    try:
        present = await records.record(FORMERLY, camera.id)
    except NotFound:
        await records.put_record(new_record(FORMERLY, camera.id, _values([Former(belonging(camera), until_us)])))
        return
    still = [each for each in former_of(present) if each.until_us > now_us]
    await records.put_record(present.changed(_values([*still, Former(belonging(camera), until_us)])))


def _values(former: Sequence[Former]) -> dict[str, Any]:
    return {"was": [[*each.was, each.until_us] for each in former]}
