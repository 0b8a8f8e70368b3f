"""How long after its commit footage is at another site, in one process: a stream of commits at a source, and one copier that follows it.

Time is real; the stores of both sides are in memory, and no network lies between: what is measured is whether the copier follows, and that
it forgets nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC
from pathlib import Path

from bench.due_site import body_of
from deploy.keeping import RetentionKeeping
from replication.bandwidth import Bandwidth, Schedule
from replication.copier import Copier, CopierParts
from replication.copy_values import CopyEvent, CopyKind, CopyShard
from replication.own_digests import IndexDigests
from replication.ports import Commit
from segments.clock import US_PER_S, SystemClock
from segments.errors import TryAgain
from segments.model import Row, RowPosition
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.builders import a_camera, a_row
from tests.copy_sites import CopySite, FootageSite, footage, run_of, two_sites
from tests.retention_builders import write_policy

SEGMENT_S = 10
SEGMENT_BYTES = 1024
FRAGMENTS = a_row().fragments
CAMERAS = 1000
LEFT_S = 60.0
"""How long the copier may go on after the last commit."""
CUT_OFF_H, HEALED_H = 0.1, 2


@dataclass
class Followed:
    """What was committed, when each was, and how long each took until it was at the other site."""

    rows: dict[tuple[str, RowPosition], Row] = field(default_factory=dict)
    committed_us: dict[tuple[str, RowPosition], int] = field(default_factory=dict)
    delays_s: dict[tuple[str, RowPosition], float] = field(default_factory=dict)


class Stream:
    """Cameras that commit a segment each `SEGMENT_S`, one after the other, for as long as there are to be segments."""

    def __init__(self, count: int) -> None:
        self.source = FootageSite()
        self.followed = Followed()
        self._count = count
        self._clock = SystemClock()

    async def commit_all(self) -> None:
        """In real time: who is behind makes up for it."""
        began_s = asyncio.get_running_loop().time()
        for number in range(self._count):
            counter, camera = divmod(number, CAMERAS)
            wait_s = began_s + number * SEGMENT_S / CAMERAS - asyncio.get_running_loop().time()
            await asyncio.sleep(max(0.0, wait_s))
            await self._commit(f"c{camera}", counter)

    async def _commit(self, camera: str, counter: int) -> None:
        end_us = self._clock.now_us()
        row = a_row(camera=camera, counter=counter, start_us=end_us - SEGMENT_S * US_PER_S, fragments=FRAGMENTS, version="")
        row = replace(row, end_us=end_us, size=SEGMENT_BYTES)
        body = body_of(row)
        row = replace(row, sha256=hashlib.sha256(body).hexdigest())
        await self.source.objects.put(row.key, body, sha256=row.sha256, attributes={})
        await self.source.index.put_run(run_of(row))
        await self.source.index.publish(row)
        committed_us = self._clock.now_us()
        self.followed.rows[camera, row.position] = row
        self.followed.committed_us[camera, row.position] = committed_us
        self.source.told.commits.append(Commit(camera, row.position, committed_us))

    def saw(self, event: CopyEvent) -> None:
        """Its copier has copied something, or not."""
        if event.kind is CopyKind.COPIED and event.position is not None:
            key = event.camera, event.position
            self.followed.delays_s[key] = (self._clock.now_us() - self.followed.committed_us[key]) / US_PER_S

    @property
    def all_copied(self) -> bool:
        """Whether nothing is under way."""
        return len(self.followed.delays_s) == self._count


async def stream_delays(folder: Path, count: int) -> list[float]:
    """The seconds from commit to copy of so many segments; infinite where there is no copy, or another one than what was committed."""
    stream = Stream(count)
    index, objects = MemoryIndex(), MemoryObjects()
    await write_policy(index)
    for camera in range(CAMERAS):
        await index.add_camera(a_camera(f"c{camera}", tier="", home="north"))
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(_follow(_copier(stream, index, objects, folder)))
        await stream.commit_all()
        with suppress(TimeoutError):
            async with asyncio.timeout(LEFT_S):
                while not stream.all_copied:  # noqa: ASYNC110 - a list tells no event
                    await asyncio.sleep(0.1)
        following.cancel()
    return [await _delay(stream.followed, key, index, objects) for key in stream.followed.rows]


async def _delay(followed: Followed, key: tuple[str, RowPosition], index: MemoryIndex, objects: MemoryObjects) -> float:
    row = followed.rows[key]
    if key not in followed.delays_s:
        return float("inf")
    copy = await index.row(*key)
    right = copy.sha256 == row.sha256 and await objects.get(copy.key) == body_of(row)
    return followed.delays_s[key] if right else float("inf")


async def _follow(copier: Copier) -> None:
    while True:
        wait_s = await copier.round()
        await asyncio.sleep(wait_s)


def _copier(stream: Stream, index: MemoryIndex, objects: MemoryObjects, folder: Path) -> Copier:
    clock = SystemClock()
    return Copier(
        CopierParts(
            shard=CopyShard("north"),
            peer=stream.source.source(),
            here=IndexDigests(index),
            keeping=RetentionKeeping(index, clock),
            index=index,
            pools={"main": objects},
            pool_for=lambda _: "main",
            bandwidth=Bandwidth(Schedule(), clock, zone=UTC),
            folder=folder,
            clock=clock,
            seen=stream.saw,
        )
    )


# --- what a link that is cut leaves ---


class NewsOnly(Copier):
    """The control: it hears news, and never compares."""

    async def _look(self, enough: int) -> bool:
        try:
            await self._wishing.hear()
        except TryAgain:
            return False
        return True


async def left_by_a_cut(folder: Path, copier: type[Copier]) -> int:
    """Segments by which two sites differ, hours after a cut of their link during which the source has forgotten what it told."""
    before, during = footage(3), footage(3, counter=3, start_us=footage(3)[-1].end_us)
    site = await two_sites(folder, before[:1], ended=False)
    follower = copier(site.copier()._parts)  # noqa: SLF001 - another copier of the same parts
    await site.run(follower, CUT_OFF_H)
    await site.source.keep(before[1:], ended=False, told=True)
    await site.run(follower, CUT_OFF_H)
    site.peer.away = True
    await site.source.keep(during, told=True)
    await site.run(follower, CUT_OFF_H)
    site.source.told.commits.clear()
    site.source.told.lost = True
    site.peer.away = False
    await site.run(follower, HEALED_H)
    return await _difference(site, [*before, *during])


async def _difference(site: CopySite, rows: Sequence[Row]) -> int:
    here = {(row.position, row.sha256) for row in await site.rows(rows[0])}
    return len(here ^ {(row.position, row.sha256) for row in rows})
