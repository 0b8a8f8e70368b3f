"""What a copier holds of a segment that it copies in memory."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from replication.bandwidth import UNBOUNDED, Bandwidth
from replication.byte_streams import MOST_PIECE_BYTES
from replication.copied_runs import CopiedRuns
from replication.copy import SegmentCopy
from replication.copy_values import Wish
from replication.ports import Bytes
from segments.clock import SystemClock
from segments.errors import DataDamaged, TryAgain
from segments.model import Row, Run
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.builders import a_camera, a_row, a_run

PIECES = 8
ROW = replace(a_row(), size=PIECES * MOST_PIECE_BYTES, sha256=hashlib.sha256(bytes(PIECES * MOST_PIECE_BYTES)).hexdigest())


class MadePeer:
    """A source that makes its pieces when they are wanted, `more` bytes beyond what it says, and has a run."""

    def __init__(self, row: Row, piece_bytes: int, more: int = 0) -> None:
        self._row, self._piece_bytes, self._more = row, piece_bytes, more

    async def run(self, camera: str, run_id: str) -> Run:
        """See `AskFootage`."""
        return a_run(camera=camera, id=run_id, start_us=self._row.start_us, last_us=self._row.end_us)

    async def read(self, row: Row, start: int = 0, end: int | None = None) -> Bytes:
        """See `AskFootage`."""
        size = (row.size if end is None else end) - start
        return Bytes(size, {}, self._pieces(size + self._more))

    async def _pieces(self, left: int) -> AsyncIterator[bytes]:
        while left > 0:
            yield bytes(min(self._piece_bytes, left))
            left -= self._piece_bytes


async def copied(peer: Any, row: Row, folder: Path) -> MemoryObjects:
    """The pool it is in, after it was copied from there."""
    clock, index, objects = SystemClock(), MemoryIndex(), MemoryObjects()
    site: dict[str, Any] = {"index": index, "pools": {"main": objects}, "clock": clock}
    runs = CopiedRuns(peer, keeping=None, **site)  # type: ignore[arg-type]
    bandwidth = Bandwidth(UNBOUNDED, clock, zone=UTC)
    copying = SegmentCopy(
        peer, pool_for=lambda _: "main", runs=runs, bandwidth=bandwidth, folder=folder / "large", memory_bytes=row.size, **site
    )
    await copying.copy(Wish(row, a_camera(row.camera), 0))
    return objects


async def peak_bytes(folder: Path) -> int:
    """The most that was held while a segment was copied, over what was before."""
    tracemalloc.start()
    try:
        await copied(MadePeer(ROW, MOST_PIECE_BYTES), ROW, folder)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_a_segment_is_held_once(tmp_path: Path) -> None:
    """Its bytes and some pieces on their way, and not its bytes twice: what may be under way is what is held."""
    assert ROW.size < await peak_bytes(tmp_path) < 1.5 * ROW.size


async def test_joined_pieces_would_be_held_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where pieces are kept and joined at the end, it is seen."""

    class Joined:
        def __init__(self) -> None:
            self._pieces: list[bytes] = []

        def write(self, piece: bytes) -> None:
            self._pieces.append(piece)

        def getvalue(self) -> bytes:
            return b"".join(self._pieces)

    monkeypatch.setattr("replication.copy._memory_of", lambda _: Joined())
    assert await peak_bytes(tmp_path) > 1.8 * ROW.size


@pytest.mark.parametrize(("size", "piece_bytes"), [(0, 1), (1, 1), (10, 3), (600_000, 300_000), (1 << 20, 1 << 20)])
async def test_pieces_of_any_size_are_all_of_it(tmp_path: Path, size: int, piece_bytes: int) -> None:
    """One or many, small or large: exactly the bytes are stored, and nothing behind them."""
    row = replace(ROW, size=size, sha256=hashlib.sha256(bytes(size)).hexdigest())
    objects = await copied(MadePeer(row, piece_bytes), row, tmp_path)
    assert await objects.get(row.key) == bytes(size)


@pytest.mark.parametrize(("more", "error"), [(-1, TryAgain), (1, DataDamaged)])
async def test_a_byte_too_few_or_too_many(tmp_path: Path, more: int, error: type[Exception]) -> None:
    """Room that was taken and not filled is never taken for bytes that came, though it looks like them."""
    row = replace(ROW, size=1000, sha256=hashlib.sha256(bytes(1000)).hexdigest())
    with pytest.raises(error):
        await copied(MadePeer(row, 300, more), row, tmp_path)
