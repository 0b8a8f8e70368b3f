"""Footage known to be damaged: the records that name it until it is healed, deleted, or found as it should be.

One record for each bucket of cameras (segments/shards.py), so that whoever plays a camera asks for one. Of a bucket at most `MOST_NAMED`
segments are named; what is beyond that is found again by the next scrub, when there is room.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date
from typing import NamedTuple

from segments.clock import Clock, day_of
from segments.errors import Conflict, KeepsightError, NotFound
from segments.model import Row, RowPosition
from segments.ports import Records
from segments.record import Record, new_record
from segments.shards import CAMERA_BUCKETS, bucket_of

DAMAGE = "damage"
"""The kind of the records; their ids are the numbers of the buckets."""
MOST_NAMED = 200
"""Of one bucket."""
KNOWN_FOR_S = 10.0
"""Who serves much footage reads the record of a bucket no more often than this."""
_TRIES = 5

log = logging.getLogger(__name__)


class Damaged(NamedTuple):
    """A segment that is not as its row promises: where and when, what is wrong and why it is not healed, and since when that is known."""

    camera: str
    start_us: int
    end_us: int
    run: str
    counter: int
    pool: str
    key: str
    reason: str
    since_us: int

    @property
    def position(self) -> RowPosition:
        """Its place in its camera-day."""
        return RowPosition(self.start_us, self.run, self.counter)

    @property
    def day(self) -> date:
        """The UTC date of its start."""
        return day_of(self.start_us)


def damaged_of(row: Row, reason: str, now_us: int) -> Damaged:
    """A row whose footage was just found to be damaged."""
    return Damaged(row.camera, row.start_us, row.end_us, row.run, row.counter, row.pool, row.key, reason, now_us)


async def known_damaged(records: Records, camera: str) -> frozenset[str]:
    """The keys of this camera's segments that are known to be damaged or missing here: they are not to be served from here."""
    return frozenset(each.key for each in await damage_in(records, bucket_of(camera)) if each.camera == camera)


class KnownDamage:
    """The same for who reads much of many cameras: what is named is known here at most `KNOWN_FOR_S` later.

    While the index does not tell, what was named before counts: footage that can be had is not held up by it.
    """

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._known: dict[int, tuple[int, frozenset[str]]] = {}
        self._reading: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def has(self, row: Row) -> bool:
        """Whether a segment is named."""
        bucket = bucket_of(row.camera)
        async with self._reading[bucket]:
            until_ns, keys = self._known.get(bucket, (0, frozenset[str]()))
            if not until_ns or self._clock.monotonic_ns() >= until_ns:
                keys = await self._read(bucket, keys)
                self._known[bucket] = self._clock.monotonic_ns() + int(KNOWN_FOR_S * 1e9), keys
        return row.key in keys

    async def _read(self, bucket: int, before: frozenset[str]) -> frozenset[str]:
        try:
            return frozenset(each.key for each in await damage_in(self._records, bucket))
        except KeepsightError as error:
            log.warning("damage.unknown: %s", error)
            return before


async def damage_in(records: Records, bucket: int) -> list[Damaged]:
    """All that is named of a bucket's cameras, the longest known first."""
    try:
        record = await records.record(DAMAGE, _id(bucket))
    except NotFound:
        return []
    return _named(record)


async def all_damage(records: Records) -> list[Damaged]:
    """All that is named, in order of camera and time."""
    return sorted(each for record in await records.records(DAMAGE) for each in _named(record))


def is_full(damage: Collection[Damaged]) -> bool:
    """Whether a bucket may have more than is named of it here."""
    found: dict[int, int] = {}
    for each in damage:
        bucket = bucket_of(each.camera)
        found[bucket] = found.get(bucket, 0) + 1
    return any(count >= MOST_NAMED for count in found.values())


async def note_damage(records: Records, found: Sequence[Damaged], *, over: Collection[str] = ()) -> list[Damaged]:
    """Names these segments, and those with the keys of `over` no more; gives those that were not named before.

    One that is named already keeps the moment since which it is known. Raises Conflict if others change the same records all the time.
    """
    new: list[Damaged] = []
    cameras = [*(each.camera for each in found), *(key.partition("/")[0] for key in over)]
    for bucket in sorted({bucket_of(camera) for camera in cameras}):
        new += await _note(records, bucket, [each for each in found if bucket_of(each.camera) == bucket], over)
    return new


async def _note(records: Records, bucket: int, found: Sequence[Damaged], over: Collection[str]) -> list[Damaged]:
    for attempt in range(1, _TRIES + 1):
        try:
            record = await records.record(DAMAGE, _id(bucket))
        except NotFound:
            record = None
        before = {each.key: each for each in _named(record)} if record else {}
        after = {key: each for key, each in before.items() if key not in over}
        for each in found:
            if each.key in after or len(after) < MOST_NAMED:
                after[each.key] = each._replace(since_us=after[each.key].since_us) if each.key in after else each
        if after == before:
            return []
        values = {"segments": [list(each) for each in after.values()]}
        try:
            await records.put_record(record.changed(values) if record else new_record(DAMAGE, _id(bucket), values))
        except Conflict:
            if attempt == _TRIES:
                raise
            continue
        return [each for each in found if each.key not in before]
    raise AssertionError


def buckets_of_shard(shard: int, shards: int) -> range:
    """The buckets a shard of a duty looks after."""
    return range(shard, CAMERA_BUCKETS, shards)


def _id(bucket: int) -> str:
    return f"{bucket:02d}"


def _named(record: Record) -> list[Damaged]:
    return [Damaged(*each) for each in record.values["segments"]]
