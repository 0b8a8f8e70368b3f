"""Readers of another site's bytes that leave early: what gives the bytes ends at once, and not when it is collected."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from replication.copy_values import CopyKind
from replication.ports import Bytes
from replication.source import after
from segments.model import Row
from tests.copy_sites import footage, two_sites


class Watched:
    """Pieces that know whether they were let go of."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.ended = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """Piece by piece."""
        try:
            for piece in self._pieces:
                yield piece
        finally:
            self.ended = True


@pytest.mark.parametrize("read", [1, 2])
async def test_what_is_read_ahead_lets_go_of_the_rest(read: int) -> None:
    """Behind the piece that was read ahead, and behind another; the rest is kept here, so nothing is collected meanwhile."""
    watched = Watched(b"a", b"b", b"c")
    rest = watched.pieces()
    async with aclosing(after(await anext(rest), rest)) as pieces:
        for _ in range(read):
            await anext(pieces)
        assert not watched.ended
    assert watched.ended


async def test_a_copy_that_is_refused_lets_go(tmp_path: Path) -> None:
    """More bytes than the row says: the copier wants no more of them."""
    row = footage(1)[0]
    site = await two_sites(tmp_path, [row])
    given: list[tuple[Watched, Any]] = []

    async def read(wanted: Row, _start: int = 0, _end: int | None = None) -> Bytes:
        watched = Watched(b"x" * (wanted.size + 1), b"more", b"more")
        given.append((watched, watched.pieces()))
        return Bytes(wanted.size, {}, given[-1][1])

    site.peer.read = read  # type: ignore[method-assign]
    await site.copier().round()
    assert site.kinds() == [CopyKind.REFUSED]
    assert [watched.ended for watched, _ in given] == [True]
    assert await site.rows(replace(row)) == []
