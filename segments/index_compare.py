"""Two indexes compared, partition by partition, over ports alone; and the reading of whole partitions of any kind.

It holds a few pages in memory, however large the indexes are.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

from segments.audit_chains import chain_sum
from segments.clock import Clock
from segments.model import Batch, Camera, Partition, PartitionKind, Row, RowPosition, Run, StateChange
from segments.patience import patiently, some_at_once
from segments.ports import Batches, BatchRows, CameraChanges, Page, Partitions, ReadAudit, ReadReceipts, ReadRows, Records, Runs, States
from segments.receipt_chains import receipts_behind
from segments.record import KINDS, Record
from segments.shards import CAMERA_BUCKETS

ORDER = (PartitionKind.RUNS, PartitionKind.ROWS, PartitionKind.STATES, PartitionKind.BATCHES)
"""Runs before rows: who finds a row finds what plays it."""
AT_ONCE = 4
"""Partitions that are read at once."""
STEP_PARTITIONS = 64
"""So many are read between two reports of progress."""
PAGE_ITEMS = 500
MAX_NAMED = 1000
"""Most differences a comparison names; it counts all."""


class ListedRow(NamedTuple):
    """A row of a batch."""

    batch: Batch
    row: Row


Item = Row | Run | StateChange | Batch | ListedRow


class ReadIndex(ReadRows, Runs, States, Batches, BatchRows, Partitions, ReadReceipts, ReadAudit, Records, CameraChanges, Protocol):
    """What is read of an index to compare it."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a partition holds: how many items, and the SHA-256 (hex) of their values in order."""

    items: int
    sha256: str


@dataclass(frozen=True, slots=True)
class IndexDifference:
    """What is not the same on both sides: a partition, a camera, its credential, a record, a chain of receipts or of the register.

    `kind`: a `PartitionKind`, or `camera`, `credential`, `record`, `receipts`, `audit`.
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
    """Compares rows, runs, states, batches with their rows, cameras, credentials, records, receipts and the register.

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
        page = await patiently(partial(_page, self._source, kind, partition, None, 1), self._clock)
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


# --- reading -------------------------------------------------------------------------------------------------------------


async def _steps(index: Partitions, kind: PartitionKind, clock: Clock) -> AsyncIterator[Sequence[Partition]]:
    after: str | None = ""
    while after is not None:
        page = await some_partitions(index, kind, after, clock)
        yield page.items
        after = page.next


async def some_partitions(index: Partitions, kind: PartitionKind, after: str, clock: Clock) -> Page[Partition, str]:
    """The next few partitions of a kind."""
    return await patiently(partial(index.partitions, kind, after=after, limit=STEP_PARTITIONS), clock)


async def pages_of(index: ReadIndex, kind: PartitionKind, partition: Partition, clock: Clock) -> AsyncIterator[Sequence[Item]]:
    """The items of a partition in order; no page is empty."""
    cursor: Any = None
    while True:
        page = await patiently(partial(_page, index, kind, partition, cursor, PAGE_ITEMS), clock)
        if page.items:
            yield page.items
        if page.next is None:
            return
        cursor = page.next


async def _page(index: ReadIndex, kind: PartitionKind, partition: Partition, after: Any, limit: int) -> Page[Any, Any]:
    match kind:
        case PartitionKind.ROWS:
            return await index.rows(*partition, after=after, limit=limit)
        case PartitionKind.RUNS:
            return await index.runs(*partition, after=after or "", limit=limit)
        case PartitionKind.STATES:
            return await index.states(*partition, after_us=-1 if after is None else after, limit=limit)
        case PartitionKind.BATCHES:
            return await _batch_page(index, partition, after, limit)


async def _batch_page(index: ReadIndex, partition: Partition, after: RowPosition | None, limit: int) -> Page[Item, RowPosition]:
    """The rows of a batch, and behind the last of them the batch: who finds one finds its rows."""
    batch = await index.batch(*partition)
    if batch is None:
        return Page([], None)
    page = await index.batch_rows(batch, after=after, limit=limit)
    rows = [ListedRow(batch, row) for row in page.items]
    return Page([*rows, batch] if page.next is None else rows, page.next)


async def archive_of(index: CameraChanges, bucket: int, clock: Clock) -> dict[tuple[str, str], Camera | bytes]:
    """The archive of a bucket: `("camera", id)` to the camera, `("credential", id)` to the sealed bytes."""
    cameras = await patiently(partial(index.cameras_in, bucket), clock)
    credentials = await patiently(partial(index.credentials_in, bucket), clock)
    return {("camera", camera.id): camera for camera in cameras} | {("credential", name): sealed for name, sealed in credentials.items()}


async def records_of(index: Records, kind: str, clock: Clock) -> Sequence[Record]:
    """All records of a kind."""
    return await patiently(partial(index.records, kind), clock)
