"""One segment: read from another site, hashed as it comes, and committed here through the one door in if it is what its row says."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from replication.bandwidth import Bandwidth
from replication.copied_runs import CopiedRuns
from replication.copy_values import Wish
from replication.ports import AskFootage, Bytes
from segments.clock import Clock
from segments.commit import CommitIndex, CommitObjects, CommitRules, commit
from segments.errors import DataDamaged, Refused, TryAgain
from segments.model import Camera, Row, SealedSegment
from segments.ports import Body

PIECE_LIMIT_S = 60.0
"""A source that sends nothing for so long is given up on."""
PART_BYTES = 4 << 20
"""Where bandwidth is bounded, so much is asked for at once, when there is room for it: a site that is made to wait in the middle of an
answer gives up on who asked."""
SMALL_BYTES = 256 << 10
RULES = CommitRules(young_us=-(1 << 62))
"""However new: a copy is not done before its row is published, as the source still has it."""


class SegmentCopy:
    """Copies segments of one site. `folder` is for files of large ones, its own alone: what an earlier process left in it is removed."""

    def __init__(
        self,
        peer: AskFootage,
        *,
        index: CommitIndex,
        pools: Mapping[str, CommitObjects],
        pool_for: Callable[[Camera], str],
        runs: CopiedRuns,
        bandwidth: Bandwidth,
        folder: Path,
        clock: Clock,
        memory_bytes: int,
    ) -> None:
        """`pool_for` names the pool of a camera's new footage; raises Refused if there is none."""
        self._peer = peer
        self._index = index
        self._pools = pools
        self._pool_for = pool_for
        self._runs = runs
        self._bandwidth = bandwidth
        self._folder = folder
        self._clock = clock
        self._memory_bytes = memory_bytes
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in folder.iterdir():
            left.unlink()

    async def copy(self, wish: Wish) -> Row:
        """Copies a segment; idempotent. The row as it is here.

        Raises DataDamaged if the bytes are not those of the row (nothing of them is kept), NotFound if the source has them not, and what
        `segments.commit.commit` raises.
        """
        row = wish.row
        pool = self._pool_for(wish.camera)
        if pool not in self._pools:
            raise Refused(f"{row.key} would go to pool {pool!r}, which the configuration does not name")
        run = await self._runs.run_of(row)
        answer = await self._part(row, 0)
        segment = SealedSegment(replace(row, pool=pool, version=""), run, tuple(answer.attributes.items()))
        async with self._received(row, answer) as body:
            _, stored = await commit(segment, body, objects=self._pools[pool], index=self._index, clock=self._clock, rules=RULES)
        await self._runs.copied(stored)
        return stored

    async def _part(self, row: Row, start: int) -> Bytes:
        """As much from `start` on as is asked for at once, when there is bandwidth for it."""
        end = min(start + PART_BYTES, row.size) if self._bandwidth.is_bounded else row.size
        await self._bandwidth.take(end - start)
        answer = await self._peer.read(row, start, end)
        if answer.size != end - start:
            raise DataDamaged(f"{row.key}: {answer.size} bytes from {start} on are given, and its row says that there are {end - start}")
        return answer

    async def _pieces(self, row: Row, first: Bytes) -> AsyncGenerator[bytes, None]:
        """Those of its first part, then of the others."""
        answer, start = first, 0
        while True:
            async with aclosing(cast("Any", answer.pieces)) as pieces:
                while (piece := await self._next(row, pieces)) is not None:
                    yield piece
            start += answer.size
            if start >= row.size:
                return
            answer = await self._part(row, start)

    @asynccontextmanager
    async def _received(self, row: Row, answer: Bytes) -> AsyncIterator[Body]:
        """The verified bytes."""
        async with aclosing(self._pieces(row, answer)) as given, aclosing(self._verified(row, given)) as pieces:
            if row.size <= self._memory_bytes:
                memory = _memory_of(row.size)
                async for piece in pieces:
                    await _aside(memory.write, piece)
                yield memory.getvalue()  # the same bytes, not once more
                return
            with tempfile.NamedTemporaryFile(dir=self._folder) as file:
                async for piece in pieces:
                    await _aside(file.write, piece)
                await asyncio.to_thread(file.flush)
                yield Path(file.name)

    async def _verified(self, row: Row, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The pieces as they come; raises DataDamaged when they are more than there should be, or at their end if they are others."""
        digest, count = hashlib.sha256(), 0
        async for piece in pieces:
            count += len(piece)
            if count > row.size:
                raise DataDamaged(f"{row.key}: more than the {row.size} bytes of its row came")
            await _aside(digest.update, piece)
            yield piece
        if count < row.size:
            raise TryAgain(f"{row.key}: only {count} of {row.size} bytes came")
        if digest.hexdigest() != row.sha256:
            raise DataDamaged(f"{row.key}: what came has SHA-256 {digest.hexdigest()}, and its row says {row.sha256}")

    async def _next(self, row: Row, pieces: AsyncIterator[bytes]) -> bytes | None:
        try:
            async with asyncio.timeout(PIECE_LIMIT_S):
                return await anext(pieces, None)
        except TimeoutError:
            raise TryAgain(f"{row.key}: nothing came for {PIECE_LIMIT_S:.0f} s") from None


def _memory_of(size: int) -> io.BytesIO:
    """Where so many bytes go one after the other. Taken at once: pieces that are joined at the end are there twice, and cost the system
    more time to give and take back than the bytes do to come."""
    memory = io.BytesIO()
    if size:
        memory.seek(size - 1)
        memory.write(b"\0")
        memory.seek(0)
    return memory


async def _aside(work: Callable[[bytes], object], piece: bytes) -> None:
    """Not in the event loop, but for what takes no longer than going to a thread and back."""
    if len(piece) < SMALL_BYTES:
        work(piece)
    else:
        await asyncio.to_thread(work, piece)
