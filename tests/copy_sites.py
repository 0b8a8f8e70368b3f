"""Two sites in memory: one whose footage is copied, and one that copies it, whose copiers may die at any call."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from pathlib import Path
from typing import Any, cast

from deploy.keeping import RetentionKeeping
from replication.bandwidth import Bandwidth, Schedule
from replication.copier import Copier, CopierParts
from replication.copy_values import CopyEvent, CopyKind, CopySettings, CopyShard
from replication.own_digests import IndexDigests
from replication.ports import Bytes, Commit, Keeping, News
from replication.source import Source
from segments.clock import US_PER_S
from segments.digest import digest_of_rows
from segments.keys import SegmentKey
from segments.model import Row, Run
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.builders import NOON_US, a_camera, a_row, a_run
from tests.fakes import Life, SteppedClock, SwitchedIndex, SwitchedObjects, _Switched
from tests.retention_builders import write_policy

NOW_US = NOON_US + 3600 * US_PER_S
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
SEGMENT_BYTES = 5000


def body_of(row: Row) -> bytes:
    """Its bytes: the same each time."""
    return random.Random(row.key).randbytes(SEGMENT_BYTES)


def footage(count: int = 3, **fields: Any) -> list[Row]:
    """Segments of a minute that follow each other from noon on, whose bytes are `body_of`."""
    start_us, first = fields.pop("start_us", NOON_US), fields.pop("counter", 0)
    rows = [a_row(start_us=start_us + n * 60 * US_PER_S, counter=first + n, version="", **fields) for n in range(count)]
    return [replace(row, size=SEGMENT_BYTES, sha256=hashlib.sha256(body_of(row)).hexdigest()) for row in rows]


def closing_of(last: Row) -> str:
    """The key of the empty object that closes a run whose last segment this is."""
    return str(SegmentKey(last.camera, last.run, last.end_us, last.counter + 1, is_end=True))


@dataclass
class ToldNews:
    """News as they are told; commits by number."""

    commits: list[Commit] = field(default_factory=list)
    lost: bool = False

    async def news(self, after: str) -> News:
        """See `NewsFeed`."""
        lost, self.lost = self.lost, False
        return News(self.commits[int(after) :] if after else (), str(len(self.commits)), lost)


@dataclass
class FootageSite:
    """A site that records."""

    index: MemoryIndex = field(default_factory=MemoryIndex)
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    told: ToldNews = field(default_factory=ToldNews)

    async def keep(self, rows: Sequence[Row], *, ended: bool = True, told: bool = False) -> None:
        """Footage that was committed; `ended`: its runs are closed; `told`: as news."""
        for row in rows:
            await self.objects.put(row.key, body_of(row), sha256=row.sha256, attributes={"version": "1.0", "source": row.camera})
            await self.index.put_run(run_of(row))
            await self.index.publish(row)
            if told:
                self.told.commits.append(Commit(row.camera, row.position, row.end_us))
        if ended:
            await self.end(rows)

    async def end(self, rows: Sequence[Row]) -> None:
        """The runs of these rows are closed."""
        for last in {row.run: row for row in rows}.values():
            await self.objects.put(closing_of(last), b"", sha256=EMPTY_SHA256, attributes={})
            await self.index.put_run(replace(run_of(last), ended=True, end_cause="camera-away"))

    def source(self) -> Source:
        """What it answers others."""
        return Source(self.index, {"main": self.objects}, cast("Any", None), news=self.told)


class SwitchedPeer(_Switched):
    """Another site with faults. `spoils` changes each piece of a segment on its way."""

    def __init__(self, inner: Any, life: Life | None = None) -> None:
        super().__init__(inner, life)
        self.spoils: Callable[[Row, bytes], bytes] = lambda _, piece: piece

    async def read(self, row: Row, start: int = 0, end: int | None = None) -> Bytes:
        """See `AskFootage`."""
        answer = await self.__getattr__("read")(row, start, end)

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in answer.pieces:
                yield self.spoils(row, piece)
            self.life.called("piece")

        return Bytes(answer.size, answer.attributes, pieces())


@dataclass
class CopySite:
    """A site that copies. `life` counts the calls of the copiers that `copier` gives, at whatever port."""

    folder: Path
    source: FootageSite = field(default_factory=FootageSite)
    index: MemoryIndex = field(default_factory=MemoryIndex)
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    clock: SteppedClock = field(default_factory=lambda: SteppedClock(NOW_US))
    life: Life = field(default_factory=Life)
    events: list[CopyEvent] = field(default_factory=list)
    settings: CopySettings = field(default_factory=CopySettings)
    keeping: Keeping | None = None
    """Other rules than retention's own."""
    peer: SwitchedPeer = field(init=False)

    def __post_init__(self) -> None:
        self.peer = SwitchedPeer(self.source.source())

    def copier(self, **more: Any) -> Copier:
        """One that has just begun; `more`: other parts."""
        index = SwitchedIndex(self.index, self.life)
        self.peer.life = self.life
        rules = RetentionKeeping(self.index, self.clock)
        parts: dict[str, Any] = {
            "shard": CopyShard("north"),
            "peer": self.peer,
            "here": IndexDigests(index),
            "keeping": self.keeping or rules,
            "index": index,
            "pools": {"vault": SwitchedObjects(self.objects, self.life)},
            "pool_for": lambda _: "vault",
            "bandwidth": Bandwidth(Schedule(), self.clock, zone=UTC),
            "folder": self.folder,
            "clock": self.clock,
            "settings": self.settings,
            "held_days": rules.held_days,
            "seen": self.events.append,
        }
        return Copier(CopierParts(**parts | more))

    async def run(self, copier: Copier, hours: float = 1, least_s: float = 30) -> None:
        """Its rounds for some hours."""
        end_ns = self.clock.monotonic_ns() + int(hours * 3600e9)
        while self.clock.monotonic_ns() < end_ns:
            wait_s = await copier.round()
            self.clock.stand_still(max(wait_s, least_s))

    async def rows(self, like: Row) -> list[Row]:
        """What the index here shows of a camera-day."""
        return list((await self.index.rows(like.camera, like.day)).items)

    async def same_as_source(self, like: Row) -> bool:
        """Whether a camera-day is the same on both sides, as digests tell."""
        theirs = (await self.source.index.rows(like.camera, like.day)).items
        return digest_of_rows(await self.rows(like)) == digest_of_rows(theirs)

    async def wrong_bytes(self) -> list[str]:
        """Keys here whose content is not what was recorded."""
        found = [each.key async for each in self.objects.versions("")]
        return [
            key for key in found if not key.endswith("_end") and await self.objects.get(key) != random.Random(key).randbytes(SEGMENT_BYTES)
        ]

    async def keys(self) -> set[str]:
        """Of all objects here."""
        return {each.key async for each in self.objects.versions("")}

    def kinds(self) -> list[CopyKind]:
        """What was told, in order."""
        return [event.kind for event in self.events]


def run_of(row: Row) -> Run:
    """The run of a row as of its end."""
    return a_run(camera=row.camera, id=row.run, start_us=row.start_us - row.counter * 60 * US_PER_S, last_us=row.end_us)


async def two_sites(folder: Path, rows: Sequence[Row] = (), *, ended: bool = True, **fields: Any) -> CopySite:
    """A site that has the shipped policy and knows the camera, and another that has this footage."""
    site = CopySite(folder, **fields)
    await write_policy(site.index)
    await site.index.add_camera(a_camera(tier="", home="north"))
    await site.source.keep(rows or footage(), ended=ended)
    return site
