"""R13: nodes are restarted in turn under load, and nothing is lost.

Two nodes record eight cameras. Each node in turn is drained, shut down, started and taken in again; what was
acknowledged all the while is compared with what is stored at the end. Control: nodes are killed instead of drained.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field

from bench.promise import bound95, read_form, report
from bench.promise_r11 import quantile
from bench.towns import Town, town
from tests.faults.fleet_trials import lose_node, restart_in_turn
from tests.faults.witness import Witness, judge, objects_of

CAMERAS = 8
SHORT, FULL = 1, 20
GAP_S = 2.0


@dataclass
class Rounds:
    """What came of restarting all nodes so often."""

    gaps_s: list[float] = field(default_factory=list)
    acknowledged: int = 0
    wrong: int = 0


async def rounds(place: Town, count: int) -> Rounds:
    """Restarts all nodes in turn, so often, and judges."""
    done = Rounds()
    async with Witness(place.site, place.cameras) as witness:
        for number in range(count):
            gaps = await restart_in_turn(place.site, place.cameras)
            done.gaps_s += gaps.seconds.values()
            print(f"  round {number + 1}: {gaps.worst_s:.2f} s at worst, {len(witness.pieces)} fragments acknowledged", flush=True)
            await place.settled()
    await place.site.end()
    judgement = await asyncio.to_thread(judge, witness, objects_of(place.site.pool))
    print(f"  {judgement}", flush=True)
    done.acknowledged, done.wrong = judgement.acknowledged, judgement.wrong
    return done


async def measure(count: int) -> tuple[Rounds, bool]:
    """All rounds, and whether the control is red."""
    async with town(CAMERAS, twice=False) as place:
        killed = await lose_node(place.site, place.busiest(), place.cameras)
        print(f"  control, a node killed instead: {killed.worst_s:.2f} s", flush=True)
        await place.settled()
        return await rounds(place, count), killed.worst_s > GAP_S


def main() -> bool:
    """Runs the promise and its control; returns whether it is met."""
    form = read_form(__doc__)
    done, red = asyncio.run(measure(FULL if form.full else SHORT))
    p99_s = quantile(done.gaps_s, 0.99)
    result = report(
        promise="R13",
        form=form.name,
        n=done.acknowledged,
        value=done.wrong,
        unit=f"acknowledged fragments lost or doubled; gap {p99_s:.2f} s (p99)",
        gate="0 lost; gap p99 <= 2 s",
        bound95=bound95(done.acknowledged) if done.wrong == 0 else None,
        control="red" if red else "green",
        met=done.wrong == 0 and p99_s <= GAP_S,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
