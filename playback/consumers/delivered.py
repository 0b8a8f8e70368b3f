"""Which footage a range of a segment's bytes holds. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

from playback.consumers.passages import SecondsOf
from segments.model import Row, Span

TICKS_PER_S = 90_000


def span_of_bytes(row: Row, start: int, end: int) -> Span:
    """The time of the fragments that have a part in these bytes; of a range that has none, the segment's first moment."""
    held = [one for one in row.fragments if one.offset < end and one.offset + one.length > start]
    if not held:
        return Span(row.start_us, row.start_us + 1)
    first = row.fragments[0].pts
    return Span(row.start_us + (held[0].pts - first) * 100 // 9, row.start_us + (held[-1].pts + held[-1].duration - first) * 100 // 9)


def seconds_of_bytes(row: Row, start: int) -> SecondsOf:
    """How much footage the first so many bytes from `start` on hold; of a fragment that is there in part, that part."""
    ends = [one.offset + one.length for one in row.fragments]
    whole_s = [0.0, *accumulate(one.duration / TICKS_PER_S for one in row.fragments)]

    def until(byte: int) -> float:
        place = bisect_left(ends, byte)
        if place == len(ends):
            return whole_s[-1]
        one = row.fragments[place]
        return whole_s[place] + max(0, byte - one.offset) / one.length * (whole_s[place + 1] - whole_s[place])

    before_s = until(start)
    return lambda sent: until(start + sent) - before_s


class Part(Protocol):
    """Bytes of a segment in a file that is laid out of several."""

    @property
    def row(self) -> Row:
        """The segment."""

    @property
    def start(self) -> int:
        """Its first byte that is there."""

    @property
    def end(self) -> int:
        """The byte behind the last."""


def seconds_of_file(head_bytes: int, parts: Sequence[Part], start: int) -> SecondsOf:
    """The same of a file that begins with a head and goes on with these parts: of each segment as much of its time as of its bytes."""
    places = [0, *accumulate(part.end - part.start for part in parts)]
    shares = [(part.row.end_us - part.row.start_us) / 1e6 / max(1, part.row.size) for part in parts]
    times_s = [0.0, *accumulate((part.end - part.start) * share for part, share in zip(parts, shares, strict=True))]

    def until(byte: int) -> float:
        at = min(max(0, byte - head_bytes), places[-1])
        place = min(bisect_right(places, at) - 1, len(parts) - 1)
        return times_s[place] + (at - places[place]) * shares[place] if parts else 0.0

    before_s = until(start)
    return lambda sent: until(start + sent) - before_s
