"""A schedule of faults from a seed, run over a site of three nodes, and what is true at its end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from deploy.fleet.placement import duties_of, wanted_duties
from segments.clock import US_PER_S
from segments.duty import SUPERVISE, Duty
from segments.model import Camera, Span
from segments.timeline import footage_of_rows, joined, rows_between, runs_between
from tests.builders import NOON_US, a_camera
from tests.fleet_model.node import Node
from tests.fleet_model.world import USUAL_S, Rules, World
from tests.virtual_time import run_virtual

NODES, SHARDS = 3, 2
CHAOS_S = 20.0
BACK_S = 12.0
"""So long after the last fault every duty is done again. The worst: a lease of the placer's that nobody keeps runs out, a new placer sees
who lives, and then the same with a lease of the duty."""
QUIET_S = 14.0
HAND_OVER_S = 2.0
LAST_UPLOADS_S = 4.0
LOOK_S = 0.1
RULES = Rules()
STRIPPED = {
    "the epoch is in no key": Rules(epoch_in_key=False),
    "acquire compares nothing": Rules(compares=False),
    "leases go by wall clocks": Rules(monotonic=False),
}
"""The controls: the rules less one."""
STEPS_S = (-3600.0, -30.0, -4.0, -1.4, 1.4, 4.0, 30.0, 3600.0)
SPAN = Span(NOON_US - 12 * 3600 * US_PER_S, NOON_US + 12 * 3600 * US_PER_S)


@dataclass(frozen=True)
class Outcome:
    """What one schedule showed. `back_s`: when the last duty was done again after the last fault."""

    seed: int
    violations: tuple[str, ...]
    met: Counter[str]
    segments: int
    back_s: float

    def told(self) -> str:
        """What went wrong, and how to see it again."""
        return f"seed {self.seed}: {'; '.join(self.violations[:3])} (replay: python -m tests.fleet_model.schedule {self.seed})"


def run_schedule(seed: int, rules: Rules = RULES) -> Outcome:
    """Runs the schedule of a seed to its end."""
    return run_virtual(_Schedule(seed, rules).run())


class _Schedule:
    """Chaos, then quiet, then the look back."""

    def __init__(self, seed: int, rules: Rules) -> None:
        self.seed = seed
        self.dice = random.Random(seed)
        self.world = World(self.dice, rules)
        self.cameras = some_cameras()
        self.nodes = [Node(f"node-{n}", self.world, self.cameras, SHARDS) for n in range(1, NODES + 1)]
        self.world.nodes = list(self.nodes)

    async def run(self) -> Outcome:
        """The whole schedule."""
        for camera in self.cameras:
            await self.world.index.add_camera(camera)
        for node in self.nodes:
            node.start()
            await asyncio.sleep(self.dice.uniform(0, 2))
        judging = asyncio.get_running_loop().create_task(self._judge_leases())
        async with asyncio.TaskGroup() as faults:
            while asyncio.get_running_loop().time() < CHAOS_S:
                await asyncio.sleep(self.dice.expovariate(1 / 1.5))
                faults.create_task(self._fault())
        back_s = await self._quiet()
        await self._judge_holders()
        judging.cancel()
        for node in self.nodes:
            node.kill_recorder()
        await asyncio.sleep(LAST_UPLOADS_S)
        for camera in self.cameras:
            await self._judge_footage(camera)
        for node in self.nodes:
            node.kill_uploader()
        segments = sum(len(node.acknowledged) for node in self.nodes)
        return Outcome(self.seed, tuple(self.world.violations), self.world.met, segments, back_s)

    # --- faults ---

    async def _fault(self) -> None:
        node = self.dice.choice(self.nodes)
        kinds: list[Callable[[Node], Coroutine[Any, Any, None]]] = [
            self._stop,
            self._stop,
            self._cut,
            self._slow,
            self._lose,
            self._kill_uploader,
            self._kill_recorder,
            self._kill_node,
            self._orderly,
            self._step,
            self._step,
            self._drain,
            self._index_away,
        ]
        fault = self.dice.choice(kinds)
        self.world.met[fault.__name__.strip("_")] += 1
        await fault(node)

    async def _stop(self, node: Node) -> None:
        """SIGSTOP, some seconds, SIGCONT: often for longer than a lease."""
        now_s = asyncio.get_running_loop().time()
        node.gate.until_s = max(node.gate.until_s, now_s + self.dice.uniform(0.2, 8))

    async def _cut(self, node: Node) -> None:
        node.network.cut = True
        await asyncio.sleep(self.dice.uniform(0.3, 9))
        node.network.cut = False

    async def _slow(self, node: Node) -> None:
        node.network.slowest_s = self.dice.choice((0.4, 0.9, 2.5))
        await asyncio.sleep(self.dice.uniform(2, 8))
        node.network.slowest_s = USUAL_S

    async def _lose(self, node: Node) -> None:
        node.network.lost = self.dice.uniform(0.05, 0.4)
        await asyncio.sleep(self.dice.uniform(2, 8))
        node.network.lost = 0.0

    async def _kill_uploader(self, node: Node) -> None:
        node.kill_uploader()
        await asyncio.sleep(self.dice.uniform(0.1, 4))
        node.start()

    async def _kill_recorder(self, node: Node) -> None:
        node.kill_recorder()
        await asyncio.sleep(self.dice.uniform(0.1, 1))
        node.start()
        if node.uploader is not None:
            node.uploader.recorder_died()

    async def _kill_node(self, node: Node) -> None:
        node.kill_uploader()
        node.kill_recorder()
        await asyncio.sleep(self.dice.uniform(0.5, 9))
        node.start()

    async def _orderly(self, node: Node) -> None:
        """The uploader and then the recorder end as they should, and start again."""
        uploader = node.uploader
        if uploader is not None:
            await uploader.holder.leave()
        if uploader is node.uploader:
            node.kill_uploader()
            node.kill_recorder()
            await asyncio.sleep(self.dice.uniform(0.1, 2))
            node.start()

    async def _step(self, node: Node) -> None:
        node.clock.wall_offset_us += int(self.dice.choice(STEPS_S) * US_PER_S)

    async def _drain(self, node: Node) -> None:
        """An administrator wants a node emptied, and then not any more."""
        if node.name in [place.name for place in await self.world.index.places()]:
            await self.world.index.set_draining(node.name, draining=True)
            await asyncio.sleep(self.dice.uniform(1, 8))
            await self.world.index.set_draining(node.name, draining=False)

    async def _index_away(self, node: Node) -> None:
        self.world.index_away = True
        await asyncio.sleep(self.dice.uniform(0.2, 7))
        self.world.index_away = False

    # --- the end ---

    async def _quiet(self) -> float:
        """Everything heals; gives when the last duty was done again by who holds it."""
        self.world.index_away = False
        for node in self.nodes:
            node.start()
            node.gate.until_s = 0.0
            node.network.cut, node.network.slowest_s, node.network.lost = False, USUAL_S, 0.0
        healed_s = asyncio.get_running_loop().time()
        back: dict[Duty, float] = {}
        while (passed_s := asyncio.get_running_loop().time() - healed_s) < QUIET_S:
            for duty in self._wanted():
                if duty not in back and any(node.last_written.get(duty, 0) > healed_s and node.believes(duty) for node in self.nodes):
                    back[duty] = passed_s
            await asyncio.sleep(LOOK_S)
        missing = [duty for duty in self._wanted() if duty not in back]
        if missing or max(back.values()) > BACK_S:
            late = {str(duty): round(at_s, 1) for duty, at_s in back.items()}
            self.world.violations.append(f"{[str(duty) for duty in missing]} not done, others after {late} s")
        return max(back.values(), default=QUIET_S)

    def _wanted(self) -> list[Duty]:
        return sorted(wanted_duties([duties_of(self.cameras, SHARDS)], SHARDS))

    async def _judge_leases(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for duty in [*self._wanted(), Duty(SUPERVISE)]:
                self.world.judge(duty)

    async def _judge_holders(self) -> None:
        """Each duty is done by the one who holds it; one that is just being handed over is, a moment later."""
        for duty in self._wanted():
            tries = int(HAND_OVER_S / LOOK_S)
            while (seen := self._who(duty)) and not (len(seen[0]) == 1 and seen[0] == seen[1]) and tries:
                tries -= 1
                await asyncio.sleep(LOOK_S)
            if not tries:
                self.world.violations.append(f"{duty} is held by {seen[0]} and written by {seen[1]} when all is quiet")

    def _who(self, duty: Duty) -> tuple[list[str], list[str]]:
        """The nodes that hold a duty, and those whose recorders do it."""
        holders = [node.name for node in self.nodes if node.believes(duty)]
        return holders, [node.name for node in self.nodes if node.records(duty)]

    async def _judge_footage(self, camera: Camera) -> None:
        """What any recorder ever wrote is in the pool as it was written, has its row, and its moments are in the timeline."""
        segments = [segment for node in self.nodes for segment in node.acknowledged if segment.row.camera == camera.id]
        rows = {row.key: row for row in await rows_between(self.world.index, camera.id, SPAN)}
        runs = {run.id for run in await runs_between(self.world.index, camera.id, SPAN)}
        shown = joined(footage_of_rows(rows.values()))
        for segment in segments:
            row = segment.row
            if self.world.objects.get(segment.key) != segment.body:
                self.world.violations.append(f"{segment.key} is not in the pool as it was written")
            if rows.get(row.key) != row or row.run not in runs:
                self.world.violations.append(f"{segment.key} has no row")
            overlaps = sum(min(row.end_us, one.end_us) - max(row.start_us, one.start_us) for one in _around(shown, row))
            if overlaps != row.end_us - row.start_us:
                self.world.violations.append(f"{segment.key} is hidden: {overlaps} us of it are shown")


def _around(shown: list, row: Any) -> list:
    return [one for one in shown if one.end_us > row.start_us and one.start_us < row.end_us]


def some_cameras() -> list[Camera]:
    """One in each shard, and one more that is recorded twice."""
    return [a_camera(f"cam-{n}", twice=n == 0) for n in range(4)]


if __name__ == "__main__":
    import sys

    for number in sys.argv[1:]:
        print(run_schedule(int(number)))
