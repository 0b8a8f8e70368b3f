"""How far copies are behind their source: what is wanted and since when, and how long it took what was copied. Pure.

Lag counts from the commit at the source; where that moment is not known, from the end of the footage, which was before. What is known to be
wanted is all that news and comparing have told so far.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from replication.copy_values import CopyEvent, Wish, WishKey
from segments.clock import US_PER_S

BOUNDS_S = (10, 20, 30, 45, 60, 90, 120, 300, 900, 3600, 6 * 3600, 86_400)
"""Of the histogram of delays; a last class has what took longer."""


class Behind(NamedTuple):
    """A segment that is wanted: since when, and why it is not here yet, as far as that was told."""

    camera: str
    start_us: int
    since_us: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is wanted of one class of cameras. `oldest_us`: since when the oldest has been, 0 if nothing is; `late` of them too long."""

    segments: int = 0
    size_bytes: int = 0
    oldest_us: int = 0
    late: int = 0

    def __add__(self, other: Backlog) -> Backlog:
        oldest_us = min((each for each in (self.oldest_us, other.oldest_us) if each), default=0)
        return Backlog(self.segments + other.segments, self.size_bytes + other.size_bytes, oldest_us, self.late + other.late)


@dataclass(frozen=True, slots=True)
class Delays:
    """How long copies took: `counts` by the classes of `BOUNDS_S`, a delay that is just a bound counts below it; `sum_s` of all."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    sum_s: float = 0.0

    def __add__(self, other: Delays) -> Delays:
        return Delays(tuple(one + more for one, more in zip(self.counts, other.counts, strict=True)), self.sum_s + other.sum_s)


@dataclass(frozen=True, slots=True)
class Copied:
    """Segments that were copied, those of them within `soon_s` and within `late_s` of their commit, and how long all of them took."""

    segments: int = 0
    size_bytes: int = 0
    soon: int = 0
    in_time: int = 0
    delays: Delays = Delays()

    @property
    def late(self) -> int:
        """Those that took longer."""
        return self.segments - self.in_time

    def __add__(self, other: Copied) -> Copied:
        return Copied(
            self.segments + other.segments,
            self.size_bytes + other.size_bytes,
            self.soon + other.soon,
            self.in_time + other.in_time,
            self.delays + other.delays,
        )


@dataclass(frozen=True, slots=True)
class Promise:
    """Within `soon_s` footage is to be copied; what is not after `late_s` is late."""

    soon_s: int = 60
    late_s: int = 900


def since_us(of: Wish | CopyEvent) -> int:
    """From when the lag of a segment counts."""
    end_us = of.row.end_us if isinstance(of, Wish) else of.end_us
    return of.committed_us or end_us


def backlog(wishes: Iterable[Wish], promise: Promise, now_us: int) -> dict[int, Backlog]:
    """What is wanted, by class of camera."""
    found: dict[int, Backlog] = {}
    for wish in wishes:
        since = since_us(wish)
        one = Backlog(1, wish.row.size, since, int(now_us - since > promise.late_s * US_PER_S))
        found[wish.camera.camera_class] = found.get(wish.camera.camera_class, Backlog()) + one
    return found


def late_by_name(wishes: Iterable[Wish], promise: Promise, now_us: int, reasons: Mapping[WishKey, str], most: int) -> list[Behind]:
    """Those that are late, the longest first, up to so many."""
    late = [wish for wish in wishes if now_us - since_us(wish) > promise.late_s * US_PER_S]
    late.sort(key=lambda wish: (since_us(wish), wish.key))
    return [Behind(wish.row.camera, wish.row.start_us, since_us(wish), reasons.get(wish.key, "")) for wish in late[:most]]


def copied(event: CopyEvent, promise: Promise, now_us: int) -> Copied:
    """One segment that was copied just now. A clock of the source that is ahead of ours makes no delay below 0."""
    delay_s = max(0.0, (now_us - since_us(event)) / US_PER_S)
    counts = [0] * (len(BOUNDS_S) + 1)
    counts[bisect_left(BOUNDS_S, delay_s)] = 1
    return Copied(1, event.size, int(delay_s <= promise.soon_s), int(delay_s <= promise.late_s), Delays(tuple(counts), delay_s))


def cumulative(counts: Sequence[int]) -> list[int]:
    """Of each class and all below it."""
    sums: list[int] = []
    for count in counts:
        sums.append(count + (sums[-1] if sums else 0))
    return sums
