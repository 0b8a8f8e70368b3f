"""Fills a spool while its uploader is away, lets the uploader come back, and counts what was lost (promise R5)."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from recorder.group_sync import GroupSync
from recorder.spool import OpenSegment, Spool, SpoolFailed, SpoolFull
from recorder.spool_folder import open_parts, remove, sealed_files, shrink_to_stub
from tests.faults.plain_segment import HEADER, fragment, scan, tail

RUN = "home-a-1-1"
FRAGMENT_BYTES = 500_000
FRAGMENTS = 4
"""Of a segment."""


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A file system of this size, in memory; needs root."""
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=700", "tmpfs", str(folder)], check=True, timeout=60)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=60)


class EvictingSpool(Spool):
    """The rule broken on purpose: a full spool drops its oldest segment to take new bytes."""

    def claim(self, wanted_bytes: int) -> None:
        """Makes room by force."""
        while True:
            try:
                return super().claim(wanted_bytes)
            except SpoolFull:
                remove(sealed_files(self.folder)[0])
                self._count()
                self.full = False


@dataclass
class Camera:
    """One camera that records into the spool, as a runner does it: a full spool ends its run, and it waits for room."""

    name: str
    counter: int = 0
    segment: OpenSegment | None = None
    written: int = 0

    def feed(self, spool: Spool) -> None:
        """The next fragment; raises SpoolFull or SpoolFailed, with its segment sealed or given up."""
        try:
            if self.segment is None:
                self.counter += 1
                self.segment, self.written = spool.begin(self.name, RUN, self.counter, self.counter * 1_000_000, HEADER), 0
            self.segment.append(fragment(f"{self.name}/{self.counter}", self.written, FRAGMENT_BYTES))
        except (SpoolFull, SpoolFailed):
            self.seal()
            raise
        self.written += 1
        if self.written == FRAGMENTS:
            self.seal()

    def seal(self) -> None:
        """Ends the segment, if there is one that can be ended."""
        segment, self.segment = self.segment, None
        if segment is not None and not segment.failed:
            segment.seal(tail(self.counter))


@dataclass
class Recording:
    """Cameras on one spool, and what was acknowledged of each segment."""

    spool: Spool
    cameras: list[Camera] = field(default_factory=lambda: [Camera("gate"), Camera("yard"), Camera("roof")])
    acknowledged: dict[tuple[str, int], int] = field(default_factory=dict)
    stored: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._sync = GroupSync(self.spool)

    def close(self) -> None:
        """Lets the disk go."""
        for segment in list(self.spool.open):
            segment.give_up()
        self._sync.close()

    async def sync(self) -> None:
        """A round; notes what it acknowledged."""
        done = await self._sync.round()
        for segment, durable_bytes in done.acknowledged:
            self.acknowledged[(segment.camera, segment.counter)] = durable_bytes

    async def fill(self, limit_bytes: int) -> SpoolFull | SpoolFailed:
        """Records until the spool refuses; the refusal. At most this much is tried."""
        for _ in range(limit_bytes // FRAGMENT_BYTES):
            for camera in self.cameras:
                try:
                    camera.feed(self.spool)
                except (SpoolFull, SpoolFailed) as refusal:
                    for other in self.cameras:
                        other.seal()
                    await self.sync()
                    await self.sync()
                    return refusal
            await self.sync()
        raise AssertionError("the spool never refused")

    def lost(self) -> list[str]:
        """Acknowledged fragments that are neither in the spool, bit for bit, nor stored."""
        there = {(file.camera, file.counter): file.path for file in [*sealed_files(self.spool.folder), *open_parts(self.spool.folder)]}
        wrong = []
        for (camera, counter), durable_bytes in self.acknowledged.items():
            if (camera, counter) in self.stored:
                continue
            path = there.get((camera, counter))
            data = path.read_bytes() if path else b""
            all_of_it = HEADER + b"".join(fragment(f"{camera}/{counter}", number, FRAGMENT_BYTES) for number in range(FRAGMENTS))
            whole = [HEADER, *(all_of_it[part.offset : part.offset + part.length] for part in scan(all_of_it[:durable_bytes]).fragments)]
            if not data.startswith(b"".join(whole)):
                wrong.append(f"{camera} {counter}: {len(whole) - 1} fragments acknowledged, not all of them there")
        return wrong

    def upload(self, count: int, *, indexed: bool) -> None:
        """The uploader stores so many of the oldest segments; without an index it leaves their stubs."""
        for file in sealed_files(self.spool.folder)[:count]:
            self.stored.add((file.camera, file.counter))
            if indexed:
                remove(file)
            else:
                shrink_to_stub(file, b'{"key": "k"}')

    async def resume(self, wait_s: float = 10) -> float:
        """Asks for room each second, as a runner does; how long until a new fragment was acknowledged."""
        started_s = time.monotonic()
        while not self.spool.has_room(1 << 20):
            if time.monotonic() - started_s > wait_s:
                raise AssertionError(f"no room after {wait_s} s")
            await asyncio.sleep(1)
        before = len(self.acknowledged)
        self.cameras[0].feed(self.spool)
        await self.sync()
        assert len(self.acknowledged) > before
        return time.monotonic() - started_s
