"""The bytes of a virtual mp4, or of a range of it: streamed from the pools, some pieces ahead of the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, suppress

from playback.file_parts import ByteRange
from playback.segment_bytes import PIECE_BYTES, read, stream
from playback.services import Services
from playback.virtual_mp4 import VirtualMp4
from segments.errors import TryAgain

FIRST_BYTES = 1 << 18
"""How much is read first: a player that seeks looks at little and asks anew."""
AHEAD = 2
"""How many pieces wait for the client while the next one is read: a request holds at most four, 16 MiB."""
HELD_S = 5.0
"""How long a pool waits for a client that takes nothing; then its connection is given back, and opened anew when the client goes on."""


async def file_bytes(services: Services, file: VirtualMp4, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
    """The bytes from `start` to `end` (excluded) of a file; raises as `segment_bytes.stream` does."""
    end = file.size if end is None else end
    for at in range(start, min(end, len(file.head)), PIECE_BYTES):
        yield file.head[at : min(at + PIECE_BYTES, end, len(file.head))]
    reads = list(reads_of(file, start, end))
    if not reads:
        return
    (row, first, last), *rest = reads
    begun_at = min(first + FIRST_BYTES, last)
    yield await read(services, row, first, begun_at)
    async with aclosing(_ahead(services, [ByteRange(row, begun_at, last), *rest])) as pieces:
        async for piece in pieces:
            yield piece


async def begun(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same with its first piece read, so that what is wrong with it is raised here."""
    first = await anext(pieces, b"")

    async def all_of_it() -> AsyncGenerator[bytes]:
        async with aclosing(pieces):
            yield first
            async for piece in pieces:
                yield piece

    return all_of_it()


def reads_of(file: VirtualMp4, start: int, end: int) -> Iterator[ByteRange]:
    """What is to be read for the bytes from `start` to `end` of a file behind its head, in order."""
    at = len(file.head)
    for part in file.ranges:
        first, last = max(part.start, part.start + start - at), min(part.end, part.start + end - at)
        if first < last:
            yield ByteRange(part.row, first, last)
        at += part.end - part.start


async def _ahead(services: Services, reads: list[ByteRange]) -> AsyncGenerator[bytes]:
    """All pieces of these reads: while one is sent the next are read, and the next segment is opened."""
    waiting: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(AHEAD)
    reading = asyncio.create_task(_fill(services, reads, waiting))
    try:
        while (piece := await waiting.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


async def _fill(services: Services, reads: list[ByteRange], waiting: asyncio.Queue[bytes | Exception | None]) -> None:
    """Puts all pieces into the queue; last None, or what went wrong."""
    try:
        for row, start, end in reads:
            at = start
            while at < end:
                at += await _fill_from(await stream(services, row, at, end), waiting)
    except Exception as error:  # noqa: BLE001 - it is raised where the pieces are taken
        await waiting.put(error)
    else:
        await waiting.put(None)


async def _fill_from(pieces: AsyncIterator[bytes], waiting: asyncio.Queue[bytes | Exception | None]) -> int:
    """Puts pieces of one stream into the queue until it ends, breaks, or the client takes nothing for long; how many bytes that were.

    A stream that broke after it gave something is opened anew by the caller: stores cut connections that idle.
    """
    put_bytes = 0
    try:
        async for piece in pieces:
            put_bytes += len(piece)
            try:
                async with asyncio.timeout(HELD_S):
                    await waiting.put(piece)
            except TimeoutError:
                await _close(pieces)
                await waiting.put(piece)
                return put_bytes
    except TryAgain:
        if not put_bytes:
            raise
    finally:
        await _close(pieces)
    return put_bytes


async def _close(pieces: AsyncIterator[bytes]) -> None:
    if isinstance(pieces, AsyncGenerator):
        await pieces.aclose()
