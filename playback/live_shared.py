"""The live edge, asked for with care: few questions are open at once, and those who wait to ask the same share one.

Whoever asks the API a thousand times a second must not keep the recording side from its own work: moving footage, renewing leases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from playback.live import LiveFootage
from segments.model import Row, RowPosition, Run

AT_ONCE = 8
"""Questions that are open at once; others wait."""


class SharedLive:
    """See `LiveFootage`; passes on to another one. Every answer is from after it was asked for."""

    def __init__(self, live: LiveFootage) -> None:
        self._live = live
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting: dict[str, asyncio.Task[Sequence[tuple[Row, Run]]]] = {}

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
        """See `LiveFootage`."""
        if camera not in self._waiting:
            self._waiting[camera] = asyncio.create_task(self._segments(camera))
            self._waiting[camera].add_done_callback(_looked_at)
        return await asyncio.shield(self._waiting[camera])

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:
        """See `LiveFootage`."""
        async with self._places:
            return await self._live.read(camera, position, start, end)

    async def status(self) -> Mapping[str, object]:
        """See `LiveFootage`."""
        async with self._places:
            return await self._live.status()

    async def _segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
        async with self._places:
            del self._waiting[camera]  # who asks from now on may want what is not in this answer
            return await self._live.segments(camera)


def _looked_at(task: asyncio.Task[Sequence[tuple[Row, Run]]]) -> None:
    """An error is nobody's where all who asked have hung up."""
    if not task.cancelled():
        task.exception()
