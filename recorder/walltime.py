"""Places media time on the wall clock: bounded slew, so that time never jumps inside a run.

Where the camera's clock is trusted its sender reports place the footage. Elsewhere the least-delayed packet does: a packet is never early,
so the smallest difference between arrival and media time is the best estimate. The first segment takes it as it is; every later one moves
towards the present estimate by at most 500 ppm of the time that passed.
"""

from __future__ import annotations

from segments.clock import US_PER_S
from segments.media import TIMESCALE

MAX_SLEW_PPM = 500
WINDOW_TICKS = 10 * TIMESCALE
"""The least delay is looked for in windows of this length; the smaller of the present and the last window counts."""
REPORT_LIMIT_US = 60 * US_PER_S
"""A trusted camera clock further than this from the recorder's is not believed."""


def ticks_to_us(ticks: int) -> int:
    """Microseconds of a number of ticks, rounded down."""
    return ticks * 100 // 9


class WallTime:
    """The wall-clock time of one run's media time."""

    def __init__(self, *, trust_clock: bool) -> None:
        self._trust_clock = trust_clock
        self._window_start = 0
        self._least: int | None = None
        self._previous_least: int | None = None
        self._camera_offset: int | None = None
        self._placed: tuple[int, int] | None = None
        self.camera_offset_us: int | None = None
        """The camera's clock minus the recorder's, as far as it is known."""
        self.refused_report = False
        """Whether a trusted camera's clock was too far away to be believed."""

    def arrived(self, pts: int, arrival_us: int) -> None:
        """A packet of this media time came at this moment of the recorder's clock."""
        offset = arrival_us - ticks_to_us(pts)
        if self._least is None or pts - self._window_start >= WINDOW_TICKS or pts < self._window_start:
            self._previous_least = self._least
            self._window_start, self._least = pts, offset
        elif offset < self._least:
            self._least = offset

    def reported(self, pts: int, wall_us: int) -> None:
        """A sender report: the camera's own wall clock at this media time."""
        offset = wall_us - ticks_to_us(pts)
        if self._least is not None:
            self.camera_offset_us = offset - self._estimate()
        self.refused_report = self.camera_offset_us is not None and abs(self.camera_offset_us) > REPORT_LIMIT_US
        self._camera_offset = None if self.refused_report else offset

    def segment_start(self, pts: int) -> int:
        """The wall time of a segment that starts at `pts`; call it once a segment, in order."""
        trusted = self._camera_offset if self._trust_clock else None
        offset = self._estimate() if trusted is None else trusted
        if self._placed is not None:
            placed_pts, placed_offset = self._placed
            limit = ticks_to_us(max(pts - placed_pts, 0)) * MAX_SLEW_PPM // 1_000_000
            offset = placed_offset + max(-limit, min(limit, offset - placed_offset))
        self._placed = (pts, offset)
        return offset + ticks_to_us(pts)

    def _estimate(self) -> int:
        if self._least is None:
            raise ValueError("no packet has arrived yet")
        return self._least if self._previous_least is None else min(self._least, self._previous_least)
