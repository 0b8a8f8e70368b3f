"""S1(a): CPU a camera of one recorder alone, to durable on disk, against ffmpeg, one process a camera, to its own files without syncing.

Cameras of 1080p25 and 4 Mbit/s H.264 over RTSP/TCP, all out of one third-party server; user and system time of all threads of the recorder,
or of all ffmpegs, in turn in the same run. A side that does not write what the cameras send makes the run fail. The kernel's own threads,
which write dirty pages out for both, are in neither figure.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench.load import Cameras, Cost, Window, load_cameras, peer_cost, recorder_cost
from bench.promise import read_form, report

GATE_RATIO = 0.4
GATE_SPREAD = 0.15


@dataclass(frozen=True, slots=True)
class Plan:
    """At how many cameras our side and the peer are measured, in this order, and how long."""

    ours: Sequence[int]
    peer: Sequence[int]
    window: Window


SHORT = Plan(ours=(25, 100), peer=(25,), window=Window(settle_s=3, measure_s=10))
FULL = Plan(ours=(25, 50, 100, 200), peer=(25, 50, 100), window=Window(settle_s=60, measure_s=60))
"""The full form settles until all cameras have sealed their first segment, so that sealing has its share of the window."""


async def measure(cameras: Cameras, plan: Plan) -> tuple[dict[int, Cost], dict[int, Cost]]:
    """Costs by number of cameras, ours and the peer's, each pair one after the other."""
    ours, peer = {}, {}
    for count in plan.ours:
        ours[count] = await recorder_cost(cameras, count, plan.window)
        print(f"ours,   {ours[count]}", flush=True)
        if count in plan.peer:
            peer[count] = await peer_cost(cameras, count, plan.window)
            print(f"ffmpeg, {peer[count]}: ours takes {ours[count].mcore / peer[count].mcore:.2f} of it", flush=True)
    return ours, peer


def spread(figures: Sequence[float]) -> float:
    """How far the figures lie apart: all are within so much (0.15: 15 %) of the middle between the highest and the lowest."""
    return (max(figures) - min(figures)) / (max(figures) + min(figures))


def main() -> bool:
    """Runs the promise; returns whether it is met. The ratio is that of the pair where ours does worst."""
    form = read_form(__doc__)
    plan = FULL if form.full else SHORT
    with load_cameras() as cameras:
        ours, peer = asyncio.run(measure(cameras, plan))
    worst = max(peer, key=lambda count: ours[count].mcore / peer[count].mcore)
    ratio = ours[worst].mcore / peer[worst].mcore
    apart = spread([cost.mcore for cost in ours.values()])
    result = report(
        promise="S1",
        form=form.name,
        n=max(ours),
        value=round(ours[worst].mcore, 3),
        unit=f"thousandths of a core a camera, at {worst}; within {100 * apart:.0f} % from {min(ours)} to {max(ours)} cameras",
        peer=round(peer[worst].mcore, 3),
        ratio=round(ratio, 4),
        gate="(a) <= 0.4 times ffmpeg's, and flat within 15 % from 25 to 200 cameras",
        met=ratio <= GATE_RATIO and apart <= GATE_SPREAD,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
