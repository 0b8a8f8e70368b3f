"""Reading back what an object of a pool says of itself: the row and the run it belongs to, from its own box, or else from its fragments.

A segment of ours costs three small requests (facts of the object, tail, header). Cameras that upload by themselves in the same layout
write no such box: theirs is read whole, once, and its row follows from the key and the boxes of the file.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from typing import Protocol

from segments.boxes import codecs
from segments.clock import US_PER_S
from segments.errors import DataDamaged
from segments.facts import Facts, read_facts
from segments.keys import parse_key
from segments.media import TIMESCALE, VideoTrack
from segments.model import Row, Run
from segments.ports import ListObjects, ObjectInfo, ReadObject
from segments.segment_file import Scan, scan
from segments.segment_tail import TAIL_GUESS_BYTES, SegmentTail, TailIsLonger, read_tail

MAX_ADOPTED_BYTES = 256 << 20
"""A segment of others is taken into memory to be read; a larger one is left out."""


class PoolObjects(ReadObject, ListObjects, Protocol):
    """What reading a pool needs of it."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool by its name in rows, and its objects."""

    name: str
    objects: PoolObjects


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """The row and run an object stands for; `adopted` if others uploaded it."""

    row: Row
    run: Run
    adopted: bool = False


async def read_stored(pool: Pool, key: str) -> StoredSegment:
    """What this object stands for. Raises NotFound, TryAgain, Refused, or DataDamaged with the reason why it cannot be indexed."""
    info = await pool.objects.head(key)
    try:
        tail = await _tail(pool, info)
    except DataDamaged:
        return await _adopt(pool, info)
    facts = read_facts(tail.facts)
    if facts.key != key:
        raise DataDamaged(f"{key} says that it is {facts.key}")
    if not tail.fragments:
        raise DataDamaged(f"{key} holds no fragment")
    sha256 = info.sha256 or await hash_object(pool.objects, key)
    row = facts.row(tail.fragments, size=info.size, sha256=sha256, pool=pool.name, version=info.version)
    init = await pool.objects.get(key, 0, tail.fragments[0].offset)
    return StoredSegment(row, facts.run_as_of_here(init))


async def hash_object(objects: ReadObject, key: str) -> str:
    """SHA-256 (hex) of an object's bytes as they are now."""
    digest = hashlib.sha256()
    async for piece in objects.stream(key):
        await asyncio.to_thread(digest.update, piece)
    return digest.hexdigest()


async def _tail(pool: Pool, info: ObjectInfo) -> SegmentTail:
    wanted = TAIL_GUESS_BYTES
    while True:
        last_bytes = await pool.objects.get(info.key, max(0, info.size - wanted), info.size)
        try:
            return read_tail(last_bytes, info.size)
        except TailIsLonger as longer:
            if longer.tail_bytes <= wanted:
                raise DataDamaged(f"{info.key}: the store gave {len(last_bytes)} of its last {wanted} bytes") from None
            wanted = longer.tail_bytes


async def _adopt(pool: Pool, info: ObjectInfo) -> StoredSegment:
    if info.size > MAX_ADOPTED_BYTES:
        raise DataDamaged(f"{info.key}: {info.size} bytes without a box of ours; at most {MAX_ADOPTED_BYTES} are read whole")
    data = await pool.objects.get(info.key)
    found = await asyncio.to_thread(scan, data)
    if not found.fragments:
        raise DataDamaged(f"{info.key} holds no fragment that can be read")
    facts = _facts_of_others(info.key, found)
    sha256 = info.sha256 or await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
    row = facts.row(found.fragments, size=info.size, sha256=sha256, pool=pool.name, version=info.version)
    return StoredSegment(replace(row, key=info.key), facts.run_as_of_here(found.header), adopted=True)


def _facts_of_others(key: str, found: Scan) -> Facts:
    """What key and fragments tell. Nobody says that the uploader's clock was synchronised, so the row does not either."""
    parsed = parse_key(key)
    ticks = max(fragment.pts + fragment.duration for fragment in found.fragments) - found.fragments[0].pts
    width, height = next(((track.width, track.height) for track in found.tracks if isinstance(track, VideoTrack)), (0, 0))
    return Facts(
        camera=parsed.camera,
        run=parsed.run,
        counter=parsed.counter,
        start_us=parsed.start_us,
        end_us=parsed.start_us + ticks * US_PER_S // TIMESCALE,
        run_start_us=parsed.start_us,
        codecs=codecs(found.tracks),
        width=width,
        height=height,
        notes=("uploaded by the camera itself",),
        clock_synced=False,
    )
