"""R26: a soak with a fault every 30 s: nothing acknowledged is lost, and memory does not grow.

Two nodes record six cameras, and one more both of them. Every 30 s one fault, by a seeded die: a recorder or an uploader is killed, a
node is lost, hangs for longer than its lease, or is drained and restarted. What was acknowledged all the while is compared with what is
stored at the end. Memory is that of all programs before each fault, its growth the slope over the run. The short form is two minutes, the
full one two hours. Control: an uploader that removes spool files before they are stored.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.process_cost import pss_bytes
from bench.promise import bound95, read_form, report
from bench.towns import Town, town
from tests.faults import careless
from tests.faults.fleet_trials import hang_node, lose_node
from tests.faults.live_kills import kill_live
from tests.faults.witness import Judgement, Witness, judge, objects_of
from tests.media import Clips
from tests.servers.rtsp import RtspServer

CAMERAS = 6
SHORT_S, FULL_S = 120.0, 7200.0
EVERY_S = 30.0
HANG_S = 6.0
DRAIN_S = 5.0
SEED = 26
GROWTH = 0.01
"""Of the memory, in an hour."""
CONTROL_KILLS = 5


@dataclass
class Soak:
    """What came of it. `memory`: seconds since the start and bytes of all programs, before each fault."""

    faults: list[str] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    judgement: Judgement | None = None

    @property
    def growth(self) -> float:
        """The share by which memory grows in an hour, by the line through all samples after the first quarter, when all is warm."""
        samples = self.memory[len(self.memory) // 4 :]
        if len(samples) < 8:
            return 0.0
        slope, _ = np.polyfit([at_s for at_s, _ in samples], [size for _, size in samples], 1)
        return float(slope) * 3600 / samples[0][1]


async def kill_program(place: Town, name: str, words: str) -> None:
    """A program of a node is killed."""
    for pid, line in place.site.nodes[name].pids().items():
        if words in line:
            os.kill(pid, signal.SIGKILL)


async def restart(place: Town, name: str) -> None:
    """A node is drained as far as it goes (the camera of both nodes stays), shut down, started and taken in again."""
    await asyncio.to_thread(place.site.must, "fleet", "drain", name)
    await asyncio.sleep(DRAIN_S)
    await asyncio.to_thread(place.site.nodes[name].end)
    place.site.nodes[name].start()
    await asyncio.to_thread(place.site.must, "fleet", "resume", name)


FAULTS: dict[str, Callable[[Town, str], Awaitable[object]]] = {
    "recorder killed": lambda place, name: kill_program(place, name, "deploy.recorder_process"),
    "uploader killed": lambda place, name: kill_program(place, name, "deploy.uploader_process"),
    "node lost": lambda place, name: lose_node(place.site, name, place.cameras),
    "node hung": lambda place, name: hang_node(place.site, name, place.cameras, HANG_S),
    "node restarted": restart,
}


async def soak(place: Town, seconds: float) -> Soak:
    """Lets faults happen for so long, stops in order, and judges."""
    done, dice, began_s = Soak(), random.Random(SEED), time.monotonic()
    async with Witness(place.site, place.cameras) as witness:
        while time.monotonic() - began_s < seconds:
            await place.settled()
            pids = [pid for node in place.site.nodes.values() for pid, line in node.pids().items() if "deploy." in line]
            done.memory.append((time.monotonic() - began_s, pss_bytes(pids)))
            fault, name = dice.choice(sorted(FAULTS)), dice.choice(sorted(place.site.nodes))
            done.faults.append(f"{fault}: {name}")
            print(f"  {time.monotonic() - began_s:5.0f} s  {fault} ({name}); {len(witness.pieces)} fragments acknowledged", flush=True)
            next_s = time.monotonic() + EVERY_S
            await FAULTS[fault](place, name)
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))
        await place.settled()
    await place.site.end()
    done.judgement = await asyncio.to_thread(judge, witness, objects_of(place.site.pool))
    return done


def control(kills: int) -> bool:
    """Whether the judge finds out an uploader that removes first."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "clips").mkdir()
        server = stack.enter_context(RtspServer({"h264": Clips(folder / "clips").get()}))
        done = asyncio.run(kill_live(folder / "live", [server.url("h264/control")], kills, keepsight=careless.COMMAND))
    return done.judgement is not None and done.judgement.lost > 0


async def measure(seconds: float) -> Soak:
    """The soak on a site of its own."""
    async with town(CAMERAS) as place:
        return await soak(place, seconds)


def main() -> bool:
    """Runs the promise and its control; returns whether it is met."""
    form = read_form(__doc__)
    done = asyncio.run(measure(FULL_S if form.full else SHORT_S))
    judgement = done.judgement
    assert judgement is not None
    print(f"  {judgement}", flush=True)
    red = control(CONTROL_KILLS)
    result = report(
        promise="R26",
        form=form.name,
        n=judgement.acknowledged,
        value=judgement.wrong,
        unit=f"acknowledged fragments lost or doubled in {len(done.faults)} faults; memory {100 * done.growth:+.2f} % an hour",
        gate="0 lost; memory growth < 1 % an hour",
        bound95=bound95(judgement.acknowledged) if judgement.wrong == 0 else None,
        control="red" if red else "green",
        met=judgement.wrong == 0 and done.growth < GROWTH,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
