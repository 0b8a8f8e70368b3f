"""The bytes of segments: from their pool, from the spool they still lie in, or from another site."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from playback.problems import FootageGone
from playback.services import Services
from segments.errors import DataDamaged, KeepsightError, NotFound, Refused
from segments.from_sites import site_of
from segments.model import Row
from segments.ports import ReadObject

PIECE_BYTES = 4 << 20
"""Up to here bytes are read at once; more is streamed."""


async def read(services: Services, row: Row, start: int, end: int) -> bytes:
    """The bytes from `start` to `end` (excluded) of a segment; from another site that has it, if its pool does not give them.

    Raises FootageGone if the object is nowhere although its row is there, and DataDamaged if it is known to be damaged, or shorter than the
    row says.
    """
    try:
        if not row.pool:
            return _whole(await services.live.read(row.camera, row.position, start, end), row, end - start)
    except NotFound:
        row = await services.index.row(row.camera, row.position)  # indexed a moment ago
    if site_of(row):
        return await _joined(services.elsewhere.read(row, start, end))
    try:
        await _refuse_damaged(services, row)
        return _whole(await _pool(services, row).get(row.key, start, end), row, end - start)
    except KeepsightError as error:
        return await _joined(_instead(services, row, (start, end), _said(row, error)))


async def stream(services: Services, row: Row, start: int, end: int) -> AsyncIterator[bytes]:
    """The same in pieces. What is wrong before the first byte is raised here, what goes wrong later while iterating."""
    if not row.pool:
        return _by_reads(services, row, start, end, await read(services, row, start, min(end, start + PIECE_BYTES)))
    pieces = _pieces(services, row, start, end)
    if (start, end) == (0, row.size) and services.elsewhere.sites:
        pieces = _hashed(row, pieces)
    return _after(await anext(pieces, b""), pieces)


async def _by_reads(services: Services, row: Row, start: int, end: int, first: bytes) -> AsyncIterator[bytes]:
    yield first
    for at in range(start + PIECE_BYTES, end, PIECE_BYTES):
        yield await read(services, row, at, min(end, at + PIECE_BYTES))


async def _after(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


async def _pieces(services: Services, row: Row, start: int, end: int) -> AsyncGenerator[bytes]:
    """From the place of a row; where its pool fails, the rest from another site."""
    if site_of(row):
        async for piece in services.elsewhere.read(row, start, end):
            yield piece
        return
    at = start
    try:
        await _refuse_damaged(services, row)
        async for piece in _pool(services, row).stream(row.key, start, end):
            at += len(piece)
            yield piece
        if at < end:
            raise DataDamaged(f"{row.key} is {end - at} bytes shorter than its row says")
    except KeepsightError as error:
        failed = _said(row, error)
    else:
        return
    async for piece in _instead(services, row, (at, end), failed):
        yield piece


async def _hashed(row: Row, pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """A whole segment that may come from two places: its last piece is held back until the hash says that all are of one object."""
    digest, held = hashlib.sha256(), b""
    async with aclosing(pieces):
        async for piece in pieces:
            digest.update(piece)
            if held:
                yield held
            held = piece
    if digest.hexdigest() != row.sha256:
        raise DataDamaged(f"{row.key} is not of its SHA-256")
    yield held


async def _instead(services: Services, row: Row, asked: tuple[int, int], error: KeepsightError) -> AsyncGenerator[bytes]:
    """A part of a segment from another site; raises the error of its own place if none has it."""
    if not services.elsewhere.sites:
        raise error
    try:
        async for piece in services.elsewhere.instead(row, *asked, why=str(error)):
            yield piece
    except NotFound:
        raise error from None


async def _joined(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


def _whole(data: bytes, row: Row, length: int) -> bytes:
    if len(data) != length:
        raise DataDamaged(f"{row.key} gave {len(data)} bytes where its row promises {length}")
    return data


async def _refuse_damaged(services: Services, row: Row) -> None:
    """Raises DataDamaged for a segment that is known to be damaged or missing here, whatever its pool would give."""
    if await services.damage.has(row):
        raise DataDamaged(f"{row.key} is known to be damaged here: `keepsight scrub status` says what is wrong with it")


def _pool(services: Services, row: Row) -> ReadObject:
    if row.pool not in services.pools:
        raise Refused(f"{row.key} lies in pool {row.pool}, which the settings of this service do not name")
    return services.pools[row.pool]


def _said(row: Row, error: KeepsightError) -> KeepsightError:
    """What is to be told of a pool's error."""
    if isinstance(error, NotFound):
        return FootageGone(f"footage is gone: the index names {row.key}, and pool {row.pool} does not have it")
    return error
