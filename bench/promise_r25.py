"""R25: refuses to start unsafely.

Each of the twelve is tried with the real program: real Cassandra without a login, with its default superuser, with a login by TLS, a real
store and one that fakes, a real Ray cluster without tokens. A start counts as refused if it ends with exit code 3 and the sentence that
names what mends it, and never served. The embedded form without any configuration and a whole safe installation must start. Control: with
the checks taken out of the program, those of the unsafe starts that can be a running service are one. The full form tries all three times.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from bench.promise import bound95, read_form, report
from tests.faults.unsafe_starts import UNSAFE, Surroundings, Unsafe, embedded_start, safe_start, second_on_a_spool

SHORT, FULL = 1, 3
TWELVE = set(range(1, 13))


async def refusals(around: Surroundings, times: int) -> tuple[int, set[int]]:
    """How many unsafe starts were tried, and the numbers of those that were not refused as they should."""
    tried, not_refused, seen = 0, set(), set()
    for n in range(times):
        for unsafe in UNSAFE:
            started = await around.start(await unsafe.arrange(around), around.folder / f"{unsafe.name}-{n}")
            refused = started.refused_with(unsafe.said)
            print(f"  ({unsafe.number}) {unsafe.name}: {'refused' if refused else f'NOT REFUSED: {started}'}", flush=True)
            around.set_default_superuser(on=False)
            tried, seen = tried + 1, seen | {unsafe.number}
            not_refused |= set() if refused else {unsafe.number}
        second, first_serves = await second_on_a_spool(around)
        refused = second.refused_with("in use by another service") and first_serves
        print(f"  (11) second-on-a-spool: {'refused' if refused else f'NOT REFUSED: {second}'}", flush=True)
        tried, seen = tried + 1, seen | {11}
        not_refused |= set() if refused else {11}
    return tried, not_refused | (TWELVE - seen)


async def safe_ones(around: Surroundings) -> int:
    """How many of the two safe starts did not serve."""
    embedded = await embedded_start(around.folder / "embedded", around)
    whole = await around.start(await safe_start(around), around.folder / "whole")
    for name, started in (("embedded, no configuration", embedded), ("whole installation", whole)):
        print(f"  safe: {name}: {'serves' if started.served else f'DOES NOT: {started}'}", flush=True)
    return 2 - embedded.served - whole.served


async def control(around: Surroundings) -> list[Unsafe]:
    """The unsafe starts that are refused even with the checks taken out: there must be none of those that can start."""
    still = []
    for unsafe in UNSAFE:
        if unsafe.can_start:
            started = await around.start(await unsafe.arrange(around), around.folder / f"{unsafe.name}-unchecked", checks=False)
            print(f"  unchecked ({unsafe.number}) {unsafe.name}: {'serves' if started.served else f'DOES NOT: {started}'}", flush=True)
            still += [] if started.served else [unsafe]
    return still


async def main() -> bool:
    """Tries all and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    with tempfile.TemporaryDirectory() as folder, Surroundings(Path(folder)) as around:
        print("R25: unsafe starts", flush=True)
        tried, not_refused = await refusals(around, FULL if form.full else SHORT)
        unserved = await safe_ones(around)
        still = await control(around)
    result = report(
        promise="R25",
        form=form.name,
        n=tried,
        value=len(not_refused),
        unit=f"of the 12 not refused; {2 - unserved} of 2 safe installations start",
        gate="0 of 12",
        bound95=None if not_refused else bound95(tried),
        control="green" if still else "red",
        met=not not_refused and not unserved,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
