"""Health and metrics as probes, Prometheus and people ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from deploy.health import KEPT_S, Health, Part, index_part, pool_part, told_part
from deploy.metrics.program import ProgramMetrics
from deploy.monitored import monitored
from segments.errors import TryAgain
from tests.fakes import SteppedClock, SwitchedIndex, SwitchedObjects

KEY = "m" * 43
WITH_KEY = {"Authorization": f"Bearer {KEY}"}


class Site:
    """A monitored application over an index and a pool that can go away."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.index = SwitchedIndex()
        self.pool = SwitchedObjects()
        self.clock_wrong = ""
        parts = [index_part(self.index, "anna"), pool_part("main", self.pool), told_part("clock", lambda: self.clock_wrong)]
        self.metrics = ProgramMetrics("api")
        own = Starlette(routes=[Route("/else", lambda _: PlainTextResponse("the application's own"))])
        self.app = monitored(own, health=Health(parts, self.clock), metrics=self.metrics, key=KEY)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://node") as client:
            yield client

    async def get(self, path: str, headers: dict[str, str] | None = None) -> httpx2.Response:
        """One GET, after the last findings have grown old."""
        self.clock.passed_ns += int(KEPT_S * 1e9)
        async with self.client() as client:
            return await client.get(path, headers=headers)


@pytest.fixture
def site() -> Site:
    return Site()


async def test_a_healthy_program_says_so(site: Site) -> None:
    """Live and ready; its own routes are where they were."""
    assert (await site.get("/health/live")).json() == {"status": "ok"}
    ready = await site.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "ill": []})
    assert (await site.get("/else")).text == "the application's own"


async def test_ready_follows_the_index(site: Site) -> None:
    """Red while it is away, green when it is back, and the process is live all the time."""
    site.index.away = True
    red = await site.get("/health/ready")
    assert (red.status_code, red.json()) == (503, {"status": "ill", "ill": ["index"]})
    assert (await site.get("/health/live")).status_code == 200

    site.index.away = False
    assert (await site.get("/health/ready")).status_code == 200


async def test_what_can_be_done_without_is_told_and_does_not_stop_the_rest(site: Site) -> None:
    """A pool that is away takes its footage with it, and not the footage of all others."""
    site.pool.away, site.clock_wrong = True, "not synchronised"

    found = await site.get("/health/ready")

    assert (found.status_code, found.json()) == (200, {"status": "impaired", "ill": ["pool main", "clock"]})


async def test_why_is_told_to_those_who_have_the_key(site: Site) -> None:
    """Names of parts are for everybody; sentences may name addresses and folders."""
    site.index.fails["placings"] = TryAgain("10.0.0.9 does not answer")

    assert "10.0.0.9" not in (await site.get("/health/ready", {"Authorization": "Bearer wrong"})).text
    site.index.fails["placings"] = TryAgain("10.0.0.9 does not answer")
    assert (await site.get("/health/ready", WITH_KEY)).json()["why"] == {"index": "10.0.0.9 does not answer"}


async def test_a_part_that_hangs_is_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe has an answer within its limit whatever hangs, and all parts hang at once, not one after the other."""
    monkeypatch.setattr("deploy.health.LIMIT_S", 0.05)
    parts = [Part(name, lambda: asyncio.sleep(60), needed=True) for name in ("index", "pool a", "pool b")]

    async with asyncio.timeout(1):
        found = await Health(parts, SteppedClock()).findings()

    assert found.ill == dict.fromkeys(("index", "pool a", "pool b"), "no answer within 0.05 s")
    assert not found.ready


async def test_what_hangs_is_not_asked_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that hangs would else hold one more thread for each probe; when it answers, the next look says so."""
    monkeypatch.setattr("deploy.health.LIMIT_S", 0.02)
    clock, asked, answer = SteppedClock(), [], asyncio.Event()

    async def check() -> None:
        asked.append("x")
        await answer.wait()

    health = Health([Part("spool", check)], clock)
    for _ in range(3):
        clock.passed_ns += int(KEPT_S * 1e9)
        assert "spool" in (await health.findings()).ill
    assert asked == ["x"]

    answer.set()
    clock.passed_ns += int(KEPT_S * 1e9)
    await asyncio.sleep(0)
    assert (await health.findings()).ill == {}


async def test_many_probes_cost_one_check(site: Site) -> None:
    """However often it is asked, and by however many at once."""
    asked: list[str] = []
    site.index.before = asked.append
    async with site.client() as client:
        await asyncio.gather(*(client.get("/health/ready") for _ in range(20)))

    assert asked == ["placings"]


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}, {"Authorization": f"Basic {KEY}"}]
)
async def test_metrics_want_their_key(site: Site, headers: dict[str, str]) -> None:
    """Without it nothing is told."""
    answer = await site.get("/metrics", headers)

    assert answer.status_code == 401
    assert "keepsight_" not in answer.text
    assert KEY not in answer.text


async def test_metrics_tell_how_the_parts_are(site: Site) -> None:
    """The same findings, for alerts."""
    site.pool.away = True
    text = (await site.get("/metrics", WITH_KEY)).text

    assert 'keepsight_part_healthy{part="index"} 1.0' in text
    assert 'keepsight_part_healthy{part="pool main"} 0.0' in text
    assert 'keepsight_build_info{program="api",version=' in text


async def test_what_cannot_be_read_hides_nothing_else(site: Site) -> None:
    """A disk that cannot be asked leaves its own figures as they were."""

    async def broken() -> None:
        raise OSError(5, "Input/output error")

    site.metrics.sample_with(broken)

    assert "keepsight_part_healthy" in (await site.get("/metrics", WITH_KEY)).text
