"""Every order of losses, cut links, takeovers and give-backs of two sites, and what breaks when a rule is taken away."""

from __future__ import annotations

import copy
import logging
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from replication import sites, takeover
from segments import takeover as rules
from segments.takeover import Answer, Taken, Takeover
from tests.model.two_sites import NOWHERE, TOO_LOW, TOO_SOON, World

pytestmark = pytest.mark.slow

MOST_STATES = 20_000


@dataclass
class Search:
    """All reachable states: goes on only from those that were not seen before."""

    asks_first: bool = True
    states: set[str] = field(default_factory=set)
    found: dict[str, str] = field(default_factory=dict)

    async def run(self, until: str = "") -> Search:
        """Searches it through, or until something is found."""
        waiting = deque([("", await World(self.asks_first).begin())])
        while waiting and until not in self.found:
            schedule, world = waiting.popleft()
            for move in world.moves():
                after = copy.deepcopy(world)
                await after.do(move)
                state = str(await after.state())
                if state not in self.states:
                    self.states.add(state)
                    if after.wrong:
                        self.found.setdefault(after.wrong, schedule + move)
                    else:
                        waiting.append((schedule + move, after))
        assert len(self.states) < MOST_STATES
        return self


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """Thousands of takeovers are not worth a line each."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


async def test_no_order_of_events_leaves_the_camera_unrecorded() -> None:
    """While a site is there that knows of it, some site records it; never both for long if they can speak; epochs always rise; and after
    a give-back the home site records.
    """
    search = await Search().run()
    print(len(search.states), "states")

    assert search.found == {}
    assert len(search.states) > 100


async def test_a_home_site_that_trusts_for_ever_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without the limit of silence a camera is recorded nowhere once both have been down."""

    def trusting(site: str, known: Taken | None, answer: Answer) -> Taken | None:
        return rules.after_answer(site, known, answer) if answer.answered else known

    monkeypatch.setattr(sites, "after_answer", trusting)
    assert NOWHERE in (await Search().run(until=NOWHERE)).found


async def test_a_takeover_that_ends_without_its_home_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what is given back to a site that died meanwhile has to stand again."""

    def careless(found: Takeover, *, heard_us: int, now_us: int) -> Takeover:
        return rules.after_a_while(found, heard_us=now_us, now_us=now_us)

    monkeypatch.setattr(takeover, "after_a_while", careless)
    assert NOWHERE in (await Search().run(until=NOWHERE)).found


async def test_a_takeover_that_ends_at_once_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without the time in which both record, nobody does if the home site dies, or is cut off, before it was told."""

    def hasty(found: Takeover, *, heard_us: int, now_us: int) -> Takeover:
        return replace(found, ended_us=now_us) if found.given_back_us and not found.ended_us else found

    monkeypatch.setattr(takeover, "after_a_while", hasty)
    assert NOWHERE in (await Search().run(until=NOWHERE)).found


async def test_a_site_that_does_not_ask_before_it_records_is_found_out() -> None:
    """The control: it would record what is recorded in its place."""
    found = (await Search(asks_first=False).run(until=TOO_SOON)).found
    assert TOO_SOON in found


async def test_epochs_that_are_not_spent_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the footage of a takeover has to outrank that of the site it stands in for."""
    monkeypatch.setattr(takeover, "EPOCHS_AHEAD", -1_000_000)
    found = (await Search().run(until=TOO_LOW)).found
    assert TOO_LOW in found
