"""A recorder between a fake uploader at its socket and fake cameras."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from recorder.cutter import CutSettings
from recorder.group_sync import GroupSync
from recorder.link import MAX_MESSAGE_BYTES, Assign, AssignedCamera, Hello, LeaseIs, Link, Message, StateIs
from recorder.recorder import Recorder, RecorderSettings
from recorder.sealed import read_sealed
from recorder.source import Sink, Source
from recorder.spool import Spool, SpoolLimit
from recorder.spool_folder import sealed_files
from segments.duty import Duty
from segments.media import TIMESCALE
from tests.builders import a_camera
from tests.fakes import FakeDisk, FakeSource, SteppedClock, settled, synthetic_units, until
from tests.samples import VIDEO

A = Duty("record-a")
"""The duty of a site with one shard."""


class Uploader:
    """The other end of the socket; the test says its words."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[Message] = []
        self.connections = 0
        self._link: Link | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=MAX_MESSAGE_BYTES)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = self._link = Link(reader, writer)
        self.connections += 1
        while (message := await link.receive()) is not None:
            self.heard.append(message)
        link.close()

    def say(self, message: Message) -> None:
        assert self._link is not None
        self._link.send(message)

    def say_raw(self, line: bytes) -> None:
        assert self._link is not None
        self._link._writer.write(line)

    async def die(self) -> None:
        """The process is gone, its socket with it."""
        assert self._server is not None
        self._server.close()
        self.path.unlink(missing_ok=True)
        if self._link is not None:
            self._link.close()

    def of(self, kind: type) -> list:
        return [message for message in self.heard if isinstance(message, kind)]

    def last_state(self, camera: str) -> StateIs | None:
        return next((state for state in reversed(self.of(StateIs)) if state.camera == camera), None)


class _SlowToClose(FakeSource):
    """Its connection is closed when the site's `closing` is over."""

    def __init__(self, of: Site) -> None:
        super().__init__([VIDEO])
        self._site = of

    async def run(self, sink: Sink) -> None:
        try:
            await super().run(sink)
        finally:
            await self._site.closing()


async def _at_once() -> None:
    """Closing takes no time."""


class Site:
    """A recorder, its spool, its cameras and its uploader."""

    def __init__(self, folder: Path) -> None:
        self.spool_folder = folder / "spool"
        self.spool_folder.mkdir()
        self.socket = folder / "s"
        self.clock = SteppedClock()
        self.uploader = Uploader(self.socket)
        self.disk = FakeDisk()
        self.sources: dict[str, list[FakeSource]] = {}
        self.closing: Callable[[], Awaitable[object]] = _at_once
        self.recorder = self.made()
        self.task: asyncio.Task[None] | None = None

    def made(self) -> Recorder:
        spool = Spool(self.spool_folder, limit=SpoolLimit(1 << 30, 0), clock=self.clock)
        self.sync = GroupSync(spool, self.disk)
        return Recorder(
            RecorderSettings("home-recorder-0", CutSettings(segment=4 * TIMESCALE)),
            spool=spool,
            sync=self.sync,
            open_source=self.open_source,
            clock=self.clock,
            clock_synced=lambda: True,
        )

    async def open_source(self, assigned: AssignedCamera) -> Source:
        source = _SlowToClose(self)
        self.sources.setdefault(assigned.camera.id, []).append(source)
        return source

    async def start(self) -> None:
        self.task = asyncio.create_task(self.recorder.run(str(self.socket)))

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait([self.task])

    async def assign(self, *cameras: AssignedCamera, duty: Duty = A, epoch: int = 7, left_s: float | None = 15.0) -> None:
        self.uploader.say(Assign("home", duty, epoch, cameras))
        if left_s is not None:
            self.uploader.say(LeaseIs(duty, epoch, left_s, answers=True))
        await settled()
        await self.clock.pass_(0.2)
        enabled = [item.camera.id for item in cameras if item.camera.enabled]
        await until(lambda: all(self.is_open(camera) for camera in enabled))

    def is_open(self, camera: str) -> bool:
        sources = self.sources.get(camera, [])
        return bool(sources) and sources[-1].sink is not None and not sources[-1].closed

    def feed(self, camera: str, first_s: float, seconds: float) -> None:
        self.sources[camera][-1].feed(synthetic_units(seconds, first_s=first_s))

    async def pass_(self, seconds: float) -> None:
        """In steps, so that what arrives at the socket is heard in time."""
        for _ in range(round(seconds * 4)):
            await self.clock.pass_(0.25)

    def rows(self, camera: str = "gate"):
        files = [file for file in sealed_files(self.spool_folder) if file.camera == camera]
        return [read_sealed(file.path, pool="main").row for file in files]


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    it = Site(folder)
    await it.uploader.start()
    await it.start()
    await until(lambda: it.uploader.of(Hello))
    try:
        yield it
    finally:
        if it.task is not None and not it.task.done():
            await it.stop()
        it.sync.close()
        await it.uploader.die()


def assigned(camera: str = "gate", *, password: str = "a", **fields: object) -> AssignedCamera:
    return AssignedCamera(a_camera(camera, **fields), "admin", password)
