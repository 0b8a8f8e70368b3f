"""R12: no split brain: whatever stops, is cut off, lost, killed or set wrong, a zombie overwrites nothing and hides nothing.

Three nodes with the product's own duty holders, placers, lease watches and lease rules run over an index behind a network that delays and
loses, in virtual time, each schedule of faults from a seed (tests/fleet_model). Of each: no duty had two holders by their own clocks, no
epoch was given twice, no run had two writers, no key two contents; every segment ever written is in the pool and shown by the timeline;
after the last fault each duty was done again in time, by one node. Controls: no epoch in keys, no comparing, wall clocks.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from bench.promise import bound95, read_form, report
from tests.fleet_model.schedule import RULES, STRIPPED, Outcome, run_schedule
from tests.fleet_model.world import Rules

SHORT, FULL, CONTROL = 200, 10_000, 60
SHOWN = 5
STEP = 500
FAULTS = ("stop", "cut", "kill_node", "step", "requests lost", "answers lost", "races lost", "leases taken over", "resumed")
"""What the schedules must have met, else they have shown nothing."""


def one(work: tuple[int, Rules]) -> Outcome:
    """One schedule, without the sentences the product logs."""
    logging.disable(logging.CRITICAL)
    return run_schedule(*work)


def measure(pool: ProcessPoolExecutor, n: int) -> tuple[int, Counter[str], list[float]]:
    """How many schedules went wrong, what was met in all, and how long after the last fault the last duty was done again."""
    bad, met, back = 0, Counter[str](), []
    for outcome in pool.map(one, ((seed, RULES) for seed in range(n)), chunksize=10):
        met += outcome.met
        met["segments"] += outcome.segments
        back.append(outcome.back_s)
        if outcome.violations:
            bad += 1
            print(f"  {outcome.told()}" if bad <= SHOWN else "", flush=True)
        if len(back) % STEP == 0:
            print(f"  {len(back)} schedules, {bad} bad", flush=True)
    return bad, met, sorted(back)


def controls(pool: ProcessPoolExecutor) -> Iterable[int]:
    """How many schedules go wrong without each of the rules."""
    for name, rules in STRIPPED.items():
        bad = sum(bool(outcome.violations) for outcome in pool.map(one, ((seed, rules) for seed in range(CONTROL)), chunksize=5))
        print(f"  control, {name}: {bad} of {CONTROL} wrong", flush=True)
        yield bad


def main() -> bool:
    """Measures and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    n = FULL if form.full else SHORT
    print(f"R12: {n} schedules of faults over three nodes", flush=True)
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        bad, met, back = measure(pool, n)
        red = all(list(controls(pool)))
    print(f"  met: {dict(met.most_common())}", flush=True)
    print(
        f"  done again after the last fault: median {back[n // 2]:.1f} s, 99 % {back[n * 99 // 100]:.1f} s, at most {back[-1]:.1f} s",
        flush=True,
    )
    result = report(
        promise="R12",
        form=form.name,
        n=n,
        value=bad,
        unit="schedules with a split brain, an overwritten key or hidden footage",
        gate="0 of 10,000 in the full form",
        bound95=bound95(n) if bad == 0 else None,
        control="red" if red else "green",
        met=bad == 0 and met["leases taken over"] > n // 2 and all(met[fault] for fault in FAULTS),
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
