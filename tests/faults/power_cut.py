"""Cuts the power under a writer again and again, at random moments, and counts what was lost (promise R1)."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

from tests.faults.acknowledged import Promises, Verdict, judge, writer
from tests.faults.loop_disk import LoopDisk


def cut_once(disk: LoopDisk, run: str, sync: str, dice: random.Random) -> Verdict:
    """One life of a writer: started, cut at a random instant up to 0.25 s after its first acknowledgement, judged."""
    spool = disk.folder / "spool"
    spool.mkdir(mode=0o700)
    with writer(spool, run, "--sync", sync, "--seed", str(dice.randrange(1 << 30))) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        time.sleep(dice.uniform(0, 0.25))  # the instant itself is what is random here
        cut_ns = disk.cut_power()
        process.kill()
        lines += process.stdout.readlines()
    disk.restore_power()
    promises = Promises(run)
    promises.take(lines, cut_ns)
    verdict = judge(spool, promises) if spool.exists() else Verdict(promised=(gone := sum(promises.fragments.values())), lost=gone)
    shutil.rmtree(spool, ignore_errors=True)
    return verdict


def cut_often(place: Path, cuts: int, *, sync: str = "disk", seed: int = 1) -> Verdict:
    """So many cuts on one disk, which goes on as it is after each."""
    total, dice = Verdict(), random.Random(seed)
    with LoopDisk(place) as disk:
        for n in range(cuts):
            total.add(cut_once(disk, f"cut-a-1-{n}", sync, dice))
    return total
