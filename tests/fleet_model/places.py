"""Places of a test over one index in virtual time: what their handlers heard, and when."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from deploy.fleet.duty_holder import DutyHolder
from deploy.fleet.placer import Placer
from segments.clock import Clock
from segments.duty import SUPERVISE, Duty, Place, Placing
from segments.model import Lease
from tests.builders import a_place
from tests.fakes import SwitchedIndex
from tests.virtual_time import VirtualClock

TTL_S = 3.0


@dataclass(frozen=True)
class Heard:
    """One call of a handler."""

    at_s: float
    what: str
    duty: Duty
    epoch: int = 0
    resumed: bool = False
    left_s: float = 0.0
    answers: bool = True
    linger_s: float = 0.0


@dataclass
class Handler:
    """Keeps what it is told."""

    heard: list[Heard] = field(default_factory=list)

    def held(self, lease: Lease, *, resumed: bool) -> None:
        """See `DutyHandler`."""
        self.heard.append(Heard(now_s(), "held", lease.duty, lease.epoch, resumed=resumed))

    def stands(self, lease: Lease, left_s: float, *, answers: bool) -> None:
        """See `DutyHandler`."""
        self.heard.append(Heard(now_s(), "stands", lease.duty, lease.epoch, left_s=left_s, answers=answers))

    def lost(self, duty: Duty, *, linger_s: float) -> None:
        """See `DutyHandler`."""
        self.heard.append(Heard(now_s(), "lost", duty, linger_s=linger_s))

    def of(self, what: str, duty: Duty | None = None) -> list[Heard]:
        """What was heard of this kind."""
        return [one for one in self.heard if one.what == what and duty in (None, one.duty)]

    @property
    def turns(self) -> list[str]:
        """Beginnings and ends, in order."""
        return [one.what for one in self.heard if one.what != "stands"]


class APlace:
    """One life of a place: a real duty holder, a handler for recording, and a real placer if it has shards."""

    def __init__(self, name: str, index: Any, *, shards: int = 0, clock: Clock | None = None, room: int = 100) -> None:
        self.name = name
        self.room = room
        self.handler = Handler()
        clock = clock or VirtualClock()
        self.placer = Placer(name, index=index, shards=shards, hint=lambda: self.holder.hint(), clock=clock, ttl_s=TTL_S)
        placing = {SUPERVISE: self.placer} if shards else {}
        handlers = {"record-a": self.handler, "record-b": self.handler, **placing}
        self.holder = DutyHolder(name, index=index, handlers=handlers, report=self.report, clock=clock, ttl_s=TTL_S)
        self.running = asyncio.get_running_loop().create_task(self.holder.run())

    def report(self) -> Place:
        """What it says of itself."""
        return replace(a_place(self.name, room=self.room, load=0, spooled=()), beat=0)

    @property
    def does(self) -> set[str]:
        """The names of the duties it holds."""
        return {str(duty) for duty in self.holder.held()}

    async def die(self) -> None:
        """The process is gone."""
        self.placer._stop()
        self.running.cancel()
        await asyncio.wait([self.running])


async def placed(index: SwitchedIndex, duty: Duty, place: str, *, standby: bool = False) -> None:
    """An entry of the placings, made by hand."""
    await index.inner.put_placing(Placing(duty, place, standby))


def now_s() -> float:
    """Virtual time."""
    return asyncio.get_running_loop().time()
