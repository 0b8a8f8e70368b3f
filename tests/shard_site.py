"""A shard server at its socket with a memory index behind it, and recorders' ends that keep what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

from recorder.link import MAX_MESSAGE_BYTES, Assign, Hello, LeaseIs, Link, Message, connect
from recorder.live import LiveEdge
from recorder.shards import ShardServer, ShardSettings
from segments.model import Cause, StateChange
from segments.secrets import Sealer
from tests.builders import NOON_US, a_camera
from tests.fakes import SteppedClock, SwitchedIndex

MARCH = date(2026, 3, 1)
LEASE_S = 15.0
SEALER = Sealer(bytes(32))


class Recorder:
    """A recorder's end; keeps what it is told."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.told: list[Message] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while (message := await self.link.receive()) is not None:
            self.told.append(message)

    def of(self, kind: type) -> list:
        return [message for message in self.told if isinstance(message, kind)]

    @property
    def epoch(self) -> int:
        return self.of(Assign)[-1].epoch

    @property
    def cameras(self) -> list[str]:
        return [item.camera.id for item in self.of(Assign)[-1].cameras]

    @property
    def may_record(self) -> bool:
        """Whether the last word on its lease lets it go on."""
        last = self.of(LeaseIs)[-1]
        return not last.answers or last.left_s > 0

    async def die(self) -> None:
        self.link.close()
        await asyncio.wait([self.reading])


class Site:
    """A shard server at its socket, and all around it."""

    def __init__(self, folder: Path, shards: int = 1) -> None:
        self.folder = folder
        self.clock = SteppedClock()
        self.index = SwitchedIndex()
        self.shards = shards
        self.hints = 0
        self.ended: list[tuple[int, list[str], list[date]]] = []
        self.opened: list[str] = []
        self.recorders: list[Recorder] = []

    async def start(self) -> None:
        """A new uploader process."""
        self.live = LiveEdge(self.folder)
        self.server = ShardServer(
            ShardSettings("home", self.shards, LEASE_S),
            index=self.index,
            open_credential=self.open,
            live=self.live,
            sealed=self.hint,
            end_runs=self.end_runs,
            clock=self.clock,
        )
        (self.folder / "s").unlink(missing_ok=True)
        self.socket = await asyncio.start_unix_server(self.server.serve, self.folder / "s", limit=MAX_MESSAGE_BYTES)
        self.writing = asyncio.create_task(self.server.states.write())

    async def die(self) -> None:
        """The process is gone: what it had not written is lost."""
        self.socket.close()
        self.writing.cancel()
        for recorder in self.recorders:
            await recorder.die()
        self.recorders = []
        await asyncio.sleep(0.01)

    def open(self, camera: str, sealed: bytes):
        self.opened.append(camera)
        return SEALER.open(camera, sealed)

    def hint(self) -> None:
        self.hints += 1

    async def end_runs(self, epoch, cameras, months) -> None:
        self.ended.append((epoch, list(cameras), list(months)))

    async def recorder(self, epoch: int = 0, shard: int = 0, name: str = "home-recorder-0") -> Recorder:
        """A recorder connects and greets."""
        found = Recorder(await connect(str(self.folder / "s")))
        found.link.send(Hello(name, shard, epoch))
        self.recorders.append(found)
        return found

    async def pass_(self, seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            await self.clock.pass_(0.5)

    async def states(self, camera: str = "gate") -> list[StateChange]:
        return list((await self.index.inner.states(camera, MARCH)).items)

    async def causes(self, camera: str = "gate") -> list[Cause | None]:
        return [change.cause for change in await self.states(camera)]


@asynccontextmanager
async def site(folder: Path, *cameras, shards: int = 1) -> AsyncIterator[Site]:
    it = Site(folder, shards)
    for camera in cameras or (a_camera(added_us=NOON_US),):
        await it.index.inner.add_camera(camera)
    await it.start()
    try:
        yield it
    finally:
        await it.die()
