"""What is wanted, and in which order: comparing, ordering and the list of wishes, as properties over made-up sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.compare import check_row, to_descend, wanted
from replication.copy_values import Wish
from replication.order import in_order
from replication.wish_list import LONGEST_LATER, WishList
from segments.clock import US_PER_S
from segments.digest import NOTHING, digest_of_rows, digests_of_hours, mark_of
from segments.errors import DataDamaged
from segments.model import Partition, Row
from tests.builders import NOON_US, a_camera, a_row
from tests.clocks import HandClock

ROWS = [a_row(start_us=NOON_US + n * 1800 * US_PER_S, counter=n) for n in range(12)]
some_rows = st.lists(st.sampled_from(ROWS), unique_by=lambda row: row.counter)


def a_wish(*, minute: int = 0, camera: str = "gate", camera_class: int = 3, held: bool = False) -> Wish:
    """A wish for a segment of some minute after noon."""
    row = a_row(camera=camera, start_us=NOON_US + minute * 60 * US_PER_S, counter=minute)
    return Wish(row, a_camera(camera, camera_class=camera_class), 0, held)


some_wishes = st.lists(
    st.builds(
        a_wish,
        minute=st.integers(0, 20),
        camera=st.sampled_from(["gate", "yard", "quay"]),
        held=st.booleans(),
    ),
    unique_by=lambda wish: wish.key,
)

# --- comparing


@given(some_rows, some_rows)
def test_all_that_is_missing_here_is_wanted(ours: list[Row], theirs: list[Row]) -> None:
    """Exactly the rows of the source that are not here, whatever else is here; and the hours that hold them are looked at."""
    found = wanted(ours, theirs)
    assert {row.position for row in found} == {row.position for row in theirs} - {row.position for row in ours}
    hours = to_descend(digests_of_hours(map(mark_of, ours)), digests_of_hours(map(mark_of, theirs)))
    assert {row.start_us // 3_600_000_000 % 24 for row in found} <= set(hours)


@given(some_rows)
def test_equal_sites_are_not_looked_into(rows: list[Row]) -> None:
    """Neither where pool, version or fragments differ, which are a site's own."""
    other = [replace(row, pool="vault", version="", fragments=row.fragments[:1]) for row in rows]
    assert to_descend([digest_of_rows(rows)], [digest_of_rows(other)]) == []
    assert wanted(rows, other) == []


def test_an_empty_source_is_not_looked_into() -> None:
    """What only we have is no matter of ours."""
    assert to_descend([digest_of_rows(ROWS)], [NOTHING]) == []


def test_other_bytes_at_the_same_place_are_wanted() -> None:
    """So that it is found that they cannot be had."""
    assert wanted([replace(ROWS[0], sha256="0" * 64)], ROWS[:1]) == ROWS[:1]


@pytest.mark.parametrize(
    "change",
    [
        {"camera": "yard"},
        {"key": "gate/x.mp4"},
        {"counter": 99},
        {"start_us": NOON_US + 86_400 * US_PER_S},
        {"size": 0},
        {"end_us": NOON_US},
    ],
)
def test_rows_are_what_was_asked_for(change: dict) -> None:
    """A row of another camera, day or key, or one that makes no sense, is refused; a good one is not."""
    good = ROWS[0]
    check_row(good, Partition("gate", good.day))
    with pytest.raises(DataDamaged):
        check_row(replace(good, **change), Partition("gate", good.day))


# --- order


@given(some_wishes)
def test_the_order_is_whole_and_the_same(wishes: list[Wish]) -> None:
    """Each wish once, and in one order, whatever order they came in."""
    ordered = in_order(wishes)
    assert ordered == in_order(wishes[::-1])
    assert sorted(wish.key for wish in ordered) == sorted(wish.key for wish in wishes)


@given(some_wishes)
def test_evidence_is_first_and_cameras_take_turns(wishes: list[Wish]) -> None:
    """What is held before all else; within that, the k-th newest of a camera before the next newest of any, and newest first."""
    ordered = in_order(wishes)
    assert [wish.held for wish in ordered] == sorted((wish.held for wish in ordered), reverse=True)
    for held in (True, False):
        group = [wish for wish in ordered if wish.held is held]
        turns = [_turn(group[: n + 1]) for n in range(len(group))]
        assert turns == sorted(turns)
        for camera in {wish.row.camera for wish in group}:
            of_camera = [wish.row.start_us for wish in group if wish.row.camera == camera]
            assert of_camera == sorted(of_camera, reverse=True)


def _turn(group: Sequence[Wish]) -> int:
    """How often its camera had its turn when the last of these comes."""
    return sum(wish.row.camera == group[-1].row.camera for wish in group)


def test_the_class_of_the_camera_counts_before_age() -> None:
    """Old footage of class 1 comes before new of class 3, and evidence before both."""
    old, new, held = a_wish(camera_class=1), a_wish(minute=9, camera="yard"), a_wish(minute=1, camera="quay", held=True)
    assert in_order([new, old, held]) == [held, old, new]


def test_without_turns_one_camera_would_go_first() -> None:
    """The negative control: by age alone all of a camera that was away and came back would be copied before anything of another."""
    backlog = [a_wish(minute=10 + n) for n in range(5)]
    other = a_wish(minute=3, camera="yard")
    assert in_order([*backlog, other]).index(other) == 1
    assert sorted([*backlog, other], key=lambda wish: -wish.row.start_us).index(other) == 5


# --- the list


@given(some_wishes, st.integers(1, 8))
def test_a_list_holds_the_most_urgent(wishes: list[Wish], most: int) -> None:
    """Never more than it may; what finds no room is given back, and may be added again."""
    listed = WishList(most, HandClock())
    dropped = [wish for one in wishes for wish in listed.add([one])]
    assert len(listed) == min(most, len(wishes))
    assert len(dropped) == len(wishes) - len(listed)
    assert not any(listed.knows(wish.row) for wish in dropped)
    taken = [wish for _ in range(len(listed)) if (wish := listed.take())]
    assert len(taken) + len(dropped) == len(wishes)
    assert listed.take() is None


def test_each_segment_is_wished_for_once() -> None:
    """While it waits, while it is under way, and while it waits for another try; then no more."""
    clock = HandClock()
    listed, wish = WishList(4, clock), a_wish()
    listed.add([wish, wish])
    assert listed.take() == wish
    listed.add([wish])
    listed.later(wish, 60)
    listed.add([wish])
    assert listed.take() is None
    assert listed.settled
    clock.move(60)
    again = listed.take()
    assert again is not None
    assert again.tries == 1
    listed.done(again)
    assert not listed.knows(wish.row)


def test_no_more_failures_are_remembered_than_may_be() -> None:
    """What is forgotten is found again by comparing."""
    listed = WishList(LONGEST_LATER + 1, HandClock())
    wishes = [a_wish(minute=minute) for minute in range(LONGEST_LATER + 1)]
    listed.add(wishes)
    for _ in wishes:
        wish = listed.take()
        assert wish is not None
        listed.later(wish, 60)
    assert sum(listed.knows(wish.row) for wish in wishes) == LONGEST_LATER
