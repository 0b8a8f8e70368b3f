"""Every interleaving of a commit with a sweep, over the real commit code, and what breaks when a rule is taken away.

The uploader is `segments.commit.commit` itself over a world in memory. The sweep goes step by step in the order the commit relies on
(docs/design/lifecycle.md). Between any two calls of a port another process may run, time may pass, and the uploader may die and begin anew.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from segments.commit import COMMIT_DEADLINE_S, CommitRules, commit
from segments.errors import Conflict, NotFound, TryAgain
from segments.model import Batch, BatchState, Row
from segments.ports import ObjectInfo
from tests.builders import NOON_US, a_sealed_segment

DEADLINE_US = COMMIT_DEADLINE_S * 1_000_000
BODY = b"whole and verified"
SEGMENT = a_sealed_segment(size=len(BODY), sha256="")


class Pause:
    """Where another process may run."""

    def __init__(self, step: int = 1) -> None:
        self.step = step

    def __await__(self) -> Generator[int, None, None]:
        yield self.step


@dataclass
class Rules:
    """The rules of the house; each test takes one away."""

    deadline: bool = True
    look: bool = True
    sweep_waits: bool = True
    writes_end: bool = True
    """A row that is on its way arrives within the write limit, or never."""


@dataclass
class World:
    """What is on disks and in tables, and the clock."""

    now_us: int = NOON_US + 40 * 86_400 * 1_000_000
    spool: bool = True
    rows: dict[str, Row] = field(default_factory=dict)
    batch: Batch | None = None
    listed: tuple[str, ...] = ()
    stored: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    writing: bool = False

    def monotonic_ns(self) -> int:
        return self.now_us * 1000

    def snapshot(self) -> tuple[Any, ...]:
        return (self.now_us, self.spool, tuple(self.rows), self.batch, self.listed, tuple(self.stored), tuple(self.deleted))


class Ports:
    """The uploader's ports over the world; a pause before and after each effect."""

    def __init__(self, world: World, rules: Rules, seen: list[object]) -> None:
        self.world, self.rules, self.seen = world, rules, seen

    async def batch(self, camera, day):
        await Pause()
        found = self.world.batch if self.rules.look else None
        self.seen.append(found)
        return found

    async def put(self, key, body, *, sha256, attributes):
        await Pause()
        if key in self.world.stored:
            self.seen.append("taken")
            raise Conflict(key)
        self.world.stored.add(key)
        self.seen.append("put")
        return ""

    async def head(self, key):
        await Pause()
        there = key in self.world.stored
        self.seen.append(there)
        if not there:
            raise NotFound(key)
        return ObjectInfo(key, SEGMENT.row.size, "", SEGMENT.row.sha256, {})

    async def put_run(self, run):
        self.seen.append("run")

    async def publish(self, row):
        self.world.writing = self.rules.writes_end
        await Pause()
        self.world.writing = False
        self.world.rows[row.key] = row
        self.seen.append("row")

    def now_us(self) -> int:
        return self.world.now_us

    def monotonic_ns(self) -> int:
        return self.world.monotonic_ns()


async def upload(world: World, rules: Rules, seen: list[object]) -> None:
    """One commit; the spool file goes only after it."""
    ports = Ports(world, rules, seen)
    deadline_s = COMMIT_DEADLINE_S if rules.deadline else 1e9
    try:
        await commit(SEGMENT, BODY, objects=ports, index=ports, clock=ports, rules=CommitRules(young_us=0, deadline_s=deadline_s))
    except TryAgain:
        seen.append("again")
        return
    await Pause()
    world.spool = False


async def sweep(world: World, rules: Rules, seen: list[object]) -> None:
    """One camera-day's deletion, in the order of the design; rows are judged when it lists them."""
    world.batch = Batch(SEGMENT.row.camera, SEGMENT.row.day, BatchState.PENDING, world.now_us)
    decided_us = world.now_us
    await Pause()
    while rules.sweep_waits and world.now_us <= decided_us + DEADLINE_US:
        await Pause(step=0)
    world.listed = tuple(world.rows)
    await Pause()
    for key in world.listed:
        world.rows.pop(key, None)
    await Pause()
    world.batch = replace(world.batch, state=BatchState.DELETING)
    await Pause()
    for key in world.listed:
        world.stored.discard(key)
        world.deleted.add(key)
    await Pause()
    world.batch, world.listed = None, ()


def broken(world: World) -> str:
    """The invariant that does not hold, if any."""
    key = SEGMENT.row.key
    if key in world.rows and key not in world.stored:
        return "a row without its object"
    if key in world.stored and key not in world.rows and key not in world.listed and not world.spool:
        return "an object nobody knows of"
    if not world.spool and key not in world.stored and key not in world.deleted:
        return "footage lost"
    return ""


@dataclass
class Search:
    """All reachable states: replays each schedule from the start, and goes on only from states not seen before."""

    rules: Rules
    states: set[Any] = field(default_factory=set)
    found: dict[str, str] = field(default_factory=dict)

    def run(self) -> Search:
        waiting = [""]
        while waiting:
            schedule = waiting.pop()
            world, moves, state = self.replay(schedule)
            if state in self.states:
                continue
            self.states.add(state)
            if wrong := broken(world):
                self.found.setdefault(wrong, schedule)
                continue
            waiting += [schedule + move for move in moves]
        return self

    def replay(self, schedule: str) -> tuple[World, str, Any]:
        """u: the uploader's next step; x: it dies; s: the sweep's next step; t: half a deadline passes, longer than a write may take."""
        world = World()
        actors: dict[str, Coroutine[Any, Any, None] | None] = {"u": None, "s": None}
        seen: dict[str, list[object]] = {"u": [], "s": []}
        makers: dict[str, Callable[[World, Rules, list[object]], Coroutine[Any, Any, None]]] = {"u": upload, "s": sweep}
        steps = {"u": 0, "s": 0}
        swept = False
        for move in schedule:
            if move == "t":
                world.now_us += DEADLINE_US // 2 + 1
            elif move == "x":
                actors["u"].close()
                world.writing = False
                actors["u"], seen["u"], steps["u"] = None, [], 0
            else:
                if actors[move] is None:
                    seen[move], steps[move] = [], 0
                    actors[move] = makers[move](world, self.rules, seen[move])
                    swept = swept or move == "s"
                try:
                    steps[move] += actors[move].send(None)
                except StopIteration:
                    actors[move], seen[move], steps[move] = None, [], 0
        used = (schedule.count("t"), schedule.count("x"))
        moves = ("u" if world.spool or actors["u"] else "") + ("s" if actors["s"] or not swept else "")
        moves += ("t" if used[0] < 5 and not world.writing else "") + ("x" if actors["u"] and used[1] < 1 else "")
        state = (world.snapshot(), steps["u"], tuple(map(str, seen["u"])), steps["s"], swept, used)
        for actor in actors.values():
            if actor is not None:
                actor.close()
        return world, moves, state


def test_no_interleaving_breaks_the_house() -> None:
    """With all rules kept, no order of steps, deaths and delays loses footage, leaves an orphan, or shows a row without its object."""
    search = Search(Rules()).run()

    assert search.found == {}
    assert len(search.states) > 1_000


@pytest.mark.parametrize("without", ["deadline", "look", "sweep_waits", "writes_end"])
def test_every_rule_is_needed(without: str) -> None:
    """Taking away the commit deadline, the look for a batch, the sweep's wait, or the limit of a write breaks an invariant."""
    search = Search(replace(Rules(), **{without: False})).run()

    assert search.found
