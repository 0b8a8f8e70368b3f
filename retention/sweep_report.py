"""What each shard of the sweep says of itself after its rounds, as a record: for people, metrics and alerts, whichever node asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from retention.policy import in_force
from retention.policy_record import all_policies
from segments.errors import BadInput, Conflict, NotFound
from segments.ports import Records
from segments.record import new_record

REPORTS = "sweep"
"""The kind of the records; their ids are the names of the duties."""
FAULTS_NAMED = 10


@dataclass(frozen=True, slots=True)
class SweepReport:
    """The last finished round of a shard, by `place`.

    `open_batches`: camera-days on their way through deletion. Of `faulty` of them something is left that should be gone; `faults` say of
    the first ones what and why. `held` says why nothing is decided now, '' if it is. `deleted_segments` and `deleted_bytes` are sums of all
    rounds ever, as far as they were noted.
    """

    duty: str
    place: str
    finished_us: int
    took_s: float
    open_batches: int = 0
    faulty: int = 0
    faults: Sequence[str] = ()
    held: str = ""
    deleted_segments: int = 0
    deleted_bytes: int = 0
    waiting: int = 0
    """Camera-days that are due and wait for a copy, or for a site that may hold them."""
    waiting_since_us: int = 0
    """Since when the first of them has been due; 0 if none waits."""


async def why_not_started(records: Records, now_us: int) -> str:
    """'' if a policy binds; until one does nothing is deleted."""
    try:
        in_force(await all_policies(records), now_us)
    except BadInput as error:
        return str(error)
    return ""


async def write_report(records: Records, report: SweepReport) -> None:
    """In place of the one before, its sums added to those; where two write at once, one of them stands."""
    try:
        present = await records.record(REPORTS, report.duty)
    except NotFound:
        present = None
    before = present.values if present else {}
    sums = {name: getattr(report, name) + before.get(name, 0) for name in ("deleted_segments", "deleted_bytes")}
    values = asdict(report) | {"faults": list(report.faults)[:FAULTS_NAMED]} | sums
    try:
        await records.put_record(present.changed(values) if present else new_record(REPORTS, report.duty, values))
    except Conflict:
        return


async def sweep_reports(records: Records) -> list[SweepReport]:
    """Of all shards that ever reported, in order of duty."""
    found = [record.values for record in await records.records(REPORTS)]
    return [SweepReport(**values | {"faults": tuple(values["faults"])}) for values in found]
