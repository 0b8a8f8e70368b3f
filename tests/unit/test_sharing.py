"""Which recorder carries which duty: everything is carried, what is placed stays, and nothing moves that does not pay."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.sharing import UNEVEN, loads, relief, share
from segments.duty import RECORD, Duty

DUTIES = [Duty(kind, shard, 8) for kind in RECORD.values() for shard in range(8)]
SIZES = st.dictionaries(st.sampled_from(DUTIES), st.integers(0, 300))
RECORDERS = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6)
A, B = (Duty(RECORD[lane], 0, 8) for lane in "ab")


@st.composite
def scenes(draw: st.DrawFn) -> tuple[dict[Duty, int], dict[Duty, str], list[str]]:
    """Duties with their cameras, some of them placed (perhaps with a recorder that is gone), and the recorders that are there."""
    sizes = draw(SIZES)
    placed = {duty: draw(st.sampled_from("abcdefgh")) for duty in sizes if draw(st.booleans())}
    return sizes, placed, draw(RECORDERS)


@given(scenes())
def test_every_duty_is_carried_and_what_is_placed_stays(scene: tuple[dict[Duty, int], dict[Duty, str], list[str]]) -> None:
    """By a recorder that is there, however much it carries; nothing is given that somebody has."""
    sizes, placed, recorders = scene
    given_out = share(sizes, placed, recorders)

    there = {duty for duty, recorder in placed.items() if recorder in recorders}
    assert given_out.keys() == (sizes.keys() - there if recorders else set())
    assert set(given_out.values()) <= set(recorders)


@given(SIZES, RECORDERS)
def test_it_is_shared_evenly(sizes: dict[Duty, int], recorders: list[str]) -> None:
    """From nothing: no recorder carries more than another by more than its largest duty, where lanes do not force it."""
    one_lane = {duty: size for duty, size in sizes.items() if duty.kind == RECORD["a"]}
    carried = loads(one_lane, share(one_lane, {}, recorders), recorders)
    if recorders:
        assert max(carried.values()) - min(carried.values()) <= max(one_lane.values(), default=0)


def test_lanes_go_to_two_recorders() -> None:
    """Though the other one carries more; with one recorder there is no choice."""
    assert share({A: 10, B: 10}, {A: "x", Duty(RECORD["a"], 1, 8): "y"}, ["x", "y"]) == {B: "y"}
    assert share({A: 10, B: 10}, {}, ["x"]) == {A: "x", B: "x"}


@settings(max_examples=200)
@given(scenes(), st.integers(1, 300))
def test_relief_pays_and_comes_to_an_end(scene: tuple[dict[Duty, int], dict[Duty, str], list[str]], capacity: int) -> None:
    """Each move makes the heaviest lighter or one less the heaviest, and after some there is none left to make."""
    sizes, placed, recorders = scene
    placed = {**{duty: recorder for duty, recorder in placed.items() if recorder in recorders}, **share(sizes, placed, recorders)}
    for _ in range(1_000):
        move = relief(sizes, placed, recorders, capacity)
        if move is None:
            break
        before = sorted(loads(sizes, placed, recorders).values(), reverse=True)
        placed[move[0]] = move[1]
        assert sorted(loads(sizes, placed, recorders).values(), reverse=True) < before
    else:
        pytest.fail("it never ends")


@pytest.mark.parametrize(("gain", "moves"), [(256 // UNEVEN, False), (256 // UNEVEN + 2, True)])
def test_a_small_difference_moves_nothing(gain: int, moves: bool) -> None:
    """A move opens cameras twice: it must be worth over a quarter of what a recorder is meant for."""
    other = Duty(RECORD["a"], 1, 8)
    placed = {A: "x", other: "x"}

    assert (relief({A: gain // 2, other: gain // 2}, placed, ["x", "y"], 256) is not None) is moves


def test_what_cannot_be_divided_stays() -> None:
    """One huge duty would only make the other recorder the heavy one."""
    assert relief({A: 300}, {A: "x"}, ["x", "y"], 256) is None
