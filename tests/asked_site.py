"""A site in memory for another one to ask: index, pool, a live edge and a voice that say what a test tells them to."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from deploy.tls import Certificate, trust_in
from deploy.web_server import Listening, serve_http
from replication.admission import Admission, AtOnce
from replication.peer_client import PeerClient
from replication.peer_http import PeerAddress
from replication.peer_routes import create_peer_app
from replication.ports import PROTOCOL, Hello, News
from replication.source import Source
from segments.clock import Clock, SystemClock
from segments.errors import NotFound, TryAgain
from segments.hold import Hold, Stretch
from segments.model import Fragment, Row, RowPosition, Run
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.builders import NOON_US, a_row, a_run
from tests.certificates import Authority
from tests.servers.processes import free_port

KEY = "the key that north and south share: 0123456789"
ATTRIBUTES = {"source": "gate", "place": "厦门 1 号", "duration": "PT60S"}


@dataclass
class SaidVoice:
    """See `SiteVoice`."""

    greeting: Hello = field(default_factory=lambda: Hello("north", PROTOCOL, "1.0", NOON_US, 17, "abc"))
    taken: Mapping[str, Sequence[str]] = field(default_factory=dict)
    heard: Mapping[str, int] = field(default_factory=dict)
    told: list[Hold] = field(default_factory=list)
    gone: Sequence[Stretch] | None = ()

    async def hello(self) -> Hello:
        return self.greeting

    async def merge_holds(self, holds: Sequence[Hold]) -> Sequence[Stretch] | None:
        self.told += holds
        return self.gone

    async def taken_over(self, site: str) -> Sequence[str] | None:
        return self.taken.get(site)

    async def heard_us(self, site: str) -> int:
        return self.heard.get(site, 0)


@dataclass
class SaidLive:
    """See `LiveRows`."""

    found: list[tuple[Row, Run]] = field(default_factory=list)
    data: dict[RowPosition, bytes] = field(default_factory=dict)
    away: bool = False

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
        if self.away:
            raise TryAgain("away")
        return [pair for pair in self.found if pair[0].camera == camera]

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:
        if position not in self.data:
            raise NotFound("it is not in a spool")
        return self.data[position][start:end]


class SaidNews:
    """See `NewsFeed`."""

    def __init__(self) -> None:
        self.next = News([], "n1")

    async def news(self, after: str) -> News:
        return self.next if after else News([], "n0")


class AskedSite:
    """The site `north`, with what a test puts into it."""

    def __init__(self) -> None:
        self.index = MemoryIndex()
        self.objects = MemoryObjects()
        self.voice = SaidVoice()
        self.live = SaidLive()
        self.news = SaidNews()
        self.source = Source(self.index, {"main": self.objects}, self.voice, live=self.live, news=self.news)

    async def keep(self, size: int = 5000, **fields: Any) -> tuple[Row, bytes]:
        """A segment with its object, row and run."""
        row, data = a_small_row(size, **fields)
        await self.objects.put(row.key, data, sha256=row.sha256, attributes=ATTRIBUTES)
        await self.index.publish(row)
        await self.index.put_run(a_run(camera=row.camera, id=row.run, start_us=NOON_US, last_us=max(row.end_us, NOON_US)))
        return row, data


def a_small_row(size: int = 5000, **fields: Any) -> tuple[Row, bytes]:
    """A row of a segment of 60 s, and bytes of its hash and size."""
    data = random.Random(f"{fields}").randbytes(size)
    fragments = (Fragment(0, size // 2, 100, 900_000, 2_700_000), Fragment(size // 2, size - size // 2, 0, 3_600_000, 2_700_000))
    good = {"fragments": fragments, "size": size, "sha256": hashlib.sha256(data).hexdigest()}
    return a_row(**good | fields), data


@asynccontextmanager
async def served(site: AskedSite, folder: Path, clock: Clock | None = None, **at_once: int) -> AsyncIterator[tuple[str, Path]]:
    """Its routes by TLS on a free port: their address, and the authority of their certificate. `at_once`: as `AtOnce` takes them."""
    authority = Authority(folder, "sites")
    port, address = free_port(), "127.0.0.1"
    app = AtOnce(create_peer_app(site.source, Admission("north", {"south": KEY}, clock or SystemClock())), **at_once)
    serving = asyncio.create_task(serve_http(app, Listening(address, port, Certificate(*authority.certify("north", address)))))
    try:
        url = f"https://{address}:{port}"
        await _answering(url, authority.ca_file)
        yield url, authority.ca_file
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await asyncio.sleep(0.05)  # connections that were cut in the middle are closed a moment after their server


def a_client(url: str, ca_file: Path | None = None, *, clock: Clock | None = None, **fields: Any) -> PeerClient:
    """South's client of north."""
    good: dict[str, Any] = {"site": "north", "url": url, "asking": "south", "key": KEY}
    tls = None if ca_file is None else trust_in("ca_file", ca_file)
    return PeerClient(PeerAddress(**good | {"tls": tls} | fields), clock=clock or SystemClock())


async def _answering(url: str, ca_file: Path) -> None:
    async with httpx2.AsyncClient(verify=trust_in("ca_file", ca_file), trust_env=False) as http, asyncio.timeout(10):
        while True:
            try:
                await http.get(url)
                return
            except httpx2.ConnectError:
                await asyncio.sleep(0.02)


async def all_of(pieces: AsyncIterator[bytes]) -> bytes:
    """The pieces joined."""
    return b"".join([piece async for piece in pieces])
