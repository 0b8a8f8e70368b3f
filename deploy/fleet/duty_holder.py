"""The duties of a place: it follows its placings, keeps a lease for each, says that it lives, and hands its duties over when it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from deploy.fleet.beats import Beats
from deploy.fleet.duty_keeper import DutyKeeper, Terms, wait_for, within
from segments.clock import Clock
from segments.duty import SUPERVISE, Duty, DutyHandler, Place
from segments.errors import KeepsightError
from segments.model import Lease
from segments.ports import Leases, Places

log = logging.getLogger(__name__)

FOLLOW_S = 0.5
"""How often placings are read without a hint."""
REPORT_S = 1.0


class DutyIndex(Leases, Places, Protocol):
    """What is needed of the index here."""


class DutyHolder:
    """Holds what is placed here. A duty that is placed elsewhere is given back at once and goes on for `linger_s` in its old epoch, so that
    its successor begins before it ends: overlaps are settled by the timeline, and epochs keep the two apart.
    """

    def __init__(
        self,
        place: str,
        *,
        index: DutyIndex,
        handlers: Mapping[str, DutyHandler],
        report: Callable[[], Place],
        clock: Clock,
        ttl_s: float,
        linger_s: float = 2.0,
    ) -> None:
        self._terms = Terms(place, ttl_s)
        self._index = index
        self._handlers = handlers
        self._report = report
        self._clock = clock
        self._linger_s = linger_s
        self._beat = clock.now_us()  # so that it differs from those of a former life
        self._beats = Beats(ttl_s)
        self._keepers: dict[Duty, DutyKeeper] = {}
        self._going: set[Duty] = set()
        self._known: set[Duty] = set()
        self._leaving = False
        self._hinted = asyncio.Event()
        self._silent = False

    async def run(self) -> None:
        """Runs until cancelled. Its leases stay as they are then: `leave` is the orderly end."""
        await self._say_alive()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(tasks))
            tasks.create_task(self._reports())
            tasks.create_task(self._says())

    def hint(self) -> None:
        """Placings have changed: look now."""
        self._hinted.set()

    def held(self) -> Mapping[Duty, Lease]:
        """The duties that are ours, as far as we know."""
        return {duty: keeper.held.lease for duty, keeper in self._keepers.items() if keeper.held is not None}

    async def fresh_epoch(self, duty: Duty) -> Lease | None:
        """A new epoch for a duty we hold, since who did it in the present one is gone; None if it is ours no more or the index is away.

        The handler is not told: who asks has the answer.
        """
        keeper = self._keepers.get(duty)
        return None if keeper is None else await keeper.fresh_epoch()

    async def leave(self) -> None:
        """The orderly end: gives all leases back, tells the handlers, and lingers if there is a living place that can take over."""
        self._leaving = True
        others = self._beats.alive - {self._terms.place}
        linger_s = self._linger_s if others else 0.0
        await self._say_alive()
        given = await asyncio.gather(*(keeper.give_back(linger_s) for keeper in self._keepers.values()))
        if linger_s and any(given):
            await self._clock.sleep(linger_s)

    # --- what is placed here ---

    async def _follow(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            try:
                placings = await within(self._terms.third_s, self._clock, self._index.placings(self._terms.place))
            except KeepsightError:
                pass  # what was wanted before is still wanted
            else:
                wanted = {placing.duty for placing in placings if placing.duty.kind in self._handlers}
                self._want(wanted | ({Duty(SUPERVISE)} if SUPERVISE in self._handlers else set()), tasks)
            await wait_for(self._hinted, FOLLOW_S, self._clock)

    def _want(self, wanted: set[Duty], tasks: asyncio.TaskGroup) -> None:
        if self._leaving:
            return
        for duty in sorted(wanted - self._keepers.keys() - self._going):
            keeper = self._keeper(duty)
            self._keepers[duty] = keeper
            tasks.create_task(keeper.run())
        for duty in sorted(self._keepers.keys() - wanted):
            self._going.add(duty)
            tasks.create_task(self._give_back(self._keepers.pop(duty)))

    def _keeper(self, duty: Duty) -> DutyKeeper:
        resumes = duty not in self._known
        self._known.add(duty)
        handler = self._handlers[duty.kind]
        return DutyKeeper(duty, handler=handler, index=self._index, terms=self._terms, clock=self._clock, resumes=resumes)

    async def _give_back(self, keeper: DutyKeeper) -> None:
        """The handler hears of the end before it can hear of a new beginning: until then the duty is not wanted again."""
        await keeper.give_back(self._linger_s)
        self._going.discard(keeper.duty)

    # --- what is said ---

    async def _says(self) -> None:
        """How each lease stands, by our own clock: said even while every call to the index hangs."""
        while True:
            await self._clock.sleep(min(1.0, self._terms.third_s))
            for keeper in list(self._keepers.values()):
                keeper.say()

    async def _reports(self) -> None:
        while True:
            await self._clock.sleep(REPORT_S)
            await self._say_alive()

    async def _say_alive(self) -> None:
        """Reports this place, one that leaves as doing nothing any more, and sees who else lives."""
        self._beat += 1
        kinds = () if self._leaving else tuple(sorted(self._handlers))
        place = replace(self._report(), name=self._terms.place, beat=self._beat, kinds=kinds)
        try:
            await within(self._terms.third_s, self._clock, self._index.put_place(place))
            places = await within(self._terms.third_s, self._clock, self._index.places())
        except KeepsightError as error:
            if not self._silent:
                log.warning("place.unheard: this place cannot say that it lives: %(error)s", {"error": error})
            self._silent = True
            return
        self._silent = False
        self._beats = self._beats.saw(places, self._clock.monotonic_ns())
