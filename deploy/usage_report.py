"""What each shard of the duty that keeps usage says of itself, as a record: for people, metrics and alerts, whichever node asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

from segments.clock import US_PER_DAY
from segments.errors import Conflict, NotFound
from segments.ports import Records
from segments.record import new_record

REPORTS = "usage"
"""The kind of the records; their ids are the names of the duties."""
LATE_US = US_PER_DAY
"""As the alert has it: usage that was not kept for so long. What was recorded since is still counted while the footage is there."""


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The last pass of a shard through its buckets, by `place`.

    `finished_us`: when it last went through all without a fault (0: never); all days before `before` are kept since then. `faults` say of
    the last pass which buckets it could not keep, and why. `lines` were written in it.
    """

    duty: str
    place: str
    finished_us: int = 0
    before: str = ""
    lines: int = 0
    faults: Sequence[str] = ()

    @property
    def kept_before(self) -> date | None:
        """The day before which everything is kept; None if nothing is yet."""
        return date.fromisoformat(self.before) if self.before else None


async def write_report(records: Records, report: UsageReport) -> None:
    """In place of the one before; what finished before a pass with faults stays told. Of two that write at once, one stands."""
    try:
        present = await records.record(REPORTS, report.duty)
    except NotFound:
        present = None
    values = asdict(report) | {"faults": list(report.faults)}
    if present is not None and report.faults:
        values |= {name: present.values[name] for name in ("finished_us", "before")}
    try:
        await records.put_record(present.changed(values) if present else new_record(REPORTS, report.duty, values))
    except Conflict:
        return


async def usage_reports(records: Records) -> list[UsageReport]:
    """Of all shards that ever reported, in order of duty."""
    return [UsageReport(**record.values) for record in await records.records(REPORTS)]
