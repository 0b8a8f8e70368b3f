"""Reading a whole index, partition by partition, over ports alone; it holds a few pages in memory, however large the index is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date
from functools import partial
from typing import Any, NamedTuple, Protocol

from segments.clock import Clock
from segments.model import Batch, Camera, Partition, PartitionKind, Row, RowPosition, Run, StateChange
from segments.patience import patiently
from segments.ports import (
    Batches,
    BatchRows,
    CameraChanges,
    Page,
    Partitions,
    ReadAudit,
    ReadReceipts,
    ReadRows,
    Records,
    Runs,
    States,
    UsageHistory,
)
from segments.record import Record
from segments.usage import PackedHistory

ORDER = (PartitionKind.RUNS, PartitionKind.ROWS, PartitionKind.STATES, PartitionKind.BATCHES)
"""Runs before rows: who finds a row finds what plays it."""
STEP_PARTITIONS = 64
"""So many are read between two reports of progress."""
PAGE_ITEMS = 500


class ListedRow(NamedTuple):
    """A row of a batch."""

    batch: Batch
    row: Row


Item = Row | Run | StateChange | Batch | ListedRow


class ReadIndex(
    ReadRows, Runs, States, Batches, BatchRows, Partitions, ReadReceipts, ReadAudit, Records, CameraChanges, UsageHistory, Protocol
):
    """What is read of an index to compare it."""


async def some_partitions(index: Partitions, kind: PartitionKind, after: str, clock: Clock) -> Page[Partition, str]:
    """The next few partitions of a kind."""
    return await patiently(partial(index.partitions, kind, after=after, limit=STEP_PARTITIONS), clock)


async def pages_of(index: ReadIndex, kind: PartitionKind, partition: Partition, clock: Clock) -> AsyncIterator[Sequence[Item]]:
    """The items of a partition in order; no page is empty."""
    cursor: Any = None
    while True:
        page = await patiently(partial(page_of, index, kind, partition, cursor, PAGE_ITEMS), clock)
        if page.items:
            yield page.items
        if page.next is None:
            return
        cursor = page.next


async def page_of(index: ReadIndex, kind: PartitionKind, partition: Partition, after: Any, limit: int) -> Page[Any, Any]:
    """Some items of a partition behind a cursor of its kind's own; None: from its beginning."""
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


async def history_in(index: UsageHistory, month: date, bucket: int, clock: Clock) -> PackedHistory:
    """What the cameras of a bucket recorded in a month, packed."""
    return await patiently(partial(index.usage_history, month, bucket), clock)


async def records_of(index: Records, kind: str, clock: Clock) -> Sequence[Record]:
    """All records of a kind."""
    return await patiently(partial(index.records, kind), clock)
