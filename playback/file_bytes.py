"""The bytes of a virtual mp4, or of a range of it: read from the pools piece by piece, some pieces ahead of the client.

A piece is one read of its own, so that a slow client holds no connection to a pool while it takes its time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from playback.file_parts import ByteRange
from playback.segment_bytes import read
from playback.services import Services
from playback.virtual_mp4 import VirtualMp4

PIECES_BYTES = (1 << 18, 1 << 20, 1 << 22)
"""How much is read at once: little at first, as a player that seeks looks at little and asks anew; then as much as the last says."""
AHEAD = 2
"""How many pieces are read while one is sent: a request holds at most 12 MiB."""


async def file_bytes(services: Services, file: VirtualMp4, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
    """The bytes from `start` to `end` (excluded) of a file; raises as `segment_bytes.read` does."""
    end = file.size if end is None else end
    for at in range(start, min(end, len(file.head)), PIECES_BYTES[-1]):
        yield file.head[at : min(at + PIECES_BYTES[-1], end)]
    under_way: deque[asyncio.Task[bytes]] = deque()
    try:
        for piece in pieces(file, start, end):
            under_way.append(asyncio.create_task(read(services, *piece)))
            if len(under_way) > AHEAD:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def begun(pieces_: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same with its first piece read, so that what is wrong with it is raised here."""
    first = await anext(pieces_, b"")

    async def all_of_it() -> AsyncGenerator[bytes]:
        async with aclosing(pieces_):
            yield first
            async for piece in pieces_:
                yield piece

    return all_of_it()


def pieces(file: VirtualMp4, start: int, end: int) -> Iterator[ByteRange]:
    """What is to be read for the bytes from `start` to `end` of a file behind its head, in order."""
    sizes = iter(PIECES_BYTES)
    most = next(sizes)
    at = len(file.head)
    for part in file.ranges:
        first, last = max(part.start, part.start + start - at), min(part.end, part.start + end - at)
        while first < last:
            yield ByteRange(part.row, first, min(first + most, last))
            first += most
            most = next(sizes, most)
        at += part.end - part.start
