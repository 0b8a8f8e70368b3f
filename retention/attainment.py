"""How deep a camera's footage is, how deep it must be, and why it is not. Pure, in whole civil days of the policy's zone.

Depth is counted back from today's midnight: today does not count. How deep it must be says the longest tier that counts for the camera, but
never more than there can be: not before the first whole day after the camera was added (a move changes nothing in that), not the days at
the far end on which it was switched off, and nothing that went by an earlier, shorter rule when it was due. What a hold keeps beyond that
is no depth: only the days that must be there are looked at.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from functools import lru_cache

from retention.civil_days import Days, DaySum, Part, What, civil_day
from retention.policy import Choice
from segments.model import Cause
from segments.tier import Term

NOT_ASKED = frozenset({Cause.DISABLED, Cause.NOT_COMMISSIONED})
"""While one of these holds nothing is to be recorded, and nobody is to blame."""


@dataclass(frozen=True, slots=True)
class Required:
    """What counts for a camera when a report is made: the tiers, since when it is in the archive, and the civil time they run by."""

    chosen: Sequence[Choice]
    added_us: int
    now_us: int
    zone: tzinfo

    @property
    def days(self) -> Days:
        """Whole days since the camera was added, up to yesterday, whose footage is not due yet by the longest of the tiers."""
        today = civil_day(self.now_us, self.zone)
        by_terms = first_kept(frozenset(choice.tier.keep_for for choice in self.chosen), today)
        whole_since = civil_day(self.added_us - 1, self.zone) + timedelta(1)
        return Days(min(max(by_terms, whole_since), today), today, self.zone)


@dataclass(frozen=True, slots=True)
class Attainment:
    """Of one camera. `missing`: what the days between what must be there and what is there were, in microseconds; no footage in it.

    `left_out`: why nothing is required of it, None if something is.
    """

    required_days: int
    depth_days: int
    missing: Mapping[What, int]
    left_out: Cause | None = None

    @property
    def missing_days(self) -> int:
        """How much too shallow it is."""
        return self.required_days - self.depth_days

    @property
    def reached(self) -> bool:
        """Whether it is as deep as it must be."""
        return self.missing_days == 0


def attain(sums: Sequence[DaySum]) -> Attainment:
    """The depth of a camera, from what the days of `Required.days` were.

    It must be as deep as the first of them, behind all that went when it was due, on which it was not switched off all day. It is as deep
    as the first day with footage from there on, behind all that went early: what is left before that was not kept as a whole.
    """
    must = _behind_last(sums, Part.DELETED_WHEN_DUE)
    while must < len(sums) and sums[must] and NOT_ASKED.issuperset(sums[must]):
        must += 1
    there = max(must, _behind_last(sums, Part.DELETED_EARLY))
    while there < len(sums) and not sums[there][Part.FOOTAGE]:
        there += 1
    missing = sum(sums[must:there], DaySum())
    del missing[Part.FOOTAGE]
    left_out = None if must < len(sums) else not_asked(sums)
    return Attainment(len(sums) - must, len(sums) - there, missing, left_out)


def not_asked(sums: Sequence[DaySum]) -> Cause:
    """Why nothing was to be recorded on days on which nothing was."""
    return Cause.DISABLED if any(day[Cause.DISABLED] for day in sums) else Cause.NOT_COMMISSIONED


def _behind_last(sums: Sequence[DaySum], what: What) -> int:
    return next((place + 1 for place in reversed(range(len(sums))) if sums[place][what]), 0)


@lru_cache(maxsize=1024)
def first_kept(terms: frozenset[Term], today: date) -> date:
    """The oldest day whose footage is not due today by the longest of these terms; cameras of one tier share the answer."""
    most = max(term.days + 31 * term.months + term.more_days for term in terms)

    def is_due(back: int) -> bool:
        return all(term.last_day(today - timedelta(back)) < today for term in terms)

    return today - timedelta(bisect_left(range(most + 2), x=True, key=is_due) - 1)
