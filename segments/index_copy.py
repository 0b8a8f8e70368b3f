"""A whole index carried into another one: over ports alone, so from any kind of index to any.

Cameras, credentials, receipts, the register, runs, rows, states and batches with their rows are carried as they are, and so is what records
and the history of usage say. The epochs are spent, so that no run's id is made twice, and usage is counted anew. Leases, places and
placings are not carried: they are of the services that run. Nothing is removed from the target.

The work goes partition by partition and may be done twice: a partition that is the same on both sides is only read. So a service may go on
writing to the source during a first copy; a second one, when it has stopped, makes both equal. Only what was deleted between the two stays
in the target, and is named.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from segments.audit_chains import carry_chain
from segments.clock import US_PER_S, Clock
from segments.duty import Duty
from segments.errors import Conflict, NotFound
from segments.index_compare import AT_ONCE, summary_of
from segments.index_read import (
    ORDER,
    Item,
    ListedRow,
    ReadIndex,
    archive_of,
    history_in,
    pages_of,
    records_of,
    some_partitions,
)
from segments.model import Batch, Camera, Partition, PartitionKind, Row, Run, StateChange
from segments.patience import patiently, some_at_once
from segments.ports import Batches, Cameras, Credentials, Leases, Records, Usage, WriteAudit, WriteReceipts, WriteRows
from segments.receipt_chains import receipts_behind
from segments.record import KINDS, Record
from segments.shards import CAMERA_BUCKETS


class CopySource(ReadIndex, Leases, Protocol):
    """What a copy reads; it takes an epoch there."""


class CopyTarget(ReadIndex, Leases, WriteRows, WriteReceipts, WriteAudit, Cameras, Credentials, Usage, Protocol):
    """What it writes to, and reads to see what is there already."""


@dataclass(frozen=True, slots=True)
class Copied:
    """How far a copy has come: the kind it is at (None: through with all) and the cursor in it. Started again with it, it goes on there.

    `partitions` were gone through; `written` rows, runs, states, batches, receipts, records and months of usage (by bucket) were not the
    same in the target.
    """

    kind: PartitionKind | None = ORDER[0]
    after: str = ""
    partitions: int = 0
    written: int = 0


BUT_FOOTAGE = Copied(kind=None)
"""Begun so, a copy carries all but footage: no runs, rows or states, and nothing that is on its way out."""


async def copy_index(
    source: CopySource,
    target: CopyTarget,
    clock: Clock,
    *,
    so_far: Copied = Copied(),
    kinds: Collection[str] = KINDS,
    progress: Callable[[Copied], None] | None = None,
) -> Copied:
    """Carries what `so_far` has not, and records of these `kinds`; tells the progress after each step. Idempotent.

    A passing fault is waited for about 13 s, then raised as TryAgain; Refused is raised at once. Conflict: another changed a batch of the
    target, or takes epochs of the source, at the same moment.
    """
    work = _Copy(source, target, clock)
    await work.spend_epochs()
    for bucket in range(CAMERA_BUCKETS):
        await work.archive(bucket)
    so_far = replace(so_far, written=so_far.written + await work.records(kinds) + await work.usage_history())
    for chains in (work.receipts, work.audit):
        async for written in chains():
            so_far = replace(so_far, written=so_far.written + written)
            if progress is not None:
                progress(so_far)
    while so_far.kind is not None:
        so_far = await work.step(so_far, so_far.kind)
        if progress is not None:
            progress(so_far)
    await work.spend_epochs()  # those that a service took meanwhile
    return so_far


# --- copying -----------------------------------------------------------------------------------------------------------


class _Copy:
    """Carries one step at a time."""

    def __init__(self, source: CopySource, target: CopyTarget, clock: Clock) -> None:
        self._source = source
        self._target = target
        self._clock = clock

    async def spend_epochs(self) -> None:
        """An epoch that was given at the source, in whose runs footage may still lie in a spool, must not be given again.

        The highest is learnt by taking one more.
        """
        epoch = await patiently(partial(one_more_epoch, self._source, self._clock), self._clock)
        await patiently(partial(self._target.spend_epochs, epoch), self._clock)

    async def archive(self, bucket: int) -> None:
        """Cameras and sealed credentials of a bucket."""
        present = await archive_of(self._target, bucket, self._clock)
        for (kind, camera_id), value in (await archive_of(self._source, bucket, self._clock)).items():
            if present.get((kind, camera_id)) == value:
                continue
            if isinstance(value, Camera):
                await patiently(partial(_put_camera, self._target, value), self._clock)
            else:
                await patiently(partial(self._target.put_credential, camera_id, value), self._clock)

    async def records(self, kinds: Collection[str]) -> int:
        """All records of these kinds, in the order of `KINDS`; returns how many were written."""
        written = 0
        for kind in [kind for kind in KINDS if kind in kinds]:
            present = {record.id: record.text for record in await records_of(self._target, kind, self._clock)}
            for record in await records_of(self._source, kind, self._clock):
                if present.get(record.id) != record.text:
                    await patiently(partial(_put_record, self._target, record), self._clock)
                    written += 1
        return written

    async def usage_history(self) -> int:
        """All that was recorded by day; returns how many months of buckets were written."""
        written = 0
        for month in await patiently(self._source.usage_history_months, self._clock):
            for bucket in range(CAMERA_BUCKETS):
                ours, theirs = [await history_in(index, month, bucket, self._clock) for index in (self._source, self._target)]
                if ours.packed != theirs.packed and ours.revision:
                    await patiently(partial(self._target.put_usage_history, theirs.changed(ours.packed)), self._clock)
                    written += 1
        return written

    async def receipts(self) -> AsyncIterator[int]:
        """Of every chain the receipts behind the last one of the target; tells how many were written, some at a time.

        Raises Conflict if the target has got others of their numbers meanwhile.
        """
        for chain in await patiently(self._source.receipt_chains, self._clock):
            last = await patiently(partial(self._target.last_receipt, chain), self._clock)
            async for receipts in receipts_behind(self._source, chain, last.number if last else 0, self._clock):
                for receipt in receipts:
                    await patiently(partial(self._target.put_receipt, receipt), self._clock)
                if receipts:
                    yield len(receipts)

    async def audit(self) -> AsyncIterator[int]:
        """The same of the register."""
        for chain in await patiently(self._source.audit_chains, self._clock):
            async for written in carry_chain(self._source, self._target, chain, self._clock):
                yield written

    async def step(self, so_far: Copied, kind: PartitionKind) -> Copied:
        """The next partitions of a kind."""
        page = await some_partitions(self._source, kind, so_far.after, self._clock)
        written = await some_at_once(partial(self._carry, kind), page.items, AT_ONCE)
        done = replace(so_far, partitions=so_far.partitions + len(page.items), written=so_far.written + sum(written))
        if page.next is not None:
            return replace(done, after=page.next)
        behind = ORDER[ORDER.index(kind) + 1 :]
        return replace(done, kind=behind[0] if behind else None, after="")

    async def _carry(self, kind: PartitionKind, partition: Partition) -> int:
        """Makes a partition of the target what it is at the source; returns how many items were written."""
        written = 0
        present = await summary_of(self._target, kind, partition, self._clock)
        if not present.items or present != await summary_of(self._source, kind, partition, self._clock):
            async for items in pages_of(self._source, kind, partition, self._clock):
                await self._write(items)
                written += len(items)
        if kind is PartitionKind.ROWS:
            await patiently(partial(_count, self._target, partition), self._clock)
        return written

    async def _write(self, items: Sequence[Item]) -> None:
        rows = [item for item in items if isinstance(item, Row)]
        if rows:
            await patiently(partial(self._target.publish_many, rows), self._clock)
        listed = [item for item in items if isinstance(item, ListedRow)]
        if listed:
            await patiently(partial(self._target.put_batch_rows, listed[0].batch, [item.row for item in listed]), self._clock)
        await some_at_once(self._write_one, [item for item in items if not isinstance(item, Row | ListedRow)], AT_ONCE)

    async def _write_one(self, item: Item) -> None:
        match item:
            case Run():
                await patiently(partial(self._target.put_run, item), self._clock)
            case StateChange():
                await patiently(partial(self._target.put_state, item), self._clock)
            case Batch():
                await patiently(partial(_put_batch, self._target, item), self._clock)


async def one_more_epoch(index: Leases, clock: Clock) -> int:
    """A new epoch, higher than all that were given; raises Conflict if another takes one so at the same moment."""
    duty = Duty("index-copy")
    seen = await index.lease(duty)
    lease = await index.acquire(duty, "index-copy", seen=seen, now_us=clock.now_us(), ttl_us=US_PER_S)
    if lease is None:
        raise Conflict("another copy of this index is under way; let it end first")
    await index.release(lease, now_us=clock.now_us())
    return lease.epoch


async def _count(index: Usage, partition: Partition) -> None:
    """Usage is counted, not carried."""
    await index.put_usage(*partition, await index.row_sums(*partition))


async def _put_camera(index: Cameras, camera: Camera) -> None:
    try:
        await index.add_camera(camera)
    except Conflict:
        await index.set_camera(camera)


async def _put_record(index: Records, record: Record) -> None:
    """Its text: revisions are each index's own, and need not all be gone through again."""
    try:
        present = await index.record(record.kind, record.id)
    except NotFound:
        present = record._replace(revision=0, text="")
    if present.text != record.text:
        await index.put_record(record._replace(revision=present.revision + 1))


async def _put_batch(index: Batches, batch: Batch) -> None:
    present = await index.batch(batch.camera, batch.day)
    if present != batch:
        await index.put_batch(batch, expect=present.state if present else None)
