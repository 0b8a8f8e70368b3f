"""What a hold covers: cameras and areas, past and future, cameras that move, and only while it stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segments.errors import BadInput
from segments.hold import FOR_EVER_US, Hold, holding
from segments.model import Span
from tests.builders import NOON_US, a_camera

HOUR_US = 3_600_000_000


def a_hold(**fields: object) -> Hold:
    """A hold of the gate for an hour from noon."""
    good: dict[str, object] = {
        "id": "h1",
        "case": "2026-0341",
        "reason": "robbery at the harbour",
        "placed_by": "li.na",
        "placed_us": NOON_US,
        "start_us": NOON_US,
        "end_us": NOON_US + HOUR_US,
        "cameras": ("gate",),
    }
    return Hold(**{**good, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "end", "held"),
    [(-60, 0, False), (-60, 1, True), (0, 60, True), (3599, 3660, True), (3600, 3660, False), (-60, 3660, True)],
)
def test_a_hold_covers_each_segment_it_touches(start: int, end: int, held: bool) -> None:
    """Whole segments, for a picture at their edge is evidence too; what only borders on it is free."""
    span = Span(NOON_US + start * 1_000_000, NOON_US + end * 1_000_000)
    assert bool(holding([a_hold()], a_camera("gate"), span)) is held


@pytest.mark.parametrize(
    ("area", "held"),
    [
        ("fujian/xiamen", True),
        ("fujian/xiamen/siming", True),
        ("fujian/xiamen/siming/harbour", True),
        ("fujian/xiamen-north", False),
        ("fujian", False),
        ("", False),
    ],
)
def test_an_area_is_held_with_all_below_it(area: str, held: bool) -> None:
    """Also cameras that come later; a name that only begins alike is another area."""
    hold = a_hold(cameras=(), areas=("fujian/xiamen",))
    assert hold.covers(a_camera("new", area=area)) is held


def test_a_camera_that_is_moved_away_stays_held() -> None:
    """It was in the area when the hold was placed."""
    hold = a_hold(cameras=(), areas=("fujian/xiamen",), seen=("gate",))
    assert hold.covers(a_camera("gate", area="fujian/quanzhou"))
    assert not hold.covers(a_camera("quay", area="fujian/quanzhou"))


def test_time_to_come_is_held_without_end() -> None:
    """A hold without an end covers what is not recorded yet."""
    hold = a_hold(end_us=FOR_EVER_US)
    assert holding([hold], a_camera("gate"), Span(NOON_US + 10**15, NOON_US + 10**15 + 1)) == [hold]


def test_a_lifted_hold_keeps_nothing() -> None:
    """Others of the same time do, and are told in order."""
    lifted, stands, other = replace(a_hold(), lifted_us=NOON_US + 1), a_hold(id="h2"), a_hold(id="h3", cameras=("quay",))
    assert not lifted.stands
    assert holding([lifted, stands, other], a_camera("gate"), stands.span) == [stands]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"end_us": NOON_US}, "ends before it begins"),
        ({"cameras": ()}, "no camera and no area"),
        ({"areas": ("fujian", "")}, "an area is empty"),
        ({"case": " "}, "a case is missing"),
        ({"reason": ""}, "a reason is missing"),
        ({"placed_by": ""}, "who places it is missing"),
    ],
)
def test_what_makes_no_hold_is_refused(change: dict[str, object], words: str) -> None:
    """With a sentence that says what is wrong."""
    with pytest.raises(BadInput, match=words):
        a_hold(**change)
