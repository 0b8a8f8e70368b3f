"""Terms by the calendar: against the law's words, months counted by hand, and every zone that moves its clocks at odd hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.clock import US_PER_S, from_datetime, to_datetime
from segments.errors import BadInput
from segments.tier import GENERAL_TERM, KEY_AREA_TERM, Term, Tier, general_tier, key_area_tier

SHANGHAI = ZoneInfo("Asia/Shanghai")
ODD = ("America/Havana", "Africa/Cairo", "Asia/Beirut", "America/Asuncion", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
"""Clocks that jump at midnight, a day that was left out, half an hour, three quarters."""
REVIEW = date(2027, 6, 1)


def months_on(day: date, months: int) -> date:
    """Counted month by month, and the day of the same number or the last one there is."""
    first = day.replace(day=1)
    for _ in range(months):
        first = (first + timedelta(32)).replace(day=1)
    return max(first.replace(day=number) for number in range(1, day.day + 1) if is_day(first, number))


def is_day(first: date, number: int) -> bool:
    """Whether the month that begins there has a day of this number."""
    return (first + timedelta(number - 1)).month == first.month


def at(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    """A civil time."""
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC))


@pytest.mark.parametrize(
    ("term", "end", "over"),
    [
        (GENERAL_TERM, "2026-01-01 10:00", "2026-02-02 00:00"),  # a month from the 1st is longer than 30 days
        (GENERAL_TERM, "2026-04-10 10:00", "2026-05-11 00:00"),  # as long
        (GENERAL_TERM, "2026-02-10 10:00", "2026-03-13 00:00"),  # February: 30 days are longer
        (GENERAL_TERM, "2026-01-31 23:59", "2026-03-03 00:00"),  # no 31 February; 30 days are longer
        (KEY_AREA_TERM, "2026-02-01 00:01", "2026-05-03 00:00"),  # 89 days to 1 May: 90 are longer
        (KEY_AREA_TERM, "2026-07-01 12:00", "2026-10-02 00:00"),  # 92 days
        (KEY_AREA_TERM, "2025-11-30 12:00", "2026-03-01 00:00"),  # to 28 February are 90 days
        (Term(months=12), "2024-02-29 12:00", "2025-03-01 00:00"),  # the leap day
        (Term(months=1), "2026-12-31 12:00", "2027-02-01 00:00"),
        (Term(days=1), "2026-01-01 00:00", "2026-01-02 00:00"),  # its last picture was of the 31st
        (GENERAL_TERM._replace(more_days=7), "2026-01-01 10:00", "2026-02-09 00:00"),
    ],
)
def test_terms_end_as_the_law_counts(term: Term, end: str, over: str) -> None:
    """The footage's own day does not count, the last one ends at midnight; what is longer counts."""
    assert term.over_us(at(end), SHANGHAI) == at(over)


@given(
    st.builds(Term, st.integers(0, 400), st.integers(0, 40), st.integers(0, 40)),
    st.integers(631_152_000, 3_786_912_000),
    st.sampled_from(ODD),
)
def test_a_term_is_over_with_its_last_civil_day(term: Term, end_s: int, zone_name: str) -> None:
    """Not a microsecond sooner or later, wherever clocks jump; months counted one by one; footage of 1990 to 2090."""
    zone, end_us = ZoneInfo(zone_name), end_s * US_PER_S
    day = to_datetime(end_us - 1).astimezone(zone).date()
    last = max(day + timedelta(term.days), months_on(day, term.months)) + timedelta(term.more_days)
    over_us = term.over_us(end_us, zone)

    assert to_datetime(over_us).astimezone(zone).date() > last
    assert to_datetime(over_us - 1).astimezone(zone).date() <= last


@given(st.builds(Term, st.integers(0, 400), st.integers(0, 12)), st.integers(0, 3_000_000_000), st.integers(0, 100_000))
def test_later_footage_never_goes_sooner(term: Term, end_s: int, later_s: int) -> None:
    """So a camera-day that is looked at when its first segment is due is looked at in time."""
    ends = [second * US_PER_S for second in (end_s, end_s + later_s)]
    assert term.over_us(ends[0] + 1, SHANGHAI) <= term.over_us(ends[1] + 1, SHANGHAI)


def test_the_law_is_kept_whatever_the_month() -> None:
    """Never less than 30 days and a month; never less than 90 days and three months; over a leap cycle."""
    for number in range(1_461):
        end = datetime(2026, 1, 1, 12, tzinfo=SHANGHAI) + timedelta(number)
        for term, days, months in ((GENERAL_TERM, 30, 1), (KEY_AREA_TERM, 90, 3)):
            over = to_datetime(term.over_us(from_datetime(end), SHANGHAI)).astimezone(SHANGHAI)
            assert over - end >= timedelta(days)
            assert over.date() > months_on(end.date(), months)


def test_a_term_that_no_calendar_holds_ends_never() -> None:
    """And raises nothing."""
    term = Term(days=36_500, months=1_200)
    assert to_datetime(term.over_us(at("9990-01-01 00:00"), SHANGHAI)).year == 9999


@pytest.mark.parametrize(
    ("shorter", "longer", "within"),
    [
        (Term(days=30), GENERAL_TERM, True),
        (GENERAL_TERM, Term(days=30), False),
        (Term(months=1), Term(days=31), True),
        (Term(months=1), Term(days=30), False),
        (Term(days=28), Term(months=1), True),
        (Term(days=29), Term(months=1), False),
        (Term(days=89), Term(months=3), True),
        (KEY_AREA_TERM, Term(months=3), False),
        (Term(months=12), Term(days=366), True),
        (Term(months=12), Term(days=365), False),
    ],
)
def test_terms_are_compared_for_every_day_they_may_begin_on(shorter: Term, longer: Term, within: bool) -> None:
    """A month may have 28 days or 31, a year 365 or 366."""
    assert shorter.within(longer) is within


def test_terms_are_said_in_words() -> None:
    """As people would."""
    assert str(GENERAL_TERM) == "the longer of 30 days and 1 month"
    assert str(KEY_AREA_TERM._replace(more_days=7)) == "the longer of 90 days and 3 months, and 7 days more"
    assert str(Term(days=1)) == "1 day"


def test_shipped_tiers_are_whole() -> None:
    """Floor and keep-for are the law's, the ceiling a week behind."""
    for tier, term in ((general_tier("director", REVIEW), GENERAL_TERM), (key_area_tier("director", REVIEW), KEY_AREA_TERM)):
        assert tier.floor == tier.keep_for == term
        assert tier.ceiling == term._replace(more_days=7)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"floor": Term()}, "its floor is nothing"),
        ({"floor": Term(days=31, months=1)}, "falls due"),
        ({"ceiling": Term(days=30)}, "must be gone"),
        ({"floor": Term(days=-1)}, "0 to 36500 days"),
        ({"keep_for": Term(days=40_000)}, "0 to 36500 days"),
        ({"copies": 0}, "at least 1"),
        ({"purpose": " "}, "a purpose is missing"),
        ({"approver": ""}, "an approver is missing"),
        ({"name": ""}, "a name is missing"),
    ],
)
def test_what_makes_no_tier_is_refused(change: dict[str, object], words: str) -> None:
    """With a sentence that says what is wrong."""
    good: dict[str, object] = {
        "name": "general",
        "floor": GENERAL_TERM,
        "keep_for": GENERAL_TERM,
        "ceiling": GENERAL_TERM,
        "purpose": "p",
        "approver": "a",
        "review": REVIEW,
    }
    with pytest.raises(BadInput, match=words):
        Tier(**{**good, **change})  # type: ignore[arg-type]
