"""How a receipt comes into its chain: once for each batch, whatever was stopped halfway and whoever else is at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from retention.look import Look
from retention.plan import Verdict
from retention.removal import Removed
from segments.errors import Conflict, TryAgain
from segments.model import Batch, BatchState, Row
from segments.ports import Batches, ReadReceipts, WriteReceipts
from segments.receipt import Gone, Receipt

TOO_LATE = "too-late"
"""The reason of what was gone when it was decided that it stays; all other reasons are those of verdicts."""
_TRIES = 20


class ReceiptIndex(WriteReceipts, ReadReceipts, Batches, Protocol):
    """What it needs of an index."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was removed of a batch, why, and the look that allowed it. `confirmed_us`: when nothing of it was in the pools any more."""

    batch: Batch
    verdicts: Sequence[tuple[Row, Verdict]]
    reasons: Mapping[str, int]
    removed: Removed
    looked: Look
    confirmed_us: int

    def receipt(self, chain: str, place: str) -> Receipt:
        """Its receipt, not yet in its chain."""
        batch = self.batch
        return Receipt(
            chain=chain,
            number=1,
            previous="",
            camera=batch.camera,
            day=batch.day,
            segments=tuple(_gone(row) for row, _ in self.verdicts),
            closings=tuple(sorted(self.removed.closings)),
            older=len(self.removed.older),
            policy=batch.policy,
            rule="; ".join(dict.fromkeys(str(verdict.due.choice) for _, verdict in self.verdicts)),
            reasons=self.reasons,
            decided_us=batch.decided_us,
            listed_us=batch.listed_us,
            claimed_us=batch.since_us,
            holds_us=self.looked.now_us,
            holds=len(self.looked.rules.holds),
            confirmed_us=self.confirmed_us,
            place=place,
        )


async def is_receipted(batch: Batch, index: ReadReceipts) -> bool:
    """Whether a batch has its receipt, in whatever chain."""
    found = await index.receipts(batch.camera, batch.day.replace(day=1))
    return any((each.day, each.decided_us) == (batch.day, batch.decided_us) for each in found)


async def write_receipt(draft: Receipt, batch: Batch, index: ReceiptIndex) -> None:
    """Adds it behind the last of its chain, unless that is of the same batch already.

    Raises Conflict if the batch is not DELETING any more: somebody else has ended it, and it has its receipt.
    """
    for _ in range(_TRIES):
        last = await index.last_receipt(draft.chain)
        if last is not None and (last.camera, last.day, last.decided_us) == (batch.camera, batch.day, batch.decided_us):
            return
        present = await index.batch(batch.camera, batch.day)
        if present is None or (present.state, present.decided_us) != (BatchState.DELETING, batch.decided_us):
            raise Conflict(f"{batch.camera} {batch.day}: somebody else has ended its deletion")
        following = draft if last is None else replace(draft, number=last.number + 1, previous=last.digest)
        try:
            await index.put_receipt(following)
        except Conflict:
            continue
        return
    raise TryAgain(f"{batch.camera} {batch.day}: others write into the chain {draft.chain} all the time; its receipt waits")


def _gone(row: Row) -> Gone:
    return Gone(row.pool, row.key, row.version, row.size, row.sha256, row.start_us, row.end_us)
