"""The live edge of several places: who is asked, what their answers make together, and what one costs that hangs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from playback import live_places
from playback.footage import live_edge, row_of, run_of
from playback.live import Partly
from playback.live_places import KEPT_S, REST_S, LivePlaces
from segments.errors import NotFound, Refused, TryAgain
from segments.model import Row, RowPosition, Run, Span
from segments.shards import shard_of
from tests.api import Api
from tests.builders import NOON_US, a_place, a_row, a_run
from tests.clocks import HandClock
from tests.fakes import SwitchedIndex

SHARD = shard_of("gate", 16)
ELSEWHERE = (SHARD + 1) % 16
SPAN = Span(NOON_US, NOON_US + 60_000_000)


def spooled(run: str, counter: int = 0) -> tuple[Row, Run]:
    """A segment whose bytes are still in a spool."""
    return a_row(run=run, counter=counter, pool="", version="", sha256=""), a_run(id=run)


@dataclass
class Node:
    """A place that answers as a test says; `hangs` never answers."""

    segments_of: Sequence[tuple[Row, Run]] = ()
    error: Exception | None = None
    hangs: bool = False
    said: Mapping[str, object] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    closed: bool = False

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
        await self._answer("segments")
        return [one for one in self.segments_of if one[0].camera == camera]

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:
        await self._answer("read")
        if all(row.position != position for row, _ in self.segments_of):
            raise NotFound(f"{camera} is not here")
        return b"x" * (end - start)

    async def status(self) -> Mapping[str, object]:
        await self._answer("status")
        return self.said

    async def close(self) -> None:
        self.closed = True

    async def _answer(self, question: str) -> None:
        self.asked.append(question)
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error


class Site:
    """Some places, and the live edge over them."""

    def __init__(self) -> None:
        self.index = SwitchedIndex()
        self.clock = HandClock()
        self.nodes: dict[str, Node] = {}
        self.live = LivePlaces(self.index, lambda url: self.nodes[url], self.clock)

    async def add(self, name: str, node: Node, *, shard: int = SHARD) -> Node:
        self.nodes[f"http://{name}"] = node
        await self.index.inner.put_place(a_place(name, url=f"http://{name}", spooled=(shard,)))
        return node


@pytest.fixture
def it() -> Site:
    return Site()


async def test_the_answers_of_all_who_know_are_one(it: Site) -> None:
    """In order of time; a place whose spool cannot hold the camera is not asked."""
    one, two = spooled("home-a-1-1", 1), spooled("home-b-2-1")
    await it.add("one", Node([one]))
    await it.add("two", Node([two]))
    other = await it.add("other", Node([spooled("home-a-9-9")]), shard=ELSEWHERE)

    assert await it.live.segments("gate") == sorted([one, two], key=lambda found: found[0].position)
    assert other.asked == []


async def test_bytes_are_asked_of_who_has_the_run(it: Site) -> None:
    """Who answered for it; and of all who may know it where nobody has been asked before."""
    ours, theirs = spooled("home-a-1-1"), spooled("home-b-2-1")
    one, two = await it.add("one", Node([ours])), await it.add("two", Node([theirs]))
    assert await it.live.read("gate", theirs[0].position, 3, 7) == b"xxxx"
    assert (one.asked, two.asked) == (["read"], ["read"])
    await it.live.read("gate", theirs[0].position, 3, 7)
    assert (one.asked, two.asked) == (["read"], ["read", "read"])

    await it.live.segments("gate")
    one.asked.clear()
    await it.live.read("gate", ours[0].position, 0, 1)
    assert (one.asked, two.asked[-1]) == (["read"], "segments")


async def test_bytes_that_left_the_spool_are_not_found(it: Site) -> None:
    """By their owner, and by all where it is not known; if one does not answer it is not known that they are nowhere."""
    found = spooled("home-a-1-1")
    one, two = await it.add("one", Node([found])), await it.add("two", Node())
    await it.live.segments("gate")
    one.segments_of = ()
    with pytest.raises(NotFound):
        await it.live.read("gate", found[0].position, 0, 1)

    two.error = TryAgain("away")
    with pytest.raises(TryAgain):
        await it.live.read("gate", replace(found[0], run="home-a-7-7").position, 0, 1)


async def test_one_that_does_not_answer_hides_nothing_of_the_others(it: Site) -> None:
    """What they know is given, and that it may not be all; an unread row may lie where nobody answers."""
    known = spooled("home-a-1-1")
    await it.add("one", Node([known]))
    await it.add("two", Node(error=TryAgain("connection refused")))
    with pytest.raises(Partly) as partly:
        await it.live.segments("gate")
    assert partly.value.found == [known]
    it.clock.move(REST_S + 1)
    services = Api().services(live=it.live)

    edge = await live_edge(services, "gate", SPAN)
    assert (edge.rows, edge.away) == ([known[0]], True)
    assert await row_of(services, "gate", known[0].position) == known[0]
    assert await run_of(services, "gate", "home-a-1-1") == known[1]
    with pytest.raises(TryAgain):
        await run_of(services, "gate", "home-a-7-7")


async def test_one_that_hangs_costs_a_second_once(it: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left alone for some seconds then."""
    monkeypatch.setattr(live_places, "ONE_OF_MANY_S", 0.1)
    await it.add("one", Node([spooled("home-a-1-1")]))
    hung = await it.add("hung", Node(hangs=True))
    took = []
    for _ in range(3):
        began_s = time.monotonic()
        with pytest.raises(Partly):
            await it.live.segments("gate")
        took.append(time.monotonic() - began_s)
        it.clock.move(KEPT_S)
    assert hung.asked == ["segments"]
    assert took[0] > 0.09
    assert max(took[1:]) < 0.09

    it.clock.move(REST_S)
    with pytest.raises(Partly):
        await it.live.segments("gate")
    assert len(hung.asked) == 2


async def test_control_without_its_rest_it_costs_that_each_time(it: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is the rest that the test above sees."""
    monkeypatch.setattr(live_places, "ONE_OF_MANY_S", 0.1)
    monkeypatch.setattr(live_places, "REST_S", 0.0)
    await it.add("one", Node([spooled("home-a-1-1")]))
    hung = await it.add("hung", Node(hangs=True))
    began_s = time.monotonic()
    for _ in range(3):
        with pytest.raises(Partly):
            await it.live.segments("gate")

    assert len(hung.asked) == 3
    assert time.monotonic() - began_s > 0.27


async def test_the_only_one_is_asked_each_time(it: Site) -> None:
    """There is nobody to answer instead, so a rest would only hide what it may say again."""
    node = await it.add("one", Node(error=Refused("another key")))
    for _ in range(2):
        with pytest.raises(Partly):
            await it.live.segments("gate")
    node.error = None

    assert await it.live.segments("gate") == []


async def test_status_is_summed_up(it: Site) -> None:
    """Numbers of all places together, alarms with their place; one that does not answer is an alarm."""
    for name in ("one", "two"):
        said = {"cameras": {"recording": 2}, "fragments": {"durable": 5}, "spool": {"bytes": 7, "limit": 10}, "alarms": [f"{name} is ill"]}
        await it.add(name, Node(said=said))
    await it.add("three", Node(error=TryAgain("connection refused")))

    assert await it.live.status() == {
        "cameras": {"recording": 4},
        "fragments": {"durable": 10},
        "spool": {"bytes": 14, "limit": 20},
        "alarms": ["one: one is ill", "two: two is ill", "three does not answer: connection refused"],
    }


async def test_status_of_one_place_is_its_own(it: Site) -> None:
    """On one machine nobody wants to read its name; if it does not answer nothing is known, and before it was heard of neither."""
    with pytest.raises(TryAgain, match="heard of"):
        await it.live.status()
    it.clock.move(KEPT_S)
    node = await it.add("local", Node(said={"alarms": ["the spool is full"]}))
    assert (await it.live.status())["alarms"] == ["the spool is full"]
    node.error = TryAgain("connection refused")
    with pytest.raises(TryAgain, match="connection refused"):
        await it.live.status()


async def test_places_are_read_once_a_second_and_remembered_while_the_index_is_away(it: Site) -> None:
    """A removed place is asked no more and its connections are closed."""
    node = await it.add("one", Node())
    for _ in range(5):
        await it.live.segments("gate")
    assert it.index.life.calls.count("places") == 1
    it.index.away = True
    it.clock.move(KEPT_S)
    await it.live.segments("gate")
    assert len(node.asked) == 6

    it.index.away = False
    await it.index.inner.remove_place("one")
    it.clock.move(KEPT_S)
    assert await it.live.segments("gate") == []
    assert (len(node.asked), node.closed) == (6, True)
