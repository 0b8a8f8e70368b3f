"""A segment that comes slowly by a bound of ours is asked for in parts: a site does not wait for who reads nothing for long."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from replication import admission
from replication.bandwidth import Bandwidth, Schedule
from replication.copied_runs import CopiedRuns
from replication.copy import PART_BYTES, SegmentCopy
from replication.copy_values import Wish
from replication.ports import Bytes
from segments.clock import SystemClock
from segments.errors import DataDamaged
from segments.model import Row
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.asked_site import AskedSite, a_client, served
from tests.builders import a_camera
from tests.clocks import HandClock

STALLED_S = 0.5
FAST = Schedule()


class KeptAll:
    """See `Keeping`; it is asked nothing here."""


def copying(peer: Any, schedule: Schedule, folder: Path, *, clock: Any = None) -> tuple[SegmentCopy, MemoryObjects]:
    """Of one site, and the pool it fills."""
    clock, index, objects = clock or SystemClock(), MemoryIndex(), MemoryObjects()
    runs = CopiedRuns(peer, index=index, keeping=KeptAll(), pools={"main": objects}, clock=clock)  # type: ignore[arg-type]
    parts: dict[str, Any] = {"index": index, "pools": {"main": objects}, "pool_for": lambda _: "main", "runs": runs, "clock": clock}
    bandwidth = Bandwidth(schedule, clock, zone=UTC)
    return SegmentCopy(peer, bandwidth=bandwidth, folder=folder / "large", memory_bytes=64 << 20, **parts), objects


class AskedParts:
    """A peer whose reads are noted; `short`: it says that it has a byte less."""

    def __init__(self, inner: Any, *, short: bool = False) -> None:
        self._inner = inner
        self._short = short
        self.asked: list[tuple[int, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def read(self, row: Row, start: int = 0, end: int | None = None) -> Bytes:
        self.asked.append((start, row.size if end is None else end))
        answer = await self._inner.read(row, start, end)
        return Bytes(answer.size - self._short, answer.attributes, answer.pieces)


async def test_a_slow_link_brings_large_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a rate by which what is read at once takes longer to pay for than a site waits, a segment beyond all buffers comes whole."""
    monkeypatch.setattr(admission, "STALLED_S", STALLED_S)
    site = AskedSite()
    row, data = await site.keep(36 << 20)
    async with served(site, tmp_path) as (url, ca_file):
        client = a_client(url, ca_file)
        copying_it, objects = copying(client, Schedule(mbit_per_s=60), tmp_path)
        await copying_it.copy(Wish(row, a_camera(), 0))
        await client.close()
    assert await objects.get(row.key) == data


@pytest.mark.parametrize(("schedule", "size", "parts"), [(FAST, 9 << 20, 1), (Schedule(8), 9 << 20, 3), (Schedule(8), PART_BYTES, 1)])
async def test_only_a_bound_divides_it(tmp_path: Path, schedule: Schedule, size: int, parts: int) -> None:
    """In parts that follow each other and are all of it; its bytes take as long as the bound says."""
    site, clock = AskedSite(), HandClock(1_773_489_600_000_000)
    row, data = await site.keep(size)
    peer = AskedParts(site.source)
    copying_it, objects = copying(peer, schedule, tmp_path, clock=clock)
    await copying_it.copy(Wish(row, a_camera(), 0))
    assert await objects.get(row.key) == data
    assert [start for start, _ in peer.asked] == [0, *(end for _, end in peer.asked[:-1])]
    assert (len(peer.asked), peer.asked[-1][1]) == (parts, size)
    assert sum(clock.slept_s) == pytest.approx((size - min(PART_BYTES, size)) / 1e6, abs=4.2) if parts > 1 else not clock.slept_s


async def test_a_part_of_another_size_is_damage(tmp_path: Path) -> None:
    """Nothing of it is kept."""
    site = AskedSite()
    row, _ = await site.keep(100)
    copying_it, objects = copying(AskedParts(site.source, short=True), FAST, tmp_path)
    with pytest.raises(DataDamaged, match="99 bytes"):
        await copying_it.copy(Wish(row, a_camera(), 0))
    assert [each async for each in objects.versions("")] == []
