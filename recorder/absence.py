"""What is written of a shard where no recorder can say it: since when nobody recorded, and that runs of older epochs are over."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date
from typing import Protocol

from recorder.held_shard import HeldShard
from recorder.states import StateQueue
from segments.clock import US_PER_S, Clock, day_of
from segments.duty import Duty
from segments.errors import KeepsightError
from segments.model import Camera, CameraState, Cause, Lease, StateChange
from segments.patience import some_at_once
from segments.ports import Leases, States

log = logging.getLogger(__name__)

STATES_AT_ONCE = 16
CLOCKS_APART_US = 60 * US_PER_S
"""So far ahead of ours the clock of the node may have been that had these cameras before."""
OTHERS_END_S = 60.0
"""Before runs of another place are ended here: if it lives, it goes on for a moment and then ends them itself."""
RETRY_S = 1.0

EndRuns = Callable[[Lease, Sequence[str], Sequence[date]], Awaitable[None]]
"""Ends the runs that epochs before a lease's left open, of cameras, in months."""


class AbsenceIndex(Leases, States, Protocol):
    """What is needed of the index here."""


class Absence:
    """Notes the cause *recorder-away* in a queue of states, and has runs of older epochs ended."""

    def __init__(self, index: AbsenceIndex, states: StateQueue, end_runs: EndRuns, clock: Clock) -> None:
        self._index = index
        self._states = states
        self._end_runs = end_runs
        self._clock = clock

    def from_now_on(self, cameras: Iterable[Camera], detail: str) -> None:
        """Nobody records these any more."""
        for camera in cameras:
            if camera.enabled:
                self._away(camera.id, self._clock.now_us(), detail)

    async def write_beginning(self, shard: HeldShard) -> None:
        """What is to be written of a shard that is recorded in a new epoch; tried until it is done."""
        wait_s = OTHERS_END_S if shard.of_another else 0.0
        while True:
            try:
                if shard.absent_since_us is not None:
                    if shard.speaks:
                        await self._until_now(shard.absent_since_us, shard.cameras)
                    shard.absent_since_us = None
                    early, shard.early = shard.early, []
                    for state in early:
                        self._states.note(state.change)
                await self._clock.sleep(wait_s)
                return await self._end_older_runs(shard.lease, shard.cameras)
            except KeepsightError as error:
                log.warning("shard.unwritten: the beginning of %s is not written down yet: %s", shard.duty, error)
                await self._clock.sleep(RETRY_S)

    async def if_nobody_else(self, duty: Duty, cameras: Sequence[Camera]) -> None:
        """A duty ended here. If its lease is free and nobody has spoken of a camera since, nobody records it; else we are silent."""
        lease = await self._index.lease(duty)
        if lease is not None and not lease.free:
            self._states.drop({camera.id for camera in cameras})
            return
        last_us = self._clock.now_us() + CLOCKS_APART_US
        written = await some_at_once(lambda camera: self._index.state_before(camera.id, last_us), cameras, STATES_AT_ONCE)
        ours = [self._states.last(camera.id) for camera in cameras]
        unspoken = [
            camera
            for camera, theirs, our in zip(cameras, written, ours, strict=True)
            if theirs is None or (our is not None and theirs.at_us <= our.at_us)
        ]
        self.from_now_on(unspoken, "no recorder goes on")

    async def _until_now(self, since_us: int, cameras: Sequence[Camera]) -> None:
        """From the last renewal of the lease before ours (`since_us`) nobody recorded, and perhaps nobody was there to say so.

        A power cut comes before the lease it cuts off ends, so this is the first moment it can have been; but never before what was said
        of the camera last. Where it says too much it covers footage only, and footage goes before any cause.
        """
        now_us = self._clock.now_us()

        async def say(camera: Camera) -> None:
            written = await self._index.state_before(camera.id, now_us + CLOCKS_APART_US)
            if written is not None:
                self._states.heard(written)
            last = self._states.last(camera.id)
            if last is not None and last.cause is Cause.RECORDER_AWAY:
                return
            away_us = max(since_us, camera.added_us, last.at_us + 1 if last is not None else 0)
            if away_us < now_us:
                self._away(camera.id, away_us, "no recorder was running")

        await some_at_once(say, [camera for camera in cameras if camera.enabled], STATES_AT_ONCE)

    async def _end_older_runs(self, lease: Lease, cameras: Sequence[Camera]) -> None:
        """Runs of older epochs get no more footage: who wrote them lost the shard."""
        now_us = self._clock.now_us()
        months = {day_of(us).replace(day=1) for us in (now_us, lease.previous_expires_us or now_us)}
        await self._end_runs(lease, [camera.id for camera in cameras], sorted(months))

    def _away(self, camera: str, at_us: int, detail: str) -> None:
        self._states.note(StateChange(camera, at_us, CameraState.WAITING, Cause.RECORDER_AWAY, detail))
