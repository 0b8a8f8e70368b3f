"""R1: a power cut at any instant loses no acknowledged fragment.

A writer of eight cameras on a loop-mounted ext4 disk is cut off by the file system's shutdown call at a random instant, the disk is
mounted again and the spool repaired. Counted are acknowledgements stamped before the cut. Nothing that comes back may be damaged either,
and what was called sealed must be. Control: acknowledging without a sync. Needs root. Not modelled: a disk whose own cache lies.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from bench.promise import bound95, read_form, report
from tests.faults.acknowledged import Verdict
from tests.faults.power_cut import cut_often

SHORT, FULL, CONTROL = 40, 1000, 5
STEP = 20


def cut(place: Path, cuts: int) -> Verdict:
    """So many cuts, said as they go by."""
    total = Verdict()
    for done in range(0, cuts, STEP):
        total.add(cut_often(place / str(done), STEP, seed=done + 1))
        print(f"{done + STEP} cuts: {total}", flush=True)
    return total


def main() -> bool:
    """Runs the promise and its control; returns whether it is met."""
    form = read_form(__doc__)
    if os.geteuid() != 0:
        sys.exit("R1 needs root: it mounts a disk of its own")
    cuts = FULL if form.full else SHORT
    with tempfile.TemporaryDirectory() as folder:
        verdict = cut(Path(folder), cuts)
        control = cut_often(Path(folder) / "control", CONTROL, sync="none")
    print(f"control, {CONTROL} cuts: {control}")
    wrong = verdict.lost + verdict.damaged + verdict.unsealed
    result = report(
        promise="R1",
        form=form.name,
        n=cuts,
        value=wrong,
        unit=f"fragments lost or damaged, of {verdict.promised} acknowledged",
        gate="0 lost in 1,000 cuts; control loses > 0",
        bound95=bound95(cuts) if wrong == 0 else None,
        control="red" if control.lost else "green",
        met=wrong == 0 and verdict.promised > cuts,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
