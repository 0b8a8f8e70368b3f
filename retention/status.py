"""How retention stands: policies, reviews, holds, what is on its way out, and what went last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, Protocol

from retention.clock_notes import clocks_held
from retention.policy import Policy
from retention.policy_difference import reviews_due
from retention.rules import read_rules
from retention.sweep_report import SweepReport, sweep_reports
from segments.clock import iso, to_datetime
from segments.model import Batch, BatchState, PartitionKind
from segments.ports import Batches, Partitions, ReadReceipts, Records
from segments.receipt import Receipt
from segments.tier import Tier


class LastReceipt(Protocol):
    """See `WriteReceipts`; nothing is written here."""

    async def last_receipt(self, chain: str) -> Receipt | None:
        """See `WriteReceipts`."""


class StatusIndex(Records, Batches, Partitions, ReadReceipts, LastReceipt, Protocol):
    """What the status needs of the index."""


class Stuck(NamedTuple):
    """A batch that does not go on, and why."""

    camera: str
    day: date
    finding: str


@dataclass(frozen=True, slots=True)
class Status:
    """At one moment. `binding`: the policy in force, None if none is; `announced`: those that bind later.

    `clocks`: why a shard of the sweep does not believe its clock, by shard; `sweeps`: what each said last; `last`: the newest receipt of
    each chain.
    """

    now_us: int
    binding: Policy | None
    announced: Sequence[Policy]
    reviews: Sequence[Tier]
    holds: int
    batches: Mapping[BatchState, int]
    stuck: Sequence[Stuck]
    clocks: Mapping[str, str]
    sweeps: Sequence[SweepReport]
    last: Sequence[Receipt]

    @property
    def waiting(self) -> int:
        """Camera-days that are due and wait for a copy, or for a site that may hold them, as the sweeps said last."""
        return sum(sweep.waiting for sweep in self.sweeps)

    @property
    def waiting_since_us(self) -> int:
        """Since when the first of them has been due; 0 if none waits."""
        return min((sweep.waiting_since_us for sweep in self.sweeps if sweep.waiting), default=0)

    @property
    def is_wrong(self) -> bool:
        """Whether somebody has to look: a review is due, a batch does not go on, or a clock is not believed."""
        return bool(self.reviews or self.stuck or self.clocks)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "at": iso(self.now_us),
            "policy": self.binding and self.binding.version,
            "announced": [{"policy": policy.version, "binds": iso(policy.binds_us)} for policy in self.announced],
            "reviews_due": [{"tier": tier.name, "review": tier.review.isoformat(), "approver": tier.approver} for tier in self.reviews],
            "holds": self.holds,
            "batches": dict(self.batches),
            "stuck": [{"camera": each.camera, "day": each.day.isoformat(), "finding": each.finding} for each in self.stuck],
            "clocks_held": dict(self.clocks),
            "waiting_for_copies": {"camera_days": self.waiting, "since": iso(self.waiting_since_us) if self.waiting else None},
            "sweeps": [_sweep_json(each) for each in self.sweeps],
            "last_receipts": [_receipt_json(each) for each in self.last],
        }


def _receipt_json(receipt: Receipt) -> dict[str, str]:
    name = f"{receipt.chain} {receipt.number}"
    return {"receipt": name, "camera": receipt.camera, "day": receipt.day.isoformat(), "gone": iso(receipt.confirmed_us)}


def _sweep_json(report: SweepReport) -> dict[str, str]:
    return {"shard": report.duty, "place": report.place, "finished": iso(report.finished_us), "held": report.held}


async def status(index: StatusIndex, *, now_us: int) -> Status:
    """Reads it all; batches one by one, of which a site has some thousands at most."""
    rules = await read_rules(index)
    standing = [policy for policy in rules.policies if not policy.withdrawn_us]
    binding = [policy for policy in standing if policy.binds_us <= now_us][-1:]
    announced = [policy for policy in standing if policy.binds_us > now_us]
    batches = [batch async for batch in _batches(index)]
    return Status(
        now_us,
        binding[0] if binding else None,
        announced,
        reviews_due([*binding, *announced], to_datetime(now_us).date()),
        len(rules.holds),
        Counter(batch.state for batch in batches),
        [Stuck(batch.camera, batch.day, batch.finding) for batch in batches if batch.finding],
        {shard: note.held for shard, note in await clocks_held(index)},
        await sweep_reports(index),
        [last for chain in await index.receipt_chains() if (last := await index.last_receipt(chain)) is not None],
    )


async def _batches(index: StatusIndex) -> Any:
    after = ""
    while True:
        page = await index.partitions(PartitionKind.BATCHES, after=after)
        for place in page.items:
            batch: Batch | None = await index.batch(place.camera, place.date)
            if batch is not None:
                yield batch
        if page.next is None:
            return
        after = page.next
