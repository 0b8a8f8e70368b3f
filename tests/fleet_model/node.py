"""A node of the model: a recorder that writes segments, an uploader that holds duties and brings segments into pool and index."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from itertools import count

from deploy.fleet.duty_holder import DutyHolder
from deploy.fleet.duty_keeper import within
from deploy.fleet.placer import Placer
from segments.duty import RECORD, SUPERVISE, Duty, Place
from segments.errors import Conflict, TryAgain
from segments.keys import RunId, SegmentKey
from segments.lease_watch import HeldLease
from segments.model import Camera, Lease, Row, Run
from segments.shards import shard_of
from tests.builders import a_place, a_row, a_run, some_fragments
from tests.fleet_model.world import Door, Gate, Network, NodeClock, World

TTL_S = 3.0
LINGER_S = 2.0
SEGMENT_S = 0.8
LANE = {kind: lane for lane, kind in RECORD.items()}


@dataclass
class Track:
    """A duty in the recorder: its epoch, and what it was last told of its lease."""

    lease: Lease
    n: int
    until_ns: int
    answers: bool = True
    end_ns: int | None = None
    counters: dict[str, int] = field(default_factory=dict)

    def may_write(self, now_ns: int) -> bool:
        """It goes on while the lease holds, while the index does not answer, and while it lingers."""
        if self.end_ns is not None:
            return now_ns < self.end_ns
        return not self.answers or now_ns < self.until_ns


class Recorder:
    """One life of a recorder process. What it wrote lies in the spool of its node and outlives it."""

    def __init__(self, node: Node, life: str) -> None:
        self.node = node
        self.life = life
        self.tracks: dict[Duty, Track] = {}
        self._runs = count(1)
        self._task = asyncio.get_running_loop().create_task(self._write())

    def begin(self, lease: Lease) -> None:
        """A duty in an epoch that is new to it."""
        self.tracks[lease.duty] = Track(lease, next(self._runs), self.node.clock.monotonic_ns() + lease.ttl_us * 1000)

    def told(self, lease: Lease, left_s: float, *, answers: bool) -> None:
        """How the lease stands."""
        track = self.tracks.get(lease.duty)
        if track is not None and track.lease.epoch == lease.epoch:
            track.until_ns, track.answers = self.node.clock.monotonic_ns() + int(left_s * 1e9), answers

    def end(self, duty: Duty, linger_s: float) -> None:
        """The duty goes on for so long."""
        if duty in self.tracks:
            self.tracks[duty].end_ns = self.node.clock.monotonic_ns() + int(linger_s * 1e9)

    def die(self) -> None:
        """SIGKILL."""
        self._task.cancel()

    async def _write(self) -> None:
        clock = self.node.clock
        while True:
            before_ns = clock.monotonic_ns()
            await clock.sleep(SEGMENT_S)
            for duty, track in list(self.tracks.items()):
                if track.may_write(clock.monotonic_ns()):
                    for camera in self.node.cameras_of(duty):
                        self._segment(camera, track, (clock.monotonic_ns() - before_ns) // 1000)
                elif track.end_ns is None:
                    track.n, track.counters = next(self._runs), {}  # after a pause a new run begins
                else:
                    del self.tracks[duty]

    def _segment(self, camera: Camera, track: Track, lasted_us: int) -> None:
        node, lease = self.node, track.lease
        epoch = lease.epoch if node.world.rules.epoch_in_key else 0
        run = str(RunId(epoch, track.n, "home", LANE[lease.duty.kind]))
        counter = track.counters.get(camera.id, 0)
        track.counters[camera.id] = counter + 1
        start_us = node.clock.now_us() - lasted_us
        body = f"{self.life} {run} {camera.id} {counter} {start_us}".encode()
        row = a_row(camera=camera.id, run=run, start_us=start_us, end_us=start_us + lasted_us, counter=counter, fragments=some_fragments(1))
        node.world.wrote(camera.id, run, self.life)
        node.last_written[lease.duty] = asyncio.get_running_loop().time()
        node.acknowledged.append(Segment(row, body))
        node.spool.append(node.acknowledged[-1])


@dataclass(frozen=True)
class Segment:
    """A row to be, and its bytes."""

    row: Row
    body: bytes

    @property
    def run(self) -> Run:
        """Its run, as far as this segment knows."""
        return a_run(camera=self.row.camera, id=self.row.run, start_us=self.row.start_us, last_us=self.row.end_us)

    @property
    def key(self) -> str:
        """Where its object lies."""
        return str(SegmentKey(self.row.camera, self.row.run, self.row.start_us, self.row.counter))


class Node:
    """A machine: clocks, a spool, a recorder, an uploader, each of which may be stopped, killed and started again."""

    def __init__(self, name: str, world: World, cameras: list[Camera], shards: int) -> None:
        self.name = name
        self.world = world
        self.network = Network()
        self.gate = Gate()
        self.clock = NodeClock(1 + world.dice.uniform(-500e-6, 500e-6), self.gate, world.rules.monotonic)
        self.spool: list[Segment] = []
        self.acknowledged: list[Segment] = []
        self.last_written: dict[Duty, float] = {}
        self.recorder: Recorder | None = None
        self.uploader: Uploader | None = None
        self._cameras = cameras
        self.shards = shards
        self._lives = count(1)

    def start(self) -> None:
        """Starts what does not run."""
        if self.recorder is None:
            self.recorder = Recorder(self, f"{self.name}/{next(self._lives)}")
        if self.uploader is None:
            self.uploader = Uploader(self)

    def kill_uploader(self) -> None:
        """SIGKILL of the uploader alone: the recorder goes on."""
        if self.uploader is not None:
            self.uploader.die()
            self.uploader = None
        for track in self.recorder.tracks.values() if self.recorder is not None else ():
            track.answers = False

    def kill_recorder(self) -> None:
        """SIGKILL of the recorder alone."""
        if self.recorder is not None:
            self.recorder.die()
            self.recorder = None

    def cameras_of(self, duty: Duty) -> list[Camera]:
        """The cameras of a duty."""
        mine = [camera for camera in self._cameras if shard_of(camera.id, self.shards) == duty.shard]
        return mine if LANE[duty.kind] == "a" else [camera for camera in mine if camera.twice]

    def records(self, duty: Duty) -> bool:
        """Whether its recorder does the duty and goes on with it."""
        track = self.recorder.tracks.get(duty) if self.recorder is not None else None
        return track is not None and track.end_ns is None and track.may_write(self.clock.monotonic_ns())

    def believes(self, duty: Duty) -> HeldLease | None:
        """See `Believer`."""
        keeper = self.uploader.holder._keepers.get(duty) if self.uploader is not None else None
        return None if keeper is None else keeper.held

    def left_s(self, held: HeldLease) -> float:
        """See `Believer`."""
        return held.left_s(self.clock.monotonic_ns())


class Uploader:
    """One life of an uploader process: the real duty holder and placer, and a hand that brings the spool's segments away."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.door = Door(node.world, node.network, node.gate)
        self.placer = Placer(node.name, index=self.door, shards=node.shards, hint=lambda: self.holder.hint(), clock=node.clock, ttl_s=TTL_S)
        self.holder = DutyHolder(
            node.name,
            index=self.door,
            handlers={RECORD["a"]: self, RECORD["b"]: self, SUPERVISE: self.placer},
            report=self.report,
            clock=node.clock,
            ttl_s=TTL_S,
            linger_s=LINGER_S,
        )
        work = (self.holder.run(), self._upload(), self._reconnect())
        self._tasks = [asyncio.get_running_loop().create_task(one) for one in work]

    def report(self) -> Place:
        """What it says of its node."""
        return a_place(self.node.name, room=10 if self.node.recorder is not None else 0, load=0, spooled=())

    def die(self) -> None:
        """SIGKILL: nothing of it runs any more; what it sent is on its way."""
        self.check()
        self.placer._stop()
        for task in self._tasks:
            task.cancel()

    def check(self) -> None:
        """Its work goes on; raises what ended it."""
        for task in self._tasks[:2]:
            if task.done():
                task.result()

    # --- the duty of recording ---

    def held(self, lease: Lease, *, resumed: bool) -> None:
        """See `DutyHandler`."""
        recorder = self.node.recorder
        track = recorder.tracks.get(lease.duty) if recorder is not None else None
        if resumed and track is not None and track.lease.epoch == lease.epoch and track.end_ns is None:
            self.node.world.met["resumed"] += 1
        elif resumed or recorder is None:
            self._begin_anew(lease.duty)
        else:
            recorder.begin(lease)

    def stands(self, lease: Lease, left_s: float, *, answers: bool) -> None:
        """See `DutyHandler`."""
        if self.node.recorder is not None:
            self.node.recorder.told(lease, left_s, answers=answers)

    def lost(self, duty: Duty, *, linger_s: float) -> None:
        """See `DutyHandler`."""
        if self.node.recorder is not None:
            self.node.recorder.end(duty, linger_s)

    def recorder_died(self) -> None:
        """What it did goes to the next one, in new epochs."""
        for duty in self.holder.held():
            if duty.kind in LANE:
                self._begin_anew(duty)

    def _begin_anew(self, duty: Duty) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self._anew(duty)))

    async def _anew(self, duty: Duty) -> None:
        while duty in self.holder.held():
            await self.node.clock.sleep(0.2)
            recorder = self.node.recorder
            lease = await self.holder.fresh_epoch(duty) if recorder is not None else None
            if lease is not None and recorder is not None and recorder is self.node.recorder:
                recorder.begin(lease)
                return

    async def _reconnect(self) -> None:
        """A recorder that has duties which did not become ours again is told to end them."""
        await self.node.clock.sleep(2.5)
        recorder = self.node.recorder
        for duty, track in list(recorder.tracks.items()) if recorder is not None else []:
            lease = self.holder.held().get(duty)
            if recorder is not None and track.end_ns is None and (lease is None or lease.epoch != track.lease.epoch):
                recorder.end(duty, 0.0)

    # --- the way of a segment ---

    async def _upload(self) -> None:
        while True:
            await self.node.clock.sleep(0.5)
            try:
                await within(TTL_S, self.node.clock, self._commit_some(self.node.spool[:20]))
            except TryAgain:
                continue

    async def _commit_some(self, segments: list[Segment]) -> None:
        await asyncio.gather(*map(self._commit, segments))

    async def _commit(self, segment: Segment) -> None:
        """Object, then row; a key that is taken by a former try holds these bytes, or the world has seen that it does not."""
        with contextlib.suppress(Conflict):
            await self.door.put(segment.key, segment.body)
        await self.door.put_run(segment.run)
        await self.door.publish(segment.row)
        if segment in self.node.spool:
            self.node.spool.remove(segment)
