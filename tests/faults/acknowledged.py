"""Judges a spool after a fault: is all that `tests.faults.writer` acknowledged there, bit for bit, and is nothing else wrong in it?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder.repair import SegmentFormat, repair
from recorder.spool_folder import open_parts, sealed_files
from tests.faults.plain_segment import PLAIN, fragment, is_true, scan

REPO = Path(__file__).parents[2]


@dataclass
class Promises:
    """What a writer said until a moment: whole fragments by camera and counter, and which segments it called sealed."""

    run: str
    fragments: dict[tuple[str, int], int] = field(default_factory=dict)
    sealed: set[tuple[str, int]] = field(default_factory=set)

    def take(self, lines: Iterable[str], until_ns: int) -> None:
        """Takes the lines stamped up to `until_ns`; a line cut by the writer's death is none."""
        for line in lines:
            words = line.split()
            if len(words) != 5 or not line.endswith("\n") or int(words[0]) > until_ns:
                continue
            segment = (words[2], int(words[3]))
            self.fragments[segment] = max(self.fragments.get(segment, 0), int(words[4]))
            if words[1] == "sealed":
                self.sealed.add(segment)


@dataclass
class Verdict:
    """Counts of fragments: promised, lost (promised, and missing or different), damaged (served, and not what was written)."""

    promised: int = 0
    lost: int = 0
    damaged: int = 0
    repaired: int = 0
    unsealed: int = 0
    """Segments that were called sealed and were not."""

    def add(self, other: Verdict) -> None:
        """Adds the counts of another."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def writer(folder: Path, run: str, *options: str, **kwargs: Any) -> subprocess.Popen[str]:
    """Starts a writer on this spool; its lines come on its standard output."""
    command = [sys.executable, "-m", "tests.faults.writer", str(folder), run, *options]
    return subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **kwargs)


def judge(spool: Path, promises: Promises, form: SegmentFormat[Any] = PLAIN) -> Verdict:
    """Repairs what is torn, compares everything with what was promised, and empties the run's folders."""
    verdict = Verdict(promised=sum(promises.fragments.values()))
    named = {(file.camera, file.counter) for file in sealed_files(spool) if file.run == promises.run}
    verdict.unsealed = len(promises.sealed - named)
    for file in open_parts(spool):
        repaired = repair(file.path, form)
        verdict.repaired += repaired is not None and repaired.dropped_bytes > 0
    there = {(file.camera, file.counter): file.path.read_bytes() for file in sealed_files(spool) if file.run == promises.run}
    for (camera, counter), count in promises.fragments.items():
        data = there.get((camera, counter), b"")
        verdict.lost += count - _same(data, f"{promises.run}/{camera}/{counter}", count)
    for data in there.values():
        verdict.damaged += sum(not is_true(data, part) for part in form.scan(data).fragments)
    return verdict


def _same(data: bytes, name: str, count: int) -> int:
    """How many of the first `count` fragments are the very bytes that were appended."""
    parts = scan(data).fragments[:count]
    frame_bytes = len(fragment(name, 0, 0))
    return sum(
        data[part.offset : part.offset + part.length] == fragment(name, number, part.length - frame_bytes)
        for number, part in enumerate(parts)
    )
