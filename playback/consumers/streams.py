"""What one consumer plays at once: a *stream* is a camera and a place in time that was asked for lately. Pure; times are parameters."""

from __future__ import annotations

from dataclasses import dataclass

from segments.clock import US_PER_S

ACTIVE_S = 30
"""A stream that nothing was asked of for so long has ended."""
NEAR_US = 600 * US_PER_S
"""Footage of a camera within ten minutes of where a stream was last belongs to it: a player asks for one piece after the other."""


@dataclass(slots=True)
class Stream:
    """A camera, where it is played, and when that was last asked for."""

    camera: str
    at_us: int
    last_ns: int


class Streams:
    """The streams of one consumer; those that ended are forgotten."""

    def __init__(self) -> None:
        self._streams: list[Stream] = []

    def active(self, now_ns: int) -> int:
        """How many are played."""
        self._streams = [one for one in self._streams if now_ns - one.last_ns < ACTIVE_S * 1_000_000_000]
        return len(self._streams)

    def join(self, camera: str, at_us: int, most: int, now_ns: int) -> Stream | None:
        """The stream a question belongs to, moved there; a new one if there is none and they are fewer than `most` (0: any); else None."""
        count = self.active(now_ns)
        for one in self._streams:
            if one.camera == camera and abs(one.at_us - at_us) <= NEAR_US:
                one.at_us, one.last_ns = at_us, now_ns
                return one
        if most and count >= most:
            return None
        self._streams.append(Stream(camera, at_us, now_ns))
        return self._streams[-1]

    def wait_s(self, now_ns: int) -> float:
        """How long until the first of them may have ended."""
        return max((ACTIVE_S - (now_ns - min(one.last_ns for one in self._streams)) / 1e9), 1.0) if self._streams else 1.0
