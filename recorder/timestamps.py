"""Times of a video track: repairs what a camera got slightly wrong, orders decoding times, and says when a run must end.

RTP carries presentation times only, and libav's decoding times depend on the container, so both are treated alike: within a group of
pictures the i-th unit decoded gets the i-th smallest presentation time as its decoding time, and a signed composition offset
(ISO/IEC 14496-12, 8.6.1.3).
"""

from __future__ import annotations

from typing import NamedTuple

from recorder.fragment import Sample
from segments.media import TIMESCALE, AccessUnit

MAX_GAP = 2 * TIMESCALE
"""A step forward longer than this (and than four usual intervals) is a hole in the footage: the run ends."""
MAX_REORDER = TIMESCALE
"""How far a unit may lie before the latest one, as B-frames do; further back means that the camera's clock was set back."""
REORDER_WAIT = 16
"""Units read past a key frame, in a stream with B-frames, before the group in front of it is closed: its leading pictures may follow."""


class Jump(NamedTuple):
    """Times cannot be repaired; `gap_ticks` is how far they moved (negative: back)."""

    gap_ticks: int


class VideoTimes:
    """Collects units in decoding order and hands out pieces of samples with whole, rising times.

    A piece ends before a key frame, or, where no key frame comes for `piece_ticks`, at a place no B-frame reaches across.
    """

    def __init__(self, piece_ticks: int) -> None:
        self._piece_ticks = piece_ticks
        self._units: list[AccessUnit] = []
        self._key_at: int | None = None
        self._highest: int | None = None
        self._interval = 0
        self._floor = -1
        self._reordered = False
        self._first_pts = 0

    def jump(self, unit: AccessUnit) -> Jump | None:
        """Whether this unit's time breaks the run; nothing is changed."""
        if self._highest is None:
            return None
        step = unit.pts - self._highest
        if step > MAX_GAP and step > 4 * self._interval:
            return Jump(step)
        return Jump(step) if step < -MAX_REORDER else None

    def add(self, unit: AccessUnit) -> list[Sample] | None:
        """Takes a unit in; returns a finished piece if one was closed by it."""
        pts, highest = unit.pts, self._highest
        if highest is None:
            self._highest = pts
        elif pts > highest:
            self._interval = pts - highest
            self._highest = pts
        elif pts < highest and not unit.key:
            self._reordered = True
        units = self._units
        if unit.key and units and self._key_at is None:
            self._key_at = len(units)
        if not units:
            self._first_pts = pts
        units.append(unit)
        if self._key_at is not None:
            if not self._reordered or len(units) > self._key_at + REORDER_WAIT:
                return self._close(self._key_at)
        elif pts - self._first_pts >= self._piece_ticks:
            at = self._quiet_place()
            if at:
                return self._close(at)
        return None

    def end(self) -> list[list[Sample]]:
        """The pieces that are left when the run ends; the last unit lasts as long as the one before."""
        pieces = []
        while self._units:
            pieces.append(self._close(self._key_at or len(self._units)))
        return pieces

    def _quiet_place(self) -> int:
        """The last index no unit behind which is shown before one in front of it; 0 if there is none."""
        units = self._units
        if not self._reordered:
            return len(units) - 1
        lowest_behind = min(unit.pts for unit in units[-REORDER_WAIT:])
        for at in range(len(units) - REORDER_WAIT, 0, -1):
            lowest_behind = min(lowest_behind, units[at].pts)
            if max(unit.pts for unit in units[:at]) < lowest_behind:
                return at
        return 0

    def _close(self, at: int) -> list[Sample]:
        """Samples of the first `at` units; the rest stays."""
        units = self._units
        rest = units[at:]
        del units[at:]
        order = sorted(range(at), key=[unit.pts for unit in units].__getitem__)
        times = self._rising([units[i].pts for i in order])
        shown = dict(zip(order, times, strict=True))
        following = min((unit.pts for unit in rest), default=None)
        usual = times[-1] - times[-2] if at > 1 else self._interval or TIMESCALE // 25
        end = times[-1] + usual if following is None or following <= times[-1] else following
        self._floor = end - 1
        samples = [
            Sample(dts, shown[i], next_dts - dts, unit.key, unit.data)
            for i, (unit, dts, next_dts) in enumerate(zip(units, times, [*times[1:], end], strict=True))
        ]
        self._units, self._key_at = rest, None
        if rest:
            self._first_pts = rest[0].pts
            self._key_at = next((i for i, unit in enumerate(rest) if i and unit.key), None)
        return samples

    def _rising(self, times: list[int]) -> list[int]:
        """The same times, each at least one tick after the one before (equal times are met at real cameras)."""
        last = self._floor
        for i, time in enumerate(times):
            if time <= last:
                times[i] = last + 1
            last = times[i]
        return times


class AudioTimes:
    """Queues frames of sound and hands out those that lie before a moment; durations end where the next frame begins.

    Sound that pauses is no reason to end a run: its last frame lasts until the next. Sound that is set back, or runs a minute ahead, is.
    """

    def __init__(self, frame_ticks: int) -> None:
        self._frame_ticks = frame_ticks
        self._queue: list[tuple[int, AccessUnit]] = []
        self._floor = -1
        self._limit = 60 * TIMESCALE // max(frame_ticks, 1)

    def add(self, unit: AccessUnit) -> Jump | None:
        """Takes a frame in; a frame from before what was handed out is moved up by less than a frame's length, else it is a jump."""
        last = self._queue[-1][0] + self._frame_ticks if self._queue else self._floor + 1
        drift = unit.pts - last
        if drift < -MAX_GAP or len(self._queue) >= self._limit:
            return Jump(drift)
        if -self._frame_ticks < drift < 0:
            self._queue.append((last, unit))
        elif drift >= 0:
            self._queue.append((unit.pts, unit))
        return None

    def before(self, end_pts: int) -> list[Sample]:
        """Samples of all frames that start before `end_pts`; the last of the queue stays until its successor is known."""
        queue = self._queue
        samples: list[Sample] = []
        while len(queue) > 1 and queue[0][0] < end_pts:
            pts, unit = queue.pop(0)
            duration = queue[0][0] - pts
            samples.append(Sample(pts, pts, duration, key=True, data=unit.data))
            self._floor = pts + duration - 1
        return samples

    def begin(self, pts: int) -> None:
        """Forgets frames from before the first picture."""
        self._queue = [item for item in self._queue if item[0] >= pts]
        self._floor = pts - 1

    def end(self) -> list[Sample]:
        """All that is left."""
        if not self._queue:
            return []
        last_pts, last = self._queue[-1]
        samples = self.before(last_pts + 1)
        self._queue = []
        return [*samples, Sample(last_pts, last_pts, self._frame_ticks, key=True, data=last.data)]
