"""Tiers: how long footage is kept at least, as a rule, and at most. Pure.

How a term runs is the Civil Code's (Articles 201 to 203), so that it is never a day short: the day of the footage does not count, a term of
months ends with the day of the same number (the month's last where there is none), and the last day ends at midnight, by the civil time of
the site.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

from segments.clock import from_datetime, to_datetime
from segments.errors import BadInput

MOST_DAYS, MOST_MONTHS = 36_500, 1_200
"""The longest terms: a hundred years."""
_COMPARED = (date(2000, 1, 1), date(2096, 1, 1))
"""Terms are compared over nine years from each: a leap century and one that is none."""


class Term(NamedTuple):
    """So many days or so many calendar months, whichever is longer, and days on top of that."""

    days: int = 0
    months: int = 0
    more_days: int = 0

    def last_day(self, day: date) -> date:
        """The last civil day of a term whose footage is of this day; `date.max` where the calendar ends before."""
        try:
            return max(day + timedelta(self.days), _months_on(day, self.months)) + timedelta(self.more_days)
        except (OverflowError, ValueError):
            return date.max

    def over_us(self, end_us: int, zone: tzinfo) -> int:
        """The first moment at which the term of footage with this end is over."""
        last_picture = to_datetime(end_us - 1).astimezone(zone)
        last = self.last_day(last_picture.date())
        if last >= date.max:
            return from_datetime(datetime.max.replace(tzinfo=UTC))
        behind = last + timedelta(1)
        return from_datetime(datetime(behind.year, behind.month, behind.day, tzinfo=zone).astimezone(UTC))

    def within(self, other: Term) -> bool:
        """Whether this term never outlasts the other, whatever day it begins on."""
        return _within(self, other)

    def __str__(self) -> str:
        longer = [text for text in (_counted(self.days, "day"), _counted(self.months, "month")) if text]
        whole = f"the longer of {' and '.join(longer)}" if len(longer) > 1 else (longer or ["0 days"])[0]
        return f"{whole}, and {_counted(self.more_days, 'day')} more" if self.more_days else whole


@dataclass(frozen=True, slots=True)
class Tier:
    """A retention class. `floor`: never sooner; `keep_for`: when footage falls due; `ceiling`: the last moment, but for a hold.

    `purpose`, `approver` and `review` say why so long, who said so, and when that is looked at again. `copies` are the sites that hold
    the footage, this one included. `two_persons`: a hold on such footage is lifted by one person and approved by another.
    """

    name: str
    floor: Term
    keep_for: Term
    ceiling: Term
    purpose: str
    approver: str
    review: date
    copies: int = 1
    two_persons: bool = False

    def __post_init__(self) -> None:
        """Raises BadInput if the terms do not rise, or something is missing."""
        for term in (self.floor, self.keep_for, self.ceiling):
            if min(term) < 0 or max(term.days, term.more_days) > MOST_DAYS or term.months > MOST_MONTHS:
                raise BadInput(f"tier {self.name}: a term has 0 to {MOST_DAYS} days and 0 to {MOST_MONTHS} months, not {tuple(term)}")
        if not self.floor.last_day(_COMPARED[0]) > _COMPARED[0]:
            raise BadInput(f"tier {self.name}: its floor is nothing; footage must be kept at least a day")
        if not self.floor.within(self.keep_for):
            raise BadInput(f"tier {self.name}: footage falls due ({self.keep_for}) before it may go ({self.floor})")
        if not self.keep_for.within(self.ceiling):
            raise BadInput(f"tier {self.name}: footage must be gone ({self.ceiling}) before it falls due ({self.keep_for})")
        if self.copies < 1:
            raise BadInput(f"tier {self.name}: copies counts this site too: at least 1, not {self.copies}")
        for what, text in (("a name", self.name), ("a purpose", self.purpose), ("an approver", self.approver)):
            if not text.strip():
                raise BadInput(f"tier {self.name}: {what} is missing")


GENERAL_TERM = Term(days=30, months=1)
"""Regulation 799 of the State Council, Article 17: not less than 30 days; one month by the provincial plan."""
KEY_AREA_TERM = Term(days=90, months=3)
"""Counter-Terrorism Law, Article 32: not less than 90 days; three months by the provincial plan."""
WEEK_MORE = 7


def general_tier(approver: str, review: date) -> Tier:
    """The tier of ordinary cameras."""
    purpose = "Public safety; kept for the time the law asks for, then deleted."
    ceiling = GENERAL_TERM._replace(more_days=WEEK_MORE)
    return Tier("general", GENERAL_TERM, GENERAL_TERM, ceiling, purpose, approver, review)


def key_area_tier(approver: str, review: date) -> Tier:
    """The tier of key areas."""
    purpose = "Protection of key areas against terrorism; kept for the time the law asks for, then deleted."
    ceiling = KEY_AREA_TERM._replace(more_days=WEEK_MORE)
    return Tier("key-area", KEY_AREA_TERM, KEY_AREA_TERM, ceiling, purpose, approver, review, two_persons=True)


@lru_cache(maxsize=1024)
def _within(term: Term, other: Term) -> bool:
    days = (start + timedelta(number) for start in _COMPARED for number in range(9 * 366))
    return all(term.last_day(day) <= other.last_day(day) for day in days)


def _months_on(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'s' if number > 1 else ''}" if number else ""
