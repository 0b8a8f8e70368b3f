"""Two sites with the same footage: one whose pool goes wrong behind its back, and another it is healed from; any call may be the last."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from replication.heal import Healer, Healing, Here
from replication.mend import Mender
from replication.scrub import Scrub, ScrubParts
from replication.scrub_day import CheckParts
from replication.source import Source
from segments.damage import Damaged, all_damage
from segments.duty import Duty
from segments.errors import Conflict, NotFound
from segments.model import Row
from segments.pace import Pace
from segments.ports import ObjectInfo, ObjectVersion
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.builders import a_run, some_rows
from tests.clocks import HandClock
from tests.fakes import Life, SwitchedIndex, SwitchedObjects

DUTY = Duty("scrub")


class Shelf(MemoryObjects):
    """Objects that can be damaged behind the store's back; `read` are the keys whose bytes were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See `ReadObject`."""
        self.read.append(key)
        async for piece in super().stream(key, start, end):
            yield piece

    def damage(self, key: str, data: bytes) -> None:
        """Other bytes under the key; what the store says of them is as before, but for their size."""
        self._objects[key] = data, replace(self._objects[key][1], size=len(data))

    def lose(self, key: str) -> None:
        """There is no such object any more."""
        del self._objects[key]


class VersionedShelf:
    """The same with versions: a delete by key lays a mark over them, and a held version does not go. `strict`: as versitygw, it takes no
    create-only put over a mark.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.kept: list[tuple[ObjectInfo, bytes | None]] = []
        self.held: set[str] = set()
        self.strict = strict

    def damage(self, key: str, data: bytes) -> None:
        """Other bytes in the newest version."""
        at = max(n for n, (info, _) in enumerate(self.kept) if info.key == key)
        self.kept[at] = replace(self.kept[at][0], size=len(data)), data

    async def put(self, key: str, body: bytes | Path, *, sha256: str, attributes: Mapping[str, str]) -> str:
        """See `PutObject`."""
        data = body.read_bytes() if isinstance(body, Path) else body
        newest = self._newest(key)
        if newest is not None and (self.strict or newest[1] is not None):
            raise Conflict(f"{key} is taken")
        self.kept.append((ObjectInfo(key, len(data), f"v{len(self.kept)}", sha256, attributes), data))
        return self.kept[-1][0].version

    async def head(self, key: str) -> ObjectInfo:
        """See `ReadObject`."""
        newest = self._newest(key)
        if newest is None or newest[1] is None:
            raise NotFound(key)
        return newest[0]

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `ReadObject`."""
        info = await self.head(key)
        return next(data for kept, data in self.kept if kept is info and data is not None)[start:end]

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See `ReadObject`."""
        yield await self.get(key, start, end)

    async def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """See `DeleteObjects`."""
        self.kept += [(ObjectInfo(key, 0, f"m{len(self.kept) + n}", "", {}), None) for n, key in enumerate(keys)]
        return {}

    async def versions(self, prefix: str) -> AsyncIterator[ObjectVersion]:
        """See `Versions`."""
        for info, _ in list(self.kept):
            if info.key.startswith(prefix):
                yield ObjectVersion(info.key, info.version, info.size)

    async def delete_versions(self, doomed: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """See `Versions`."""
        gone = {version for _, version in doomed} - self.held
        self.kept = [each for each in self.kept if each[0].version not in gone]
        return {each: "held" for each in doomed if each[1] in self.held}

    async def set_legal_hold(self, key: str, version: str, held: bool) -> None:
        """See `LegalHolds`."""
        (self.held.add if held else self.held.discard)(version)

    async def legal_hold(self, key: str, version: str) -> bool:
        """See `LegalHolds`."""
        return version in self.held

    def _newest(self, key: str) -> tuple[ObjectInfo, bytes | None] | None:
        return next((each for each in reversed(self.kept) if each[0].key == key), None)


class Voiceless:
    """A site that says nothing of itself."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name}: nobody asks that to heal")


class Copy(Source):
    """The other site; `asked` counts its answers."""

    def __init__(self, index: MemoryIndex, objects: Any) -> None:
        super().__init__(index, {"main": objects}, Voiceless())


def body_of(row: Row) -> bytes:
    """Its bytes: the same each time."""
    return row.key.encode() * 9


@dataclass
class ScrubSite:
    """The site that scrubs, and `copy`, the pool of the other; `life` counts the calls of all scrubs and healers it gives."""

    folder: Path
    index: MemoryIndex = field(default_factory=MemoryIndex)
    objects: Any = field(default_factory=Shelf)
    copy_index: MemoryIndex = field(default_factory=MemoryIndex)
    copy: Any = field(default_factory=Shelf)
    clock: HandClock = field(default_factory=HandClock)
    life: Life = field(default_factory=Life)
    locks: dict[str, Any] = field(default_factory=dict)
    peers: dict[str, Any] = field(default_factory=dict)
    per_s: float = 1e12

    async def keep(self, rows: Iterable[Row]) -> list[Row]:
        """Footage in both sites."""
        kept = []
        for row in rows:
            body = body_of(row)
            good = replace(row, size=len(body), sha256=hashlib.sha256(body).hexdigest())
            put = {"sha256": good.sha256, "attributes": {"source": row.camera}}
            kept.append(replace(good, version=await self.objects.put(good.key, body, **put)))
            await self.index.publish(kept[-1])
            await self.copy_index.publish(replace(good, version=await self.copy.put(good.key, body, **put)))
        for row in {row.run: row for row in kept}.values():
            await self.index.put_run(a_run(camera=row.camera, id=row.run, start_us=row.start_us))
        for camera, day in {(row.camera, row.day) for row in kept}:
            await self.index.put_usage(camera, day, await self.index.row_sums(camera, day))
        return kept

    def healer(self) -> Healer:
        """One that has just begun."""
        index, pools = SwitchedIndex(self.index, self.life), {"main": SwitchedObjects(self.objects, self.life)}
        return Healer(Here(index, pools, self.locks, self.folder / "heal"), self.peers, self.clock, self.pace())

    def scrub(self, duty: Duty = DUTY) -> Scrub:
        """One that has just begun."""
        index, pools = SwitchedIndex(self.index, self.life), {"main": SwitchedObjects(self.objects, self.life)}
        checks = CheckParts(index, pools, Mender(index, self.healer(), self.clock), self.pace(), self.clock)
        return Scrub(duty, ScrubParts(index, checks))

    def pace(self) -> Pace:
        """The budget of reading."""
        return Pace(self.per_s, self.clock)

    async def heal(self, row: Row, since_us: int | None = None) -> Healing:
        """What becomes of a segment."""
        return await self.healer().heal(row.camera, row.position, self.clock.now_us() if since_us is None else since_us)

    async def wrong(self, rows: Sequence[Row]) -> list[str]:
        """The keys of these rows whose objects are not, byte for byte, what they should be."""
        there = {each.key async for each in self.objects.versions("")}
        return [row.key for row in rows if row.key not in there or await self.objects.get(row.key) != body_of(row)]

    async def damage(self) -> list[Damaged]:
        """What is named as damaged."""
        return await all_damage(self.index)


async def a_scrub_site(folder: Path, rows: Sequence[Row] | None = None, **fields: Any) -> tuple[ScrubSite, list[Row]]:
    """Six segments of noon at both sites, and their rows here."""
    site = ScrubSite(folder, **fields)
    site.peers.setdefault("b", Copy(site.copy_index, site.copy))
    return site, await site.keep(rows or some_rows(6, version=""))
