"""What was copied of each day's footage, and how soon: by the UTC day on which it was committed at its source, for each site and class.

Each shard keeps its days of the last month as records: a day takes the place of the one a month or two before it. A process that dies takes
what it had not written yet with it, half a minute at most.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any, NamedTuple

from replication.lag import BOUNDS_S, Copied
from replication.lag_record import copied_of, summed
from segments.clock import US_PER_S, iso
from segments.errors import Conflict, NotFound
from segments.ports import Records
from segments.record import new_record

COPY_DAY = "copy-day"
"""The kind of the records; their ids are site, duty and day of the month."""
MOST_NAMED = 100
"""So many of a day and shard are named that came late."""


class Missed(NamedTuple):
    """A segment that was copied later than it was to be."""

    camera: str
    start_us: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class CopyDay:
    """A day of a site: what was copied of it, by class of camera; `missed` are the first that came late, up to `MOST_NAMED`."""

    site: str
    day: date
    classes: Mapping[int, Copied] = field(default_factory=dict)
    missed: Sequence[Missed] = ()

    @property
    def total(self) -> Copied:
        """Of all classes."""
        return sum(self.classes.values(), Copied())

    def __add__(self, other: CopyDay) -> CopyDay:
        return replace(self, classes=summed(self.classes, other.classes), missed=(*self.missed, *other.missed))


async def add_day(records: Records, duty: str, seen: CopyDay) -> bool:
    """Adds to what is known of a day. A day before the one that has its place is not kept. False: another wrote just now; nothing is."""
    record_id = f"{seen.site}/{duty}/{seen.day.day:02}"
    try:
        present = await records.record(COPY_DAY, record_id)
    except NotFound:
        present = None
    before = _day(present.values) if present else seen
    if before.day > seen.day:
        return True
    whole = before + seen if present and before.day == seen.day else seen
    values = _values(replace(whole, missed=whole.missed[:MOST_NAMED]))
    try:
        await records.put_record(present.changed(values) if present else new_record(COPY_DAY, record_id, values))
    except Conflict:
        return False
    return True


async def copy_days(records: Records, day: date | None = None) -> list[CopyDay]:
    """All days that are known, or one of them, in order of day and site; shards are put together."""
    found: dict[tuple[date, str], CopyDay] = {}
    for record in await records.records(COPY_DAY):
        one = _day(record.values)
        if day in (None, one.day):
            key = one.day, one.site
            found[key] = found[key] + one if key in found else one
    return [found[key] for key in sorted(found)]


# --- forms


COLUMNS = ("day", "from", "to", "class", "segments", "bytes", "soon", "in_time", "late", "mean_s")


def lines_of(days: Sequence[CopyDay], own: str) -> list[tuple[object, ...]]:
    """A line for each day, site and class: see `COLUMNS`."""
    return [
        (one.day.isoformat(), one.site, own, number, each.segments, each.size_bytes, each.soon, each.in_time, each.late, mean_s(each))
        for one in days
        for number, each in one.classes.items()
    ]


def as_csv(days: Sequence[CopyDay], own: str) -> str:
    """With a line of headings (RFC 4180)."""
    text = io.StringIO()
    csv.writer(text).writerows([COLUMNS, *lines_of(days, own)])
    return text.getvalue()


def as_json(days: Sequence[CopyDay], own: str) -> dict[str, Any]:
    """For programs: the lines, the delays they were made of, and those that came late."""
    return {
        "to": own,
        "bounds_s": list(BOUNDS_S),
        "days": [dict(zip(COLUMNS, line, strict=True)) for line in lines_of(days, own)],
        "delays": [
            {"day": one.day.isoformat(), "from": one.site, "class": number, "counts": list(each.delays.counts)}
            for one in days
            for number, each in one.classes.items()
        ],
        "missed": [
            {"day": one.day.isoformat(), "from": one.site, "camera": each.camera, "start": iso(each.start_us), "delay_s": each.delay_s}
            for one in days
            for each in one.missed
        ],
    }


def mean_s(each: Copied) -> float:
    """Of all delays, to the millisecond; 0 of none."""
    return round(each.delays.sum_s / each.segments, 3) if each.segments else 0.0


def missed(camera: str, start_us: int, delay_us: int) -> Missed:
    """One that came late."""
    return Missed(camera, start_us, round(delay_us / US_PER_S, 1))


def _values(day: CopyDay) -> dict[str, Any]:
    classes = {str(number): asdict(each) for number, each in day.classes.items()}
    return {"site": day.site, "day": day.day.isoformat(), "classes": classes, "missed": [list(each) for each in day.missed]}


def _day(values: Mapping[str, Any]) -> CopyDay:
    classes = {int(number): copied_of(each) for number, each in values["classes"].items()}
    return CopyDay(values["site"], date.fromisoformat(values["day"]), classes, tuple(Missed(*each) for each in values["missed"]))
