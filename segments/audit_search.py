"""Finding acts in the register: by camera and month or day by day, never the whole of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from segments.audit import Action, Outcome
from segments.audit_line import AuditPlace, Line
from segments.clock import Clock, day_of
from segments.model import Span
from segments.patience import patiently
from segments.ports import Page, ReadAudit

PAGE_LINES = 200
SHOWN = frozenset({Action.VIEW, Action.EXPORT})
"""What lets somebody see footage."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which acts: those done in `during` by somebody whose id, name or unit has `who` in it, on this camera, of these actions and outcomes.

    `shows`: only those on footage of this time. Empty and None: any.
    """

    during: Span
    who: str = ""
    camera: str = ""
    actions: frozenset[Action] = frozenset()
    outcome: Outcome | None = None
    shows: Span | None = None

    def fits(self, line: Line) -> bool:
        """Whether a line is one of them."""
        act = line.act
        if act is None or not self.during.start_us <= line.at_us < self.during.end_us:
            return False
        if self.who and not any(self.who.casefold() in text.casefold() for text in (act.who.id, act.who.name, act.who.unit)):
            return False
        if (self.camera and self.camera not in act.cameras) or (self.actions and act.action not in self.actions):
            return False
        if self.outcome is not None and act.outcome is not self.outcome:
            return False
        return self.shows is None or (act.span is not None and _touch(act.span, self.shows))


def who_saw(camera: str, footage: Span, now_us: int) -> Wanted:
    """Who was shown footage of a camera, or took it away: done since it was recorded."""
    return Wanted(Span(footage.start_us, now_us + 1), camera=camera, actions=SHOWN, outcome=Outcome.DONE, shows=footage)


async def found(index: ReadAudit, wanted: Wanted, clock: Clock, *, after: AuditPlace | None = None) -> AsyncIterator[Line]:
    """The acts that are wanted, in order of time, those behind `after`. A passing fault of the index is waited out (`patiently`)."""
    first = max(wanted.during.start_us, after.at_us if after else 0)
    for part in _parts(day_of(first), day_of(max(first, wanted.during.end_us - 1)), months=bool(wanted.camera)):
        async for line in _of_part(index, part, wanted.camera, clock, after):
            if wanted.fits(line):
                yield line


async def _of_part(index: ReadAudit, part: date, camera: str, clock: Clock, after: AuditPlace | None) -> AsyncIterator[Line]:
    cursor = after
    while True:
        page: Page[Line, AuditPlace]
        if camera:
            page = await patiently(partial(index.audit_of_camera, camera, part, after=cursor, limit=PAGE_LINES), clock)
        else:
            page = await patiently(partial(index.audit_of_day, part, after=cursor, limit=PAGE_LINES), clock)
        for line in page.items:
            yield line
        if page.next is None:
            return
        cursor = page.next


def _parts(first: date, last: date, *, months: bool) -> Sequence[date]:
    """The days, or first days of months, from one to another."""
    parts = [first.replace(day=1) if months else first]
    while True:
        following = (parts[-1] + timedelta(days=31)).replace(day=1) if months else parts[-1] + timedelta(days=1)
        if following > last:
            return parts
        parts.append(following)


def _touch(one: Span, other: Span) -> bool:
    return one.start_us < other.end_us and other.start_us < one.end_us
