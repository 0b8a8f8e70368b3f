"""One duty on a recorder: its epoch, its lease, its cameras. A recorder carries several, and none waits for another's cameras."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from recorder.backoff import BackoffSettings, ConnectRate
from recorder.cutter import CutSettings
from recorder.link import Assign, AssignedCamera, Holding, LeaseIs, Message, StateIs
from recorder.runner import CameraRunner, SegmentSpool
from recorder.session import RunAbout, Session
from recorder.source import Source
from recorder.spool import OpenSegment
from segments.clock import Clock
from segments.duty import LANE_OF, Duty
from segments.keys import RunId
from segments.model import CameraState, Cause, Fragment

CHANGES_KEPT = 4096
"""Changes of state that are told again to a new uploader: the old one may have died before it wrote them down."""

_SWITCHED_OFF = "switched off in the camera archive"


class Fragments(Protocol):
    """Who keeps the fragments of all open segments until they are durable."""

    def buffered(self, segment: OpenSegment, fragment: Fragment, end_us: int, about: RunAbout) -> None:
        """See `runner.Listener`."""

    def torn(self, segment: OpenSegment) -> None:
        """See `runner.Listener`."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all duties of a recorder share. `next_run` counts the runs of an epoch; `closing` are cameras whose sources are being closed."""

    cut: CutSettings
    backoff: BackoffSettings
    spool: SegmentSpool
    open_source: Callable[[AssignedCamera], Awaitable[Source]]
    clock: Clock
    clock_synced: Callable[[], bool]
    rate: ConnectRate
    fragments: Fragments
    tell: Callable[[Message], None]
    next_run: Callable[[int], int]
    closing: dict[str, asyncio.Task[None]] = field(default_factory=dict)


@dataclass(slots=True)
class _Camera:
    """A camera being recorded."""

    assigned: AssignedCamera
    runner: CameraRunner
    task: asyncio.Task[None]


class RecordedShard:
    """Records the cameras of a duty as it is told; the listener of their runners. Nothing of it waits."""

    def __init__(self, duty: Duty, means: Means) -> None:
        self.duty = duty
        self.epoch = 0
        self._lane = LANE_OF[duty.kind]
        self._means = means
        self._site = ""
        self._lease_until_ns: int | None = None
        self._cameras: dict[str, _Camera] = {}
        self._states: dict[str, StateIs] = {}
        self._changes: deque[StateIs] = deque(maxlen=CHANGES_KEPT)

    @property
    def holding(self) -> Holding:
        """What a new uploader is told first."""
        return Holding(self.duty, self.epoch)

    def said(self) -> Iterator[StateIs]:
        """All a new uploader must know of the cameras' states: the present one of each, and recent changes in their order."""
        recent = list(self._changes)
        yield from (state for state in self._states.values() if state not in recent)
        yield from recent

    def assign(self, assign: Assign) -> None:
        """These cameras from now on, in this epoch; a word of an older epoch is not listened to."""
        if assign.epoch < self.epoch:
            return
        if assign.epoch > self.epoch:
            self._site, self.epoch, self._lease_until_ns = assign.site, assign.epoch, None
            for camera in self._cameras.values():
                camera.runner.finish(Cause.RECORDER_AWAY, "the recorder goes on in a new epoch")
        named = {item.camera.id: item for item in assign.cameras}
        wanted = {id_: item for id_, item in named.items() if item.camera.enabled}
        there = set(self._cameras)
        self._stop(there - set(named), Cause.DISABLED, "taken out of the camera archive, or recorded by another site")
        self._stop(there & set(named) - set(wanted), Cause.DISABLED, _SWITCHED_OFF)
        changed = {id_ for id_ in there & set(wanted) if self._cameras[id_].assigned.stream != wanted[id_].stream}
        self._stop(changed, Cause.RECONNECTING, "the camera's settings were changed")
        for id_ in set(named) - set(wanted):
            self._say_switched_off(id_)
        for id_, item in wanted.items():
            if id_ not in self._cameras:
                self._start(item)
        self.mind_lease()

    def end(self, cause: Cause, detail: str) -> None:
        """Ends all its runs, for this cause."""
        self._stop(list(self._cameras), cause, detail)

    def lease_is(self, lease: LeaseIs) -> None:
        """How the lease stands; one of another epoch is not ours."""
        if lease.epoch == self.epoch:
            self._lease_until_ns = self._means.clock.monotonic_ns() + int(lease.left_s * 1e9) if lease.answers else None
            self.mind_lease()

    def uploader_is_gone(self) -> None:
        """Nobody says how the lease stands. One that holds now is good until somebody does; one that ran out stays so."""
        if not self._ran_out:
            self._lease_until_ns = None

    @property
    def _ran_out(self) -> bool:
        return self._lease_until_ns is not None and self._means.clock.monotonic_ns() >= self._lease_until_ns

    def mind_lease(self) -> None:
        """A lease that ran out while the index answered may be another's: nothing more is recorded until it is renewed."""
        for camera in self._cameras.values():
            if self._ran_out:
                camera.runner.pause(Cause.RECORDER_AWAY, "the lease ran out")
            else:
                camera.runner.resume()

    def segment_failed(self, segment: OpenSegment) -> None:
        """The group sync could not make a segment durable; nothing happens if it is not one of ours."""
        camera = self._cameras.get(segment.camera)
        if camera is not None:
            camera.runner.segment_failed(segment)

    # --- cameras ---

    def _start(self, assigned: AssignedCamera) -> None:
        camera, means = assigned.camera, self._means
        session = Session(camera.id, trust_clock=camera.trust_clock, new_run=self._new_run, clock_synced=means.clock_synced, cut=means.cut)
        runner = CameraRunner(
            camera.id,
            session=session,
            source=lambda: means.open_source(assigned),
            spool=means.spool,
            listener=self,
            clock=means.clock,
        )
        task = asyncio.create_task(self._record(runner, means.closing.get(camera.id)), name=f"camera {camera.id}")
        self._cameras[camera.id] = _Camera(assigned, runner, task)

    async def _record(self, runner: CameraRunner, closing: asyncio.Task[None] | None) -> None:
        """Some cameras take one connection only: the one before is closed first."""
        if closing is not None:
            await asyncio.wait([closing])
        await runner.run(self._means.rate, self._means.backoff)

    def _stop(self, ids: Iterable[str], cause: Cause, detail: str) -> None:
        """Ends their runs, for this cause, and begins to close their sources."""
        for id_ in ids:
            camera = self._cameras.pop(id_)
            camera.runner.pause(cause, detail)
            camera.task.cancel()
            self._states.pop(id_, None)
            self._means.closing[id_] = camera.task
            camera.task.add_done_callback(partial(self._closed, id_))

    def _closed(self, camera: str, task: asyncio.Task[None]) -> None:
        if self._means.closing.get(camera) is task:
            del self._means.closing[camera]

    def _say_switched_off(self, camera: str) -> None:
        said = self._states.get(camera)
        if said is None or said.state is not CameraState.STOPPED:
            self.state(camera, self._means.clock.now_us(), CameraState.STOPPED, Cause.DISABLED, _SWITCHED_OFF)

    def _new_run(self) -> str:
        return str(RunId(self.epoch, self._means.next_run(self.epoch), self._site, self._lane))

    # --- Listener ---

    def state(self, camera: str, at_us: int, state: CameraState, cause: Cause | None, detail: str) -> None:
        """See `runner.Listener`."""
        message = StateIs(self.duty, camera, at_us, state, cause, detail)
        self._states[camera] = message
        self._changes.append(message)
        self._means.tell(message)

    def buffered(self, segment: OpenSegment, fragment: Fragment, end_us: int, about: RunAbout) -> None:
        """See `runner.Listener`."""
        self._means.fragments.buffered(segment, fragment, end_us, about)

    def torn(self, segment: OpenSegment) -> None:
        """See `runner.Listener`."""
        self._means.fragments.torn(segment)
