"""Which places are alive: those whose beat changes, by the monotonic clock of who looks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from segments.duty import Place

LEAST_ALIVE_S = 3.0
"""Places report each second: no shorter silence says anything."""
LONGEST_LOOK_NS = 1_500_000_000
"""Of the time between two looks no more counts as silence: perhaps the index was away, and nobody could report."""


@dataclass(frozen=True, slots=True)
class _Heard:
    beat: int
    risen: bool = False
    """Whether it changed under our eyes."""
    silent_ns: int = 0


@dataclass(frozen=True, slots=True)
class Beats:
    """What was seen of the places' beats. A place is `alive` until its beat was silent for the ttl (3 s at least), `dead` after twice that.

    In between, and until its beat was first seen to change, it keeps the duties it has and gets no new ones.
    """

    ttl_s: float
    heard: Mapping[str, _Heard] = field(default_factory=lambda: MappingProxyType({}))
    looked_ns: int = 0

    def saw(self, places: Iterable[Place], now_ns: int) -> Beats:
        """After all places were read; a place that was not among them is forgotten."""
        passed_ns = min(now_ns - self.looked_ns, LONGEST_LOOK_NS)
        return Beats(self.ttl_s, {place.name: _after(self.heard.get(place.name), place.beat, passed_ns) for place in places}, now_ns)

    @property
    def alive(self) -> frozenset[str]:
        """Places that are there, and may be given something to do."""
        return frozenset(name for name, heard in self.heard.items() if heard.risen and heard.silent_ns < self._alive_ns)

    @property
    def dead(self) -> frozenset[str]:
        """Places that are gone, as far as anyone can see."""
        return frozenset(name for name, heard in self.heard.items() if heard.silent_ns >= 2 * self._alive_ns)

    def silent_s(self, name: str) -> float:
        """How long we have seen the beat of a place unchanged."""
        heard = self.heard.get(name)
        return 0.0 if heard is None else heard.silent_ns / 1e9

    @property
    def _alive_ns(self) -> int:
        return int(max(self.ttl_s, LEAST_ALIVE_S) * 1e9)


def _after(known: _Heard | None, beat: int, passed_ns: int) -> _Heard:
    if known is None:
        return _Heard(beat)
    if known.beat != beat:
        return _Heard(beat, risen=True)
    return _Heard(beat, known.risen, known.silent_ns + passed_ns)
