"""The changes of the cameras' states on their way to the index: they wait in order while it is away, up to a limit."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import replace

from segments.clock import Clock
from segments.errors import KeepsightError, TryAgain
from segments.model import CameraState, StateChange
from segments.ports import States

log = logging.getLogger(__name__)

MAX_WAITING = 100_000
RETRY_S = 1.0


class StateQueue:
    """Changes noted at once, written down as the index takes them."""

    def __init__(self, index: States, clock: Clock) -> None:
        self._index = index
        self._clock = clock
        self._waiting: deque[StateChange] = deque(maxlen=MAX_WAITING)
        self._noted = asyncio.Event()
        self._last: dict[str, StateChange] = {}

    def present(self, camera: str) -> CameraState | None:
        """What was said last of a camera; None if nothing was since this process started."""
        last = self._last.get(camera)
        return None if last is None else last.state

    def note(self, change: StateChange) -> None:
        """Queues a change; a full queue drops its oldest. What is said later counts, though footage begins before its connection."""
        last = self._last.get(change.camera)
        if last is not None and change.at_us <= last.at_us and change != last:
            change = replace(change, at_us=last.at_us + 1)
        self._last[change.camera] = change
        if len(self._waiting) == self._waiting.maxlen:
            log.error("states wait for the index in too great a number; the oldest is dropped")
        self._waiting.append(change)
        self._noted.set()

    async def write(self) -> None:
        """Writes changes down, in order, as long as it takes; runs until cancelled."""
        while True:
            try:
                await self.flush()
            except TryAgain:
                await self._clock.sleep(RETRY_S)
                continue
            self._noted.clear()
            await self._noted.wait()

    async def flush(self) -> None:
        """Writes what waits, in order. Raises TryAgain, and then what is not written waits on."""
        while self._waiting:
            change = self._waiting[0]
            try:
                await self._index.put_state(change)
            except TryAgain:
                raise
            except KeepsightError as error:
                log.error("a state of camera %s cannot be written and is dropped: %s", change.camera, error)
            if self._waiting and self._waiting[0] is change:  # else the queue was full meanwhile
                self._waiting.popleft()
