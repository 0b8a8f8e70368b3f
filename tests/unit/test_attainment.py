"""How deep footage is and must be, and the rates: against an oracle that goes through the time in small steps."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import pytest

from retention.attainment import Attainment, Required, attain
from retention.civil_days import Days, day_sums, told
from retention.policy import Choice, Level
from retention.rates import integrity, online
from segments.clock import US_PER_S, from_datetime
from segments.coverage import Gap
from segments.model import Cause, Footage, Span
from segments.tier import Term, Tier

STEP_S = 1800
ZONES = ("Asia/Shanghai", "UTC", "Europe/Berlin")
START = datetime(2026, 3, 15, tzinfo=UTC)
"""In Berlin the night to 29 March is an hour short."""
WHATS = (
    *("footage",) * 6,
    "deleted-early",
    "deleted-when-due",
    "camera-away",
    "recorder-away",
    "disabled",
    "disabled",
    "unknown",
    "spool-full",
)


def a_choice(*terms: Term) -> tuple[Choice, ...]:
    """Tiers that keep for these terms."""
    return tuple(Choice(Tier(f"t{term}", term, term, term, "safety", "Chen", date(2027, 1, 1)), Level.DEFAULT, "", 1) for term in terms)


class Story:
    """What the steps of a camera's time were, drawn by chance: the truth, and the same as coverage tells it."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        self.zone = ZoneInfo(draw.choice(ZONES))
        self.terms = [Term(days=draw.randint(2, 12)) for _ in range(draw.randint(1, 2))]
        self.whats: list[str] = []
        while len(self.whats) < 16 * 48:
            self.whats += [draw.choice(WHATS)] * draw.choice((1, 3, 20, 48, 60, 150))
        self.now = START + timedelta(seconds=STEP_S * draw.randint(10 * 48, 16 * 48))
        self.added = START + timedelta(seconds=STEP_S * draw.choice((0, 0, draw.randint(0, 9 * 48))))
        self.steps = [
            (moment, what if moment >= self.added else "not-commissioned")
            for moment, what in ((START + timedelta(seconds=STEP_S * place), what) for place, what in enumerate(self.whats))
            if moment < self.now
        ]

    @property
    def pieces(self) -> list[Footage | Gap]:
        """As coverage has it, which knows only one kind of deletion."""
        found: list[Footage | Gap] = []
        for what, span in self._spans():
            if what == "footage":
                found.append(Footage(*span, "home-a-1-1", "avc1.64001f"))
            else:
                found.append(Gap(*span, Cause.DELETED if what.startswith("deleted") else Cause(what), ""))
        return found

    @property
    def early(self) -> list[Span]:
        return [span for what, span in self._spans() if what == "deleted-early"]

    def _spans(self) -> list[tuple[str, Span]]:
        found = []
        for what, same in groupby(self.steps, key=lambda step: step[1]):
            moments = [moment for moment, _ in same]
            found.append((what, Span(from_datetime(moments[0]), from_datetime(moments[-1]) + STEP_S * US_PER_S)))
        return found

    # --- the oracle: from the definitions, step by step

    def days(self) -> dict[date, Counter[str]]:
        """Seconds of the whole civil days before today by what they were."""
        by_day: dict[date, Counter[str]] = {}
        for moment, what in self.steps:
            by_day.setdefault(moment.astimezone(self.zone).date(), Counter())[what] += STEP_S
        by_day.pop(self.now.astimezone(self.zone).date(), None)
        return by_day

    def expected(self) -> tuple[int, int, dict[str, int]]:
        """Required days, depth, and the seconds that are missing by why."""
        now_us = from_datetime(self.now)
        required = []
        for day, whats in sorted(self.days().items()):
            midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
            noon_us = from_datetime(midnight.replace(hour=12))
            if midnight >= self.added and any(term.over_us(noon_us, self.zone) > now_us for term in self.terms):
                required.append((day, whats))
        while any(whats["deleted-when-due"] for _, whats in required):
            required.pop(0)
        while required and set(required[0][1]) == {"disabled"}:
            required.pop(0)
        kept, missing = list(required), Counter[str]()
        while any(whats["deleted-early"] for _, whats in kept) or (kept and not kept[0][1]["footage"]):
            missing.update(kept.pop(0)[1])
        del missing["footage"]
        return len(required), len(kept), dict(missing)


def judged(story: Story) -> Attainment:
    """By the product."""
    added_us = from_datetime(story.added)
    required = Required(a_choice(*story.terms), added_us, from_datetime(story.now), story.zone).days
    return attain(day_sums(required, told(story.pieces, story.early, added_us)))


def test_depth_is_what_the_definition_says_of_every_step() -> None:
    """Required days, depth and causes agree with the oracle on 400 stories, of which many are short, and many are left out."""
    seen = Counter[str]()
    for seed in range(400):
        story = Story(seed)
        found = judged(story)
        missing = {str(what): us // US_PER_S for what, us in found.missing.items()}
        assert (found.required_days, found.depth_days, missing) == story.expected(), seed
        assert (found.left_out is not None) == (found.required_days == 0), seed
        seen["short"] += not found.reached
        seen["reached"] += found.reached and found.required_days > 0
        seen["left out"] += found.left_out is not None
    assert min(seen.values()) > 20


def test_rates_are_what_the_definitions_say_of_every_step() -> None:
    """Integrity and online, added up step by step over some days."""
    for seed in range(200):
        story = Story(seed)
        by_day = story.days()
        days = Days(min(by_day) + timedelta(1), max(by_day) + timedelta(1), story.zone)
        sums = day_sums(days, told(story.pieces, story.early, from_datetime(story.added)))
        whole = sum((by_day[day] for day in days), Counter())
        nothing = whole["disabled"] + whole["not-commissioned"]
        seen_s = whole.total() - nothing - whole["recorder-away"] - whole["spool-full"] - whole["unknown"]
        complete = (whole["footage"] + whole["deleted-when-due"], whole.total() - nothing)
        assert tuple(us // US_PER_S for us in integrity(sums)) == complete, seed
        assert tuple(us // US_PER_S for us in online(sums)) == (seen_s - whole["camera-away"], seen_s), seed


# --- what has misled others

ZONE = ZoneInfo("Asia/Shanghai")
TODAY = date(2026, 11, 23)
MONTH = Term(days=30, months=1)


def at(day: date, hour: int = 0) -> int:
    """A moment of the civil day."""
    return from_datetime(datetime(day.year, day.month, day.day, hour, tzinfo=ZONE))


NOW_US = at(TODAY, 15)
Judge = Callable[[Required, Sequence[Footage | Gap], Sequence[Span]], Attainment]


def judge(required: Required, pieces: Sequence[Footage | Gap], early: Sequence[Span] = ()) -> Attainment:
    """By the product."""
    return attain(day_sums(required.days, told(pieces, early, required.added_us)))


def ago(days: int) -> date:
    return TODAY - timedelta(days)


def footage(first: date, end: date) -> Footage:
    return Footage(at(first), at(end), "home-a-1-1", "avc1.64001f")


def gap(first: date, end: date, cause: Cause) -> Gap:
    return Gap(at(first), at(end), cause, "")


def since(day: date, *terms: Term) -> Required:
    """A camera that was added at noon of a day."""
    return Required(a_choice(*(terms or (MONTH,))), at(day, 12), NOW_US, ZONE)


def what_a_hold_keeps_is_no_depth(judge: Judge) -> None:
    held = [footage(ago(90), ago(80)), gap(ago(80), ago(31), Cause.DELETED), footage(ago(31), TODAY)]
    assert judge(since(ago(400)), held, ()) == Attainment(31, 31, {})
    lost = [footage(ago(90), ago(40)), gap(ago(40), ago(10), Cause.CAMERA_AWAY), footage(ago(10), TODAY)]
    assert judge(since(ago(400)), lost, ()).missing_days == 21


def a_new_camera_is_not_short(judge: Judge) -> None:
    before = gap(ago(400), ago(7), Cause.UNKNOWN)
    assert judge(since(ago(8)), [before, footage(ago(7), TODAY)], ()) == Attainment(7, 7, {})
    assert judge(since(TODAY), [before], ()).left_out is Cause.NOT_COMMISSIONED


def test_what_a_hold_keeps_is_no_depth() -> None:
    """October has 31 days: that is what a month asks for. Held footage behind that neither adds to it nor makes up for what is lost."""
    what_a_hold_keeps_is_no_depth(judge)


def test_a_new_camera_is_not_short() -> None:
    """A week after the day on which it was added it must be seven days deep, and nothing is required of one that was added today."""
    a_new_camera_is_not_short(judge)


def test_held_footage_that_is_counted_is_seen() -> None:
    """The negative control: depth from the oldest footage on, as others count it."""

    def by_the_oldest(required: Required, pieces: Sequence[Footage | Gap], early: Sequence[Span]) -> Attainment:
        oldest_us = min(piece.start_us for piece in pieces if not isinstance(piece, Gap))
        depth_days = (TODAY - datetime.fromtimestamp(oldest_us // US_PER_S, ZONE).date()).days
        return Attainment(len(required.days), depth_days, {})

    with pytest.raises(AssertionError):
        what_a_hold_keeps_is_no_depth(by_the_oldest)


def test_a_new_camera_that_is_called_short_is_seen() -> None:
    """The negative control: what is required by the terms alone."""

    def by_terms_alone(required: Required, pieces: Sequence[Footage | Gap], early: Sequence[Span]) -> Attainment:
        return judge(Required(required.chosen, 0, NOW_US, ZONE), pieces, early)

    with pytest.raises(AssertionError):
        a_new_camera_is_not_short(by_terms_alone)


def test_a_moved_camera_is_not_short() -> None:
    """Moved to a tier of three months ten days ago: what had gone by the month before is asked of nobody; what is left must stay."""
    pieces = [gap(ago(300), ago(41), Cause.DELETED), footage(ago(41), TODAY)]
    moved = since(ago(400), MONTH, Term(days=90, months=3))
    assert judge(moved, pieces) == Attainment(41, 41, {})
    assert judge(moved, pieces, [Span(at(ago(60)), at(ago(41)))]).missing_days == 19


def test_what_goes_under_pressure_is_missed() -> None:
    """Footage that is left before it is no unbroken depth, and the cause is named with its length."""
    pieces = [footage(ago(31), ago(20)), gap(ago(20), ago(18), Cause.DELETED), footage(ago(18), TODAY)]
    found = judge(since(ago(400)), pieces, [Span(at(ago(20)), at(ago(18)))])
    assert (found.required_days, found.depth_days, found.missing_days) == (31, 18, 13)
    assert {str(what): us for what, us in found.missing.items()} == {"deleted-early": 2 * 86_400 * US_PER_S}


def test_a_camera_that_was_switched_off_is_not_short() -> None:
    """Days at the far end on which it was off are not asked for; off all the time, it is left out."""
    off_then_on = [gap(ago(40), ago(12), Cause.DISABLED), footage(ago(12), TODAY)]
    assert judge(since(ago(400)), off_then_on) == Attainment(12, 12, {})
    assert judge(since(ago(400)), [gap(ago(400), TODAY, Cause.DISABLED)]).left_out is Cause.DISABLED


def test_a_camera_that_is_away_at_the_far_end_is_short() -> None:
    """Its oldest footage is what counts, and how long it was away is said."""
    away = [gap(ago(40), ago(27), Cause.CAMERA_AWAY), footage(ago(27), TODAY)]
    found = judge(since(ago(400)), away)
    assert (found.depth_days, found.missing_days) == (27, 4)
    assert found.missing == {Cause.CAMERA_AWAY: 4 * 86_400 * US_PER_S}
