"""A house of one camera-day in memory, its ports with a gate before every call, and those who work in it, over the real code.

Before each call that others could tell apart, an actor waits at its gate until the schedule lets it through: so every interleaving of calls
can be played, again and again to the same end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from retention.deletion import Deletion
from retention.holds import HoldOrder, place
from retention.look import look
from retention.policy_record import POLICIES, policy_values
from retention.sweep_values import CLOCKS_DIFFER_S, SweepSettings, SweepShard
from segments.clock import US_PER_S
from segments.commit import COMMIT_DEADLINE_S, CommitRules, commit
from segments.errors import Conflict, NotFound, TryAgain
from segments.hold import HOLDS, hold_values
from segments.model import Batch, BatchState, Row, Run, Span
from segments.ports import ObjectInfo, ObjectVersion, Page
from segments.record import new_record
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_camera, a_row, a_sealed_segment
from tests.retention_builders import a_hold, a_policy

TICK_S = COMMIT_DEADLINE_S + CLOCKS_DIFFER_S + 1
"""A step of time: longer than a commit may take, than a link lives, and than a look at the holds is good for."""
BODY = b"whole and verified"
OLD = a_row(version="", run="home-a-1-9", size=len(BODY))
"""Footage that lies in pool and index from the start, and is due."""
LATE = a_sealed_segment(size=len(BODY), sha256="")
"""Footage of the same day that a spool still holds."""
SETTINGS = SweepSettings(grace_s=TICK_S - 1, objects_per_s=1e12)


@dataclass(frozen=True)
class Rules:
    """The rules of the house; each test takes one away."""

    deadline: bool = True
    look: bool = True
    """A commit looks for a batch."""
    sweep_waits: bool = True
    """A sweep waits between its batch and its listing."""
    writes_end: bool = True
    """A row that is on its way arrives within the write limit, or never."""
    second_look: bool = True
    """A sweep looks at the holds after its claim."""
    grace: bool = True
    compare: bool = True
    """Batches change their state by compare-and-set."""


class World:
    """What is on disks and in tables, and the clock."""

    def __init__(self) -> None:
        self.now_us = NOON_US + 40 * 86_400 * US_PER_S
        self.index = MemoryIndex()
        self.spool = False
        self.stored: set[str] = set()
        self.writing = False
        self.held_before_claim: bool | None = None
        """Whether the hold's record was there before the batch was claimed; None: there is no hold."""
        self.named: set[str] = set()
        """Footage the hold says it came too late for."""
        self.placed = False
        self.links: dict[str, int] = {}

    def monotonic_ns(self) -> int:
        """See `Clock`."""
        return self.now_us * 1000

    async def sleep(self, seconds: float) -> None:
        """Nobody needs it here."""
        raise AssertionError("a wait of the pace")

    def clock(self) -> Any:
        """The world as a clock."""
        world = self

        class WorldClock:
            now_us = staticmethod(lambda: world.now_us)
            monotonic_ns = staticmethod(world.monotonic_ns)
            sleep = staticmethod(world.sleep)

        return WorldClock()

    @property
    def batch(self) -> Batch | None:
        """The batch of the camera-day."""
        return self.index._batches.get((OLD.camera, OLD.day))

    @property
    def rows(self) -> dict[str, Row]:
        """What the index shows, by key."""
        return {row.key: row for row in self.index._rows.get((OLD.camera, OLD.day), {}).values()}

    @property
    def listed(self) -> set[str]:
        """The keys in the batch."""
        batch = self.batch
        found = self.index._batch_rows.get((OLD.camera, OLD.day, batch.decided_us), {}) if batch else {}
        return {row.key for row in found.values()}

    @property
    def receipted(self) -> list[str]:
        """The keys that receipts name."""
        return [gone.key for chain in self.index._receipts.values() for receipt in chain.values() for gone in receipt.segments]

    def snapshot(self) -> tuple[Any, ...]:
        """All of it that makes a difference."""
        known = tuple(sorted(self.rows)), tuple(sorted(self.listed)), tuple(sorted(self.stored)), tuple(sorted(self.receipted))
        hold = self.held_before_claim, tuple(sorted(self.named)), self.placed
        batch = self.batch
        way = batch and (batch.state, batch.whole, bool(batch.finding))
        return self.spool, self.writing, way, known, hold, tuple((key, us == self.now_us) for key, us in self.links.items())

    def age(self, us: int, most: int = 1) -> int:
        """How many steps of time ago that was; all waits but one are over after the first."""
        return min((self.now_us - us) // (TICK_S * US_PER_S), most)

    def broken(self) -> str:
        """The invariant that does not hold, if any."""
        for key in (OLD.key, LATE.row.key):
            spooled = self.spool and key == LATE.row.key
            if key in self.rows and key not in self.stored:
                return "a row without its object"
            if key in self.stored and key not in self.rows and key not in self.listed and not spooled:
                return "an object nobody knows of"
            if key not in self.stored and key not in self.listed and not spooled and key not in self.receipted:
                return "footage lost"
            if self.links.get(key) == self.now_us and key not in self.stored:
                return "a link that does not work"
            if key not in self.stored and not spooled and self._is_promised(key):
                return "held footage lost"
        return "two receipts for one segment" if len(set(self.receipted)) < len(self.receipted) else ""

    def _is_promised(self, key: str) -> bool:
        """A hold that was there before the claim keeps it; one that came after it does unless it says that it came too late."""
        return self.held_before_claim is True or (self.placed and key not in self.named)


@dataclass
class Actor:
    """Somebody at work: `steps` and `seen` say how far it has come, as far as that decides what it does next."""

    make: Callable[[Gate], Awaitable[None]]
    task: asyncio.Task[None] | None = None
    gate: Gate | None = None
    ended: bool = False


@dataclass
class Gate:
    """Where an actor waits before each call. `memory` is what of it is not in the answers it was given."""

    steps: int = 0
    seen: list[str] = field(default_factory=list)
    waiting: asyncio.Future[None] | None = None
    memory: Callable[[], object] = lambda: None
    idle: bool = False
    """It waits for time to pass, or for others."""

    async def pause(self) -> None:
        """Lets others go first."""
        self.waiting = asyncio.get_running_loop().create_future()
        await self.waiting

    async def passed(self) -> None:
        """The same before a call, which counts as a step."""
        await self.pause()
        self.steps += 1

    def begin_anew(self) -> None:
        """What was seen so far does not matter any more."""
        self.steps = 0
        self.seen.clear()


class Ports:
    """Index, pool and clock of one actor. Only calls that others could tell apart wait at the gate."""

    GATED = frozenset(
        {"batch", "put_batch", "forget_batch", "put_batch_rows", "remove_batch_rows", "rows", "unpublish"}
        | {"publish", "publish_many", "put_record", "deleted", "put_receipt"}
    )

    def __init__(self, world: World, rules: Rules, gate: Gate) -> None:
        self.world, self.rules, self.gate = world, rules, gate
        self.looks = True
        self._first_holds: Any = None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.world.index, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            if name in self.GATED:
                await self.gate.passed()
            try:
                answer = await method(*arguments, **named)
            except (Conflict, NotFound) as error:
                answer = type(error).__name__
                raise
            finally:
                self.gate.seen.append(f"{name} {_short(answer)}")
            return answer

        return call

    async def batch(self, camera: str, day: Any) -> Batch | None:
        """Others may change it before it is read."""
        await self.gate.passed()
        found = self.world.batch if self.looks else None
        self.gate.seen.append(f"batch {found and found.state}")
        return found

    async def put_batch(self, batch: Batch, *, expect: BatchState | None) -> None:
        """By compare-and-set, or (a rule taken away) just so."""
        await self.gate.passed()
        present = self.world.batch
        await self.world.index.put_batch(batch, expect=expect if self.rules.compare else present and present.state)

    async def records(self, kind: str) -> Any:
        """Holds as they stand; or, without the second look, as they stood first."""
        if kind == "hold":
            await self.gate.passed()
            found = await self.world.index.records(kind)
            self._first_holds = found if self._first_holds is None or self.rules.second_look else self._first_holds
            self.gate.seen.append(f"holds {len(self._first_holds)}")
            return self._first_holds
        return await self.world.index.records(kind)

    async def put_record(self, record: Any) -> None:
        """The moment a hold binds."""
        await self.gate.passed()
        await self.world.index.put_record(record)
        batch = self.world.batch
        self.world.held_before_claim = OLD.key in self.world.stored and (batch is None or batch.state is not BatchState.DELETING)

    async def publish(self, row: Row) -> None:
        """A row is on its way; within the write limit it has arrived."""
        self.world.writing = self.rules.writes_end
        await self.gate.passed()
        self.world.writing = False
        await self.world.index.publish(row)

    # --- the pool

    async def put(self, key: str, body: Any, *, sha256: str, attributes: Any) -> str:
        """Create-only."""
        await self.gate.passed()
        if key in self.world.stored:
            self.gate.seen.append("taken")
            raise Conflict(key)
        self.world.stored.add(key)
        return ""

    async def head(self, key: str) -> ObjectInfo:
        """Whether it is there."""
        await self.gate.passed()
        self.gate.seen.append(f"head {key in self.world.stored}")
        if key not in self.world.stored:
            raise NotFound(key)
        return ObjectInfo(key, len(BODY), "", "", {})

    async def delete(self, keys: Any) -> dict[str, str]:
        """For good."""
        await self.gate.passed()
        self.world.stored.difference_update(keys)
        return {}

    async def versions(self, prefix: str) -> Any:
        """One of each object."""
        for key in sorted(self.world.stored):
            if key.startswith(prefix):
                yield ObjectVersion(key, "", len(BODY))

    async def delete_versions(self, doomed: Any) -> dict[tuple[str, str], str]:
        """For good."""
        await self.delete([key for key, _ in doomed])
        return {}

    # --- the clock

    def now_us(self) -> int:
        """See `Clock`."""
        return self.world.now_us

    def monotonic_ns(self) -> int:
        """See `Clock`."""
        return self.world.monotonic_ns()


def _short(answer: Any) -> str:
    """What of an answer decides what is done next."""
    return (
        str([row.key for row in answer.items]) if isinstance(answer, Page) else "found" if isinstance(answer, Batch | Run) else str(answer)
    )


POLICY = new_record(POLICIES, "1", policy_values(a_policy()))


async def new_world(*, spooled: bool) -> World:
    """The old segment is stored and indexed; `spooled`: the late one waits in the spool."""
    world = World()
    await world.index.put_record(POLICY)
    await world.index.add_camera(a_camera(tier=""))
    world.spool = spooled
    world.stored.add(OLD.key)
    if not spooled:
        world.stored.add(LATE.row.key)
        await world.index.publish(LATE.row)
    await world.index.publish(OLD)
    return world


async def upload(world: World, rules: Rules, gate: Gate) -> None:
    """Commits until the spool file may go."""
    ports = Ports(world, rules, gate)
    ports.looks = rules.look
    limit = CommitRules(young_us=0, deadline_s=COMMIT_DEADLINE_S if rules.deadline else 1e9)
    while world.spool:
        gate.begin_anew()
        begun_us = world.now_us
        gate.memory = lambda begun_us=begun_us: world.age(begun_us)
        with suppress(TryAgain):
            await commit(LATE, BODY, objects=ports, index=ports, clock=ports, rules=limit)
            await gate.passed()
            world.spool = False


async def sweep(world: World, rules: Rules, gate: Gate) -> None:
    """Leads the camera-day out, from wherever it is; ends when there is no batch."""
    ports = Ports(world, rules, gate)
    deletion = Deletion(SweepShard(), index=ports, pools={"main": ports}, clock=world.clock(), settings=SETTINGS)
    _take_away(deletion, rules)
    gate.memory = lambda: _memory(world, deletion)
    if world.batch is None:
        with suppress(Conflict):
            await deletion.begin(await look(ports, world.clock()), OLD.camera, OLD.day)
    while True:
        gate.begin_anew()
        before = await ports.batch(OLD.camera, OLD.day)
        if before is None:
            return
        with suppress(Conflict, TryAgain):
            gate.idle = await deletion.advance(before) == before
            if gate.idle:
                await gate.pause()
                gate.idle = False


def _memory(world: World, deletion: Deletion) -> object:
    seen = [(mark[0], world.age(since_ns // 1000)) for mark, since_ns in deletion.waits._seen.values()]
    spared = [world.age(since_ns // 1000, most=2) for _, since_ns in deletion._sparing._seen.values()]
    looked = deletion._last_look and world.age(deletion._last_look.asked_ns // 1000)
    return seen, spared, looked, len(deletion._claimed)


def _take_away(deletion: Deletion, rules: Rules) -> None:
    over = deletion.waits.over
    without = {BatchState.PENDING: not rules.sweep_waits, BatchState.UNPUBLISHED: not rules.grace}
    deletion.waits.over = lambda batch, wait_s: without.get(batch.state, False) or over(batch, wait_s)  # type: ignore[method-assign]


async def hold(world: World, rules: Rules, gate: Gate) -> None:
    """Places a hold on all of the day, and notes what it is told it came too late for."""
    order = HoldOrder(case="17", reason="collision", by="Li", start_us=OLD.start_us - 1, end_us=LATE.row.end_us + 1, cameras=(OLD.camera,))
    placed = await place(order, index=Ports(world, rules, gate), now_us=world.now_us)
    spans = [Span(late.start_us, late.end_us) for late in (*placed.back.too_late, *placed.back.deleted)]
    named = [row for row in (OLD, LATE.row) if any(span.start_us < row.end_us and row.start_us < span.end_us for span in spans)]
    world.named = {row.key for row in named}
    world.placed = True


async def record(world: World, rules: Rules, gate: Gate) -> None:
    """Writes a hold's record and dies: what it covers must be kept all the same."""
    values = hold_values(a_hold(start_us=OLD.start_us - 1, end_us=LATE.row.end_us + 1, cameras=(OLD.camera,)))
    await Ports(world, rules, gate).put_record(new_record(HOLDS, "h1", values))


async def view(world: World, rules: Rules, gate: Gate) -> None:
    """Finds a row and hands out a link to its object."""
    for row in (await Ports(world, rules, gate).rows(OLD.camera, OLD.day)).items:
        world.links[row.key] = world.now_us


def without(rule: str) -> Rules:
    """All rules but one."""
    return replace(Rules(), **{rule: False})
