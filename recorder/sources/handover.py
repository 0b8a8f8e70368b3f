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
"""What may wait for the event loop: a few seconds of one camera. Past it the source ends, so that memory does not grow."""
_UNIT_OVERHEAD_BYTES = 200


class Handover:
    """Made on the loop; all but `close` and `ended` is called by the thread. Order is kept; what comes after `close` is dropped."""

    def __init__(self, sink: Sink, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self.ended: asyncio.Future[SourceEnded] = asyncio.get_running_loop().create_future()
        """How the source ended, after all it had handed over before."""
        self._loop = asyncio.get_running_loop()
        self._sink = sink
        self._max_waiting_bytes = max_waiting_bytes
        self._waiting: deque[Callable[[], None]] = deque()
        self._waiting_bytes = 0
        self._scheduled = False
        self._lock = threading.Lock()

    def opened(self, tracks: Sequence[Track], notes: Sequence[str]) -> None:
        """See `Sink`."""
        self._put(lambda: self._sink.opened(tracks, notes))

    def unit(self, unit: AccessUnit, arrival_us: int) -> None:
        """See `Sink`; raises SourceEnded if more waits than the limit allows."""
        size = len(unit.data) + _UNIT_OVERHEAD_BYTES
        if self._waiting_bytes + size > self._max_waiting_bytes:
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

    def _put(self, deliver: Callable[[], None], size: int = 0) -> None:
        with self._lock:
            self._waiting.append(deliver)
            self._waiting_bytes += size
            wake, self._scheduled = not self._scheduled, True
        if wake:
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:  # the loop has been closed: nobody listens any more
                self._waiting.clear()

    def _drain(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting, deque()
            self._waiting_bytes, self._scheduled = 0, False
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
