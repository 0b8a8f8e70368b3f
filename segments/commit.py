"""The one door in: object, then row.

The order, and why it is safe to die after any step and begin anew:
1. look whether a deletion batch covers the camera-day: if so, wait until it is over. A sweep may not have listed this segment, and nothing
   here can tell, so the spool file stays and the commit begins anew after the batch;
2. put the object, create-only, with its SHA-256; "taken" on a retry is "maybe mine", so hashes are compared;
3. see with an own request that store and hash are what they should be: an answer alone is not proof;
4. publish run and row, before the commit deadline: a sweep that waited for it lists a camera-day nobody writes to any more.
Only then may the caller remove the spool file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from segments.clock import US_PER_S, Clock
from segments.errors import Conflict, DataDamaged, NotFound, TryAgain, Unknown
from segments.model import Row, Run, SealedSegment
from segments.ports import WRITE_LIMIT_S, Batches, Body, ObjectInfo, PutObject, Runs, WriteRows

COMMIT_DEADLINE_S = 60
"""From the look for a batch to the row; a sweep waits longer than this between its batch and its listing."""


class CommitIndex(WriteRows, Runs, Batches, Protocol):
    """What a commit needs of the index."""


class CommitObjects(PutObject, Protocol):
    """What a commit needs of a pool."""

    async def head(self, key: str) -> ObjectInfo:
        """See `ReadObject`."""


class Committed(Enum):
    """What became of a segment."""

    INDEXED = "indexed"
    STORED = "stored"
    """In the pool; the index does not answer, and the whole commit runs again when it does."""


@dataclass(frozen=True, slots=True)
class CommitRules:
    """`young_us`: a segment whose end is younger than this (half of the shortest floor) cannot be in a batch."""

    young_us: int = 15 * 86_400 * US_PER_S
    deadline_s: float = COMMIT_DEADLINE_S


async def commit(
    segment: SealedSegment,
    body: Body,
    *,
    objects: CommitObjects,
    index: CommitIndex,
    clock: Clock,
    rules: CommitRules = CommitRules(),
) -> tuple[Committed, Row]:
    """Stores and indexes a segment; idempotent. Returns what became of it, and its row as published.

    Raises TryAgain (also while its camera-day is being deleted: later it may be committed anew), Refused, Conflict (another object has its
    key) and DataDamaged. Nothing that was done is undone.
    """
    latest_ns = _latest_ns(clock, rules)
    row = segment.row
    young = clock.now_us() - row.end_us <= rules.young_us
    try:
        await _look(row, index)
    except _IndexAway:
        if not young:
            raise
        return Committed.STORED, await _store(segment, body, objects)
    row = await _store(segment, body, objects)
    try:
        await _publish(row, segment.run, index=index, clock=clock, latest_ns=latest_ns)
    except TryAgain:
        if not young:
            raise
        return Committed.STORED, row
    return Committed.INDEXED, row


async def commit_stored(segment: SealedSegment, *, index: CommitIndex, clock: Clock, rules: CommitRules = CommitRules()) -> None:
    """The rest of a commit whose object is in the pool already: the look for a batch, run and row. Raises TryAgain."""
    latest_ns = _latest_ns(clock, rules)
    await _look(segment.row, index)
    await _publish(segment.row, segment.run, index=index, clock=clock, latest_ns=latest_ns)


async def store_object(objects: CommitObjects, key: str, body: Body, *, size: int, sha256: str, attributes: Mapping[str, str]) -> str:
    """Puts an object so that exactly this content is under the key; returns its version.

    "Taken" and "no answer" are settled by comparing size and hash. Raises Conflict if other content has the key, DataDamaged if the store
    holds something else than was sent, TryAgain, Refused.
    """
    try:
        await objects.put(key, body, sha256=sha256, attributes=attributes)
    except (Conflict, Unknown) as error:
        try:
            info = await objects.head(key)
        except NotFound:
            raise TryAgain(f"{key}: it is not known whether the object was stored, and it is not there now") from error
        if (info.size, info.sha256) != (size, sha256):
            raise Conflict(f"{key} is taken by other content ({info.size} bytes)") from error
        return info.version
    try:
        info = await objects.head(key)
    except NotFound:
        raise TryAgain(f"{key}: the store said yes, but the object is not there") from None
    if (info.size, info.sha256) != (size, sha256):
        raise DataDamaged(f"{key}: the store holds {info.size} bytes that are not what was sent")
    return info.version


class _IndexAway(TryAgain):
    """The look for a batch got no answer."""


def _latest_ns(clock: Clock, rules: CommitRules) -> int:
    """When the row must be on its way at the latest, for its write to take effect before the deadline or never."""
    return clock.monotonic_ns() + int((rules.deadline_s - WRITE_LIMIT_S) * 1e9)


async def _look(row: Row, index: CommitIndex) -> None:
    try:
        batch = await index.batch(row.camera, row.day)
    except TryAgain as error:
        raise _IndexAway(str(error)) from error
    if batch is not None:
        raise TryAgain(f"{row.camera} {row.day} is being deleted; {row.key} waits until that is over")


async def _publish(row: Row, run: Run, *, index: CommitIndex, clock: Clock, latest_ns: int) -> None:
    """Run first, then row: a reader that finds the row finds what plays it."""
    await index.put_run(run)
    if clock.monotonic_ns() > latest_ns:
        raise TryAgain(f"store or index were too slow for {row.key}; its commit starts over")
    await index.publish(row)


async def _store(segment: SealedSegment, body: Body, objects: CommitObjects) -> Row:
    row = segment.row
    attributes = dict(segment.attributes)
    version = await store_object(objects, row.key, body, size=row.size, sha256=row.sha256, attributes=attributes)
    return replace(row, version=version)
