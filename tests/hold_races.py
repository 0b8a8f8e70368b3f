"""A hold races the deletion of what it covers. Both are the real code; between any two calls of a port the other may run, or one may die.

A race has two segments of one camera-day, the first of which is to be held. Its two actors stop before each call of a port; a schedule says
who goes on, and how far. The clock moves only while the deletion waits for its own limits, so that it runs as far ahead of a stopped hold
as it can; a write that was stopped for longer than the index's limit never takes effect.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from retention.belongings import FORMERLY
from retention.deletion import Deletion
from retention.holds import HoldOrder, Placed, place
from retention.look import Look, look
from retention.policy_record import POLICIES
from retention.sweep_values import SweepSettings, SweepShard
from segments.clock import US_PER_DAY
from segments.errors import Conflict, TryAgain, Unknown
from segments.hold import HOLDS
from segments.model import BatchState, Row
from segments.ports import WRITE_LIMIT_S, Index, ObjectStore
from segments.stores.cassandra_index import CassandraIndex
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.builders import NOON_US, a_camera, a_row, a_run, some_fragments
from tests.fakes import SteppedClock
from tests.retention_builders import write_policy

KEPT_US = 40 * US_PER_DAY
"""Some days more than the shipped policy keeps it."""
DUE_US = NOON_US + KEPT_US
SHARD = SweepShard(place="node-1", boot="boot-1")
SETTINGS = SweepSettings(grace_s=3600, objects_per_s=1e9)
BODY = b"what the camera saw"
MOST_ROUNDS = 60
PATIENCE_S = 3700
"""Longer than every wait of a deletion."""
DELETION, HOLD = "deletion", "hold"

_WRITES = frozenset({"publish", "publish_many", "put_batch", "forget_batch", "remove_batch_rows", "put_batch_rows", "put_usage"})
_TICKS = itertools.count(1)
_ALONE = {
    DELETION: ("camera", "run", "row_sums", "last_receipt", "receipts", "head", "versions", "delete", "delete_versions"),
    HOLD: ("camera",),
}
_UNSEEN = frozenset(
    {(who, name, "") for who, names in _ALONE.items() for name in names}
    | {(who, "records", kind) for who in _ALONE for kind in (POLICIES, FORMERLY)}
    | {(HOLD, "records", HOLDS)}
)
"""Calls of one that the other neither sees nor can change the answer of."""
_ID = re.compile(r"h-\d{8}-[0-9a-f]{12}")


class Turn(NamedTuple):
    """An actor goes on for so many calls (None: to its end); `dies`: after that its process is gone."""

    who: str
    calls: int | None = None
    dies: bool = False


Schedule = Sequence[Turn]


class Actor:
    """A process that stops before each call of a port until it is let on. `told` tells two of them apart by all they were answered."""

    def __init__(self, who: str, clock: SteppedClock) -> None:
        self._who = who
        self._clock = clock
        self.next_call = (who, "", "")
        self._go = asyncio.Event()
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[Any] | None = None
        self._called_ns = 0
        self.told = ""
        self.calls = 0

    def begin(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Runs up to the first call."""

        async def whole() -> Any:
            try:
                return await work()
            finally:
                self._stopped.set()

        self._task = asyncio.create_task(whole())

    @property
    def over(self) -> bool:
        """Whether it has come to its end, or died."""
        return self._task is not None and self._task.done()

    @property
    def late(self) -> bool:
        """Whether a write it has called comes too late."""
        return self._clock.passed_ns - self._called_ns > WRITE_LIMIT_S * 1e9

    def must_be_well(self) -> None:
        """Raises what it failed with, if it did."""
        assert self._task is not None
        if not self._task.cancelled():
            self._task.result()

    async def step(self) -> None:
        """One call of a port, and all that needs none."""
        await self._stopped.wait()
        if self.over:
            return
        self._stopped.clear()
        self._go.set()
        await self._stopped.wait()
        await asyncio.sleep(0)

    async def step_seen(self) -> None:
        """One call, and all after it that the other neither sees nor can change: when those are made is all the same."""
        await self.step()
        while not self.over and self.next_call in _UNSEEN:
            await self.step()

    async def die(self) -> None:
        """Its process is gone; the call it stopped before is never made."""
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._task

    async def turn(self, name: str, about: str = "") -> None:
        """Stops before a call; raises Unknown for a write that comes too late to take effect."""
        self.next_call = self._who, name, about
        self._called_ns = self._clock.passed_ns
        await self._stop()
        self.calls += 1
        if name in _WRITES and self.late:
            raise Unknown(f"{name}: it came too late to take effect")

    def hears(self, name: str, answer: Any) -> None:
        """What it is told counts."""
        heard = f"{self.told} {name} {_ID.sub('H', repr(answer))}"
        self.told = hashlib.blake2b(heard.encode(), digest_size=12).hexdigest()

    async def _stop(self) -> None:
        self._go.clear()
        self._stopped.set()
        await self._go.wait()


class Stopping:
    """A port of an actor. `seen` is told of each call that took effect."""

    def __init__(self, inner: Any, actor: Actor, seen: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._inner, self._actor, self._seen = inner, actor, seen

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            await self._actor.turn(name, arguments[0] if name == "records" else "")
            try:
                answer = await method(*arguments, **named)
            except Conflict as error:
                self._actor.hears(name, error)
                raise
            self._actor.hears(name, answer)
            self._seen(name, arguments)
            return answer

        async def listing(prefix: str) -> AsyncIterator[Any]:
            await self._actor.turn(name)
            found = [each async for each in method(prefix)]
            self._actor.hears(name, found)
            for each in found:
                yield each

        return listing if name == "versions" else call


@dataclass
class Race:
    """One race over an index and a pool. `deleting` may break a rule on purpose; `effects`: what took effect, in order."""

    index: Index
    objects: ObjectStore
    clock: SteppedClock
    camera: str = "gate"
    deleting: type[Deletion] = Deletion
    rows: list[Row] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    actors: dict[str, Actor] = field(default_factory=dict)
    placed: Placed | None = None

    async def prepare(self) -> None:
        """Its camera, and two segments that are due."""
        start_us = self.clock.now_us() - KEPT_US
        await write_policy(self.index)
        await self.index.add_camera(a_camera(self.camera, tier="", added_us=start_us))
        await self.index.put_run(a_run(camera=self.camera, start_us=start_us))
        for counter in range(2):
            at_us = start_us + counter * 2_000_000
            row = a_row(camera=self.camera, start_us=at_us, counter=counter, fragments=some_fragments(1), size=len(BODY))
            version = await self.objects.put(row.key, BODY, sha256=hashlib.sha256(BODY).hexdigest(), attributes={})
            self.rows.append(
                a_row(camera=self.camera, start_us=at_us, counter=counter, fragments=row.fragments, size=len(BODY), version=version)
            )
        await self.index.publish_many(self.rows)
        self.begin(DELETION)
        self.begin(HOLD)

    def begin(self, who: str) -> None:
        """A new process of it."""
        actor = self.actors[who] = Actor(who, self.clock)
        index: Any = Stopping(self.index, actor, self._seen)
        pools: Any = {"main": Stopping(self.objects, actor, self._seen)}
        actor.begin((lambda: self._delete(index, pools)) if who == DELETION else (lambda: self._hold(index)))

    async def run(self, schedule: Schedule) -> list[str]:
        """Lets them go on as it says, and then the hold and the deletion to their ends; says what the promise forbids of the outcome."""
        for turn in schedule:
            await self._go(turn)
        await self._go(Turn(HOLD))
        await self._go(Turn(DELETION))
        return await self.faults()

    async def end(self) -> None:
        """Ends both, wherever they are."""
        for actor in self.actors.values():
            await actor.die()

    async def faults(self) -> list[str]:
        """What is not as promised, now that both have ended."""
        held, free = self.rows
        indexed = {row.position for row in (await self.index.rows(self.camera, held.day)).items}
        there = {(each.key, each.version) async for each in self.objects.versions(f"{self.camera}/")}
        found = [
            f"segment {row.counter}: in the index {row.position in indexed}, in the pool {(row.key, row.version) in there}"
            for row in self.rows
            if (row.position in indexed) != ((row.key, row.version) in there)
        ]
        if free.position in indexed:
            found.append("what no hold covers was not deleted")
        if await self.index.batch(self.camera, held.day) is not None:
            found.append("a batch is left")
        if held.position not in indexed:
            found += self._lost(held)
        return found

    def _lost(self, held: Row) -> Iterable[str]:
        claimed = self.effects.index("claimed") if "claimed" in self.effects else len(self.effects)
        if "bound" in self.effects and self.effects.index("bound") < claimed:
            yield "lost, though the hold bound before the claim"
        if self.placed is not None:
            back = self.placed.back
            if not any(each.start_us <= held.start_us and held.end_us <= each.end_us for each in (*back.too_late, *back.deleted)):
                yield "lost, and not named"

    async def _go(self, turn: Turn) -> None:
        actor = self.actors[turn.who]
        steps = 0
        while not actor.over and (turn.calls is None or steps < turn.calls):
            await actor.step()
            steps += 1
        if turn.dies:
            await actor.die()
            if turn.who == DELETION:
                self.begin(DELETION)
        elif actor.over:
            actor.must_be_well()

    async def _hold(self, index: Any) -> None:
        held = self.rows[0]
        order = HoldOrder("2026-17", "collision", "Li", held.start_us, held.end_us, (self.camera,))
        with suppress(TryAgain):  # stopped for too long: the hold stands, and says of nothing that it was kept or lost
            self.placed = await place(order, index=index, now_us=self.clock.now_us())

    async def _delete(self, index: Any, pools: Any) -> None:
        deletion = self.deleting(SHARD, index=index, pools=pools, clock=self.clock, settings=SETTINGS)
        day = self.rows[0].day
        for _ in range(MOST_ROUNDS):
            with suppress(Conflict, TryAgain):
                batch = await index.batch(self.camera, day)
                if batch is None:
                    if not (await deletion.begin(await look(index, self.clock), self.camera, day)).going:
                        return
                elif await deletion.advance(batch) == batch:
                    self.clock.stand_still(PATIENCE_S)
        raise AssertionError("the deletion does not come to its end")

    def _seen(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "put_record":
            self.effects.append("bound")
        if name == "put_batch" and arguments[0].state is BatchState.DELETING:
            self.effects.append("claimed")


def memory_race(*, deleting: type[Deletion] = Deletion, pool: MemoryObjects | None = None) -> Race:
    """A race in memory, not yet prepared."""
    return Race(MemoryIndex(), pool or MemoryObjects(), SteppedClock(DUE_US), deleting=deleting)


def goes_by(index: CassandraIndex, clock: SteppedClock) -> None:
    """Writes of an index in Cassandra carry the time of a race from here on; each a little later than the one before."""
    index._session._cluster.timestamp_generator = lambda: clock.now_us() + next(_TICKS)


class SecondLookLeftOut(Deletion):
    """The negative control: the look at the holds from just before the claim counts after it."""

    async def _look(self, *, since_ns: int) -> Look:
        return await super()._look(since_ns=-1)
