"""The comparing walk: what it asks, how often, how much at once, and where it goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from replication.copy_values import COPY, CopyShard
from replication.own_digests import IndexDigests
from replication.walk import EMPTY_DAYS, FIRST_DAYS, SLOW_S, Cursor, Walk, cursor_of
from segments.clock import US_PER_DAY
from segments.errors import TryAgain
from segments.model import Camera, Partition
from segments.ports import Page
from segments.shards import bucket_of
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_camera, a_row
from tests.clocks import HandClock
from tests.copy_sites import footage

DAY = a_row().day


class AskedPeer:
    """A source over an index: notes what it is asked, may be slow or silent."""

    def __init__(self, clock: HandClock) -> None:
        self.index = MemoryIndex()
        self.clock = clock
        self.asked: list[list[Partition]] = []
        self.takes_s = 0.0
        self.away = False

    async def digests(self, days: Sequence[Partition]) -> Any:
        """See `AskFootage`."""
        self.asked.append(list(days))
        self.clock.move(self.takes_s)
        if self.away:
            raise TryAgain("away")
        return await IndexDigests(self.index).digests(days)

    async def camera_days(self, **_: Any) -> Any:
        """See `AskFootage`; nothing that the cameras' days have not."""
        return Page((), None)


async def a_walk(cameras: int = 1) -> tuple[Walk, AskedPeer, MemoryIndex]:
    """Over an archive of so many cameras, an hour after noon."""
    clock, index = HandClock(NOON_US + 3_600_000_000), MemoryIndex()
    for number in range(cameras):
        await index.add_camera(a_camera(f"c{number:04}"))
    peer = AskedPeer(clock)
    walk = Walk(CopyShard("north"), peer=peer, here=IndexDigests(index), index=index, clock=clock)
    return walk, peer, index


async def drained(walk: Walk) -> list[Partition]:
    """All that differs until nothing is left to compare."""
    found = []
    while not walk.over:
        if (day := await walk.next()) is not None:
            found.append(day)
    return found


async def test_days_are_walked_from_the_newest_back() -> None:
    """Today and yesterday first, then all days until there was nothing for a fortnight."""
    walk, peer, _ = await a_walk()
    for age in (0, 1, 5, 30):
        for row in footage(1, camera="c0000", start_us=NOON_US - age * US_PER_DAY):
            await peer.index.publish(row)
    assert await drained(walk) == [Partition("c0000", DAY - timedelta(days=age)) for age in (0, 1, 5)]
    assert min(day.date for asked in peer.asked for day in asked) == DAY - timedelta(days=5 + EMPTY_DAYS)


async def test_an_equal_site_is_asked_for_digests_alone() -> None:
    """A question for some camera-days: today and yesterday every ten minutes, all of them once a day."""
    walk, peer, index = await a_walk()
    for row in footage(1, camera="c0000"):
        await peer.index.publish(row)
        await index.publish(row)
    assert await drained(walk) == []
    first = len(peer.asked)
    assert first == 1 + EMPTY_DAYS
    peer.clock.move(599)
    assert walk.over
    peer.clock.move(1)
    await drained(walk)
    assert len(peer.asked) == first + 1
    peer.clock.move(86_400)
    await drained(walk)
    assert len(peer.asked) == 2 * first + 1


@pytest.mark.parametrize(("takes_s", "grows"), [(0.0, True), (SLOW_S + 1, False)])
async def test_questions_are_as_large_as_the_source_can_answer(takes_s: float, grows: bool) -> None:
    """They grow while answers are quick, and shrink when they are slow; all is asked for all the same."""
    walk, peer, _ = await a_walk(400)
    peer.takes_s = takes_s
    await walk.next()
    sizes = [len(asked) for asked in peer.asked]
    assert sizes[0] == FIRST_DAYS
    assert (max(sizes) > FIRST_DAYS) is grows
    assert sum(sizes) == 800


async def test_a_source_that_cannot_answer_in_time_is_asked_for_less() -> None:
    """So that it is not asked for the same for ever."""
    walk, peer, _ = await a_walk(400)
    peer.away = True
    for _ in range(6):
        with pytest.raises(TryAgain):
            await walk.next()
    assert [len(asked) for asked in peer.asked] == [FIRST_DAYS, 32, 8, 2, 1, 1]


async def test_the_cursor_is_kept_when_all_before_it_is_done() -> None:
    """Not while something that was found waits; the next process goes on from there."""
    walk, peer, index = await a_walk()
    for row in footage(1, camera="c0000"):
        await peer.index.publish(row)
    day = await walk.next()
    assert day is not None
    walk.again(day)
    walk.heard("17")
    await walk.save()
    assert await index.records(COPY) == []
    await drained(walk)
    await walk.save()
    (record,) = await index.records(COPY)
    assert cursor_of(record.values) == walk.cursor
    assert walk.cursor == Cursor("17", NOON_US + 3_600_000_000, None, None)

    other = Walk(CopyShard("north"), peer=peer, here=IndexDigests(index), index=index, clock=peer.clock)
    assert await other.begin() == walk.cursor
    again = Walk(CopyShard("north", 0, 2), peer=peer, here=IndexDigests(index), index=index, clock=peer.clock)
    assert await again.begin() == Cursor()


async def test_evidence_is_compared_first() -> None:
    """Camera-days that a hold covers, however old."""
    walk, peer, index = await a_walk()
    old = footage(1, camera="c0000", start_us=NOON_US - 200 * US_PER_DAY)
    for row in (*old, *footage(1, camera="c0000")):
        await peer.index.publish(row)

    async def held_days() -> Sequence[Partition]:
        return [Partition("c0000", old[0].day)]

    walk = Walk(CopyShard("north"), peer=peer, here=IndexDigests(index), index=index, clock=peer.clock, held_days=held_days)
    assert await walk.next() == Partition("c0000", old[0].day)


async def test_only_buckets_with_cameras_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard reads its own of those that were ever written to, and all shards together read each of them once."""
    _, peer, index = await a_walk(cameras=5)
    read: list[int] = []
    cameras_in = index.cameras_in

    async def noted(bucket: int) -> Sequence[Camera]:
        read.append(bucket)
        return await cameras_in(bucket)

    monkeypatch.setattr(index, "cameras_in", noted)
    shards = [Walk(CopyShard("north", n, 3), peer=peer, here=IndexDigests(index), index=index, clock=peer.clock) for n in range(3)]
    found = [camera.id for walk in shards for camera in await walk.cameras()]
    assert sorted(found) == [f"c{number:04}" for number in range(5)]
    assert sorted(read) == sorted({bucket_of(camera) for camera in found})
