"""The rates an authority asks for, each with the counts it is made of. Pure.

No national or industry standard that we know of defines them; this is what operators in China report, as it is declared here:

- *Storage-duration compliance* (存储时长达标率): cameras whose footage is as deep as it must be / cameras of which any is required.
- *Recording integrity* (录像完整率): complete time / (complete time + lost time). Complete is what has footage, and what had some that
  was deleted when it was due. All time counts, day and night, but what was before the camera was added, and when it was switched off.
- *Camera online* (监控点在线率): online time / (online time + offline time). Offline is when the camera could not be reached, refused us,
  or gave no media. When nobody of this site looked (no recorder, a full spool, another site was to record it, no known cause) it was
  neither; how long that was is said, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from retention.attainment import NOT_ASKED, Attainment, not_asked
from retention.civil_days import DaySum, Part, What
from segments.model import Camera, Cause

COMPLETE = frozenset[What]({Part.FOOTAGE, Part.DELETED_WHEN_DUE})
NOT_EXPECTED = frozenset[What]({*NOT_ASKED, Cause.FUTURE})
OFFLINE = frozenset[What]({Cause.CAMERA_AWAY, Cause.LOGIN_REFUSED, Cause.UNSUPPORTED, Cause.MEDIA_STOPPED})
UNOBSERVED = frozenset[What]({Cause.RECORDER_AWAY, Cause.SPOOL_FULL, Cause.ELSEWHERE, Cause.UNKNOWN})


class Rate(NamedTuple):
    """A part of a whole, both in the same unit."""

    part: int = 0
    whole: int = 0

    @property
    def value(self) -> float | None:
        """0 to 1; None where there is no whole."""
        return self.part / self.whole if self.whole else None

    def plus(self, other: Rate) -> Rate:
        """Both together."""
        return Rate(self.part + other.part, self.whole + other.whole)


NOTHING = Rate()


@dataclass(frozen=True, slots=True)
class CameraLine:
    """What a report says of one camera; times are microseconds of the report's days.

    `tier`: the one that decides how long its footage stays. `gaps`: all that was not recorded or is gone early, by cause.
    """

    camera: Camera
    tier: str
    attainment: Attainment
    integrity: Rate
    online: Rate
    unobserved_us: int
    gaps: Mapping[What, int]
    left_out: Cause | None
    """Why nothing was to be recorded on the report's days; None if something was."""


@dataclass(slots=True)
class Rates:
    """The rates of some cameras, added up. `duration` is in cameras, the others are in microseconds.

    `not_required` and `not_expected`: cameras that are left out of storage duration, and of the other rates, by why. `days`: integrity.
    """

    days: list[Rate]
    cameras: int = 0
    duration: Rate = NOTHING
    integrity: Rate = NOTHING
    online: Rate = NOTHING
    unobserved_us: int = 0
    not_required: Counter[Cause] = field(default_factory=Counter)
    not_expected: Counter[Cause] = field(default_factory=Counter)

    def add(self, line: CameraLine, sums: Sequence[DaySum]) -> None:
        """One more camera; `sums` are the report's days of it."""
        self.cameras += 1
        if line.attainment.left_out is None:
            self.duration = self.duration.plus(Rate(int(line.attainment.reached), 1))
        else:
            self.not_required[line.attainment.left_out] += 1
        if line.left_out is not None:
            self.not_expected[line.left_out] += 1
        self.integrity = self.integrity.plus(line.integrity)
        self.online = self.online.plus(line.online)
        self.unobserved_us += line.unobserved_us
        self.days = [before.plus(integrity([day])) for before, day in zip(self.days, sums, strict=True)]


def integrity(days: Iterable[DaySum]) -> Rate:
    """Complete of expected microseconds."""
    whole = sum(days, DaySum())
    return Rate(_of(whole, COMPLETE), whole.total() - _of(whole, NOT_EXPECTED))


def online(days: Iterable[DaySum]) -> Rate:
    """Online of observed microseconds."""
    whole = sum(days, DaySum())
    observed_us = whole.total() - _of(whole, NOT_EXPECTED | UNOBSERVED)
    return Rate(observed_us - _of(whole, OFFLINE), observed_us)


def camera_line(camera: Camera, tier: str, attainment: Attainment, days: Sequence[DaySum]) -> CameraLine:
    """What is said of a camera, from what the report's days of it were."""
    whole = sum(days, DaySum())
    complete = integrity(days)
    gaps = {what: us for what, us in whole.items() if what not in COMPLETE | NOT_EXPECTED}
    left_out = None if complete.whole else not_asked(days)
    return CameraLine(camera, tier, attainment, complete, online(days), _of(whole, UNOBSERVED), gaps, left_out)


def _of(whole: DaySum, kinds: Iterable[What]) -> int:
    return sum(whole[kind] for kind in kinds)
