"""Places the duties of a site: the handler of `supervise`. Each second it reads what is, lets `placement` decide, and writes that down."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from deploy.fleet.beats import Beats
from deploy.fleet.duty_keeper import within
from deploy.fleet.placement import Change, Plan, Scene, done_somewhere, duties_of, plan, wanted_duties
from segments.clock import Clock
from segments.duty import Duty, Place
from segments.errors import KeepsightError
from segments.model import Lease
from segments.patience import some_at_once
from segments.ports import CameraChanges, Leases, Places

log = logging.getLogger(__name__)

ROUND_S = 1.0
LEAST_ROUND_S = 5.0
"""A round that takes so long, or the ttl if that is longer, is given up: the index hangs."""
CALM_S = 10.0
"""So long nothing about the places has changed before anything is moved for balance."""
FORGET_S = 86_400.0
"""A place that was dead for so long, and has nothing placed on it, is forgotten."""
AT_ONCE = 16


class PlacerIndex(Leases, Places, CameraChanges, Protocol):
    """What is needed of the index here."""


class Placer:
    """Works from `held` to `lost`, while the lease of its own duty holds; `hint` is called when placings of its own place have changed.

    `others` are duties beside recording: each is placed as soon as some place does its kind.
    """

    def __init__(
        self,
        place: str,
        *,
        index: PlacerIndex,
        shards: int,
        others: Sequence[Duty] = (),
        hint: Callable[[], None],
        clock: Clock,
        ttl_s: float,
    ) -> None:
        self._place = place
        self._index = index
        self._shards = shards
        self._others = others
        self._hint = hint
        self._clock = clock
        self._ttl_s = ttl_s
        self._until_ns = 0
        self._rounds: asyncio.Task[None] | None = None
        self._begin()

    def _begin(self) -> None:
        """What an earlier reign has seen counts no more."""
        self.alarms: tuple[str, ...] = ()
        self.wanted: Collection[Duty] = ()
        """All duties of the site, as far as this place knows: none while another supervises."""
        self._beats = Beats(self._ttl_s)
        self._stamps: Mapping[int, str] = {}
        self._counts: dict[int, Counter[Duty]] = {}
        self._calm_since_ns = self._clock.monotonic_ns()
        self._look: object = None
        self._failing = False

    # --- the duty ---

    def held(self, lease: Lease, *, resumed: bool) -> None:  # noqa: ARG002 - nothing of a former process is left here
        """See `DutyHandler`."""
        self._stop()
        self._begin()
        self._until_ns = self._clock.monotonic_ns() + lease.ttl_us * 1000
        self._rounds = asyncio.get_running_loop().create_task(self._work())

    def stands(self, lease: Lease, left_s: float, *, answers: bool) -> None:  # noqa: ARG002 - without the index nothing is written anyway
        """See `DutyHandler`."""
        self._until_ns = self._clock.monotonic_ns() + int(left_s * 1e9)

    def lost(self, duty: Duty, *, linger_s: float) -> None:  # noqa: ARG002 - two placers would undo each other's work
        """See `DutyHandler`; ends at once."""
        self._stop()
        self.alarms, self.wanted = (), ()

    def _stop(self) -> None:
        if self._rounds is not None:
            self._rounds.cancel()
            self._rounds = None

    async def _work(self) -> None:
        while True:
            try:
                await within(max(self._ttl_s, LEAST_ROUND_S), self._clock, self._round())
                self._failing = False
            except Exception as error:
                if not self._failing:
                    trace = None if isinstance(error, KeepsightError) else error
                    log.warning("placing.failed: duties cannot be placed: %(error)s", {"error": error}, exc_info=trace)
                self._failing = True
                self.alarms = (f"duties cannot be placed: {error}",)
            await self._clock.sleep(ROUND_S)

    # --- one round ---

    async def _round(self) -> None:
        places = await self._index.places()
        self._beats = self._beats.saw(places, self._clock.monotonic_ns())
        scene = await self._scene(places)
        decided = plan(scene)
        self.alarms, self.wanted = decided.alarms, scene.wanted
        await self._write(decided)
        await self._forget(scene)

    async def _scene(self, places: Sequence[Place]) -> Scene:
        """All that the decision needs. Our own place is alive: we run there."""
        await self._count_cameras()
        wanted = wanted_duties(self._counts.values(), self._shards) | done_somewhere(self._others, places)
        placings = await some_at_once(self._index.placings, [place.name for place in places], AT_ONCE)
        leases = await some_at_once(self._index.lease, sorted(wanted), AT_ONCE)
        alive, dead = self._beats.alive | {self._place}, self._beats.dead - {self._place}
        return Scene(
            places=places,
            alive=alive,
            dead=dead,
            wanted=wanted,
            placings=[placing for some in placings for placing in some],
            leases={lease.duty: lease.holder for lease in leases if lease is not None and not lease.free},
            calm=self._is_calm((alive, dead, [(place.name, place.draining, place.room, place.kinds) for place in places])),
        )

    def _is_calm(self, look: object) -> bool:
        now_ns = self._clock.monotonic_ns()
        if look != self._look:
            self._look, self._calm_since_ns = look, now_ns
        return now_ns - self._calm_since_ns >= CALM_S * 1e9

    async def _count_cameras(self) -> None:
        """Only in buckets that have changed. Stamps are read before buckets: a change between the two is seen again."""
        stamps = await self._index.camera_stamps()
        changed = [bucket for bucket, stamp in stamps.items() if self._stamps.get(bucket) != stamp]
        for bucket, cameras in zip(changed, await some_at_once(self._index.cameras_in, changed, AT_ONCE), strict=True):
            self._counts[bucket] = duties_of(cameras, self._shards)
        self._stamps = stamps

    async def _write(self, decided: Plan) -> None:
        for change in decided.changes:
            if self._clock.monotonic_ns() >= self._until_ns:
                return  # somebody else may place by now; what is half written is mended by any placer's next round
            await self._change(change)
        if any(change.placing.place == self._place for change in decided.changes):
            self._hint()

    async def _change(self, change: Change) -> None:
        placing = change.placing
        role = f"{'standby' if placing.standby else 'holder'}{' no more' if change.removes else ''}"
        fields = {"duty": placing.duty, "place": placing.place, "role": role, "reason": change.reason}
        log.info("placing.changed: %(duty)s has %(place)s as %(role)s: %(reason)s", fields)
        await (self._index.remove_placing if change.removes else self._index.put_placing)(placing)

    async def _forget(self, scene: Scene) -> None:
        busy = {placing.place for placing in scene.placings}
        for name in sorted(scene.dead - busy):
            if self._beats.silent_s(name) >= FORGET_S:
                await self._index.remove_place(name)
