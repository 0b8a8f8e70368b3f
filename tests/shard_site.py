"""A place at its recorders' socket: shard server, duty holder and a memory index; and recorders' ends that keep what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

from deploy.fleet.duty_holder import DutyHolder
from recorder.link import MAX_MESSAGE_BYTES, Assign, Counts, Hello, Holding, LeaseIs, Link, Message, TakeAway, connect
from recorder.live import LiveEdge
from recorder.shards import ShardServer, ShardSettings, Surroundings
from segments.duty import LANE_OF, RECORD, Duty, Placing
from segments.model import Cause, Lease, StateChange
from segments.secrets import Sealer
from tests.builders import NOON_US, a_camera
from tests.fakes import SteppedClock, SwitchedIndex

MARCH = date(2026, 3, 1)
LEASE_S = 15.0
SEALER = Sealer(bytes(32))
A = Duty("record-a")
"""The duty of a site with one shard."""


class Recorder:
    """A recorder's end; keeps what it is told."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.told: list[Message] = []
        self.hung = False
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while (message := await self.link.receive()) is not None:
            self.told.append(message)

    def of(self, kind: type, duty: Duty | None = None) -> list:
        return [message for message in self.told if isinstance(message, kind) and (duty is None or message.duty == duty)]

    @property
    def epoch(self) -> int:
        return self.of(Assign)[-1].epoch

    @property
    def duties(self) -> set[Duty]:
        """What it was given and not taken away."""
        last = {message.duty: message for message in self.told if isinstance(message, Assign | TakeAway)}
        return {duty for duty, message in last.items() if isinstance(message, Assign)}

    @property
    def holds(self) -> tuple[Holding, ...]:
        """As it says it when it connects again."""
        return tuple(Holding(duty, self.of(Assign, duty)[-1].epoch) for duty in sorted(self.duties))

    @property
    def cameras(self) -> list[str]:
        return [item.camera.id for item in self.of(Assign)[-1].cameras]

    @property
    def may_record(self) -> bool:
        """Whether the last word on its lease lets it go on."""
        last = self.of(LeaseIs)[-1]
        return bool(self.duties) and (not last.answers or last.left_s > 0)

    def speak(self) -> None:
        """What it says each second, unless it stands still."""
        if not self.hung:
            self.link.send(Counts(0, 0, spool_full=False))

    async def die(self) -> None:
        self.link.close()
        await asyncio.wait([self.reading])


class Site:
    """A place, and all around it. `expected` is how many recorders it expects, `capacity` how many cameras one is meant for."""

    def __init__(self, folder: Path, shards: int = 1, *, expected: int = 1, capacity: int = 256) -> None:
        self.folder = folder
        self.place = "home"
        self.clock = SteppedClock()
        self.index = SwitchedIndex()
        self.shards = shards
        self.expected = expected
        self.capacity = capacity
        self.hints = 0
        self.ended: list[tuple[int, str, list[str], list[date]]] = []
        self.opened: list[str] = []
        self.recorders: list[Recorder] = []

    async def start(self) -> None:
        """A new uploader process."""
        self.live = LiveEdge(self.folder)
        self.server = ShardServer(
            ShardSettings("home", self.place, "http://uploader", self.shards, self.expected, self.capacity),
            Surroundings(self.open, self.hint, self.end_runs, lambda duty: self.holder.fresh_epoch(duty)),
            index=self.index,
            live=self.live,
            clock=self.clock,
        )
        handlers = {RECORD["a"]: self.server, RECORD["b"]: self.server}
        self.holder = DutyHolder(
            self.place, index=self.index, handlers=handlers, report=self.server.report, clock=self.clock, ttl_s=LEASE_S
        )
        (self.folder / "s").unlink(missing_ok=True)
        self.socket = await asyncio.start_unix_server(self.server.serve, self.folder / "s", limit=MAX_MESSAGE_BYTES)
        self.running = [asyncio.create_task(self.server.run()), asyncio.create_task(self.holder.run())]

    async def die(self) -> None:
        """The process is gone: what it had not written is lost."""
        self.socket.close()
        tasks = [*self.running, *self.server._background._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self.server._shards.clear()  # it says nothing more when the connections end with it
        for recorder in self.recorders:
            await recorder.die()
        self.recorders = []
        await asyncio.sleep(0.01)

    async def leave(self) -> None:
        """The orderly end of the place's work."""
        await asyncio.gather(self.holder.leave(), self.pass_(3))
        await self.server.settle()
        await self.server.states.flush()

    async def place_duties(self, *duties: Duty) -> None:
        """What is placed here, and nothing else."""
        for placing in await self.index.inner.placings(self.place):
            await self.index.inner.remove_placing(placing)
        for duty in duties:
            await self.index.inner.put_placing(Placing(duty, self.place))
        self.holder.hint()

    def open(self, camera: str, sealed: bytes):
        self.opened.append(camera)
        return SEALER.open(camera, sealed)

    def hint(self) -> None:
        self.hints += 1

    async def end_runs(self, lease: Lease, cameras: Sequence[str], months: Sequence[date]) -> None:
        self.ended.append((lease.epoch, LANE_OF[lease.duty.kind], list(cameras), list(months)))

    async def recorder(self, *holds: Holding, name: str = "home-recorder-0") -> Recorder:
        """A recorder connects and greets."""
        found = Recorder(await connect(str(self.folder / "s")))
        found.link.send(Hello(name, holds))
        self.recorders.append(found)
        return found

    async def pass_(self, seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            for recorder in self.recorders:
                recorder.speak()
            await self.clock.pass_(0.5)

    async def lease(self, duty: Duty = A) -> Lease:
        lease = await self.index.inner.lease(duty)
        assert lease is not None
        return lease

    async def taken_by(self, other: str, duty: Duty = A) -> Lease:
        """Another place takes a duty away, as if ours had been silent."""
        now_us = self.clock.now_us()
        seen = await self.index.inner.lease(duty)
        lease = await self.index.inner.acquire(duty, other, seen=seen, now_us=now_us, ttl_us=3600 * 1_000_000)
        assert lease is not None
        return lease

    async def states(self, camera: str = "gate") -> list[StateChange]:
        return list((await self.index.inner.states(camera, MARCH)).items)

    async def causes(self, camera: str = "gate") -> list[Cause | None]:
        return [change.cause for change in await self.states(camera)]


@asynccontextmanager
async def site(
    folder: Path, *cameras, shards: int = 1, expected: int = 1, capacity: int = 256, duties: Sequence[Duty] | None = None
) -> AsyncIterator[Site]:
    """`duties`: what is placed here; none: lane a of every shard."""
    it = Site(folder, shards, expected=expected, capacity=capacity)
    for camera in cameras or (a_camera(added_us=NOON_US),):
        await it.index.inner.add_camera(camera)
    for duty in [Duty(RECORD["a"], shard, shards) for shard in range(shards)] if duties is None else duties:
        await it.index.inner.put_placing(Placing(duty, it.place))
    await it.start()
    try:
        yield it
    finally:
        await it.die()
