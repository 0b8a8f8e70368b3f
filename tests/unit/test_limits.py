"""The limits of the API (promise R24): how much at once, for whom, what is answered beyond, and that long work does not stop the rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import httpx2
import pytest

from playback import limits
from playback.app import PREFIX, create_app
from playback.limits import Limits, RequestLimits, Traffic, client_of
from playback.live_shared import AT_ONCE, SharedLive
from playback.problems import TooMuch
from segments.clock import US_PER_S
from segments.errors import TryAgain
from segments.model import Row, Run
from segments.ports import Page
from segments.stores.memory_index import MemoryIndex
from tests.api import Api, FakeLive, asked
from tests.builders import NOON_US, a_camera, a_run, some_rows
from tests.fakes import until

FEW = Limits(requests=3, requests_per_client=2, costly=2, costly_per_client=2)


@dataclass
class Held(FakeLive):
    """A live edge that answers when it is let go; counts how many wait."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    most: int = 0
    asked: int = 0

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
        await self._hold()
        return await super().segments(camera)

    async def status(self) -> Any:
        await self._hold()
        return {}

    async def _hold(self) -> None:
        self.asked += 1
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            await self.go.wait()
        finally:
            self.waiting -= 1


@asynccontextmanager
async def clients(api: Api, few: Limits = FEW) -> AsyncIterator[Callable[..., Awaitable[httpx2.Response]]]:
    """One application, asked from addresses."""
    app = create_app(api.services(limits=few))

    async def ask(path: str, address: str = "192.0.2.1", **options: Any) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 1))
        async with httpx2.AsyncClient(transport=transport, base_url=f"http://keepsight{PREFIX}/") as client:
            return await client.get(path, **options)

    yield ask


async def settled() -> None:
    """Lets everything run that can."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_one_client_too_many_requests() -> None:
    """The third at once is a problem with the time to wait; another client is answered; and afterwards so is the first again."""
    live = Held()
    async with clients(Api(live=live)) as ask:
        first = [asyncio.create_task(ask("status")) for _ in range(2)]
        await settled()
        over = await ask("status")
        other = asyncio.create_task(ask("status", "192.0.2.2"))
        await settled()
        live.go.set()
        assert [answer.status_code for answer in await asyncio.gather(*first, other)] == [200, 200, 200]
        assert (await ask("status")).status_code == 200

    assert (over.status_code, over.headers["content-type"], over.headers["retry-after"]) == (429, "application/problem+json", "2")
    assert over.json()["type"] == "urn:keepsight:problem:too-much"
    assert "2 requests of one client" in over.json()["detail"]


async def test_too_many_requests_in_all() -> None:
    """However many clients they come from; health is always answered."""
    live = Held()
    async with clients(Api(live=live)) as ask:
        first = [asyncio.create_task(ask("status", f"192.0.2.{n}")) for n in range(3)]
        await settled()
        over, health = await ask("status", "192.0.2.9"), await ask("health", "192.0.2.9")
        live.go.set()
        await asyncio.gather(*first)

    assert (over.status_code, health.status_code) == (429, 200)
    assert "3 requests at once" in over.json()["detail"]


async def test_costly_requests_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many of a client, half of all turns, are worked on; whose turn does not come gets 429; cheap ones are answered meanwhile."""
    monkeypatch.setattr(limits, "TURN_S", 1.0)
    live = Held()
    api = Api(live=live)
    await api.index.add_camera(a_camera())
    many = Limits(requests=100, requests_per_client=100, costly=4, costly_per_client=5)
    async with clients(api, many) as ask:
        path = "cameras/gate/timeline"
        tasks = [asyncio.create_task(ask(path, params=asked(0, 1))) for _ in range(7)]
        await until(lambda: live.waiting == 2)
        cheap = await ask("cameras")
        other = asyncio.create_task(ask(path, "192.0.2.2", params=asked(0, 1)))
        await until(lambda: live.waiting == 3)
        await until(lambda: sum(task.done() for task in tasks) == 5, limit=20_000)
        live.go.set()
        codes = sorted([(await task).status_code for task in tasks])
        assert (await other).status_code == 200

    assert live.most == 3
    assert codes == [200, 200, 429, 429, 429, 429, 429]
    assert cheap.status_code == 200


async def test_a_turn_is_given_on_when_its_request_is_cancelled() -> None:
    """Neither waiting nor running requests keep a turn when their client has gone, and nothing is remembered of clients without any."""
    traffic = Traffic(Limits(costly=1))

    async def work(name: str, seconds: float) -> None:
        async with traffic.request(name), traffic.turn(name):
            await asyncio.sleep(seconds)

    tasks = [asyncio.create_task(work(name, 60)) for name in ("a", "b", "a")]
    await settled()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    await asyncio.wait_for(work("c", 0), 1)
    assert (traffic.requests, traffic._clients) == (0, {})


@pytest.mark.parametrize("path", ["hls/multivariant.m3u8", "hls/media.m3u8", "hls/iframes.m3u8", "timeline", "snapshot.jpg"])
async def test_all_costly_routes_take_turns(path: str) -> None:
    """The control: with no turn left each of them is refused."""
    app = create_app(Api().services(limits=Limits(costly_per_client=1)))
    async with app.state.traffic.request("127.0.0.1"), app.state.traffic.turn("127.0.0.1"):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=f"http://keepsight{PREFIX}/") as client:
            answer = await client.get(f"cameras/gate/{path}", params={**asked(0, 1), "at": asked(0, 1)["from"]})
    assert answer.status_code == 429


async def test_a_client_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place is free again; one that takes its time for each piece is not cut off."""
    monkeypatch.setattr(limits, "STALLED_S", 0.05)
    traffic = Traffic(FEW)
    taken: list[int] = []

    async def film(scope: Any, receive: Any, send: Any) -> None:
        for number in range(5):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            taken.append(number)

    async def stalled(message: Any) -> None:
        await asyncio.sleep(0.02 if len(taken) < 3 else 60)

    app = RequestLimits(film, traffic, frozenset())
    await asyncio.wait_for(app({"type": "http", "path": "/", "client": ("192.0.2.1", 1)}, stalled, stalled), 5)

    assert taken == [0, 1, 2]
    assert traffic.requests == 0


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_who_a_client_is(host: str, name: str) -> None:
    """An address; of IPv6 the network of a household, whose addresses it can change at will."""
    assert client_of({"client": (host, 1) if host else None}) == name


# --- the loop stays free ---


async def longest_pause_s(work: Awaitable[Any]) -> tuple[float, float]:
    """The longest time the loop did nothing else while work was done, and how long that took in all."""
    task = asyncio.ensure_future(work)
    pause_s = 0.0
    began_s = last_s = time.monotonic()
    while not task.done():
        await asyncio.sleep(0.001)
        pause_s, last_s = max(pause_s, time.monotonic() - last_s), time.monotonic()
    task.result()
    return pause_s, time.monotonic() - began_s


class ManyRuns(MemoryIndex):
    """An index that has its pages ready, as a real one has them from its own thread: what takes time is what playback does with them."""

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__()
        self._ready = runs

    async def runs(self, camera: str, month: date, *, after: str = "", limit: int = 1000) -> Page[Run, str]:
        await asyncio.sleep(0)
        start = int(after or 0)
        return Page(self._ready[start : start + limit], str(start + limit) if start + limit < len(self._ready) else None)


async def test_a_long_timeline_stops_nobody() -> None:
    """A timeline of 20,000 runs is worked out in a thread: others are answered meanwhile."""
    starts_us = [NOON_US + n * 20 * US_PER_S for n in range(20_000)]
    api = Api(index=ManyRuns([a_run(id=f"home-a-1-{n}", start_us=us, last_us=us + 18 * US_PER_S) for n, us in enumerate(starts_us)]))
    await api.index.add_camera(a_camera(added_us=NOON_US))
    api.clock.at_us = NOON_US + 400_000 * US_PER_S

    pause_s, whole_s = await longest_pause_s(api.get("cameras/gate/timeline", params=asked(0, 400_000)))

    assert pause_s < 0.9 * whole_s


async def test_a_long_playlist_stops_nobody() -> None:
    """Nor does the playlist of a whole day."""
    api = Api()
    await api.index.add_camera(a_camera())
    rows = some_rows(1430)
    for row in rows:
        first = row.fragments[0]
        await api.index.publish(
            replace(row, fragments=tuple(first._replace(pts=first.pts + n * 180_000, duration=180_000) for n in range(30)))
        )
    await api.index.put_run(a_run(last_us=rows[-1].end_us))
    api.clock.at_us = NOON_US + 86_400 * US_PER_S

    pause_s, whole_s = await longest_pause_s(api.get("cameras/gate/hls/media.m3u8", params=asked(0, 86_000)))

    assert pause_s < 0.9 * whole_s


async def test_work_in_the_loop_is_seen() -> None:
    """The negative control of both: work that is not given to a thread is one long pause."""

    async def work() -> None:
        time.sleep(0.1)  # noqa: ASYNC251 - that is the fault

    pause_s, whole_s = await longest_pause_s(work())
    assert pause_s > 0.9 * whole_s


# --- the recording side is spared ---


async def test_viewers_of_a_camera_share_a_question() -> None:
    """Those who wait to ask the same ask once; few questions are open at once; whoever comes later gets a later answer."""
    held = Held()
    live = SharedLive(held)
    tasks = [asyncio.create_task(live.segments("gate")) for _ in range(AT_ONCE)]
    for _ in range(100):
        await settled()
        tasks += [asyncio.create_task(live.segments(f"camera-{n}")) for n in range(20)]
    await settled()
    assert held.most == AT_ONCE
    held.go.set()
    await asyncio.gather(*tasks)

    assert held.most == AT_ONCE
    assert held.asked <= AT_ONCE + 21
    await live.segments("gate")
    assert held.asked <= AT_ONCE + 22


async def test_an_error_reaches_all_who_asked() -> None:
    """And the next who asks, asks anew."""
    inner = FakeLive(away=True)
    live = SharedLive(inner)
    answers = await asyncio.gather(*(live.segments("gate") for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [TryAgain] * 3
    inner.away = False
    assert await live.segments("gate") == []


async def test_one_who_hangs_up_ends_it_for_nobody_else() -> None:
    """A viewer that is cancelled leaves the question to the others."""
    held = Held()
    live = SharedLive(held)
    tasks = [asyncio.create_task(live.segments("gate")) for _ in range(2)]
    await settled()
    tasks[0].cancel()
    held.go.set()
    assert await tasks[1] == []
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]


async def test_beyond_the_limits_is_an_error_of_ours() -> None:
    """Users read a sentence that names the limit."""
    with pytest.raises(TooMuch, match="0 requests at once"):
        async with Traffic(replace(FEW, requests=0)).request("a"):
            pass
