"""Another site in memory, asked as a peer: a source over an index and a pool, with faults at the test's word."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from replication.ports import Bytes
from replication.source import Source
from segments.model import Footage, Row, Run, Span
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.api import FakeLive

PIECE_BYTES = 1 << 16


@dataclass
class OtherSite:
    """A site.

    `hangs`: it never answers. `error`: it refuses each question so. `spoil` changes the bytes it gives. `stops_after` pieces of bytes it
    says nothing any more. `asked` counts its questions by name.
    """

    index: MemoryIndex = field(default_factory=MemoryIndex)
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    live: FakeLive = field(default_factory=FakeLive)
    hangs: bool = False
    error: Exception | None = None
    spoil: Callable[[bytes], bytes] = bytes
    stops_after: int | None = None
    asked: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._source = Source(self.index, {"main": self.objects}, cast("Any", None), live=self.live)

    async def between(self, camera: str, span: Span) -> Sequence[tuple[Row, Run]]:
        """See `AskFootage`."""
        await self._answer("between")
        return await self._source.between(camera, span)

    async def footage(self, camera: str, span: Span) -> Sequence[Footage]:
        """See `AskFootage`."""
        await self._answer("footage")
        return await self._source.footage(camera, span)

    async def run(self, camera: str, run_id: str) -> Run:
        """See `AskFootage`."""
        await self._answer("run")
        return await self._source.run(camera, run_id)

    async def read(self, row: Row, start: int = 0, end: int | None = None) -> Bytes:
        """See `AskFootage`."""
        await self._answer("read")
        found = await self._source.read(row, start, end)
        return replace(found, pieces=self._pieces(self.spoil(b"".join([piece async for piece in found.pieces]))))

    async def _pieces(self, data: bytes) -> AsyncIterator[bytes]:
        for number, start in enumerate(range(0, len(data), PIECE_BYTES)):
            if number == self.stops_after:
                await asyncio.Event().wait()
            yield data[start : start + PIECE_BYTES]

    async def _answer(self, question: str) -> None:
        self.asked[question] += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
