"""R15: nothing is deleted early and nothing kept late.

Sites with twenty cameras each live through 470 days of virtual time, each from a seed: policies that lengthen, shorten and are taken back,
cameras that are moved and removed, holds, missing copies, late footage, full pools, sweeps that are out, clocks that jump and machines that
start anew; in twelve zones, over leap days and days that are left out. The product's deciders sweep them. A judge that shares no code with
them, with a calendar of its own, looks at each segment that went and at each that is left. Controls: nine rules, each taken away.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from bench.promise import bound95, read_form, report
from tests.retention_sim.oracle import Judgement
from tests.retention_sim.trial import STRIPPED, try_story

SHORT, FULL = 40_000, 1_000_000
CAMERA_DAYS_A_STORY = 6_200
SMALL, AT_ONCE, CONTROLS = 6, 4, 40
"""A control gets stories of so many cameras, so many at once, and so many at most."""
SHOWN = 5
MUST_MEET = ("deleted when due", "deleted under pressure", "held at the end", "breaches", "rounds held by the clock")


def measure(pool: ProcessPoolExecutor, n: int) -> tuple[Judgement, list[float]]:
    """Judges stories until so many camera-days were lived; and how late what was due went, in hours, sorted."""
    total = Judgement()
    for seed, found in enumerate(pool.map(try_story, range(-(-n // CAMERA_DAYS_A_STORY)))):
        total.camera_days += found.camera_days
        total.met += found.met
        total.wrong += found.wrong
        total.late_h += found.late_h
        for kind, example in found.examples.items():
            print(f"  {kind}: {example}" if total.wrong[kind] <= SHOWN else "", flush=True)
        if seed % 10 == 9:
            print(f"  {total.camera_days:,} camera-days, {total.wrong.total()} segments wrong", flush=True)
    return total, sorted(total.late_h)


def controls(pool: ProcessPoolExecutor) -> Iterable[bool]:
    """Whether the judge misses each rule that is taken away, within some stories."""
    for name, (kind, deciders) in STRIPPED.items():
        wrong, seeds = Counter[str](), range(0)
        while not wrong[kind] and seeds.stop < CONTROLS:
            seeds = range(seeds.stop, seeds.stop + AT_ONCE)
            for found in pool.map(partial(try_story, deciders=deciders, cameras=SMALL), seeds):
                wrong += found.wrong
        print(f"  control, {name}: {wrong[kind]} segments {kind} in {seeds.stop} stories", flush=True)
        yield wrong[kind] > 0


def main() -> bool:
    """Measures and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    n = FULL if form.full else SHORT
    print(f"R15: {n:,} camera-days of virtual time", flush=True)
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        total, late_h = measure(pool, n)
        red = all(list(controls(pool)))
    print(f"  met: {dict(total.met.most_common())}", flush=True)
    late = [f"{late_h[place]:.1f} h" for place in (len(late_h) // 2, len(late_h) * 99 // 100, -1)]
    print("  gone after the due moment: median {}, 99 % {}, at most {}".format(*late), flush=True)
    wrong = total.wrong.total()
    result = report(
        promise="R15",
        form=form.name,
        n=total.camera_days,
        value=wrong,
        unit="segments deleted early, or kept a day past their ceiling",
        gate="0 over 10^6 camera-days in the full form",
        bound95=bound95(total.camera_days) if wrong == 0 else None,
        control="red" if red else "green",
        met=wrong == 0 and total.camera_days >= n and all(total.met[what] for what in MUST_MEET),
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
