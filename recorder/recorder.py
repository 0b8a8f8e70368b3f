"""A recorder: one process, some hundred cameras on one event loop, told by its uploader what to record and in which epoch.

It holds no credential of store or index. If the uploader goes away it goes on recording in its epoch; what it writes waits in the spool.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from recorder.backoff import BackoffSettings, ConnectRate
from recorder.cutter import CutSettings
from recorder.link import Assign, AssignedCamera, Counts, Durable, Hello, LeaseIs, Link, Message, Sealed, StateIs, connect
from recorder.runner import CameraRunner, SegmentSpool
from recorder.session import RunAbout, Session
from recorder.source import Source
from recorder.spool import OpenSegment, SyncRound
from segments.clock import Clock
from segments.keys import RunId
from segments.model import CameraState, Cause, Fragment

log = logging.getLogger(__name__)

SYNC_EVERY_S = 1.0
RECONNECT_S = 0.5


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
class _Open:
    """An open segment's fragments; the first `durable` of them are acknowledged."""

    segment: OpenSegment
    about: RunAbout
    fragments: list[Fragment] = field(default_factory=list)
    ends_us: list[int] = field(default_factory=list)
    durable: int = 0


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
        self._open: dict[OpenSegment, _Open] = {}
        self._states: dict[str, StateIs] = {}
        self._buffered = self._durable = 0

    async def run(self, socket_path: str) -> None:
        """Records until cancelled; then every run is ended, made durable and sealed before it returns."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._sync_rounds())
                tasks.create_task(self._keep_link(socket_path))
        finally:
            await asyncio.shield(self.drain())

    async def drain(self) -> None:
        """Ends all runs in order; two rounds make their ends durable and their segments sealed."""
        await self._stop_cameras(list(self._cameras))
        for _ in range(2):
            await self._sync_round()
        if self._link is not None:
            self._link.close()

    # --- the uploader's word ---

    async def _keep_link(self, socket_path: str) -> None:
        while True:
            try:
                self._link = await connect(socket_path)
            except OSError:
                await self._clock.sleep(RECONNECT_S)
                continue
            self._greet(self._link)
            try:
                while (message := await self._link.receive()) is not None:
                    await self._told(message)
            finally:
                self._link.close()
                self._link = None
            log.warning("the uploader is gone; recording goes on, footage waits in the spool")

    def _greet(self, link: Link) -> None:
        """Says all there is to know, so that a new uploader stands where the old one stood."""
        link.send(Hello(self._settings.name, self._settings.shard, self._epoch))
        for state in self._states.values():
            link.send(state)
        for entry in self._open.values():
            link.send(self._durable_message(entry, 0))

    async def _told(self, message: Message) -> None:
        match message:
            case Assign():
                await self._assign(message)
            case LeaseIs(epoch, left_s, answers) if epoch == self._epoch:
                self._lease_until_ns = self._clock.monotonic_ns() + int(left_s * 1e9) if answers else None
                for camera in self._cameras.values():
                    camera.runner.resume()
            case _:
                pass

    async def _assign(self, assign: Assign) -> None:
        if assign.epoch < self._epoch:
            return
        if assign.epoch > self._epoch:
            self._site, self._epoch, self._n, self._lease_until_ns = assign.site, assign.epoch, 0, None
            for camera in self._cameras.values():
                camera.runner.finish(Cause.RECORDER_AWAY, "the recorder goes on in a new epoch")
        wanted = {item.camera.id: item for item in assign.cameras if item.camera.enabled}
        gone = [id_ for id_, camera in self._cameras.items() if wanted.get(id_) != camera.assigned]
        await self._stop_cameras(gone)
        for item in assign.cameras:
            if not item.camera.enabled:
                self.state(item.camera.id, self._clock.now_us(), CameraState.STOPPED, Cause.DISABLED, "switched off in the camera archive")
            elif item.camera.id not in self._cameras:
                self._start_camera(item)

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

    async def _stop_cameras(self, ids: list[str]) -> None:
        stopped = [self._cameras.pop(id_) for id_ in ids]
        for camera in stopped:
            camera.task.cancel()
        for camera in stopped:
            with contextlib.suppress(asyncio.CancelledError):
                await camera.task
        for id_ in ids:
            self._states.pop(id_, None)

    def _new_run(self) -> str:
        self._n += 1
        return str(RunId(self._epoch, self._n, self._site))

    # --- durability ---

    async def _sync_rounds(self) -> None:
        while True:
            await self._clock.sleep(SYNC_EVERY_S)
            await self._sync_round()
            self._mind_lease()

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
        self._tell(Counts(self._buffered, self._durable, not self._spool.has_room(1 << 20)))

    def _acknowledge(self, segment: OpenSegment, durable_bytes: int) -> None:
        entry = self._open.get(segment)
        if entry is None:
            return
        first = entry.durable
        while entry.durable < len(entry.fragments):
            fragment = entry.fragments[entry.durable]
            if fragment.offset + fragment.length > durable_bytes:
                break
            entry.durable += 1
        fresh = entry.durable - first
        if fresh:
            self._buffered -= fresh
            self._durable += fresh
            self._tell(self._durable_message(entry, first))

    def _durable_message(self, entry: _Open, first: int) -> Durable:
        segment, last = entry.segment, entry.durable
        end_us = entry.ends_us[last - 1] if last else segment.start_us
        fragments = tuple(entry.fragments[first:last])
        return Durable(segment.camera, segment.run, segment.counter, segment.start_us, end_us, entry.about, fragments)

    def _mind_lease(self) -> None:
        """A lease that ran out while the index answered may be another's: nothing more is recorded until it is renewed."""
        if self._lease_until_ns is not None and self._clock.monotonic_ns() > self._lease_until_ns:
            for camera in self._cameras.values():
                camera.runner.pause(Cause.RECORDER_AWAY, "the lease ran out")

    # --- Listener ---

    def state(self, camera: str, at_us: int, state: CameraState, cause: Cause | None, detail: str) -> None:
        """See `Listener`."""
        message = StateIs(camera, at_us, state, cause, detail)
        self._states[camera] = message
        self._tell(message)

    def buffered(self, segment: OpenSegment, fragment: Fragment, end_us: int, about: RunAbout) -> None:
        """See `Listener`."""
        entry = self._open.get(segment)
        if entry is None:
            entry = self._open[segment] = _Open(segment, about)
        entry.fragments.append(fragment)
        entry.ends_us.append(end_us)
        self._buffered += 1

    def torn(self, segment: OpenSegment) -> None:
        """See `Listener`."""
        entry = self._open.pop(segment, None)
        if entry is not None:
            self._buffered -= len(entry.fragments) - entry.durable

    def _tell(self, message: Message) -> None:
        if self._link is not None:
            self._link.send(message)
