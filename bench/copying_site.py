"""A site that copies from another: an index in SQLite, a bucket, and the real copier."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path

from bench.due_site import begin_retention
from deploy.keeping import RetentionKeeping
from replication.bandwidth import UNBOUNDED, Bandwidth, Schedule
from replication.copier import Copier, CopierParts
from replication.copy_values import CopyEvent, CopyShard
from replication.own_digests import IndexDigests
from replication.ports import AskFootage
from segments.clock import Clock, SystemClock
from segments.model import Row
from segments.ports import Index
from segments.stores.s3_objects import S3Objects
from segments.stores.sqlite_index import open_sqlite_index


class NowClock(SystemClock):
    """The machine's clock, set to the days of the footage."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._ahead_us = max(row.end_us for row in rows) + 1_000_000 - super().now_us()

    def now_us(self) -> int:
        """See `Clock`."""
        return super().now_us() + self._ahead_us


@asynccontextmanager
async def an_index(path: Path) -> AsyncIterator[Index]:
    """A new index with the shipped policy."""
    index = await open_sqlite_index(path)
    await begin_retention(index)
    yield index
    await index.close()


def copier_to(
    index: Index,
    objects: S3Objects,
    peer: AskFootage,
    folder: Path,
    *,
    clock: Clock,
    seen: Callable[[CopyEvent], None],
    schedule: Schedule = UNBOUNDED,
) -> Copier:
    """A copier of all cameras into one pool."""
    return Copier(
        CopierParts(
            shard=CopyShard("north"),
            peer=peer,
            here=IndexDigests(index),
            keeping=RetentionKeeping(index, clock),
            index=index,
            pools={"main": objects},
            pool_for=lambda _: "main",
            bandwidth=Bandwidth(schedule, clock, zone=UTC),
            folder=folder / "copying",
            clock=clock,
            seen=seen,
        )
    )
