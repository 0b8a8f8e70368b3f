"""The changes of the cameras' states on their way to the index: they wait in order while it is away, up to a limit."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import replace

from segments.clock import Clock
from segments.errors import KeepsightError, TryAgain
from segments.model import StateChange
from segments.ports import States

log = logging.getLogger(__name__)

MAX_WAITING = 100_000
RETRY_S = 1.0


class StateQueue:
    """Changes noted at once, written down as the index takes them."""

    def __init__(self, index: States, clock: Clock, may_write: Callable[[], bool] = lambda: True) -> None:
        """`may_write`: whether what waits is still ours to say; asked before each round of writing."""
        self._index = index
        self._clock = clock
        self._may_write = may_write
        self._waiting: deque[StateChange] = deque(maxlen=MAX_WAITING)
        self._noted = asyncio.Event()
        self._last: dict[str, StateChange] = {}

    def last(self, camera: str) -> StateChange | None:
        """What was said last of a camera; None if this process knows of nothing."""
        return self._last.get(camera)

    def heard(self, change: StateChange) -> None:
        """What another process said of a camera: what is noted from now on comes after it, whatever the other's clock showed."""
        last = self._last.get(change.camera)
        if last is None or last.at_us < change.at_us:
            self._last[change.camera] = change

    def drop(self, cameras: Collection[str]) -> None:
        """Another process speaks for these cameras now: what waits is not written any more."""
        kept = [change for change in self._waiting if change.camera not in cameras]
        self._waiting.clear()
        self._waiting.extend(kept)
        for camera in cameras:
            self._last.pop(camera, None)

    def note(self, change: StateChange) -> None:
        """Queues a change; a full queue drops its oldest. What is said later counts, though footage begins before its connection."""
        last = self._last.get(change.camera)
        if last is not None and change.at_us <= last.at_us and change != last:
            change = replace(change, at_us=last.at_us + 1)
        self._last[change.camera] = change
        if len(self._waiting) == self._waiting.maxlen:
            log.error("state.overflow: states wait for the index in too great a number; the oldest is dropped")
        self._waiting.append(change)
        self._noted.set()

    async def write(self) -> None:
        """Writes changes down, in order, as long as it takes; runs until cancelled."""
        while True:
            try:
                if not self._may_write():
                    raise TryAgain("it is not known whether they are ours to say")
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
                log.error(
                    "state.dropped: a state of camera %(camera)s cannot be written and is dropped: %(error)s",
                    {"camera": change.camera, "error": error},
                )
            if self._waiting and self._waiting[0] is change:  # else the queue was full meanwhile
                self._waiting.popleft()
