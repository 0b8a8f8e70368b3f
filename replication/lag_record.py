"""What each shard of a copier tells of itself, as a record: for people, metrics and alerts, whichever node asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from replication.drill import Spread
from replication.lag import Backlog, Behind, Copied, Delays
from replication.rpo import Rpo
from segments.duty import parse_duty
from segments.errors import Conflict, NotFound
from segments.ports import Records
from segments.record import new_record

COPY_LAG = "copy-lag"
"""The kind of the records, one for each shard of each site whose footage is copied."""


@dataclass(frozen=True, slots=True)
class LagReport:
    """How copies from `site` stand at `at_us`, as the shard `duty` has them; by class of camera.

    `differing`: camera-days that differ and were not looked at yet: more may be wanted than `backlog` says. `waits`: why nothing is copied
    at present, '' if something is. `late`: some of those that are, by name. `copied` are sums of all time, `refused` too: how often a
    segment was not taken as it came.
    """

    site: str
    duty: str
    at_us: int
    waits: str = ""
    differing: int = 0
    refused: int = 0
    backlog: Mapping[int, Backlog] = field(default_factory=dict)
    late: Sequence[Behind] = ()
    rpo: Mapping[int, Rpo] = field(default_factory=dict)
    copied: Mapping[int, Copied] = field(default_factory=dict)

    @property
    def record_id(self) -> str:
        """Of its record."""
        return f"{self.site}/{self.duty}"


async def add_report(records: Records, report: LagReport) -> bool:
    """In place of the one before, its sums added to those. False: another one wrote just now, and this is not written."""
    try:
        present = await records.record(COPY_LAG, report.record_id)
    except NotFound:
        present = None
    values = _values(report)
    if present is not None:
        before = _report(present.values)
        values["refused"] += before.refused
        values["copied"] = {str(number): asdict(each) for number, each in summed(report.copied, before.copied).items()}
    record = present.changed(values) if present else new_record(COPY_LAG, report.record_id, values)
    try:
        await records.put_record(record)
    except Conflict:
        return False
    return True


async def lag_reports(records: Records) -> list[LagReport]:
    """Of all shards there are at present, in order of site and duty; those of a former division into shards are left out."""
    found = [_report(record.values) for record in await records.records(COPY_LAG)]
    newest = {report.site: report for report in sorted(found, key=lambda each: each.at_us)}
    return [report for report in found if parse_duty(report.duty).of == parse_duty(newest[report.site].duty).of]


def summed(one: Mapping[int, Copied], other: Mapping[int, Copied]) -> dict[int, Copied]:
    """Both, by class."""
    return {number: one.get(number, Copied()) + other.get(number, Copied()) for number in sorted({*one, *other})}


def copied_of(values: Mapping[str, Any]) -> Copied:
    """As `asdict` wrote it."""
    delays = values["delays"]
    return Copied(**{**values, "delays": Delays(tuple(delays["counts"]), delays["sum_s"])})


def _values(report: LagReport) -> dict[str, Any]:
    values = asdict(report)
    for name in ("backlog", "rpo", "copied"):
        values[name] = {str(number): each for number, each in values[name].items()}
    return values | {"late": [list(each) for each in report.late]}


def _report(values: dict[str, Any]) -> LagReport:
    rpo = {int(number): Rpo(**each | {"spread": Spread(*each["spread"])}) for number, each in values["rpo"].items()}
    return LagReport(
        **values
        | {
            "backlog": {int(number): Backlog(**each) for number, each in values["backlog"].items()},
            "late": tuple(Behind(*each) for each in values["late"]),
            "rpo": rpo,
            "copied": {int(number): copied_of(each) for number, each in values["copied"].items()},
        }
    )
