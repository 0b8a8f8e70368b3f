"""Readers of virtual mp4s who are slow or mean no good, over a real socket: what they hold is given back, and none gets more than asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from deploy.web_server import Listening, serve_http
from playback import file_bytes, layouts, limits
from playback.app import PREFIX
from playback.export import find_parts
from playback.file_parts import Part
from playback.layouts import AT_ONCE, Layouts
from segments.clock import US_PER_S
from segments.model import Span
from segments.stores.memory_objects import MemoryObjects
from tests.api import Api, asked
from tests.builders import NOON_US, a_camera
from tests.fakes import settled, until
from tests.faults.flood import RANGES
from tests.footage import Take, recorded
from tests.media import Clips
from tests.servers.processes import free_port

SECONDS = 6
FILE = f"{PREFIX}/cameras/gate/footage.mp4?{urlencode(asked(0, SECONDS))}"
PIECE_BYTES = 1 << 16
MORE_THAN_SOCKETS_HOLD = 8 << 20
HOSTILE = [*RANGES, f"bytes={'0-0,' * 10_000}", "bytes=0-99,50-149,0-", "bytes=-", "items=0-9", "bytes=1-2-3", f"bytes=-{'9' * 18}"]
LONG_WAIT = 20_000


class WatchedPool(MemoryObjects):
    """A pool that gives small pieces and knows how many streams of it are open."""

    open = 0

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See `ReadObject`."""
        self.open += 1
        try:
            data = await self.get(key, start, end)
            for at in range(0, len(data), PIECE_BYTES):
                yield data[at : at + PIECE_BYTES]
                await asyncio.sleep(0)
        finally:
            self.open -= 1


class Served:
    """An API that serves on a port, and its pool."""

    def __init__(self, app: Any, pool: WatchedPool) -> None:
        self.port, self.pool, self.traffic = free_port(), pool, app.state.traffic
        self._app = app

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Served]:
        serving = asyncio.create_task(serve_http(self._app, Listening("127.0.0.1", self.port)))
        try:
            while True:
                try:
                    (await asyncio.open_connection("127.0.0.1", self.port))[1].close()
                    break
                except ConnectionRefusedError:
                    await asyncio.sleep(0.01)
            yield self
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    async def asks(self) -> socket.socket:
        """A client that has asked for the file, and takes nothing."""
        client = socket.socket()
        client.setblocking(False)  # noqa: FBT003 - the library's own
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", self.port))
        await loop.sock_sendall(client, f"GET {FILE} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        await until(lambda: self.traffic.requests and self.pool.open, LONG_WAIT)
        return client


async def rest(client: socket.socket) -> bytes:
    """The body of all that still comes."""
    found, loop = bytearray(), asyncio.get_running_loop()
    while piece := await loop.sock_recv(client, 1 << 20):
        found += piece
    client.close()
    return bytes(found.partition(b"\r\n\r\n")[2])


async def an_archive(clips: Clips, *, large: bool) -> tuple[Api, WatchedPool]:
    """Six seconds in six segments, of which those of a large one are more than sockets hold."""
    options: dict[str, Any] = {"width": 1280, "height": 720, "noise": True, "bitrate": 60_000_000} if large else {}
    api, pool = Api(objects=WatchedPool()), WatchedPool()
    await api.index.add_camera(a_camera())
    await recorded(api.index, pool, clips.get(seconds=SECONDS, **options), Take(start_us=NOON_US, segment_s=1))
    return api, pool


async def served(clips: Clips, *, large: bool) -> Served:
    api, pool = await an_archive(clips, large=large)
    return Served(api.app(pools={"main": pool}), pool)


async def whole(service: Served) -> bytes:
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{service.port}{FILE}")
    assert answer.status_code == 200
    return answer.content


@pytest.mark.server
async def test_who_takes_nothing_gives_the_pool_back_and_is_cut_off(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the pool's connection, while the request stands; then the request: its answer ends before its length."""
    monkeypatch.setattr(file_bytes, "HELD_S", 0.1)
    monkeypatch.setattr(limits, "STALLED_S", 1.0)
    async with (await served(clips, large=True)).running() as service:
        client = await service.asks()
        await until(lambda: not service.pool.open, LONG_WAIT)
        await settled()
        assert service.traffic.requests == 1
        await until(lambda: not service.traffic.requests, LONG_WAIT)
        assert not service.pool.open
        got, all_of_it = await rest(client), await whole(service)
    assert len(all_of_it) > MORE_THAN_SOCKETS_HOLD
    assert len(got) < len(all_of_it)
    assert all_of_it.startswith(got)


@pytest.mark.server
async def test_who_goes_on_after_a_pause_gets_everything(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool is opened anew where it was left, and every byte is there once."""
    monkeypatch.setattr(file_bytes, "HELD_S", 0.1)
    async with (await served(clips, large=True)).running() as service:
        client = await service.asks()
        await until(lambda: not service.pool.open, LONG_WAIT)
        assert await rest(client) == await whole(service)
        await until(lambda: not service.traffic.requests)
        assert not service.pool.open


@pytest.mark.server
async def test_who_goes_away_leaves_nothing_open(clips: Clips) -> None:
    """A connection that is closed in the middle ends the reading of the pool."""
    async with (await served(clips, large=True)).running() as service:
        (await service.asks()).close()
        await until(lambda: not service.traffic.requests and not service.pool.open, LONG_WAIT)


@pytest.mark.server
async def test_hostile_ranges_of_a_file(clips: Clips) -> None:
    """Several ranges and what is none give everything once; one behind the end is a 416; all else is its slice."""
    async with (await served(clips, large=False)).running() as service:
        all_of_it = await whole(service)
        async with httpx2.AsyncClient() as client:
            for header in HOSTILE:
                answer = await client.get(f"http://127.0.0.1:{service.port}{FILE}", headers={"Range": header})
                assert answer.status_code in (200, 206, 416), (header[:40], answer.text)
                if answer.status_code == 200:
                    assert answer.content == all_of_it
                elif answer.status_code == 206:
                    first, last = map(int, answer.headers["content-range"].partition("/")[0].removeprefix("bytes ").split("-"))
                    assert answer.content == all_of_it[first : last + 1]
                else:
                    assert answer.headers["content-range"] == f"bytes */{len(all_of_it)}"
        assert not service.pool.open


# --- layouts ---


async def _parts(api: Api, pool: WatchedPool) -> list[Part]:
    services = api.services(pools={"main": pool})
    spans = [Span(NOON_US + start_s * US_PER_S, NOON_US + (start_s + 1) * US_PER_S) for start_s in range(SECONDS)]
    return [(await find_parts(services, "gate", span, hold=False)).parts[0] for span in spans]


async def test_layouts_are_kept_within_their_bytes(clips: Clips) -> None:
    """The one used longest ago goes first and is made anew; one that is larger than all stays alone."""
    api, pool = await an_archive(clips, large=False)
    services, parts = api.services(pools={"main": pool}), await _parts(api, pool)
    one = Layouts()
    await one.of(services, parts[0])
    kept = Layouts(one.kept_bytes * 5 // 2)
    first, second = [await kept.of(services, part) for part in parts[:2]]
    assert await kept.of(services, parts[0]) is first
    await kept.of(services, parts[2])
    assert kept.kept_bytes <= one.kept_bytes * 5 // 2
    assert await kept.of(services, parts[0]) is first
    assert await kept.of(services, parts[1]) is not second

    none = Layouts(0)
    for part in parts:
        await none.of(services, part)
    assert 0 < none.kept_bytes <= one.kept_bytes * 2


async def test_few_files_are_laid_out_at_once(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at a time, however many are asked for; one that several ask for is made once."""
    api, pool = await an_archive(clips, large=False)
    services, parts = api.services(pools={"main": pool}), await _parts(api, pool)
    running, most, made = 0, 0, []
    plan = layouts.plan_file

    async def counted(*given: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        try:
            return await plan(*given)
        finally:
            running -= 1
            made.append(given[1])

    monkeypatch.setattr(layouts, "plan_file", counted)
    kept = Layouts()
    await asyncio.gather(*(kept.of(services, part) for part in parts * 2))
    assert most == AT_ONCE
    assert len(made) == len(parts)
