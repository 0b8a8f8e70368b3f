"""Two sites over the real code of takeovers, in memory: a home site with one camera, and another that may take it over.

Recorders are modelled: at a site that is up a camera is recorded if `recorded_here` says so, in an epoch of that site's index.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from replication.guests import Guests
from replication.sites import OtherSite, Sites, SitesSettings, ask_before_recording
from replication.takeover import TakeoverOrder, give_back, plan_takeover, take_over
from segments.clock import US_PER_S
from segments.duty import Duty
from segments.errors import KeepsightError
from segments.model import Camera
from segments.takeover import read_standing, read_takeover, recorded_after, recorded_here, told_home
from tests.builders import a_camera
from tests.fakes import SteppedClock
from tests.peer_site import PeerSite

TICK_S = 20
GATE = a_camera("gate")
NOWHERE = "recorded nowhere"
TOO_SOON = "a site that came back records what is recorded in its place"
TOO_LOW = "what was taken over is recorded in an epoch below the home site's"
OLD_TICKS = 3
"""Ages are told apart up to so many ticks: longer than every limit of the rules."""


async def _no_holds() -> None:
    return


class _Changes:
    def __init__(self, site: ModelSite) -> None:
        self._site = site

    async def fitted(self, camera: Camera) -> Camera:
        return camera

    async def change(self, before: Camera, after: Camera) -> None:
        await self._site.index.set_camera(after)

    async def take_out(self, camera: str) -> None:
        await self._site.index.remove_camera(camera)


class ModelSite(PeerSite):
    """A site that is up or down, and what it records."""

    def __init__(self, name: str, clock: SteppedClock) -> None:
        super().__init__(name, clock)
        self.epoch = 0
        self.up = True
        self.records = False
        self.recorded_in = 0
        self.sites: Sites | None = None

    def begin(self, other: ModelSite) -> None:
        """Its duty `sites`, in a new process."""
        guests = Guests(other.name, other, index=self.index, changes=_Changes(self))
        self.sites = Sites(
            SitesSettings(self.name), {other.name: OtherSite(other.name, other, guests, _no_holds)}, index=self.index, clock=self.clock
        )

    async def look(self) -> None:
        """What its recorders do about the camera now."""
        standing = await read_standing(self.index)
        camera = next((each for each in (await self.index.cameras()).items if each.id == GATE.id), None)
        self.records = self.up and camera is not None and recorded_here(camera, standing)
        if self.records and camera is not None and (not self.recorded_in or self.recorded_in <= recorded_after(camera, standing)):
            await self.take_epoch()

    async def take_epoch(self) -> None:
        """A new epoch for its recorders."""
        duty = Duty("record-a")
        seen = await self.index.lease(duty)
        lease = await self.index.acquire(duty, self.name, seen=seen, now_us=self.clock.now_us(), ttl_us=US_PER_S)
        assert lease is not None
        self.recorded_in = self.epoch = lease.epoch


@dataclass
class World:
    """Both sites, the link between them, and what is wrong by now. `owed`: taken over, and not recorded at home since it was given back."""

    asks_first: bool = True
    linked: bool = True
    owed: bool = False
    nowhere: int = 0
    twice: int = 0
    wrong: str = ""
    clock: SteppedClock = field(default_factory=SteppedClock)

    async def begin(self) -> World:
        """Both are up and know each other."""
        self.home, self.other = ModelSite("home", self.clock), ModelSite("other", self.clock)
        await self.home.index.add_camera(GATE)
        for _ in range(3):
            await self.home.take_epoch()
        self.home.begin(self.other)
        self.other.begin(self.home)
        await self.do("t")
        return self

    async def do(self, move: str) -> None:
        """One move: t time passes, l the link is cut or mended, h and o a site goes down or comes back, T taken over, B given back."""
        match move:
            case "t":
                self.clock.stand_still(TICK_S)
                await self._rounds()
                await self._count()
                return
            case "l":
                self.linked = not self.linked
            case "h" | "o":
                await self._switch(self.home if move == "h" else self.other)
            case "T":
                await self._take_over()
            case "B":
                with suppress(KeepsightError):
                    await give_back("home", "Lin", self.other.index, now_us=self.clock.now_us())
        self._see_who_answers()
        await self._look()

    def moves(self) -> str:
        """What may happen next."""
        return "tlho" + ("TB" if self.other.up else "")

    async def _switch(self, site: ModelSite) -> None:
        site.up = not site.up
        self._see_who_answers()
        if site.up:
            other = self.other if site is self.home else self.home
            site.begin(other)
            if self.asks_first:
                await ask_before_recording(site.name, {other.name: other}, site.index, self.clock)
            site.recorded_in = 0
            await site.look()
            if site is self.home and self.home.records and self.linked and await self.other_tells():
                self.wrong = TOO_SOON

    async def _take_over(self) -> None:
        now_us = self.clock.now_us()
        with suppress(KeepsightError):
            plan = await plan_takeover(TakeoverOrder("home", (), "Lin", "fire"), self.other.index, now_us=now_us)
            await take_over(plan, self.other.index, now_us=now_us)
            await self.other.look()
            self.owed = True
            if self.other.recorded_in <= self.home.recorded_in:
                self.wrong = TOO_LOW

    async def other_tells(self) -> bool:
        """Whether the other site would say that it records in the home site's place."""
        return self.other.up and told_home(await read_takeover(self.other.index, "home")) is not None

    async def _rounds(self) -> None:
        self._see_who_answers()
        for _ in range(2):
            for site in (self.home, self.other):
                if site.up and site.sites is not None:
                    await site.sites.round()
            await self._look()

    def _see_who_answers(self) -> None:
        for site in (self.home, self.other):
            site.away = not (site.up and self.linked)

    async def _look(self) -> None:
        resumed = not self.home.records
        for site in (self.home, self.other):
            await site.look()
        if resumed and self.home.records and self.linked and self.other.recorded_in >= self.home.recorded_in > 0:
            self.wrong = "the home site records again in an epoch below the other's"
        if self.home.records and not await self.other_tells():
            self.owed = False
        if self.home.records or self.other.records:
            self.nowhere = 0

    async def _count(self) -> None:
        """How long the camera is recorded nowhere though somebody is there to do it, or twice though both could know."""
        there = self.home.up or (self.other.up and self.owed)
        self.nowhere = self.nowhere + 1 if there and not (self.home.records or self.other.records) else 0
        both = self.home.records and self.other.records and self.linked and await self.other_tells()
        self.twice = self.twice + 1 if both else 0
        if self.nowhere > 2:
            self.wrong = self.wrong or NOWHERE
        if self.twice > 1:
            self.wrong = self.wrong or "recorded twice for long"
        camera = await self.home.index.camera(GATE.id)
        if camera != GATE:
            self.wrong = self.wrong or "the home site's camera was overwritten"

    async def state(self) -> Any:
        """All that decides what happens next, with ages instead of moments."""
        of_other, of_home = await read_standing(self.other.index), await read_standing(self.home.index)
        takeover, taken = of_other.takeovers.get("home"), of_home.taken.get("other")
        heard = [site.sites._others[name].seen for site, name in ((self.home, "other"), (self.other, "home")) if site.sites]
        return (
            self.linked,
            self.owed,
            self.nowhere,
            self.twice,
            [(site.up, site.records, site.away) for site in (self.home, self.other)],
            takeover and (bool(takeover.ended_us), self._age(takeover.given_back_us)),
            taken and bool(taken.ended_us),
            [seen and self._age(seen.heard_us) for seen in heard],
            self.other.recorded_in > self.home.recorded_in,
        )

    def _age(self, at_us: int) -> int:
        return -1 if not at_us else min(OLD_TICKS, (self.clock.now_us() - at_us) // (TICK_S * US_PER_S))
