"""Kills a writer again and again, at random moments, starts it anew on the same spool, and counts what was lost (promise R2)."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder.repair import SegmentFormat
from recorder.spool_folder import check_spool, remove, sealed_files
from tests.faults.acknowledged import Promises, Verdict, judge, writer
from tests.faults.plain_segment import PLAIN


@dataclass
class Kills:
    """What so many kills came to, and how long each new writer took from its start to its first acknowledgement."""

    verdict: Verdict = field(default_factory=Verdict)
    back_s: list[float] = field(default_factory=list)

    @property
    def back_p99_s(self) -> float:
        """The time that 99 of 100 writers needed at most."""
        return sorted(self.back_s)[int(0.99 * (len(self.back_s) - 1) + 0.5)]


def kill_often(spool: Path, kills: int, *, form: SegmentFormat[Any] = PLAIN, seed: int = 1, largest: int = 2_000_000) -> Kills:
    """So many lives of a writer, each killed up to 0.15 s after its first acknowledgement; fragments are large, so that kills tear some."""
    check_spool(spool, min_free_bytes=0)
    done, dice = Kills(), random.Random(seed)
    for n in range(kills):
        started_s = time.monotonic()
        with writer(spool, f"kill-a-{n + 1}-1", "--seed", str(n), "--largest", str(largest), "--cameras", "4") as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            done.back_s.append(time.monotonic() - started_s)
            time.sleep(dice.uniform(0, 0.15))  # the instant itself is what is random here
            process.kill()
            lines += process.stdout.readlines()
        promises = Promises(f"kill-a-{n + 1}-1")
        promises.take(lines, time.monotonic_ns())
        done.verdict.add(judge(spool, promises, form))
        for file in sealed_files(spool):
            remove(file)
    return done
