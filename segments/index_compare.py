"""Two indexes compared, partition by partition, over ports alone.

It holds a few pages in memory, however large the indexes are.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from segments.audit_chains import chain_sum
from segments.clock import Clock
from segments.index_read import (
    ORDER,
    ReadIndex,
    archive_of,
    history_in,
    page_of,
    pages_of,
    records_of,
    some_partitions,
)
from segments.model import Partition, PartitionKind
from segments.patience import patiently, some_at_once
from segments.ports import Partitions, ReadReceipts, UsageHistory
from segments.receipt_chains import receipts_behind
from segments.record import KINDS
from segments.shards import CAMERA_BUCKETS
from segments.usage import PackedHistory

AT_ONCE = 4
"""Partitions that are read at once."""
MAX_NAMED = 1000
"""Most differences a comparison names; it counts all."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a partition holds: how many items, and the SHA-256 (hex) of their values in order."""

    items: int
    sha256: str


@dataclass(frozen=True, slots=True)
class IndexDifference:
    """What is not the same on both sides: a partition, a camera, its credential, a record, a month of usage, a chain of receipts or of the
    register.

    `kind`: a `PartitionKind`, or `camera`, `credential`, `record`, `usage`, `receipts`, `audit`.
    """

    kind: str
    where: str
    source: Summary
    target: Summary


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found: so many partitions and items of the source were compared; `differing` of all, `examples` of these."""

    partitions: int = 0
    items: int = 0
    differing: int = 0
    examples: tuple[IndexDifference, ...] = ()

    def plus(self, partitions: int, items: int, differences: Sequence[IndexDifference]) -> Comparison:
        """The comparison with one more step."""
        return Comparison(
            partitions=self.partitions + partitions,
            items=self.items + items,
            differing=self.differing + len(differences),
            examples=(*self.examples, *differences)[:MAX_NAMED],
        )


async def compare_indexes(
    source: ReadIndex, target: ReadIndex, clock: Clock, *, progress: Callable[[Comparison], None] | None = None
) -> Comparison:
    """Compares rows, runs, states, batches with their rows, cameras, credentials, records, the history of usage, receipts and the register.

    What only one side has differs, too.

    Of records their texts are compared: revisions are each index's own.
    A passing fault is waited for about 13 s, then raised as TryAgain; Refused is raised at once.
    """
    work = _Compare(source, target, clock)
    found = Comparison()
    for bucket in range(CAMERA_BUCKETS):
        found = found.plus(0, 0, await work.archive(bucket))
    for kind in KINDS:
        found = found.plus(0, *await work.records(kind))
    for month in await work.usage_months():
        found = found.plus(0, *await work.usage(month))
    for chain in await work.chains():
        found = found.plus(0, *await work.receipts(chain))
        if progress is not None:
            progress(found)
    for chain in await work.audit_chains():
        found = found.plus(0, *await work.audit(chain))
    for kind in ORDER:
        for compare, index in ((work.partition, source), (work.only_there, target)):
            async for partitions in _steps(index, kind, clock):
                compared = await some_at_once(partial(compare, kind), partitions, AT_ONCE)
                differences = [one for one in compared if isinstance(one, IndexDifference)]
                items = sum(one.source.items if isinstance(one, IndexDifference) else one.items for one in compared)
                found = found.plus(len(partitions) if index is source else 0, items, differences)
                if progress is not None:
                    progress(found)
    return found


# --- comparing -----------------------------------------------------------------------------------------------------------


class _Compare:
    """Compares one partition at a time."""

    def __init__(self, source: ReadIndex, target: ReadIndex, clock: Clock) -> None:
        self._source = source
        self._target = target
        self._clock = clock

    async def archive(self, bucket: int) -> list[IndexDifference]:
        """Cameras and sealed credentials of a bucket."""
        ours = await archive_of(self._source, bucket, self._clock)
        return _differing(ours, await archive_of(self._target, bucket, self._clock))

    async def records(self, kind: str) -> tuple[int, list[IndexDifference]]:
        """All records of a kind: how many there are, and those that differ."""
        ours, theirs = [
            {("record", f"{kind} {record.id}"): record.text for record in await records_of(index, kind, self._clock)}
            for index in (self._source, self._target)
        ]
        return len(ours), _differing(ours, theirs)

    async def usage_months(self) -> list[date]:
        """The months there is history of usage of on either side."""
        both = [await patiently(index.usage_history_months, self._clock) for index in (self._source, self._target)]
        return sorted({month for months in both for month in months})

    async def usage(self, month: date) -> tuple[int, list[IndexDifference]]:
        """What was recorded in a month, by bucket: in how many there is something, and those that differ."""
        ours, theirs = [
            {("usage", f"{month:%Y-%m} bucket {bucket}"): found.packed async for bucket, found in _histories(index, month, self._clock)}
            for index in (self._source, self._target)
        ]
        return len(ours), _differing(ours, theirs)

    async def chains(self) -> list[str]:
        """The names of all chains on either side."""
        both = [await patiently(index.receipt_chains, self._clock) for index in (self._source, self._target)]
        return sorted({name for names in both for name in names})

    async def receipts(self, chain: str) -> tuple[int, list[IndexDifference]]:
        """A chain of receipts: how many there are, and whether it differs."""
        source, target = [await _chain_summary(index, chain, self._clock) for index in (self._source, self._target)]
        return source.items, [] if source == target else [IndexDifference("receipts", chain, source, target)]

    async def audit_chains(self) -> list[str]:
        """The names of all chains of the register on either side."""
        both = [await patiently(index.audit_chains, self._clock) for index in (self._source, self._target)]
        return sorted({name for names in both for name in names})

    async def audit(self, chain: str) -> tuple[int, list[IndexDifference]]:
        """A chain of the register: how many lines there are, and whether it differs."""
        source, target = [Summary(*await chain_sum(index, chain, self._clock)) for index in (self._source, self._target)]
        return source.items, [] if source == target else [IndexDifference("audit", chain, source, target)]

    async def partition(self, kind: PartitionKind, partition: Partition) -> Summary | IndexDifference:
        """A partition of the source beside that of the target."""
        source = await summary_of(self._source, kind, partition, self._clock)
        target = await summary_of(self._target, kind, partition, self._clock)
        return source if source == target else _difference(kind, partition, source, target)

    async def only_there(self, kind: PartitionKind, partition: Partition) -> Summary | IndexDifference:
        """A partition of the target of which the source has nothing; where it has some, `partition` has compared them."""
        page = await patiently(partial(page_of, self._source, kind, partition, None, 1), self._clock)
        if page.items:
            return _summed([])
        return _difference(kind, partition, _summed([]), await summary_of(self._target, kind, partition, self._clock))


def _differing(ours: Mapping[tuple[str, str], object], theirs: Mapping[tuple[str, str], object]) -> list[IndexDifference]:
    differing = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    return [IndexDifference(*key, *(_summed([side[key]] if key in side else []) for side in (ours, theirs))) for key in differing]


def _difference(kind: PartitionKind, partition: Partition, source: Summary, target: Summary) -> IndexDifference:
    return IndexDifference(kind.value, f"{partition.camera} {partition.date}", source, target)


async def summary_of(index: ReadIndex, kind: PartitionKind, partition: Partition, clock: Clock) -> Summary:
    """What a partition holds. Values of one program print alike exactly when they are equal."""
    items, digest = 0, hashlib.sha256()
    async for page in pages_of(index, kind, partition, clock):
        items += len(page)
        digest.update("".join(map(repr, page)).encode())
    return Summary(items, digest.hexdigest())


async def _chain_summary(index: ReadReceipts, chain: str, clock: Clock) -> Summary:
    items, digest = 0, hashlib.sha256()
    async for page in receipts_behind(index, chain, 0, clock):
        items += len(page)
        digest.update("\n".join(receipt.text for receipt in page).encode())
    return Summary(items, digest.hexdigest())


def _summed(values: Sequence[object]) -> Summary:
    return Summary(len(values), hashlib.sha256("".join(map(repr, values)).encode()).hexdigest())


async def _histories(index: UsageHistory, month: date, clock: Clock) -> AsyncIterator[tuple[int, PackedHistory]]:
    for bucket in range(CAMERA_BUCKETS):
        found = await history_in(index, month, bucket, clock)
        if found.revision:
            yield bucket, found


async def _steps(index: Partitions, kind: PartitionKind, clock: Clock) -> AsyncIterator[Sequence[Partition]]:
    after: str | None = ""
    while after is not None:
        page = await some_partitions(index, kind, after, clock)
        yield page.items
        after = page.next
