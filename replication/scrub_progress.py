"""How far the scrub of a shard has come, as a record: from which a restart goes on, and which people and metrics read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple

from segments.errors import Conflict, NotFound
from segments.model import RowPosition
from segments.ports import Records
from segments.record import new_record

SCRUB = "scrub"
"""The kind of the duty, and of its records; their ids are the names of the duties."""


class Place(NamedTuple):
    """Where a walk over camera-days stands: months from the newest back, then buckets, cameras, days.

    `after`: the last row of this one that is done, `ALL` if all of it is.
    """

    month: date
    bucket: int
    camera: str
    day: date
    after: RowPosition | None = None


ALL = RowPosition(1 << 62, "", 0)
FIRST = Place(date.max, 0, "", date.min)
"""Before all there is."""


@dataclass(frozen=True, slots=True)
class Walk:
    """One way through all camera-days of a shard, the `number`th; `at` is None when it has ended."""

    number: int = 0
    began_us: int = 0
    ended_us: int = 0
    at: Place | None = None

    def next(self, now_us: int) -> Walk:
        """The walk after this one."""
        return Walk(self.number + 1, now_us, self.ended_us, FIRST)

    def ended(self, now_us: int) -> Walk:
        """This walk at its end."""
        return replace(self, ended_us=now_us, at=None)


class Head(NamedTuple):
    """The last receipt of a chain that was checked: its number, and the SHA-256 of its text."""

    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class Tally:
    """What a scrub has done: segments `found` damaged, `healed` of them, objects `adopted`, and what it has read."""

    found: int = 0
    healed: int = 0
    adopted: int = 0
    hashed: int = 0
    hashed_bytes: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, name) + getattr(other, name) for name in _COUNTS))


_COUNTS = ("found", "healed", "adopted", "hashed", "hashed_bytes")


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one shard, `duty`. `looked`: presence and size; `hashed`: bytes, half a cycle a walk; `tally` counts all that was ever done.

    `heads` says how far each chain of receipts holds, and `faults` what is wrong with those that do not.
    """

    duty: str
    at_us: int = 0
    looked: Walk = Walk()
    hashed: Walk = Walk()
    tally: Tally = Tally()
    receipts_us: int = 0
    heads: Mapping[str, Head] = field(default_factory=lambda: MappingProxyType({}))
    faults: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


async def read_progress(records: Records, duty: str) -> Progress:
    """What was written last; nothing done where nothing was."""
    try:
        record = await records.record(SCRUB, duty)
    except NotFound:
        return Progress(duty)
    return _progress(record.id, record.values)


async def all_progress(records: Records) -> Sequence[Progress]:
    """Of all shards that ever scrubbed, in order of duty."""
    return [_progress(record.id, record.values) for record in await records.records(SCRUB)]


async def write_progress(records: Records, progress: Progress) -> None:
    """In place of the one before; where two write at once, one of them stands: what is done twice does no harm."""
    values = _values(progress)
    try:
        record = (await records.record(SCRUB, progress.duty)).changed(values)
    except NotFound:
        record = new_record(SCRUB, progress.duty, values)
    try:
        await records.put_record(record)
    except Conflict:
        return


def _values(progress: Progress) -> dict[str, Any]:
    return {
        "at_us": progress.at_us,
        "looked": _walk_values(progress.looked),
        "hashed": _walk_values(progress.hashed),
        "tally": {name: getattr(progress.tally, name) for name in _COUNTS},
        "receipts_us": progress.receipts_us,
        "heads": {chain: list(head) for chain, head in progress.heads.items()},
        "faults": dict(progress.faults),
    }


def _progress(duty: str, values: Mapping[str, Any]) -> Progress:
    return Progress(
        duty,
        values["at_us"],
        _walk(values["looked"]),
        _walk(values["hashed"]),
        Tally(**values["tally"]),
        values["receipts_us"],
        {chain: Head(*head) for chain, head in values["heads"].items()},
        values["faults"],
    )


def _walk_values(walk: Walk) -> dict[str, Any]:
    at = walk.at
    place = at and [at.month.isoformat(), at.bucket, at.camera, at.day.isoformat(), at.after and list(at.after)]
    return {"number": walk.number, "began_us": walk.began_us, "ended_us": walk.ended_us, "at": place}


def _walk(values: Mapping[str, Any]) -> Walk:
    at = values["at"]
    place = at and Place(date.fromisoformat(at[0]), at[1], at[2], date.fromisoformat(at[3]), at[4] and RowPosition(*at[4]))
    return Walk(values["number"], values["began_us"], values["ended_us"], place)
