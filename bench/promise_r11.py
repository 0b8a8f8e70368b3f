"""R11: a recorder node dies or hangs, and another takes its cameras.

Two nodes record eight cameras, and one more both of them. In turn the busier one is killed whole (SIGKILL), or stands still with its
connections open (SIGSTOP) until it is started anew. The gap of each camera it had recorded is measured from the footage, once all of it is
uploaded, what the node's own disk held included.
Control: leases five times as long. The full form keeps a picture of how the gaps are spread in bench/results.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Iterable, Sequence

from matplotlib.figure import Figure

from bench.promise import RESULTS, read_form, report
from bench.towns import TWICE, Town, town
from tests.faults.fleet_trials import lose_node, recorded_by

CAMERAS = 8
SHORT, FULL = 2, 30
P50_S, P99_S = 4.0, 6.0
TWICE_S = 0.02
"""Half a picture: a hole so small between two lanes is rounding."""
CONTROL_LEASE_S = 15


async def trials(place: Town, count: int) -> tuple[list[float], list[float]]:
    """So many faults: the gaps of cameras that were recorded once, and the greatest of the camera recorded twice, in seconds."""
    once: list[float] = []
    twice: list[float] = []
    for number in range(count):
        await place.settled()
        name = place.busiest()
        had = recorded_by(place.site, name) - {TWICE}
        gaps = await lose_node(place.site, name, place.cameras, hangs=number % 2 == 1)
        once += [gaps.seconds[camera] for camera in had]
        twice.append(gaps.seconds[TWICE])
        print(
            f"  {number + 1}: {name} {'hung' if number % 2 else 'lost'}, gaps {_seconds(gaps.seconds[camera] for camera in had)}",
            flush=True,
        )
    return once, twice


def _seconds(gaps: Iterable[float]) -> str:
    return " ".join(f"{gap:.2f}" for gap in sorted(gaps))


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all do not exceed."""
    return sorted(values)[min(len(values) - 1, round(share * len(values)))]


def draw(gaps: Sequence[float]) -> None:
    """How the gaps are spread, as a picture."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.hist(gaps, bins=[each / 4 for each in range(int(4 * max(*gaps, P99_S)) + 2)], color="#30638e")
    for gate, name in ((P50_S, "half within"), (P99_S, "99 of 100 within")):
        axes.axvline(gate, color="#d1495b", linestyle="--")
        axes.annotate(f"{name} {gate:g} s", (gate, 1), xycoords=("data", "axes fraction"), rotation=90, va="top", ha="right")
    axes.set(xlabel="seconds without footage", ylabel="cameras", title=f"A node is lost or hangs: {len(gaps)} gaps")
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "R11.png", dpi=120)


async def measure(count: int) -> tuple[list[float], list[float], bool]:
    """All trials, and whether the control is red."""
    async with town(CAMERAS) as place:
        once, twice = await trials(place, count)
    async with town(2, fleet={"kind": "local", "lease_s": CONTROL_LEASE_S, "recorders": 1, "shards": 4}) as place:
        slow, _ = await trials(place, 1)
    print(f"  control, with leases of {CONTROL_LEASE_S} s: {_seconds(slow)}", flush=True)
    return once, twice, quantile(slow, 0.5) > P99_S


def main() -> bool:
    """Runs the promise and its control; returns whether it is met."""
    form = read_form(__doc__)
    once, twice, red = asyncio.run(measure(FULL if form.full else SHORT))
    p50_s, p99_s = statistics.median(once), quantile(once, 0.99)
    if form.full:
        draw(once)
    result = report(
        promise="R11",
        form=form.name,
        n=len(once),
        value=round(p99_s, 2),
        unit=f"s gap (p99), {p50_s:.2f} s (p50); recorded twice: {max(twice):.2f} s at worst in {len(twice)} faults",
        gate="p50 <= 4 s, p99 <= 6 s; recorded twice: 0 frames",
        control="red" if red else "green",
        met=p50_s <= P50_S and p99_s <= P99_S and max(twice) <= TWICE_S,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
