"""The uploader's side of recording: the duties its place holds are shared out among its recorders, and their words written down."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from recorder.absence import Absence, AbsenceIndex, EndRuns
from recorder.background import Background
from recorder.camera_archive import CameraArchive
from recorder.connections import ConnectedRecorder, Connections
from recorder.held_shard import HeldShard, held_shard
from recorder.link import Counts, StateIs
from recorder.live import LiveEdge
from recorder.sharing import loads, relief, share
from recorder.states import StateQueue
from segments.clock import Clock
from segments.duty import Duty, Place
from segments.model import Credential, Lease, StateChange
from segments.ports import CameraChanges, Records
from segments.shards import shard_of

TICK_S = 0.5
GATHER_S = 1.5
"""So long after its start a place waits for the recorders it expects: they may be at work already, and sharing is for all."""
LINGER_S = 2.0
"""A duty that moves to another recorder of the place goes on at the old one for so long, so that no moment is lost."""
CALM_S = 10.0
"""Between two such moves, and after recorders came or went."""


class ShardIndex(AbsenceIndex, CameraChanges, Records, Protocol):
    """What is needed of the index here."""


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """The site's name and into how many `shards` its cameras are divided; the place's name and the `url` of its internal routes; how many
    recorders it expects and how many cameras each is meant to carry; whether there are other sites, which may take cameras over."""

    site: str
    place: str
    url: str
    shards: int = 1
    recorders: int = 1
    cameras_per_recorder: int = 256
    refresh_s: float = 2.0
    several_sites: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a shard server calls: `sealed` when a segment is, `fresh_epoch` for a new epoch of a duty (None: not now)."""

    open_credential: Callable[[str, bytes], Credential]
    sealed: Callable[[], None]
    end_runs: EndRuns
    fresh_epoch: Callable[[Duty], Awaitable[Lease | None]]


class ShardServer:
    """A `DutyHandler` for recording: gives each duty that is held to a recorder of this place, and writes down what becomes of it."""

    def __init__(self, settings: ShardSettings, around: Surroundings, *, index: ShardIndex, live: LiveEdge, clock: Clock) -> None:
        self._settings = settings
        self._around = around
        self._live = live
        self._clock = clock
        takeovers = index if settings.several_sites else None
        self._archive = CameraArchive(index, around.open_credential, shards=settings.shards, clock=clock, takeovers=takeovers)
        self._connections = Connections(self, live=live, sealed=around.sealed, clock=clock)
        self._shards: dict[Duty, HeldShard] = {}
        self._background = Background()
        self._began_ns = self._moved_ns = clock.monotonic_ns()
        self._gathered = False
        self.serve = self._connections.serve
        self.states = StateQueue(index, clock, self._is_sure)
        self._absence = Absence(index, self.states, around.end_runs, clock)

    async def run(self) -> None:
        """Follows the archive, gives duties out and writes states down until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.states.write())
            tasks.create_task(self._archive.follow(self._settings.refresh_s, self._archive_changed))
            tasks.create_task(self._ticks())

    async def settle(self) -> None:
        """Waits until all that ended here has ended: for the orderly end, after the last duty is lost."""
        for shard in self._shards.values():
            shard.cancel()
        await self._background.settle()

    # --- what others ask ---

    @property
    def alarms(self) -> list[str]:
        """What a person must look at."""
        of_cameras = [alarm for shard in self._shards.values() for alarm in shard.assigned.alarms]
        limit = self._settings.cameras_per_recorder
        return of_cameras + [
            f"recorder {recorder.name} carries {count} cameras and is meant for {limit}: raise fleet.recorders, or add a node"
            for recorder, count in loads(self._sizes(), self._placed(), self._connections.recorders).items()
            if count > limit
        ]

    def counts(self) -> list[Counts]:
        """The latest counts of the connected recorders."""
        return [recorder.counts for recorder in self._connections.recorders if recorder.counts is not None]

    def present(self) -> list[StateChange]:
        """The present state of each camera this place speaks for, as far as one was said."""
        cameras = (camera.id for shard in self._shards.values() if shard.speaks for camera in shard.cameras)
        return [last for camera in cameras if (last := self.states.last(camera)) is not None]

    def camera_states(self) -> dict[str, int]:
        """How many of them are in each state."""
        return dict(Counter(change.state.value for change in self.present()))

    def report(self) -> Place:
        """What this place says of itself; kinds and beat are the holder's to say. A shard it records is in its spool in a moment."""
        of, recorders = self._settings.shards, len(self._connections.recorders)
        spooled = {shard_of(camera, of) for camera in self._live.cameras()} | {duty.shard for duty in self._shards if duty.of == of}
        return Place(
            name=self._settings.place,
            url=self._settings.url,
            kinds=(),
            recorders=recorders,
            room=recorders * self._settings.cameras_per_recorder,
            load=sum(self._sizes().values()),
            spooled=tuple(sorted(spooled)),
            of=of,
            beat=0,
        )

    # --- DutyHandler ---

    def held(self, lease: Lease, *, resumed: bool) -> None:
        """See `DutyHandler`."""
        self.lost(lease.duty, linger_s=0.0)
        shard = self._shards[lease.duty] = held_shard(lease, resumed=resumed)
        shard.assigned = self._archive.assigned(lease.duty)
        self._arrange()

    def stands(self, lease: Lease, left_s: float, *, answers: bool) -> None:
        """See `DutyHandler`."""
        shard = self._shards.get(lease.duty)
        if shard is not None and shard.lease.epoch == lease.epoch:
            shard.stand(left_s, answers=answers)

    def lost(self, duty: Duty, *, linger_s: float) -> None:
        """See `DutyHandler`. From now on a successor speaks for the cameras; if there is none, their absence is said at the end."""
        shard = self._shards.pop(duty, None)
        if shard is not None:
            shard.cancel()
            if shard.recorder is not None:
                self._background.begin(self._end(shard, shard.recorder, linger_s))

    async def _end(self, shard: HeldShard, recorder: ConnectedRecorder, linger_s: float) -> None:
        await recorder.let_go(shard.lease, linger_s, self._clock)
        if shard.speaks and shard.duty not in self._shards:
            await self._absence.if_nobody_else(shard.duty, shard.cameras)

    # --- Sharer ---

    def joined(self, recorder: ConnectedRecorder) -> None:  # noqa: ARG002
        """See `connections.Sharer`."""
        self._moved_ns = self._clock.monotonic_ns()
        self._arrange()

    def gone(self, recorder: ConnectedRecorder) -> None:
        """See `connections.Sharer`."""
        self._moved_ns = self._clock.monotonic_ns()
        for shard in self._shards.values():
            if shard.recorder is recorder:
                shard.recorder = shard.told = None
                if shard.speaks and shard.absent_since_us is None:
                    self._absence.from_now_on(shard.cameras, "the recorder is gone")
        self._arrange()

    def said(self, recorder: ConnectedRecorder, state: StateIs) -> None:
        """See `connections.Sharer`. Only who has the duty now speaks for its cameras."""
        shard = self._shards.get(state.duty)
        if state.duty in recorder.claims:
            recorder.keep_early(state)
        elif shard is not None and shard.recorder is recorder and shard.speaks:
            if shard.absent_since_us is None:
                self.states.note(state.change)
            else:
                shard.early.append(state)

    # --- giving out ---

    def _arrange(self) -> None:
        """Gives a recorder to every duty that has none: the one that goes on with it in its epoch, else any, in an unused epoch."""
        if not self._archive.is_whole:
            return
        for shard in self._shards.values():
            if shard.recorder is None and shard.used:
                self._adopt(shard)
        if self._have_gathered():
            for duty, recorder in share(self._sizes(), self._placed(), self._connections.recorders).items():
                shard = self._shards[duty]
                if not shard.used:
                    self._give(shard, self._claimant(shard) or recorder)
                elif shard.renewing is None:
                    shard.renewing = self._background.begin(self._renew(shard))
        for shard in self._shards.values():
            if shard.is_low and shard.renewing is None:
                shard.renewing = self._background.begin(self._renew(shard, shard.recorder))
        for recorder in self._connections.recorders:
            for duty in list(recorder.claims):
                if duty in self._shards and self._shards[duty].recorder is not None:
                    recorder.deny(duty)

    def _have_gathered(self) -> bool:
        """Whether the recorders that are expected have come once, or were waited for."""
        old = self._clock.monotonic_ns() - self._began_ns >= GATHER_S * 1e9
        self._gathered = self._gathered or old or len(self._connections.recorders) >= self._settings.recorders
        return self._gathered

    def _adopt(self, shard: HeldShard) -> None:
        for recorder in self._connections.recorders:
            if recorder.claims.get(shard.duty) == shard.lease.epoch:
                shard.absent_since_us = None
                self._hand(shard, recorder)
                return

    def _claimant(self, shard: HeldShard) -> ConnectedRecorder | None:
        """Who has its cameras open, though in an older epoch."""
        return next((recorder for recorder in self._connections.recorders if shard.duty in recorder.claims), None)

    def _give(self, shard: HeldShard, recorder: ConnectedRecorder) -> None:
        shard.used = True
        self._hand(shard, recorder)
        if shard.writing is not None:
            shard.writing.cancel()
        shard.writing = self._background.begin(self._absence.write_beginning(shard))

    def _hand(self, shard: HeldShard, recorder: ConnectedRecorder) -> None:
        shard.recorder = recorder
        for state in recorder.settled(shard.duty):
            self.said(recorder, state)
        shard.tell(self._settings.site)

    async def _renew(self, shard: HeldShard, to: ConnectedRecorder | None = None) -> None:
        """A new epoch for a duty whose recorder is gone, or has too much (then it goes on for a moment beside the new one), or `is_low`."""
        before, old, above = shard.recorder, shard.lease, shard.assigned.after_epoch
        try:
            lease = await self._around.fresh_epoch(shard.duty)
        finally:
            shard.renewing = None
        if lease is None or self._shards.get(shard.duty) is not shard:
            return
        shard.begin_anew(lease)
        shard.raised_above = above
        if to in self._connections.recorders and to is not None:
            self._give(shard, to)
        self._arrange()
        if before is not None and before is not shard.recorder:
            self._background.begin(before.let_go(old, LINGER_S, self._clock))

    def _relieve(self) -> None:
        """Moves one duty from a recorder that carries far more than another, when things have been calm for a while."""
        if self._clock.monotonic_ns() - self._moved_ns < CALM_S * 1e9:
            return
        move = relief(self._sizes(), self._placed(), self._connections.recorders, self._settings.cameras_per_recorder)
        if move is not None and self._shards[move[0]].renewing is None:
            self._moved_ns = self._clock.monotonic_ns()
            shard = self._shards[move[0]]
            shard.renewing = self._background.begin(self._renew(shard, move[1]))

    def _is_sure(self) -> bool:
        """Whether what is held is ours as far as the index says: what waited while it was away may be another's to say by now."""
        return all(shard.stands is None or shard.stands.answers for shard in self._shards.values())

    def _sizes(self) -> dict[Duty, int]:
        return {duty: shard.size for duty, shard in self._shards.items()}

    def _placed(self) -> dict[Duty, ConnectedRecorder]:
        return {duty: shard.recorder for duty, shard in self._shards.items() if shard.recorder is not None}

    # --- in the background ---

    def _archive_changed(self) -> None:
        for shard in self._shards.values():
            shard.assigned = self._archive.assigned(shard.duty)
            shard.tell(self._settings.site)
        self._arrange()

    async def _ticks(self) -> None:
        while True:
            await self._clock.sleep(TICK_S)
            self._connections.mind_silence()
            self._arrange()
            self._relieve()
            self._connections.mind_claims(self._shards, self._archive.answers_since_ns)
