"""What `keepsight pools` tells: each pool with what it holds, as counted, and what it takes; and the counting anew."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from deploy.settings import FilePool, S3Pool, Settings
from deploy.wiring import s3_settings
from recorder.usage import count
from segments.errors import KeepsightError, Refused
from segments.model import PartitionKind
from segments.pools import PoolState, pool_for
from segments.ports import ALL_CAMERAS, Index
from segments.shards import CAMERA_BUCKETS
from segments.stores.minio_admin import BucketFill, bucket_fill
from segments.usage import PoolUsage, usage_by_pool

NOT_CONFIGURED = "not configured"
NOWHERE = ""
"""In the place of a pool: of cameras that no open pool takes."""


@dataclass(frozen=True, slots=True)
class PoolLine:
    """One pool. `assigned`: how many cameras' new footage goes to it. `own`: what the cluster itself says, or why it says nothing."""

    name: str
    kind: str
    state: str
    size_bytes: int | None
    usage: PoolUsage
    assigned: int
    own: BucketFill | str | None = None

    @property
    def share(self) -> float | None:
        """Of the declared size; None where none is declared."""
        return None if self.size_bytes is None else self.usage.stored_bytes / self.size_bytes

    @property
    def finding(self) -> str:
        """What a person should do about it; '' is nothing."""
        if self.state == NOT_CONFIGURED and self.usage.segments:
            return "its footage cannot be read: configure it again"
        if self.state == PoolState.DRAINED and not self.usage.segments:
            return "empty: it may be taken out of the configuration"
        if self.share is not None and self.share >= 1:
            return "full, by its declared size"
        return ""

    @property
    def is_wrong(self) -> bool:
        """Whether the finding is more than good news."""
        return bool(self.finding) and self.state != PoolState.DRAINED

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        days = {name: day and day.isoformat() for name, day in (("first", self.usage.first), ("last", self.usage.last))}
        own = asdict(self.own) if isinstance(self.own, BucketFill) else self.own
        values = {"name": self.name, "kind": self.kind, "state": self.state, "size_bytes": self.size_bytes, "share": self.share}
        return {**values, **asdict(self.usage), **days, "assigned_cameras": self.assigned, "own": own, "finding": self.finding}


async def pool_lines(settings: Settings, index: Index) -> tuple[list[PoolLine], int]:
    """All pools that are configured, or that footage lies in; and how many cameras have nowhere to go."""
    used = await usage_by_pool(index)
    assigned = await _assigned(settings, index)
    lines = []
    for name in sorted(settings.pools.keys() | used.keys()):
        pool = settings.pools.get(name)
        usage = used.get(name, PoolUsage())
        if pool is None:
            lines.append(PoolLine(name, "", NOT_CONFIGURED, None, usage, 0))
        else:
            own = await _own(pool)
            lines.append(PoolLine(name, pool.kind, pool.state, pool.size_bytes, usage, assigned[name], own))
    return lines, assigned[NOWHERE]


async def count_all(index: Index, progress: Callable[[int], None]) -> int:
    """Counts every camera-day anew, those that were counted and have no rows any more included; returns how many."""
    done, after = 0, ""
    while True:
        page = await index.partitions(PartitionKind.ROWS, after=after)
        for camera, day in page.items:
            await count(index, camera, day)
            done += 1
            progress(done)
        if page.next is None:
            break
        after = page.next
    for month in await index.usage_months():
        for bucket in range(CAMERA_BUCKETS):
            for camera, day in {(each.camera, each.day) for each in await index.usage(month, bucket)}:
                if not await index.row_sums(camera, day):
                    await index.put_usage(camera, day, {})
    return done


async def _assigned(settings: Settings, index: Index) -> Counter[str]:
    rules, counts, after = settings.pool_assignment, Counter[str](), ""
    while True:
        page = await index.cameras(ALL_CAMERAS, after=after)
        for camera in page.items:
            try:
                counts[pool_for(camera, rules)] += 1
            except Refused:
                counts[NOWHERE] += 1
        if page.next is None:
            return counts
        after = page.next


async def _own(pool: FilePool | S3Pool) -> BucketFill | str | None:
    if not (isinstance(pool, S3Pool) and pool.minio_admin):
        return None
    try:
        return await asyncio.to_thread(bucket_fill, s3_settings(pool))
    except KeepsightError as error:
        return str(error)
