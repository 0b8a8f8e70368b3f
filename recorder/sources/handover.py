"""From a thread to the event loop: what a blocking source reads, handed to its sink in batches and within a limit."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence

from recorder.source import Sink, SourceEnded
from segments.media import AccessUnit, Track
from segments.model import Cause

MAX_WAITING_BYTES = 16 << 20
"""What may wait for the event loop: some seconds of one camera. Past it the thread waits, and with it the camera."""
MAX_WAIT_S = 5.0
"""How long it waits; then the source ends."""
_UNIT_OVERHEAD_BYTES = 200


class Handover:
    """Made on the loop; all but `close` and `ended` is called by the thread. Order is kept; what comes after `close` is dropped."""

    def __init__(self, sink: Sink, max_waiting_bytes: int = MAX_WAITING_BYTES, max_wait_s: float = MAX_WAIT_S) -> None:
        self.ended: asyncio.Future[SourceEnded] = asyncio.get_running_loop().create_future()
        """How the source ended, after all it had handed over before."""
        self._loop = asyncio.get_running_loop()
        self._sink = sink
        self._max_waiting_bytes = max_waiting_bytes
        self._max_wait_s = max_wait_s
        self._waiting: deque[Callable[[], None]] = deque()
        self._waiting_bytes = 0
        self._scheduled = False
        self._room = threading.Condition()
        self._closed = False

    def opened(self, tracks: Sequence[Track], notes: Sequence[str]) -> None:
        """See `Sink`."""
        self._put(lambda: self._sink.opened(tracks, notes))

    def unit(self, unit: AccessUnit, arrival_us: int) -> None:
        """See `Sink`; waits for room, and raises SourceEnded if there is none in time."""
        size = len(unit.data) + _UNIT_OVERHEAD_BYTES
        with self._room:
            has_room = self._room.wait_for(lambda: self._has_room(size), self._max_wait_s)
        if not has_room:
            raise SourceEnded(
                Cause.RECONNECTING, f"this recorder was too busy: {self._max_waiting_bytes >> 20} MiB of the camera's media waited"
            )
        self._put(lambda: self._sink.unit(unit, arrival_us), size)

    def end(self, how: SourceEnded) -> None:
        """The thread is done; nothing comes after this."""
        self._put(lambda: None if self.ended.done() else self.ended.set_result(how))

    def close(self) -> None:
        """Called on the loop: nothing reaches the sink any more."""
        self._sink = _Nowhere()
        with self._room:
            self._closed = True
            self._room.notify_all()

    def _has_room(self, size: int) -> bool:
        return self._closed or not self._waiting_bytes or self._waiting_bytes + size <= self._max_waiting_bytes

    def _put(self, deliver: Callable[[], None], size: int = 0) -> None:
        with self._room:
            self._waiting.append(deliver)
            self._waiting_bytes += size
            wake, self._scheduled = not self._scheduled, True
        if wake:
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:  # the loop has been closed: nobody listens any more
                self._waiting.clear()

    def _drain(self) -> None:
        with self._room:
            batch, self._waiting = self._waiting, deque()
            self._waiting_bytes, self._scheduled = 0, False
            self._room.notify_all()
        for deliver in batch:
            deliver()


class _Nowhere:
    """Takes what nobody wants any more."""

    def opened(self, tracks: Sequence[Track], notes: Sequence[str]) -> None:
        pass

    def unit(self, unit: AccessUnit, arrival_us: int) -> None:
        pass

    def clock(self, pts: int, wall_us: int) -> None:
        pass
