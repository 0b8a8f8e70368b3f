"""Every interleaving of a sweep with a commit, a hold and a viewer, over their real code, and what breaks when a rule is taken away.

Between any two calls others may run, time may pass, and who is at work may die and begin anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.model.world import TICK_S, Actor, Gate, Rules, World, hold, new_world, record, sweep, upload, view, without

pytestmark = pytest.mark.slow

Work = Callable[[World, Rules, Gate], Awaitable[None]]
WORK: dict[str, Work] = {"u": upload, "s": sweep, "h": hold, "r": record, "v": view}
ONCE = "h"
"""Who does not begin anew after its death."""


@dataclass(frozen=True)
class Play:
    """Who is there, and who may die once. Time may pass at any moment, as often as it likes."""

    actors: str
    mortal: str = ""


@dataclass
class Search:
    """All reachable states: replays each schedule from the start, and goes on only from states not seen before.

    A schedule is a text: the letter of who takes its next step, its capital where it dies, t where time passes.
    """

    play: Play
    rules: Rules = field(default_factory=Rules)
    states: set[Any] = field(default_factory=set)
    found: dict[str, str] = field(default_factory=dict)
    first_only: bool = False

    async def run(self) -> Search:
        """Searches it through; `first_only`: until something is found."""
        waiting = deque([""])
        while waiting and not (self.found and self.first_only):
            schedule = waiting.popleft()
            world, moves, state = await self.replay(schedule)
            if state in self.states:
                continue
            self.states.add(state)
            if wrong := world.broken():
                self.found.setdefault(wrong, schedule)
                continue
            waiting.extend(schedule + move for move in moves)
        return self

    async def replay(self, schedule: str) -> tuple[World, str, Any]:
        """The world after a schedule, what may happen next, and the state of it all."""
        world = await new_world(spooled="u" in self.play.actors)
        actors = {name: Actor(lambda gate, name=name: WORK[name](world, self.rules, gate)) for name in self.play.actors}
        for move in schedule:
            if move == "t":
                world.now_us += TICK_S * 1_000_000
            elif move.isupper():
                await end(actors[move.lower()])
                actors[move.lower()].ended = move.lower() in ONCE
                world.writing = False
            else:
                await step(actors[move])
        state = (world.snapshot(), tuple(told(actor) for actor in actors.values()), *map(schedule.count, "USH"))
        moves = self._moves(world, actors, schedule)
        for actor in actors.values():
            await end(actor)
        return world, moves, state

    def _moves(self, world: World, actors: dict[str, Actor], schedule: str) -> str:
        able = "".join(
            name for name, actor in actors.items() if not actor.ended and not (name == "u" and not world.spool and not actor.task)
        )
        dying = "".join(name.upper() for name in self.play.mortal if actors[name].task and name.upper() not in schedule)
        tick = "" if world.writing else "t"
        return able + dying + tick


async def step(actor: Actor) -> None:
    """Lets an actor through to its next gate, or to its end."""
    if actor.task is None:
        actor.gate = Gate()
        actor.task = asyncio.ensure_future(actor.make(actor.gate))
    else:
        actor.gate.waiting, opened = None, actor.gate.waiting
        opened.set_result(None)
    while actor.gate.waiting is None and not actor.task.done():  # noqa: ASYNC110 - nobody tells when it waits again
        await asyncio.sleep(0)
    if actor.task.done():
        actor.task.result()
        actor.task, actor.gate, actor.ended = None, None, True


async def end(actor: Actor) -> None:
    """It does nothing more, whatever it was at."""
    if actor.task is not None:
        actor.task.cancel()
        await asyncio.gather(actor.task, return_exceptions=True)
        actor.task, actor.gate = None, None


def told(actor: Actor) -> object:
    """All of an actor that decides what it does next."""
    return actor.ended, actor.gate and (actor.gate.steps, tuple(actor.gate.seen), str(actor.gate.memory()), actor.gate.idle)


WITH_COMMIT = Play("su", mortal="u")
WITH_HOLD = Play("sh")
WITH_RECORD = Play("sr", mortal="s")
WITH_VIEWER = Play("sv")


@pytest.mark.parametrize("play", [WITH_COMMIT, WITH_HOLD, WITH_RECORD, WITH_VIEWER], ids=["commit", "hold", "record", "viewer"])
async def test_no_interleaving_breaks_the_house(play: Play) -> None:
    """With all rules kept, no order of steps, deaths and delays loses footage, held or not, leaves an orphan, or breaks a link."""
    search = await Search(play).run()
    print(play, len(search.states))

    assert search.found == {}
    assert len(search.states) > 100


@pytest.mark.parametrize(
    ("play", "rule"),
    [
        *((WITH_COMMIT, rule) for rule in ("deadline", "look", "sweep_waits", "writes_end")),
        (WITH_HOLD, "second_look"),
        (WITH_HOLD, "compare"),
        (WITH_VIEWER, "grace"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_rule_is_needed(play: Play, rule: str) -> None:
    """Taking away any of them breaks an invariant."""
    search = await Search(play, without(rule), first_only=True).run()

    assert search.found
