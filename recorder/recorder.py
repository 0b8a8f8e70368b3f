"""A recorder: one process, some hundred cameras on one event loop, told by its uploader what to record and in which epoch.

It holds no credential of store or index. If the uploader goes away it goes on recording in its epoch; what it writes waits in the spool.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from recorder.backoff import BackoffSettings, ConnectRate
from recorder.cutter import CutSettings
from recorder.link import Assign, AssignedCamera, Counts, Hello, LeaseIs, Link, Message, Sealed, StateIs, connect
from recorder.open_fragments import OpenFragments
from recorder.runner import ROOM_BYTES, CameraRunner, SegmentSpool
from recorder.session import RunAbout, Session
from recorder.source import Source
from recorder.spool import OpenSegment, SyncRound
from segments.clock import Clock
from segments.errors import DataDamaged
from segments.keys import RunId
from segments.model import CameraState, Cause, Fragment

log = logging.getLogger(__name__)

SYNC_EVERY_S = 1.0
RECONNECT_S = 0.5
CHANGES_KEPT = 4096
"""Changes of state that are told again to a new uploader: the old one may have died before it wrote them down."""
MIND_LEASE_S = 0.25


_SWITCHED_OFF = "switched off in the camera archive"


class RoundSync(Protocol):
    """Makes everything written so far durable, for all cameras of a disk at once."""

    async def round(self) -> SyncRound:
        """One group sync; says what became durable, what was sealed, and what failed."""


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """What one recorder is told at its start."""

    name: str
    shard: int
    cut: CutSettings = field(default_factory=CutSettings)
    backoff: BackoffSettings = field(default_factory=BackoffSettings)


@dataclass(slots=True)
class _Camera:
    """A camera being recorded."""

    assigned: AssignedCamera
    session: Session
    runner: CameraRunner
    task: asyncio.Task[None]


class Recorder:
    """Records what it is assigned; the shell around sessions, spool and link."""

    def __init__(
        self,
        settings: RecorderSettings,
        *,
        spool: SegmentSpool,
        sync: RoundSync,
        open_source: Callable[[AssignedCamera], Awaitable[Source]],
        clock: Clock,
        clock_synced: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._sync = sync
        self._open_source = open_source
        self._clock = clock
        self._clock_synced = clock_synced
        self._rate = ConnectRate(clock)
        self._link: Link | None = None
        self._site = ""
        self._epoch = 0
        self._n = 0
        self._lease_until_ns: int | None = None
        self._cameras: dict[str, _Camera] = {}
        self._open: dict[OpenSegment, OpenFragments] = {}
        self._states: dict[str, StateIs] = {}
        self._changes: deque[StateIs] = deque(maxlen=CHANGES_KEPT)
        self._buffered = self._durable = 0

    async def run(self, socket_path: str) -> None:
        """Records until cancelled; then every run is ended, made durable and sealed before it returns."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._sync_rounds())
                tasks.create_task(self._mind_lease())
                tasks.create_task(self._keep_link(socket_path))
        finally:
            await asyncio.shield(self.drain())

    async def drain(self) -> None:
        """Ends all runs in order; two rounds make their ends durable and their segments sealed."""
        await self._stop_cameras(list(self._cameras), Cause.RECORDER_AWAY, "the recorder was stopped")
        for _ in range(2):
            await self._sync_round()
        if self._link is not None:
            await self._link.close_said()

    # --- the uploader's word ---

    async def _keep_link(self, socket_path: str) -> None:
        while True:
            try:
                self._link = await connect(socket_path)
            except OSError:
                await self._clock.sleep(RECONNECT_S)
                continue
            self._greet(self._link)
            await self._listen(self._link)  # cancelled here, the link stays: the last words go over it
            self._link.close()
            self._link = None
            log.warning("the uploader is gone; recording goes on, footage waits in the spool")
            await self._clock.sleep(RECONNECT_S)

    async def _listen(self, link: Link) -> None:
        try:
            while (message := await link.receive()) is not None:
                await self._told(message)
        except DataDamaged as error:
            log.error("the uploader cannot be understood: %s", error)

    def _greet(self, link: Link) -> None:
        """Says all there is to know, so that a new uploader stands where the old one stood."""
        link.send(Hello(self._settings.name, self._settings.shard, self._epoch))
        recent = list(self._changes)
        for state in [*(state for state in self._states.values() if state not in recent), *recent]:
            link.send(state)
        for entry in self._open.values():
            link.send(entry.word())

    async def _told(self, message: Message) -> None:
        match message:
            case Assign():
                await self._assign(message)
            case LeaseIs(epoch, left_s, answers) if epoch == self._epoch:
                self._lease_until_ns = self._clock.monotonic_ns() + int(left_s * 1e9) if answers else None
                self._pause_or_resume()
            case _:
                pass

    async def _assign(self, assign: Assign) -> None:
        if assign.epoch < self._epoch:
            return
        if assign.epoch > self._epoch:
            self._site, self._epoch, self._n, self._lease_until_ns = assign.site, assign.epoch, 0, None
            for camera in self._cameras.values():
                camera.runner.finish(Cause.RECORDER_AWAY, "the recorder goes on in a new epoch")
        named = {item.camera.id: item for item in assign.cameras}
        wanted = {id_: item for id_, item in named.items() if item.camera.enabled}
        there = set(self._cameras)
        await self._stop_cameras(there - set(named), Cause.DISABLED, "taken out of the camera archive")
        await self._stop_cameras(there & set(named) - set(wanted), Cause.DISABLED, _SWITCHED_OFF)
        changed = {id_ for id_ in there & set(wanted) if self._cameras[id_].assigned.stream != wanted[id_].stream}
        await self._stop_cameras(changed, Cause.RECONNECTING, "the camera's settings were changed")
        for id_ in set(named) - set(wanted):
            self._say_switched_off(id_)
        for id_, item in wanted.items():
            if id_ not in self._cameras:
                self._start_camera(item)

    def _say_switched_off(self, camera: str) -> None:
        said = self._states.get(camera)
        if said is None or said.state is not CameraState.STOPPED:
            self.state(camera, self._clock.now_us(), CameraState.STOPPED, Cause.DISABLED, _SWITCHED_OFF)

    def _start_camera(self, assigned: AssignedCamera) -> None:
        camera = assigned.camera
        session = Session(
            camera.id, trust_clock=camera.trust_clock, new_run=self._new_run, clock_synced=self._clock_synced, cut=self._settings.cut
        )
        runner = CameraRunner(
            camera.id,
            session=session,
            source=lambda: self._open_source(assigned),
            spool=self._spool,
            listener=self,
            clock=self._clock,
        )
        task = asyncio.create_task(runner.run(self._rate, self._settings.backoff), name=f"camera {camera.id}")
        self._cameras[camera.id] = _Camera(assigned, session, runner, task)

    async def _stop_cameras(self, ids: Iterable[str], cause: Cause, detail: str) -> None:
        """Ends their runs, for this cause, and waits until their sources are closed."""
        stopped = [self._cameras.pop(id_) for id_ in ids]
        for camera in stopped:
            camera.runner.finish(cause, detail)
            camera.task.cancel()
            self._states.pop(camera.assigned.camera.id, None)
        if stopped:
            await asyncio.wait([camera.task for camera in stopped])

    def _new_run(self) -> str:
        self._n += 1
        return str(RunId(self._epoch, self._n, self._site))

    # --- durability ---

    async def _sync_rounds(self) -> None:
        while True:
            await self._clock.sleep(SYNC_EVERY_S)
            await self._sync_round()

    async def _sync_round(self) -> None:
        done = await self._sync.round()
        for segment, durable_bytes in done.acknowledged:
            self._acknowledge(segment, durable_bytes)
        for segment in done.sealed:
            self._open.pop(segment, None)
            self._tell(Sealed(segment.camera, segment.run, segment.counter))
        for segment in done.failed:
            camera = self._cameras.get(segment.camera)
            if camera is not None:
                camera.runner.segment_failed(segment)
        self._tell(Counts(self._buffered, self._durable, not self._spool.has_room(ROOM_BYTES)))

    def _acknowledge(self, segment: OpenSegment, durable_bytes: int) -> None:
        entry = self._open.get(segment)
        word = entry.acknowledge(durable_bytes) if entry is not None else None
        if word is not None:
            self._buffered -= len(word.fragments)
            self._durable += len(word.fragments)
            self._tell(word)

    async def _mind_lease(self) -> None:
        while True:
            await self._clock.sleep(MIND_LEASE_S)
            self._pause_or_resume()

    def _pause_or_resume(self) -> None:
        """A lease that ran out while the index answered may be another's: nothing more is recorded until it is renewed."""
        ran_out = self._lease_until_ns is not None and self._clock.monotonic_ns() >= self._lease_until_ns
        for camera in self._cameras.values():
            if ran_out:
                camera.runner.pause(Cause.RECORDER_AWAY, "the lease ran out")
            else:
                camera.runner.resume()

    # --- Listener ---

    def state(self, camera: str, at_us: int, state: CameraState, cause: Cause | None, detail: str) -> None:
        """See `Listener`."""
        message = StateIs(camera, at_us, state, cause, detail)
        self._states[camera] = message
        self._changes.append(message)
        self._tell(message)

    def buffered(self, segment: OpenSegment, fragment: Fragment, end_us: int, about: RunAbout) -> None:
        """See `Listener`."""
        entry = self._open.get(segment)
        if entry is None:
            entry = self._open[segment] = OpenFragments(segment, about)
        entry.add(fragment, end_us)
        self._buffered += 1

    def torn(self, segment: OpenSegment) -> None:
        """See `Listener`."""
        entry = self._open.pop(segment, None)
        if entry is not None:
            self._buffered -= entry.buffered

    def _tell(self, message: Message) -> None:
        if self._link is not None:
            self._link.send(message)
