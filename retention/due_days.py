"""Which camera-days something may go of: found from the usage sums, without reading a row, and by a walk over the index once a day.

The walk finds what no sum knows of (an index made anew, a count that was lost), and counts it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import date
from typing import Protocol

from retention.look import Look, PlanIndex, known_camera
from retention.plan import Circumstances, first_look_us
from retention.policy import Choice, in_force
from retention.sweep_values import SweepShard
from segments.clock import US_PER_S, day_start_us
from segments.model import Camera, Partition, PartitionKind
from segments.ports import CameraChanges, Partitions, Usage
from segments.shards import CAMERA_BUCKETS

SCAN_S = 3600
"""Sums of a month that something may go of are read again after this, or when the next of its camera-days may be due."""
REST_S = 12 * 3600
"""A camera-day of which nothing goes after all (held, say) is planned again after this, or when the next of it may go."""
WALK_S = 24 * 3600
WALK_PAGES = 20
"""Of a thousand camera-days, a round."""


class DueIndex(PlanIndex, Usage, Partitions, CameraChanges, Protocol):
    """What finding needs of the index."""


class FirstLooks:
    """`first_look_us`, remembered by what it depends on: cameras of one tier share it."""

    def __init__(self) -> None:
        self._found: dict[tuple[tuple[Choice, ...], str, bool, date], int] = {}

    def of(self, day: date, circumstances: Circumstances) -> int:
        """Before this moment nothing of the camera-day may go."""
        key = tuple(circumstances.chosen), str(circumstances.zone), circumstances.pressed, day
        if key not in self._found:
            self._found[key] = first_look_us(day, circumstances)
        return self._found[key]


async def due_in(index: DueIndex, looked: Look, month: date, bucket: int) -> tuple[list[Partition], int | None]:
    """The camera-days of a month and a bucket of which something may go, the oldest first; and when the next of the others may."""
    archive = {camera.id: camera for camera in await index.cameras_in(bucket)}
    known: dict[str, Camera] = {}
    looks = FirstLooks()
    may_go, later = set(), set()
    for usage in await index.usage(month, bucket):
        camera = known.setdefault(usage.camera, looked.rules.camera(usage.camera, archive.get(usage.camera)))
        first_us = looks.of(usage.day, looked.circumstances(camera, usage.day, archived=usage.camera in archive))
        if first_us <= looked.now_us:
            may_go.add(Partition(usage.camera, usage.day))
        else:
            later.add(first_us)
    return sorted(may_go, key=lambda each: (each.date, each.camera)), min(later, default=None)


async def all_due(index: DueIndex, looked: Look, shard: SweepShard) -> AsyncIterator[Partition]:
    """Every camera-day of a shard of which something may go, as the sums have it: months in order, the oldest first."""
    for month in await index.usage_months():
        if earliest_us(looked, month) <= looked.now_us:
            for bucket in buckets_of(shard):
                for found in (await due_in(index, looked, month, bucket))[0]:
                    yield found


def buckets_of(shard: SweepShard) -> range:
    """The buckets of the archive that belong to a shard."""
    return range(shard.shard, CAMERA_BUCKETS, shard.of)


def earliest_us(looked: Look, month: date) -> int:
    """Before this moment nothing of a month may go, whatever its cameras' tiers. Raises BadInput if no policy binds."""
    policies = in_force(looked.rules.policies, looked.now_us)
    tiers = [tier for policy in policies for tier in policy.tiers.values()]
    return min(tier.floor.over_us(day_start_us(month) + 1, looked.zone) for tier in tiers)


class DueDays:
    """Finds camera-days to plan, round after round, and remembers what need not be looked at again yet."""

    def __init__(self, shard: SweepShard, index: DueIndex) -> None:
        self._shard = shard
        self._index = index
        self._waiting: dict[Partition, None] = {}
        self._rests: dict[Partition, int] = {}
        self._scan_ns: dict[tuple[date, int], int] = {}
        self._walk_ns = 0
        self._walked: str | None = ""
        self._began_ns: int | None = None

    async def some(self, looked: Look, most: int, *, without: Iterable[Partition]) -> list[Partition]:
        """Up to so many camera-days that may go, of those that do not rest; `without`: those that are on their way already.

        Raises BadInput if no policy binds.
        """
        self._rests = {day: until_ns for day, until_ns in self._rests.items() if until_ns > looked.asked_ns}
        on_their_way = set(without)
        pressed = [Partition(*each) for each in looked.pressed if self._shard.has(each[0])]
        self._waiting = dict.fromkeys(pressed) | self._waiting
        await self._walk(looked, on_their_way)
        await self._scan(looked, most)
        found: list[Partition] = []
        for day in list(self._waiting):
            if len(found) == most:
                break
            del self._waiting[day]
            if day not in on_their_way and day not in self._rests:
                found.append(day)
        return found

    @property
    def more(self) -> bool:
        """Whether there are some left that nobody has asked for yet, or a walk goes on."""
        return bool(self._waiting) or bool(self._walked)

    def rest(self, day: Partition, looked: Look, next_us: int) -> None:
        """Nothing of it goes now; something may at `next_us` (0: that is not known)."""
        wait_us = REST_S * US_PER_S if not next_us else min(REST_S * US_PER_S, next_us - looked.now_us)
        self._rests[day] = looked.asked_ns + wait_us * 1000

    async def _scan(self, looked: Look, most: int) -> None:
        for month in await self._index.usage_months():
            if earliest_us(looked, month) > looked.now_us:
                continue
            for bucket in buckets_of(self._shard):
                if len(self._waiting) >= most:
                    return
                if self._scan_ns.get((month, bucket), looked.asked_ns) <= looked.asked_ns:
                    due, next_us = await due_in(self._index, looked, month, bucket)
                    self._waiting |= dict.fromkeys(due)
                    self._scan_ns[month, bucket] = looked.asked_ns + self._rescan_ns(looked, next_us)

    def _rescan_ns(self, looked: Look, next_us: int | None) -> int:
        wait_us = SCAN_S * US_PER_S if next_us is None else min(SCAN_S * US_PER_S, next_us - looked.now_us)
        return wait_us * 1000

    async def _walk(self, looked: Look, on_their_way: set[Partition]) -> None:
        if self._began_ns is None or (self._walked is None and looked.asked_ns - self._began_ns > WALK_S * 1_000_000_000):
            self._began_ns, self._walked = looked.asked_ns, ""
        for _ in range(WALK_PAGES):
            if self._walked is None:
                return
            page = await self._index.partitions(PartitionKind.ROWS, after=self._walked)
            for found in page.items:
                if self._shard.has(found.camera) and found not in on_their_way and await self._may_go(found, looked):
                    await self._index.put_usage(*found, await self._index.row_sums(*found))
                    self._waiting[found] = None
            self._walked = page.next

    async def _may_go(self, found: Partition, looked: Look) -> bool:
        if earliest_us(looked, found.date.replace(day=1)) > looked.now_us:
            return False
        camera, archived = await known_camera(self._index, looked, found.camera)
        return first_look_us(found.date, looked.circumstances(camera, found.date, archived=archived)) <= looked.now_us
