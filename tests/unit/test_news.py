"""News of what is committed: a node's ring, what places tell, and what another site hears; checked against all that was committed."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from recorder.live import LiveEdge
from recorder.local_routes import create_local_app
from recorder.news import NewsRing
from replication.news_client import NewsClient
from replication.news_places import NewsOfPlaces
from segments.clock import US_PER_S
from segments.duty import Place
from segments.errors import BadInput, KeepsightError, Refused, TryAgain
from segments.stores.memory_index import MemoryIndex
from tests.builders import a_row
from tests.clocks import HandClock

KEY = "k" * 43


class Node:
    """A node: its uploader's ring over its real routes, and its faults."""

    def __init__(self, folder: Path, clock: HandClock, most: int = 1000) -> None:
        self.folder = folder
        self.clock = clock
        self.most = most
        self.error: Exception | None = None
        self.begin()

    def begin(self) -> None:
        """A new process."""
        self.ring = NewsRing(self.clock, self.most)
        self.app = create_local_app(LiveEdge(self.folder), key=KEY, status=dict, news=self.ring)

    def client(self, key: str = KEY) -> NewsClient:
        """One that asks whatever process there is."""
        client = NewsClient("http://node", key)

        async def send(request: httpx2.Request) -> httpx2.Response:
            if self.error is not None:
                raise self.error
            return await httpx2.ASGITransport(app=self.app).handle_async_request(request)

        client._http = httpx2.AsyncClient(base_url="http://node", headers=client._http.headers, transport=httpx2.MockTransport(send))
        return client


class Site:
    """Nodes by name, and what was committed at them: camera ids, which are all different."""

    def __init__(self, folder: Path, *names: str, most: int = 1000) -> None:
        self.clock = HandClock()
        self.index = MemoryIndex()
        self.nodes = {name: Node(folder, self.clock, most) for name in names}
        self.committed: list[str] = []

    async def report(self) -> Site:
        """All nodes, and a place that commits nothing."""
        for name in self.nodes:
            await self.index.put_place(Place(name, f"http://{name}", (), 0, 0, 0, (), 1, 0))
        await self.index.put_place(Place("x/duties", "", (), 0, 0, 0, (), 1, 0))
        return self

    def commit(self, name: str) -> None:
        """One more segment at a node."""
        self.committed.append(f"c{len(self.committed)}")
        self.nodes[name].ring.indexed(a_row(camera=self.committed[-1]))

    @asynccontextmanager
    async def news(self, most: int = 10_000) -> AsyncIterator[NewsOfPlaces]:
        """The program that tells others."""
        told = NewsOfPlaces(self.index, lambda url: self.nodes[url.removeprefix("http://")].client(), self.clock, most)
        yield told
        await told.close()


class Hearer:
    """Another site that asks again and again. `heard`: the cameras that were told."""

    def __init__(self) -> None:
        self.token = ""
        self.heard: list[str] = []
        self.lost = 0

    async def ask(self, told: NewsOfPlaces) -> None:
        news = await told.news(self.token)
        self.token, self.lost = news.next, self.lost + news.lost
        self.heard += [commit.camera for commit in news.commits]


async def test_all_that_is_committed_is_told_once(tmp_path: Path) -> None:
    """Of all nodes, with place and time, to each who asks; from the first question on, so that nobody begins with an hour of the past."""
    site = await Site(tmp_path, "anna", "bert").report()
    site.commit("anna")
    async with site.news() as told:
        one, other = Hearer(), Hearer()
        await one.ask(told)
        for name in ("anna", "bert", "anna"):
            site.clock.move(2)
            site.commit(name)
            await one.ask(told)
        await other.ask(told)
        site.clock.move(2)
        site.commit("bert")
        news = await told.news(one.token)
        await one.ask(told)
        await other.ask(told)
    assert one.heard == ["c1", "c2", "c3", "c4"]
    assert other.heard == ["c4"]
    assert (one.lost, other.lost) == (0, 0)
    assert [(commit.position, commit.committed_us) for commit in news.commits] == [(a_row().position, site.clock.now_us())]


async def test_who_asks_at_once_shares_a_round(tmp_path: Path) -> None:
    """Sixteen shards of a site ask a place no more often than one does."""
    site = await Site(tmp_path, "anna").report()
    asked: list[str] = []
    real = site.nodes["anna"].ring.told
    site.nodes["anna"].ring.told = lambda *words: asked.append("") or real(*words)  # type: ignore[method-assign]
    async with site.news() as told:
        for _ in range(16):
            await told.news("")
    assert len(asked) == 1


@pytest.mark.parametrize("fault", ["restarted", "overflowed", "gone"])
async def test_news_that_may_be_lost_are_said_to_be(tmp_path: Path, fault: str) -> None:
    """A node that began anew or left, a ring that ran over: said once, and what came after is told."""
    site = await Site(tmp_path, "anna", "bert", most=3).report()
    async with site.news() as told:
        hearer = Hearer()
        await hearer.ask(told)
        site.clock.move(2)
        match fault:
            case "restarted":
                site.commit("anna")
                site.nodes["anna"].begin()
            case "overflowed":
                for _ in range(4):
                    site.commit("anna")
            case "gone":
                await site.index.remove_place("anna")
        site.commit("bert")
        await hearer.ask(told)
        assert hearer.lost == 1
        assert hearer.heard[-1] == site.committed[-1]
        site.clock.move(2)
        site.commit("bert")
        await hearer.ask(told)
    assert hearer.lost == 1
    assert hearer.heard[-1] == site.committed[-1]


async def test_a_node_that_does_not_answer_holds_up_no_other(tmp_path: Path) -> None:
    """Its news come when it does; none of them is lost by that, and an index that is away only means no news."""
    site = await Site(tmp_path, "anna", "bert").report()
    async with site.news() as told:
        hearer = Hearer()
        await hearer.ask(told)
        site.nodes["anna"].error = httpx2.ConnectError("refused")
        site.commit("anna")
        site.commit("bert")
        site.clock.move(2)
        await hearer.ask(told)
        assert hearer.heard == ["c1"]
        site.nodes["anna"].error = None
        site.clock.move(6)
        await hearer.ask(told)
        site.clock.move(2)

        async def away() -> list[Place]:
            raise TryAgain("the index is away")

        site.index.places = away  # type: ignore[method-assign]
        await hearer.ask(told)
    assert hearer.heard == ["c1", "c0"]
    assert hearer.lost == 0


@pytest.mark.parametrize("later_s", [5, 4000])
async def test_another_program_of_the_site_goes_on(tmp_path: Path, later_s: int) -> None:
    """Restarted, or another node's behind the same address: what the nodes still know is told, some of it twice; else it is lost."""
    site = await Site(tmp_path, "anna", most=5).report()
    hearer = Hearer()
    site.clock.move(60)
    async with site.news() as first:
        await hearer.ask(first)
        for _ in range(3):
            site.clock.move(2)
            site.commit("anna")
        await hearer.ask(first)
    site.clock.move(later_s)
    for _ in range(1 if later_s == 5 else 9):
        site.commit("anna")
    async with site.news() as second:
        await hearer.ask(second)
    assert hearer.lost == (later_s != 5)
    assert (set(hearer.heard) == set(site.committed)) is (later_s == 5)


@pytest.mark.parametrize("seed", range(12))
async def test_nothing_is_missed_unsaid(tmp_path: Path, seed: int) -> None:
    """Whatever order commits, restarts, overflows, silences and questions come in: what was committed since the first question is told, or
    some is said to be lost."""
    chance = random.Random(seed)
    site = await Site(tmp_path, "anna", "bert", most=chance.choice([2, 50])).report()
    hearer, missing = Hearer(), set[str]()
    async with site.news(most=chance.choice([5, 1000])) as told:
        await hearer.ask(told)
        for _ in range(120):
            name = chance.choice(["anna", "bert"])
            match chance.choices(["commit", "ask", "begin", "silent", "wait"], [8, 6, 0.3, 0.5, 4])[0]:
                case "commit":
                    site.commit(name)
                case "ask":
                    await hearer.ask(told)
                case "begin":
                    site.nodes[name].begin()
                case "silent":
                    site.nodes[name].error = None if site.nodes[name].error else httpx2.ConnectError("refused")
                case "wait":
                    site.clock.move(chance.choice([0.5, 2, 7]))
            if hearer.lost:
                missing, hearer.lost = set(site.committed), 0
        for node in site.nodes.values():
            node.error = None
        for _ in range(3):
            site.clock.move(7)
            await hearer.ask(told)
    assert set(site.committed) - set(hearer.heard) - missing == set() or hearer.lost


async def test_a_ring_that_forgets_in_silence_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: who does not compare the numbers misses footage and says nothing."""
    site = await Site(tmp_path, "anna", most=3).report()
    monkeypatch.setattr(NewsOfPlaces, "_take", lambda self, known, told: [self._add(one) for one in told.commits])
    async with site.news() as told:
        hearer = Hearer()
        await hearer.ask(told)
        site.clock.move(2)
        for _ in range(4):
            site.commit("anna")
        await hearer.ask(told)
    assert set(site.committed) - set(hearer.heard)
    assert hearer.lost == 0


async def test_who_has_not_the_key_hears_nothing(tmp_path: Path) -> None:
    """Nor does one whose question makes no sense; a token that is none is refused."""
    node = Node(tmp_path, HandClock())
    with pytest.raises(Refused, match="key"):
        await node.client("x").told("", 0)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=node.app), base_url="http://node") as http:
        answer = await http.get("/news?after=x", headers={"Authorization": f"Bearer {KEY}"})
    assert answer.status_code == 400
    site = await Site(tmp_path, "anna").report()
    async with site.news() as told:
        for token in ("x", "a.b.c", "../1.2"):
            with pytest.raises(BadInput):
                await told.news(token)


async def test_an_index_that_never_answered_is_said(tmp_path: Path) -> None:
    """Before any place is known there is no place in the news to give."""
    site = Site(tmp_path, "anna")

    async def away() -> list[Place]:
        raise TryAgain("the index is away")

    site.index.places = away  # type: ignore[method-assign]
    async with site.news() as told:
        with pytest.raises(KeepsightError):
            await told.news("")


def test_a_ring_is_bounded() -> None:
    """It says since when it is whole."""
    clock = HandClock()
    ring = NewsRing(clock, most=3)
    for number in range(5):
        clock.move(1)
        ring.indexed(a_row(counter=number))
    told = ring.told("", 0)
    assert [commit[3] for commit in told.commits] == [2, 3, 4]
    assert told.first == 2
    assert told.since_us == clock.now_us() - 3 * US_PER_S + 1
    assert ring.told(told.boot, 4).commits == told.commits[2:]
    assert ring.told(told.boot, 99).commits == []
