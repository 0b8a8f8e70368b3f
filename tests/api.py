"""The application over memory stores, with a clock that stands and a live edge that does what it is told."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
from fastapi import FastAPI

from deploy.api_app import whole_app
from playback.access import Open
from playback.app import PREFIX
from playback.identity.entrance import Entrance, SiteToken
from playback.identity.known_cameras import KnownCameras
from playback.identity.sessions import Sessions
from playback.services import Services
from playback.webhooks.address import Reach
from playback.webhooks.attempts import Answer
from playback.webhooks.post import Post
from playback.webhooks.telling import Means
from retention.asked import RetentionServices
from retention.policies import PolicyLimits
from segments.clock import US_PER_S, Clock, SystemClock, iso
from segments.errors import NotFound, TryAgain
from segments.model import Row, RowPosition, Run
from segments.secrets import Sealer
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.builders import NOON_US
from tests.footage import Recorded


class StandingClock(SystemClock):
    """A clock whose wall time is set by the test."""

    def __init__(self, at_us: int) -> None:
        self.at_us = at_us

    def now_us(self) -> int:
        return self.at_us


@dataclass
class FakeLive:
    """A live edge of segments given by the test; `away` makes all of it unreachable."""

    found: list[tuple[Row, Run]] = field(default_factory=list)
    bytes_of: dict[RowPosition, bytes] = field(default_factory=dict)
    said: dict[str, object] = field(default_factory=dict)
    away: bool = False

    def show(self, made: Recorded, fragments: int) -> Row:
        """The first segment of something recorded as it grows: so many of its fragments are durable."""
        whole = made.rows[0]
        some = whole.fragments[:fragments]
        end_us = whole.start_us + (some[-1].pts + some[-1].duration - some[0].pts) * 100 // 9
        size = some[-1].offset + some[-1].length
        row = replace(whole, fragments=some, end_us=end_us, size=size, sha256="", pool="")
        self.found = [(row, replace(made.run, ended=False, last_us=end_us))]
        self.bytes_of[row.position] = made.objects[whole.key][:size]
        return row

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
        self._answer()
        return [one for one in self.found if one[0].camera == camera]

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:
        self._answer()
        if position not in self.bytes_of:
            raise NotFound("it has left the spool")
        return self.bytes_of[position][start:end]

    async def status(self) -> Mapping[str, object]:
        self._answer()
        return self.said

    def _answer(self) -> None:
        if self.away:
            raise TryAgain("the uploader does not answer")


class Nobody:
    """A receiver of webhooks' messages that is not there."""

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See `Post`."""
        return Answer(0, "no connection", connected=False)


@dataclass
class Api:
    """The application under test and all it stands on; requests go to paths under `/api/v1`."""

    index: MemoryIndex = field(default_factory=MemoryIndex)
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    live: FakeLive = field(default_factory=FakeLive)
    clock: StandingClock = field(default_factory=lambda: StandingClock(NOON_US + 3600 * US_PER_S))
    token: str | None = None
    receiver: Post = field(default_factory=Nobody)
    _made: tuple[list[object], FastAPI] | None = field(default=None, init=False, repr=False)

    def services(self, **changes: Any) -> Services:
        """What the application is given; `token` is that of the site."""
        token = changes.pop("token", self.token)
        good = {
            "index": self.index,
            "pools": {"main": self.objects},
            "live": self.live,
            "clock": self.clock,
            "site": "home",
            "webhooks": Means(self.index, Sealer(bytes(32)), self.receiver, Reach(), self.clock, "home"),
            "access": Open() if token is None else entrance(self.index, self.clock, token),
        }
        return Services(**good | changes)

    def app(self, **changes: Any) -> FastAPI:
        """The whole application; the same again as long as it stands on the same, as building one takes longer than most requests."""
        if changes:
            return self._build(**changes)
        stands_on = [self.index, self.objects, self.live, self.clock, self.token]
        if self._made is None or not all(map(operator.is_, stands_on, self._made[0])):
            self._made = stands_on, self._build()
        return self._made[1]

    def _build(self, **changes: Any) -> FastAPI:
        return whole_app(self.services(**changes), RetentionServices(self.index, self.clock, PolicyLimits()))

    @asynccontextmanager
    async def client(self, **changes: Any) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of the application; a fault of ours comes as its 500, as it would over a socket."""
        transport = httpx2.ASGITransport(app=self.app(**changes), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=f"http://keepsight{PREFIX}/") as client:
            yield client

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        """One GET."""
        async with self.client() as client:
            return await client.get(path, **options)


def entrance(index: MemoryIndex, clock: Clock, token: str) -> Entrance:
    """The entrance of a site with a token."""
    return Entrance([SiteToken(token)], Sessions(index, clock), KnownCameras(index, clock))


def asked(start_s: float, end_s: float) -> dict[str, str]:
    """The query of a span that begins and ends so many seconds after noon."""
    return {"from": iso(NOON_US + round(start_s * US_PER_S)), "to": iso(NOON_US + round(end_s * US_PER_S))}
