"""Layouts of files that are being read, kept in memory: a player asks for many ranges of one file."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from playback.export import plan_file
from playback.file_parts import Part
from playback.services import Services
from playback.virtual_mp4 import VirtualMp4

KEPT_BYTES = 128 << 20
"""How much is kept: a layout of 24 h with sound takes 28 MB, one of an hour 1.2."""
AT_ONCE = 2
"""How many files are laid out at once: of 24 h each holds some 100 MB of tables while it is."""

_SEGMENT_BYTES = 1536
"""About what a row without its fragments takes, and where it is."""


class Layouts:
    """The layouts used last, by the ETag of their files: equal tags are equal bytes."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._most_bytes = kept_bytes
        self._kept: OrderedDict[str, VirtualMp4] = OrderedDict()
        self._under_way: dict[str, asyncio.Lock] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self.kept_bytes = 0

    async def of(self, services: Services, part: Part) -> VirtualMp4:
        """The layout of a part, kept or made now; those who ask for the same meanwhile wait for it. Raises as `plan_file` does."""
        if part.etag in self._kept:
            self._kept.move_to_end(part.etag)
            return self._kept[part.etag]
        lock = self._under_way.setdefault(part.etag, asyncio.Lock())
        try:
            async with lock:
                if part.etag not in self._kept:
                    async with self._places:
                        self._keep(await plan_file(services, part))
                return self._kept[part.etag]
        finally:
            if not lock.locked():
                self._under_way.pop(part.etag, None)

    def _keep(self, file: VirtualMp4) -> None:
        """The newest stays even if it is larger than all that may be kept: somebody is about to read it."""
        self._kept[file.etag] = file
        self.kept_bytes += _weight(file)
        while self.kept_bytes > self._most_bytes and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self.kept_bytes -= _weight(gone)


def _weight(file: VirtualMp4) -> int:
    """About how many bytes of memory it holds."""
    return len(file.head) + _SEGMENT_BYTES * len(file.ranges)
