"""What lies between the nodes: an index and a pool that are whole themselves, a network that delays, loses and cuts, and a judge."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from segments.clock import US_PER_S
from segments.duty import Duty
from segments.errors import Conflict, TryAgain, Unknown
from segments.lease_watch import HeldLease
from segments.model import Lease
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US

USUAL_S = 0.1
"""The longest way of a request or an answer when nothing is wrong; the shortest is a millisecond."""
UNANSWERED_S = 20.0
"""Longer than anybody waits."""


@dataclass(frozen=True)
class Rules:
    """The rules of the house; each control takes one away."""

    epoch_in_key: bool = True
    compares: bool = True
    """Acquire compares with what was seen."""
    monotonic: bool = True
    """Leases are watched by the monotonic clock."""


@dataclass
class Gate:
    """Lets nothing through while its process is stopped (SIGSTOP)."""

    until_s: float = 0.0

    async def passed(self) -> None:
        """Waits until the process runs; it may be stopped again meanwhile."""
        left_s = self.until_s - asyncio.get_running_loop().time()
        if left_s > 0:
            await asyncio.sleep(left_s)
            await self.passed()


@dataclass
class NodeClock:
    """A machine's clocks: the monotonic one drifts, the wall clock drifts along and is stepped."""

    rate: float
    gate: Gate
    monotonic: bool = True
    wall_offset_us: int = 0

    def now_us(self) -> int:
        """See `segments.clock.Clock`."""
        return NOON_US + round(self._passed_s() * US_PER_S) + self.wall_offset_us

    def monotonic_ns(self) -> int:
        """See `segments.clock.Clock`."""
        return round(self._passed_s() * 1e9) if self.monotonic else self.now_us() * 1000

    async def sleep(self, seconds: float) -> None:
        """See `segments.clock.Clock`."""
        await asyncio.sleep(seconds / self.rate)
        await self.gate.passed()

    def _passed_s(self) -> float:
        return asyncio.get_running_loop().time() * self.rate


@dataclass
class Network:
    """How a node reaches index and pool just now."""

    cut: bool = False
    slowest_s: float = USUAL_S
    lost: float = 0.0
    """How many of requests and of answers are lost."""


class Believer(Protocol):
    """A node, as far as the watch over leases asks it."""

    name: str

    def believes(self, duty: Duty) -> HeldLease | None:
        """The lease it thinks it has, if its process lives."""

    def left_s(self, held: HeldLease) -> float:
        """How long it thinks it has it."""


@dataclass
class World:
    """Index, pool and dice of one schedule, and what was seen to go wrong."""

    dice: random.Random
    rules: Rules
    index: MemoryIndex = field(default_factory=MemoryIndex)
    objects: dict[str, bytes] = field(default_factory=dict)
    nodes: list[Believer] = field(default_factory=list)
    index_away: bool = False
    violations: list[str] = field(default_factory=list)
    epochs: dict[int, str] = field(default_factory=dict)
    """Who was given each epoch."""
    writers: dict[tuple[str, str], str] = field(default_factory=dict)
    """Which life of which recorder wrote each run of each camera."""
    met: Counter[str] = field(default_factory=Counter)
    """How often faults and turns were met."""
    released: set[int] = field(default_factory=set)
    """Epochs that were given back: their holders linger."""
    _serving: set[asyncio.Task] = field(default_factory=set)

    async def put(self, key: str, body: bytes) -> None:
        """The pool: create-only, as `PutObject` is."""
        if key in self.objects:
            if self.objects[key] != body:
                self.violations.append(f"{key} is written twice with different bytes")
            raise Conflict(key)
        self.objects[key] = body

    async def call(self, name: str, network: Network, *arguments: Any, **named: Any) -> Any:
        """One call over the network, which takes effect, or not, whatever becomes of who asked."""
        task = asyncio.get_running_loop().create_task(self._served(name, network, arguments, named))
        self._serving.add(task)
        task.add_done_callback(self._served_at_last)
        return await asyncio.shield(task)

    def _served_at_last(self, task: asyncio.Task) -> None:
        self._serving.discard(task)
        if not task.cancelled():
            task.exception()  # who asked may be gone

    async def _served(self, name: str, network: Network, arguments: tuple, named: dict) -> Any:
        await asyncio.sleep(self.dice.uniform(0.001, network.slowest_s))
        if network.cut or self.dice.random() < network.lost:
            self.met["requests lost"] += 1
            await asyncio.sleep(UNANSWERED_S)
            raise TryAgain("lost on the way")
        if self.index_away and name != "put":
            raise TryAgain("the index is away")
        answer = await self._done(name, arguments, named)
        await asyncio.sleep(self.dice.uniform(0.001, network.slowest_s))
        if network.cut or self.dice.random() < network.lost:
            self.met["answers lost"] += 1
            await asyncio.sleep(UNANSWERED_S)
            raise Unknown("the answer is lost")
        return answer

    async def _done(self, name: str, arguments: tuple, named: dict) -> Any:
        if name == "put":
            return await self.put(*arguments)
        if name == "acquire":
            return await self._acquire(*arguments, **named)
        if name == "release":
            self.released.add(arguments[0].epoch)
        return await getattr(self.index, name)(*arguments, **named)

    # --- the watch over leases ---

    async def _acquire(self, duty: Duty, holder: str, *, seen: Lease | None, now_us: int, ttl_us: int) -> Lease | None:
        present = await self.index.lease(duty)
        if not self.rules.compares:
            seen = present
        taken = await self.index.acquire(duty, holder, seen=seen, now_us=now_us, ttl_us=ttl_us)
        if taken is None:
            self.met["races lost"] += 1
            return None
        if taken.epoch in self.epochs:
            self.violations.append(f"epoch {taken.epoch} is given twice")
        self.epochs[taken.epoch] = taken.holder
        self.met["leases taken over"] += present is not None and not present.free and present.holder != holder
        self.judge(duty)
        return taken

    def judge(self, duty: Duty) -> None:
        """No two places count on a lease at one moment, each by its own clock; stopped ones do as well as those that run."""
        counting = []
        for node in self.nodes:
            held = node.believes(duty)
            if held is not None and held.lease.epoch not in self.released and node.left_s(held) > 0:
                counting.append(f"{node.name} on epoch {held.lease.epoch} for {node.left_s(held):.3f} s")
        if len(counting) > 1:
            self.violations.append(f"{duty} has two holders: {', '.join(counting)}")

    def wrote(self, camera: str, run: str, writer: str) -> None:
        """A recorder has made a segment of a run; a run has one writer."""
        known = self.writers.setdefault((camera, run), writer)
        if known != writer:
            self.violations.append(f"run {run} of {camera} is written by {known} and by {writer}")


class Door:
    """The index and the pool, as one life of one process reaches them: it hears nothing while it is stopped."""

    def __init__(self, world: World, network: Network, gate: Gate) -> None:
        self._world = world
        self._network = network
        self._gate = gate

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            try:
                return await self._world.call(name, self._network, *arguments, **named)
            finally:
                await self._gate.passed()

        return call
