"""Reads all cameras of a process in turn: a few timers a second instead of a wake-up for each packet.

A camera of 4 Mbit/s sends some 360 RTP packets a second. Waking up for each costs more than reading them; so what the kernel has gathered
in a tenth of a second is read in one piece, into one buffer that all connections share.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

BUFFER_BYTES = 1 << 20
INTERVAL_S = 0.1
PHASES = 2
"""The connections are visited in so many groups, one after another, so that the event loop is never held for all of them at once."""


class Polled(Protocol):
    """A connection that waits to be read."""

    def visit(self, buffer: memoryview) -> None:
        """Reads what is there, at most one buffer, without waiting. Must not raise."""


class Poller:
    """Visits connections at a steady interval, on the event loop they were added on. Idle while there are none."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        """For reading outside of visits too, as long as nothing of it is kept."""
        self._step_s = interval_s / PHASES
        self._groups: list[dict[Polled, None]] = [{} for _ in range(PHASES)]
        self._phase = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Polled) -> None:
        """Visits the connection from now on, in the smallest group."""
        min(self._groups, key=len)[connection] = None
        if self._timer is None:
            self._schedule(asyncio.get_running_loop().time())

    def remove(self, connection: Polled) -> None:
        """Visits it no more; fine if it was never added."""
        for group in self._groups:
            group.pop(connection, None)

    def _schedule(self, last: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(max(last + self._step_s, loop.time()), self._visit_group, last + self._step_s)

    def _visit_group(self, due: float) -> None:
        if not any(self._groups):
            self._timer = None
            return
        group = self._groups[self._phase]
        self._phase = (self._phase + 1) % PHASES
        buffer = self.buffer
        for connection in tuple(group):
            connection.visit(buffer)
        now = asyncio.get_running_loop().time()
        self._schedule(due if now - due < self._step_s else now)
