"""Results of export jobs in their pool: parts of one size, so that a result of any size is written as it is made and read by range.

A part is `<job>/<attempt>/<number>`. Each attempt writes beside the others, and the job's record says which one counts: what an attempt
left that was interrupted is never read, and removed later.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from playback.exports.job import Job, Result, State
from playback.problems import FootageGone
from segments.clock import Clock
from segments.errors import BadInput, Conflict, DataDamaged, NotFound
from segments.patience import patiently
from segments.ports import DeleteObjects, ListObjects, PutObject, ReadObject

PART_BYTES = 16 << 20
_DELETED_AT_ONCE = 500


class ResultStore(PutObject, ReadObject, ListObjects, DeleteObjects, Protocol):
    """What is needed of the pool of results."""


class ResultWriter:
    """Writes the result of one attempt of a job, piece after piece."""

    def __init__(self, store: ResultStore, job: Job, clock: Clock, *, most_bytes: int, part_bytes: int = PART_BYTES) -> None:
        self._store = store
        self._job = job
        self._clock = clock
        self._most_bytes = most_bytes
        self._part_bytes = part_bytes
        self._digest = hashlib.sha256()
        self._buffer = bytearray()
        self._parts = 0
        self.size = 0

    async def write(self, data: bytes) -> None:
        """Adds bytes; raises BadInput when the result is larger than a result may be, TryAgain if the pool does not take it."""
        self.size += len(data)
        if self.size > self._most_bytes:
            raise BadInput(f"the result would be larger than {self._most_bytes} bytes (exports.max_result_bytes): ask for less at once")
        self._digest.update(data)
        self._buffer += data
        while len(self._buffer) >= self._part_bytes:
            await self._put(self._part_bytes)

    async def finished(self) -> Result:
        """Writes what is left, and says what there is now."""
        if self._buffer:
            await self._put(len(self._buffer))
        return Result(self.size, self._digest.hexdigest(), self._part_bytes, self._parts)

    async def _put(self, length: int) -> None:
        key, data = _key(self._job, self._parts), bytes(self._buffer[:length])
        sha256 = hashlib.sha256(data).hexdigest()

        async def put() -> None:
            try:
                await self._store.put(key, data, sha256=sha256, attributes={})
            except Conflict:
                if (await self._store.head(key)).sha256 not in (sha256, ""):  # ours, put a moment ago without an answer
                    raise

        await patiently(put, self._clock)
        del self._buffer[:length]
        self._parts += 1


async def read_result(store: ReadObject, job: Job, start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes of a result from `start` to `end` (excluded); raises FootageGone if it is not there any more."""
    assert job.result is not None
    size = job.result.part_bytes
    try:
        for number in range(start // size, -(-end // size)):
            first, last = max(start - number * size, 0), min(end - number * size, size)
            got = 0
            async for piece in store.stream(_key(job, number), first, last):
                got += len(piece)
                yield piece
            if got != last - first:
                raise DataDamaged(f"export {job.id} is {last - first - got} bytes shorter than its record says")
    except NotFound:
        raise FootageGone(f"the result of export {job.id} is not in its pool any more") from None


def leftovers(keys: Iterable[str], jobs: Iterable[Job]) -> list[str]:
    """Of these objects those that belong to no result, and to no attempt under way. The jobs have to be read after the objects are listed:
    an attempt that begins in between has none among them. Pure."""
    kept = {f"{job.id}/{job.attempt:04d}" for job in jobs if job.state in (State.RUNNING, State.DONE)}
    return [key for key in keys if key.rpartition("/")[0] not in kept]


async def all_keys(store: ListObjects) -> list[str]:
    """The keys of everything in the pool of results."""
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await store.list("", after=after)
        found += [each.key for each in page.items]
        after = page.next
    return found


async def remove(store: DeleteObjects, keys: list[str]) -> int:
    """Deletes objects; how many were refused."""
    refused = 0
    for first in range(0, len(keys), _DELETED_AT_ONCE):
        refused += len(await store.delete(keys[first : first + _DELETED_AT_ONCE]))
    return refused


def keys_of(job: Job) -> list[str]:
    """The parts of a job's result."""
    return [_key(job, number) for number in range(job.result.parts)] if job.result else []


def _key(job: Job, number: int) -> str:
    return f"{job.id}/{job.attempt:04d}/{number:06d}"
