"""Verdicts: every case of time, hold, copy and pressure, and that the same search finds each rule that is taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import product
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from retention.plan import Circumstances, Verdict, Why, first_look_us, judge, plan_day, sentence
from retention.policy import Due, choices, due, in_force
from segments.clock import US_PER_DAY, US_PER_S, day_of, day_start_us, iso
from segments.hold import Hold
from segments.tier import Term, Tier
from tests.builders import NOON_US, a_camera, a_row, some_rows
from tests.unit.test_hold import a_hold
from tests.unit.test_policy import CAMERA, REVIEW, ZONE, a_policy

TIER = Tier("days", Term(days=30), Term(days=60), Term(days=90), "a test", "director", REVIEW, copies=2)
CHOSEN = choices(in_force([a_policy(tiers={"days": TIER}, default="days", areas={}, classes={})], NOON_US), CAMERA)
TIMES = due(CHOSEN, NOON_US, ZONE)
Judge = Callable[..., Verdict]


class Case(NamedTuple):
    """One segment at one moment."""

    now_us: int
    held: bool
    short: bool
    pressed: bool


def all_cases() -> Iterator[Case]:
    """The last microsecond before, the moment of, and one long after each of the three terms' ends; and all else both ways."""
    moments = [moment + delta for moment in TIMES[:3] for delta in (-1, 0, US_PER_DAY)]
    yield from (Case(*case) for case in product(moments, (False, True), (False, True), (False, True)))


def wrong(decide: Judge) -> list[str]:
    """Which of the promises these verdicts break."""
    broken = []
    for case in all_cases():
        around = Circumstances(case.now_us, ZONE, CHOSEN, pressed=case.pressed)
        goes = decide(TIMES, around, held=[a_hold()] if case.held else [], short=case.short).deletes
        if goes and case.held:
            broken.append("deleted under a hold")
        if goes and case.now_us < TIMES.floor_us:
            broken.append("deleted before the floor")
        if goes and case.now_us < TIMES.keep_us and not case.pressed:
            broken.append("deleted before it was due")
        if goes and case.short and TIMES.keep_us <= case.now_us < TIMES.ceiling_us:
            broken.append("deleted without its copy")
        if not goes and not case.held and case.now_us >= TIMES.ceiling_us:
            broken.append("kept past the ceiling")
        if not goes and not case.held and not case.short and case.now_us >= TIMES.keep_us:
            broken.append("kept on when due")
        if not goes and not case.held and case.pressed and case.now_us >= TIMES.floor_us and not case.short:
            broken.append("kept though the pool needs the room")
    return broken


def test_every_case_is_judged_as_promised() -> None:
    """Seventy-two: nothing early, nothing late, holds first, copies until the ceiling, pressure between floor and keep-for."""
    assert wrong(judge) == []


def without_holds(times: Due, around: Circumstances, *, held: Sequence[Hold], short: bool) -> Verdict:
    return judge(times, around, held=(), short=short)


def without_floor(times: Due, around: Circumstances, *, held: Sequence[Hold], short: bool) -> Verdict:
    return judge(times._replace(floor_us=0), around, held=held, short=short)


def a_moment_early(times: Due, around: Circumstances, *, held: Sequence[Hold], short: bool) -> Verdict:
    return judge(times, replace(around, now_us=around.now_us + 1), held=held, short=short)


def a_moment_late(times: Due, around: Circumstances, *, held: Sequence[Hold], short: bool) -> Verdict:
    return judge(times, replace(around, now_us=around.now_us - 1), held=held, short=short)


def without_copies(times: Due, around: Circumstances, *, held: Sequence[Hold], short: bool) -> Verdict:
    return judge(times, around, held=held, short=False)


def without_ceiling(times: Due, around: Circumstances, *, held: Sequence[Hold], short: bool) -> Verdict:
    return judge(times._replace(ceiling_us=1 << 62), around, held=held, short=short)


@pytest.mark.parametrize(
    ("careless", "found"),
    [
        (without_holds, "deleted under a hold"),
        (without_floor, "deleted before the floor"),
        (a_moment_early, "deleted before the floor"),
        (a_moment_early, "deleted before it was due"),
        (a_moment_late, "kept on when due"),
        (a_moment_late, "kept past the ceiling"),
        (without_copies, "deleted without its copy"),
        (without_ceiling, "kept past the ceiling"),
    ],
)
def test_each_rule_that_is_taken_away_is_missed(careless: Judge, found: str) -> None:
    """Negative controls: the same search ends red, for the right reason."""
    assert found in wrong(careless)


def test_a_camera_day_over_midnight_is_judged_by_the_segments_ends() -> None:
    """The last segment of a day whose end lies in the next civil day stays a day longer than those before it."""
    midnight_us = day_start_us(date(2026, 3, 14)) + 16 * 3600 * US_PER_S  # in Shanghai
    rows = some_rows(3, start_us=midnight_us - 150 * US_PER_S)
    gone_us = TIER.keep_for.over_us(midnight_us, ZONE)
    plan = plan_day(a_camera(), day_of(midnight_us), rows, Circumstances(gone_us, ZONE, CHOSEN))

    assert rows[2].end_us > midnight_us > rows[2].start_us
    assert plan.going == rows[:2]
    assert plan.staying == rows[2:]
    assert not plan.whole
    assert plan_day(a_camera(), plan.day, rows, Circumstances(gone_us + US_PER_DAY, ZONE, CHOSEN)).whole


def test_a_hold_keeps_the_segments_it_touches_and_no_others() -> None:
    """The rest of the camera-day goes on time."""
    rows = some_rows(5)
    hold = a_hold(start_us=rows[1].start_us + 1, end_us=rows[3].start_us)
    plan = plan_day(a_camera(), rows[0].day, rows, Circumstances(TIMES.keep_us, ZONE, CHOSEN, holds=[hold]))

    assert plan.staying == rows[1:3]
    assert [verdict.why for _, verdict in plan.verdicts] == [Why.DUE, Why.HELD, Why.HELD, Why.DUE, Why.DUE]
    assert [verdict.holds for _, verdict in plan.verdicts][1:3] == [("h1",), ("h1",)]


def test_a_missing_copy_keeps_its_segment_alone() -> None:
    """Until the ceiling."""
    rows = some_rows(3)
    short = frozenset({rows[1].position})
    for now_us, staying in ((TIMES.keep_us, rows[1:2]), (TIMES.ceiling_us, [])):
        plan = plan_day(a_camera(), rows[0].day, rows, Circumstances(now_us, ZONE, CHOSEN, short=short))
        assert plan.staying == staying


def test_an_empty_camera_day_has_nothing_to_delete() -> None:
    """And is not whole: there is nothing a batch could be about."""
    assert not plan_day(a_camera(), date(2026, 3, 14), [], Circumstances(TIMES.ceiling_us, ZONE, CHOSEN)).whole


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/Havana", "Pacific/Apia", "Pacific/Niue"])
@pytest.mark.parametrize("pressed", [False, True])
def test_before_the_first_look_nothing_of_a_camera_day_goes(zone: str, pressed: bool) -> None:
    """So a sweep need not read a camera-day before; and at its end not long after, it is time."""
    day, around = date(2026, 3, 14), Circumstances(0, ZoneInfo(zone), CHOSEN, pressed=pressed)
    first_us = first_look_us(day, around)
    starts = (day_start_us(day), day_start_us(day) + US_PER_DAY // 2, day_start_us(day) + US_PER_DAY - 1)
    rows = [a_row(start_us=start_us, counter=number) for number, start_us in enumerate(starts)]

    assert not plan_day(a_camera(), day, rows, replace(around, now_us=first_us - 1)).going
    assert plan_day(a_camera(), day, rows, replace(around, now_us=first_us + 2 * US_PER_DAY)).whole


def test_verdicts_are_told_in_sentences() -> None:
    """With the rule, the case of a hold, and the day it changes."""
    told = {}
    for case in all_cases():
        around = Circumstances(case.now_us, ZONE, CHOSEN, pressed=case.pressed)
        verdict = judge(TIMES, around, held=[a_hold()] if case.held else [], short=case.short)
        told[verdict.why] = sentence(verdict, [a_hold()])
    assert set(told) == set(Why)
    assert told[Why.HELD].startswith("stays: held by h1 (case 2026-0341)")
    assert all("tier days (the default, policy 1)" in words for words in told.values())
    assert f"falls due on {iso(TIMES.keep_us)}" in told[Why.FLOOR]
