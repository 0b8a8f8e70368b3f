"""How long each open batch has been in its state, as this process has seen it. Waits that safety rests on are by the monotonic clock.

A batch may have come into its state before it was seen, never after. So a wait that is counted from there is long enough whatever the wall
clocks of this node and others say, and a process that begins anew waits anew. The part of a wait above `SURE_S` is patience, not safety (a
download that goes on): there the wall clock is believed, so that a restart costs two minutes and not the whole grace.
"""

from __future__ import annotations

from datetime import date

from segments.clock import US_PER_S, Clock
from segments.model import Batch, BatchState

SURE_S = 120
"""Longer than the commit deadline (60 s), than a link lives (30 s), and than a request to delete may take to come into effect."""

_Mark = tuple[BatchState, int]


class Waits:
    """What was seen of the batches, by camera-day."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, date], tuple[_Mark, int]] = {}
        self._until: dict[tuple[str, date], int] = {}

    def saw(self, batch: Batch) -> int:
        """The batch is in this state: since when, by the monotonic clock, it is known to be. Called after the answer that says so."""
        key, mark = (batch.camera, batch.day), (batch.state, batch.decided_us)
        known = self._seen.get(key)
        if known is None or known[0] != mark:
            known = mark, self._clock.monotonic_ns()
            self._seen[key] = known
            self._until.pop(key, None)
        return known[1]

    def over(self, batch: Batch, wait_s: float) -> bool:
        """Whether the batch has been in its state for longer than this; if not, `asleep` says so until then."""
        now_ns, since_ns = self._clock.monotonic_ns(), self.saw(batch)
        wall_left_s = (batch.since_us - self._clock.now_us()) / US_PER_S + wait_s
        left_s = (since_ns - now_ns) / 1e9 + (wait_s if wall_left_s >= 0 else min(wait_s, SURE_S))
        if left_s < 0:
            return True
        by_wall_s = max(wall_left_s, (since_ns - now_ns) / 1e9 + min(wait_s, SURE_S))
        self._until[batch.camera, batch.day] = now_ns + int(min(left_s, by_wall_s) * 1e9) + 1
        return False

    def asleep(self, camera: str, day: date) -> bool:
        """Whether there is nothing to do yet about a batch that was seen."""
        return self._until.get((camera, day), 0) > self._clock.monotonic_ns()

    def next_ns(self) -> int | None:
        """When the first of them wakes; None if none sleeps."""
        return min(self._until.values(), default=None)

    def forget(self, camera: str, day: date) -> None:
        """It is gone, or has changed in ways that must be read again."""
        self._seen.pop((camera, day), None)
        self._until.pop((camera, day), None)
