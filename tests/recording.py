"""A camera without a network: feeds clips to a session, and keeps what it is told to write as files would be."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from recorder.cutter import CutSettings
from recorder.session import EndRun, Instruction, NoFootage, SealSegment, Session, WriteFragment
from segments.clock import US_PER_S
from segments.media import TIMESCALE, AccessUnit, Track
from segments.model import Fragment
from tests.builders import NOON_US


def a_session(camera: str = "gate", *, segment_s: int = 4, trust_clock: bool = False) -> Session:
    """A session that cuts after some seconds, with runs home-a-1-1, home-a-1-2..."""
    numbers = itertools.count(1)
    return Session(
        camera,
        trust_clock=trust_clock,
        new_run=lambda: f"home-a-1-{next(numbers)}",
        clock_synced=lambda: True,
        cut=CutSettings(segment=segment_s * TIMESCALE),
    )


def repeated(units: Sequence[AccessUnit], times: int, *, fps: int = 25) -> list[AccessUnit]:
    """The clip looped, its times going on."""
    length = max(unit.pts for unit in units) + TIMESCALE // fps
    return [unit._replace(pts=unit.pts + n * length, dts=None) for n in range(times) for unit in units]


@dataclass
class Written:
    """What a session wanted written: segments by (run, counter), whole once sealed."""

    segments: dict[tuple[str, int], bytes] = field(default_factory=dict)
    sealed: list[tuple[str, int]] = field(default_factory=list)
    fragments: dict[tuple[str, int], list[Fragment]] = field(default_factory=dict)
    starts_us: dict[tuple[str, int], int] = field(default_factory=dict)
    ends: list[EndRun] = field(default_factory=list)
    without: list[NoFootage] = field(default_factory=list)

    def take(self, instructions: Iterable[Instruction]) -> None:
        """Carries instructions out; a write to a sealed or unknown segment is an error."""
        for step in instructions:
            match step:
                case WriteFragment():
                    name = (step.run, step.counter)
                    assert (step.header is not None) == (name not in self.segments)
                    self.segments[name] = self.segments.get(name, b"") + (step.header or b"")
                    assert step.fragment.offset == len(self.segments[name])
                    self.segments[name] += step.data
                    self.fragments.setdefault(name, []).append(step.fragment)
                    self.starts_us.setdefault(name, step.start_us)
                case SealSegment():
                    self.segments[step.run, step.counter] += step.tail
                    assert (step.run, step.counter) not in self.sealed
                    self.sealed.append((step.run, step.counter))
                case EndRun():
                    self.ends.append(step)
                case NoFootage():
                    self.without.append(step)


def recorded(session: Session, tracks: Sequence[Track], units: Iterable[AccessUnit], *, start_us: int = NOON_US) -> Written:
    """Feeds units that arrive as they were taken, without delay; the run is left open."""
    written = Written()
    written.take(session.opened(tracks, ()))
    for unit in units:
        written.take(session.unit(unit, start_us + unit.pts * US_PER_S // TIMESCALE))
    return written
