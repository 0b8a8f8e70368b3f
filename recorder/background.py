"""Work that goes on beside the event that began it; what goes wrong in it is logged, and an orderly end waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from segments.errors import KeepsightError

log = logging.getLogger(__name__)


class Background:
    """Tasks nobody waits for until the end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begins it; the task may be cancelled."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def settle(self) -> None:
        """Waits until all of it has ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, KeepsightError):
            log.warning("background.interrupted: %s", error)
        elif error is not None:
            log.error("background.unexpected: a fault of ours", exc_info=error)
