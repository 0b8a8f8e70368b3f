"""S1: CPU a camera against ffmpeg, one process a camera, to its own files without syncing.

(a) one recorder alone, to durable on disk; (b) all processes of a node, to stored in S3 and indexed in Cassandra.

Cameras of 1080p25 and 4 Mbit/s H.264 over RTSP/TCP, all out of one third-party server; user and system time of all threads of the recorder,
or of all ffmpegs, in turn in the same run. A side that does not write what the cameras send makes the run fail. The kernel's own threads,
which write dirty pages out for both, are in neither figure. The full form draws cores against cameras into bench/results.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from bench.load import Cameras, Cost, Window, load_cameras, peer_cost, recorder_cost
from bench.promise import RESULTS, read_form, report
from bench.whole_node import node_cost

GATE_RATIO = 0.4
GATE_NODE_RATIO = 0.6
GATE_SPREAD = 0.15


@dataclass(frozen=True, slots=True)
class Plan:
    """At how many cameras our side and the peer are measured, in this order, and how long."""

    ours: Sequence[int]
    peer: Sequence[int]
    window: Window
    node: int
    node_window: Window
    node_segment_s: int


SHORT = Plan((25, 100), (25,), Window(settle_s=3, measure_s=10), node=25, node_window=Window(settle_s=12, measure_s=30), node_segment_s=10)
FULL = Plan((25, 50, 100, 200), (25, 50, 100), Window(60, 60), node=100, node_window=Window(settle_s=90, measure_s=120), node_segment_s=60)
"""The full form settles until all cameras have sealed their first segment, so that sealing has its share of the window. In the short one
a node's segments are shorter, and so its uploads and rows more, than in service."""


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


def draw(ours: Mapping[int, Cost], peer: Mapping[int, Cost], node: Cost) -> None:
    """Cores against cameras, as a picture; kept with the full form's result."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for costs, name, color in ((peer, "ffmpeg, one process a camera, disk only", "#d1495b"), (ours, "(a) recorder, durable", "#30638e")):
        axes.plot(list(costs), [count * cost.mcore / 1000 for count, cost in costs.items()], "o-", label=name, color=color)
    axes.plot([node.cameras], [node.cameras * node.mcore / 1000], "s", label="(b) all processes, stored and indexed", color="#00798c")
    axes.set(xlabel="cameras, 1080p25 at 4 Mbit/s", ylabel="cores", title="CPU of recording", xlim=(0, None), ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "S1.png", dpi=120)


def main() -> bool:
    """Runs the promise; returns whether it is met. The ratio is that of the pair where ours does worst."""
    form = read_form(__doc__)
    plan = FULL if form.full else SHORT
    with load_cameras() as cameras:
        ours, peer = asyncio.run(measure(cameras, plan))
        node, parts = asyncio.run(node_cost(cameras, plan.node, plan.node_window, segment_s=plan.node_segment_s))
        beside = asyncio.run(peer_cost(cameras, plan.node, plan.window))
    node_ratio = node.mcore / beside.mcore
    print(f"node,   {node}: " + ", ".join(f"{name} {mcore:.2f}" for name, mcore in parts.items()), flush=True)
    print(f"ffmpeg, {beside}: the whole node takes {node_ratio:.2f} of it", flush=True)
    if form.full:
        draw(ours, peer, node)
    worst = max(peer, key=lambda count: ours[count].mcore / peer[count].mcore)
    ratio = ours[worst].mcore / peer[worst].mcore
    apart = spread([cost.mcore for cost in ours.values()])
    result = report(
        promise="S1",
        form=form.name,
        n=max(ours),
        value=round(ours[worst].mcore, 3),
        unit=f"thousandths of a core a camera, at {worst}; within {100 * apart:.0f} % from {min(ours)} to {max(ours)} cameras; "
        f"(b) all processes, {plan.node} cameras: {node.mcore:.2f}, {node_ratio:.2f} times",
        peer=round(peer[worst].mcore, 3),
        ratio=round(ratio, 4),
        gate="(a) <= 0.4 times ffmpeg's, and flat within 15 % from 25 to 200 cameras; (b) <= 0.6 times",
        met=ratio <= GATE_RATIO and apart <= GATE_SPREAD and node_ratio <= GATE_NODE_RATIO,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
