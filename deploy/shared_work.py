"""Work that may hang, asked for again and again: it is not begun a second time while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class SharedWork:
    """A coroutine function. Who asks while it runs waits for the same end, and may give up waiting without ending it.

    So a disk that hangs holds one thread, and not one more each time somebody asks how it is.
    """

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._running: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Does the work, or waits for its end; raises what it raises."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
            self._running.add_done_callback(_looked_at)
        await asyncio.shield(self._running)

    async def _run(self) -> None:
        await self._work()


def _looked_at(task: asyncio.Task[None]) -> None:
    """An error is nobody's where all who asked have given up."""
    if not task.cancelled():
        task.exception()
