"""How full pools are: sums over camera-days, written beside the rows they are recomputed from, and added up by pool; and their history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from segments.shards import CAMERA_BUCKETS

if TYPE_CHECKING:
    from segments.ports import Usage


class By(StrEnum):
    """What usage is summed by."""

    CAMERA = "camera"
    AREA = "area"
    CLASS = "class"
    TIER = "tier"
    POOL = "pool"
    SITE = "site"
    OWNER = "owner"
    KIND = "kind"


class UsageSum(NamedTuple):
    """Segments and their bytes."""

    segments: int
    stored_bytes: int


class DayUsage(NamedTuple):
    """What a camera-day keeps in one pool."""

    camera: str
    day: date
    pool: str
    sum: UsageSum


class PackedHistory(NamedTuple):
    """What the cameras of a bucket recorded in a UTC month, packed (capacity/days.py). `revision` counts from 1; 0: nothing yet."""

    month: date
    bucket: int
    revision: int = 0
    packed: bytes = b""

    def changed(self, packed: bytes) -> PackedHistory:
        """The next revision, which says this."""
        return self._replace(revision=self.revision + 1, packed=packed)


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """What a pool keeps, as last counted."""

    segments: int = 0
    stored_bytes: int = 0
    cameras: int = 0
    """How many cameras have footage in it."""
    camera_days: int = 0
    first: date | None = None
    last: date | None = None
    """The UTC days its footage lies between; None where it has none."""

    def plus(self, days: Iterable[DayUsage]) -> PoolUsage:
        """This and camera-days of cameras that are not yet in it."""
        found = list(days)
        dates = [day for day in (self.first, self.last, *(each.day for each in found)) if day is not None]
        return PoolUsage(
            self.segments + sum(each.sum.segments for each in found),
            self.stored_bytes + sum(each.sum.stored_bytes for each in found),
            self.cameras + len({each.camera for each in found}),
            self.camera_days + len(found),
            min(dates, default=None),
            max(dates, default=None),
        )


async def usage_by_pool(index: Usage) -> Mapping[str, PoolUsage]:
    """Everything kept, by the name of the pool it is in.

    Reads the archive's buckets one after the other, each over all months: what is held in memory at a time is one bucket's.
    """
    total: dict[str, PoolUsage] = {}
    months = await index.usage_months()
    for bucket in range(CAMERA_BUCKETS):
        days = [each for month in months for each in await index.usage(month, bucket)]
        for pool in {each.pool for each in days}:
            total[pool] = total.get(pool, PoolUsage()).plus(each for each in days if each.pool == pool)
    return total
