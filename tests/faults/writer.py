"""A recorder reduced to its spool, in a process of its own, to be killed or to lose its disk: `python -m tests.faults.writer`.

Some cameras append fragments of random size as fast as rounds go by. Each acknowledgement is a line on standard output, stamped by the
monotonic clock after the round returned: `<ns> durable|sealed <camera> <counter> <whole fragments>`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from recorder.group_sync import DiskSync, EachFile, GroupSync, WholeDisk
from recorder.spool import OpenSegment, Spool, SpoolLimit
from segments.clock import US_PER_S
from tests.faults.plain_segment import HEADER, fragment, tail

FRAGMENTS = 6
"""Of a segment at most, so that every cut meets some at each step of a seal."""


class NoSync:
    """The rule broken on purpose: acknowledges what is only in the page cache."""

    def prepared(self, segments: Iterable[OpenSegment]) -> Callable[[], None]:
        """Does nothing."""
        return lambda: None

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class Feed:
    """One camera: its open segment and where its fragments end."""

    camera: str
    counter: int = 0
    segment: OpenSegment | None = None
    ends: dict[OpenSegment, list[int]] = field(default_factory=dict)

    def feed(self, spool: Spool, run: str, size_bytes: int) -> None:
        """Appends the next fragment, or seals and begins anew."""
        if self.segment is None or self.segment.failed:
            self.counter += 1
            self.segment = spool.begin(self.camera, run, self.counter, self.counter * US_PER_S, HEADER)
            self.ends[self.segment] = []
        ends = self.ends[self.segment]
        if len(ends) == FRAGMENTS:
            self.segment.seal(tail(self.counter))
            self.segment = None
            return
        self.segment.append(fragment(f"{run}/{self.camera}/{self.counter}", len(ends), size_bytes))
        ends.append(self.segment.written_bytes)

    def whole(self, segment: OpenSegment, durable_bytes: int) -> int:
        """How many fragments lie in so many bytes."""
        return sum(end <= durable_bytes for end in self.ends[segment])


async def write(spool: Spool, run: str, disk: DiskSync, args: argparse.Namespace) -> None:
    """Feeds all cameras between and during the rounds, until killed."""
    feeds = {f"cam{n}": Feed(f"cam{n}") for n in range(args.cameras)}
    sync = GroupSync(spool, disk)
    dice = random.Random(args.seed)
    while True:
        round_ = asyncio.ensure_future(sync.round())
        while not round_.done():
            feeds[dice.choice(list(feeds))].feed(spool, run, dice.randint(1, args.largest))
            await asyncio.sleep(0.001)
        done = round_.result()
        lines = [f"durable {s.camera} {s.counter} {feeds[s.camera].whole(s, end)}" for s, end in done.acknowledged]
        lines += [f"sealed {s.camera} {s.counter} {FRAGMENTS}" for s in done.sealed]
        now_ns = time.monotonic_ns()
        os.write(1, "".join(f"{now_ns} {line}\n" for line in lines).encode())


def main() -> None:
    """Parses the command line and writes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("run")
    parser.add_argument("--sync", choices=("disk", "file", "none"), default="disk")
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--largest", type=int, default=60_000, help="bytes of a fragment")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    spool = Spool(args.folder, limit=SpoolLimit(1 << 40, 0))
    disk = {"disk": WholeDisk, "file": lambda _: EachFile(), "none": lambda _: NoSync()}[args.sync](args.folder)
    asyncio.run(write(spool, args.run, disk, args))


if __name__ == "__main__":
    main()
