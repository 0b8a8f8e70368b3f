"""A recorder's spool in a process of its own, under the shim: `python -m tests.faults.sync_driver <folder> <disk|file> <rounds> [retry]`.

Two cameras; after each round a line of JSON: which files were acknowledged or sealed, which failed. A failed segment is followed by a new
one. `retry` breaks the rule on purpose: a failed sync is simply called again.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from recorder.group_sync import DiskSync, EachFile, GroupSync, WholeDisk
from recorder.spool import OpenSegment, Spool, SpoolLimit
from tests.faults.plain_segment import HEADER, fragment, tail

CAMERAS = ("gate", "yard")


class Retrying:
    """The rule broken on purpose: after a failed sync another, whose success is believed."""

    def __init__(self, disk: DiskSync) -> None:
        self._disk = disk

    def prepared(self, segments: Iterable[OpenSegment]) -> Callable[[], None]:
        """One sync, or two."""
        segments = list(segments)
        first, second = self._disk.prepared(segments), self._disk.prepared(segments)

        def sync() -> None:
            try:
                first()
            except OSError:
                second()

        return sync

    def close(self) -> None:
        """Lets the disk go."""
        self._disk.close()


def inodes(segments: Iterable[OpenSegment]) -> list[int]:
    """The files of these segments, by a name that outlives renaming."""
    return [segment.path.stat().st_ino for segment in segments]


async def drive(spool: Spool, disk: DiskSync, rounds: int) -> None:
    """Rounds one after another, with something new in each camera's segment before each; sealed at every third."""
    sync = GroupSync(spool, disk)
    segments: dict[str, OpenSegment] = {}
    for n in range(rounds):
        for camera in CAMERAS:
            segment = segments.get(camera)
            if segment is None or segment.failed or segment.sealing:
                segment = segments[camera] = spool.begin(camera, "home-a-1-1", n, n * 1_000_000, HEADER)
            segment.append(fragment(camera, 0, 1000))
            if n % 3 == 2:
                segment.seal(tail(n))
        done = await sync.round()
        told = {
            "acknowledged": inodes(segment for segment, _ in done.acknowledged),
            "sealed": inodes(done.sealed),
            "failed": inodes(done.failed),
        }
        print(json.dumps(told), flush=True)


def main(words: Sequence[str]) -> None:
    """Parses the command line and drives."""
    folder, kind, rounds = Path(words[0]), words[1], int(words[2])
    disk: DiskSync = WholeDisk(folder) if kind == "disk" else EachFile()
    spool = Spool(folder, limit=SpoolLimit(1 << 40, 0))
    asyncio.run(drive(spool, Retrying(disk) if "retry" in words else disk, rounds))


if __name__ == "__main__":
    main(sys.argv[1:])
