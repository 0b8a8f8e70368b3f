"""The bytes of segments, from their pool or from the spool they still lie in."""

from __future__ import annotations

from collections.abc import AsyncIterator

from playback.problems import FootageGone
from playback.services import Services
from segments.errors import DataDamaged, NotFound, Refused
from segments.model import Row
from segments.ports import ReadObject

PIECE_BYTES = 4 << 20
"""Up to here bytes are read at once; more is streamed."""


async def read(services: Services, row: Row, start: int, end: int) -> bytes:
    """The bytes from `start` to `end` (excluded) of a segment.

    Raises FootageGone if the object is not there although its row is, and DataDamaged if it is shorter than the row says.
    """
    try:
        if not row.pool:
            return _whole(await services.live.read(row.camera, row.position, start, end), row, end - start)
    except NotFound:
        row = await services.index.row(row.camera, row.position)  # indexed a moment ago
    try:
        return _whole(await _pool(services, row).get(row.key, start, end), row, end - start)
    except NotFound:
        raise _gone(row) from None


async def stream(services: Services, row: Row, start: int, end: int) -> AsyncIterator[bytes]:
    """The same in pieces. What is wrong before the first byte is raised here, what goes wrong later while iterating."""
    if not row.pool:
        return _by_reads(services, row, start, end, await read(services, row, start, min(end, start + PIECE_BYTES)))
    pieces = _pool(services, row).stream(row.key, start, end)
    try:
        first = await anext(pieces, b"")
    except NotFound:
        raise _gone(row) from None
    return _checked(row, end - start, first, pieces)


async def _by_reads(services: Services, row: Row, start: int, end: int, first: bytes) -> AsyncIterator[bytes]:
    yield first
    for at in range(start + PIECE_BYTES, end, PIECE_BYTES):
        yield await read(services, row, at, min(end, at + PIECE_BYTES))


async def _checked(row: Row, length: int, first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    length -= len(first)
    async for piece in rest:
        length -= len(piece)
        yield piece
    if length:
        raise DataDamaged(f"{row.key} is {length} bytes shorter than its row says")


def _whole(data: bytes, row: Row, length: int) -> bytes:
    if len(data) != length:
        raise DataDamaged(f"{row.key} gave {len(data)} bytes where its row promises {length}")
    return data


def _pool(services: Services, row: Row) -> ReadObject:
    if row.pool not in services.pools:
        raise Refused(f"{row.key} lies in pool {row.pool}, which the settings of this service do not name")
    return services.pools[row.pool]


def _gone(row: Row) -> FootageGone:
    return FootageGone(f"footage is gone: the index names {row.key}, and pool {row.pool} does not have it")
