"""Which cameras are moved: against the best of all choices there are, and against limits counted by hand."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.flow import for_days, kept_bytes
from capacity.placement import MOVABLE, Advice, PoolAhead, advise
from segments.errors import BadInput

FIRST = date(2026, 1, 1)
TERMS = for_days(9, 29)


def cameras(*lines: tuple[str, str, str, float]) -> pl.DataFrame:
    """Camera, pool, tier and bytes a day."""
    return pl.DataFrame(lines, schema=MOVABLE, orient="row")


def a_room(limit: float, ahead, **fields) -> PoolAhead:
    """Of the one site."""
    return PoolAhead(**{"site": "here", "limit_bytes": limit, "ahead_bytes": np.asarray(ahead, np.float64)} | fields)


def after(advice: Advice, rooms: dict[str, PoolAhead]) -> dict[str, np.ndarray]:
    """What the pools keep with the moves, added up anew."""
    ahead = {name: room.ahead_bytes.copy() for name, room in rooms.items()}
    for move in advice.moves:
        brought = kept_bytes(FIRST, [move.tier], np.full((1, len(ahead[move.source])), move.day_bytes), TERMS)[0]
        ahead[move.source] -= brought
        ahead[move.target] += brought
    return ahead


def test_nothing_is_moved_while_all_pools_have_room() -> None:
    """And nobody is told to."""
    rooms = {"a": a_room(100, [90] * 40), "b": a_room(100, [10] * 40)}
    assert advise(cameras(("c1", "a", "general", 5)), rooms, FIRST, TERMS) == Advice([], {})


def test_just_enough_is_moved_before_the_pool_is_full() -> None:
    """Ten bytes too many from the fortieth day on, ten days are kept: a byte a day has to go; of 1, 3 and 5 it is the 1."""
    rooms = {"a": a_room(100, [90] * 40 + [110] * 20), "b": a_room(100, [0] * 60)}
    found = advise(cameras(("c1", "a", "general", 1), ("c3", "a", "general", 3), ("c5", "a", "general", 5)), rooms, FIRST, TERMS)
    assert [(move.camera, move.source, move.target) for move in found.moves] == [("c1", "a", "b")]
    assert found.moved_day_bytes == 1
    assert not found.too_full


def test_what_became_needless_is_not_moved() -> None:
    """Eight bytes a day have to go: 4 and 3 are not enough, and with the 10 that is neither of them is needed."""
    rooms = {"a": a_room(100, [90] * 40 + [180] * 20), "b": a_room(1000, [0] * 60)}
    found = advise(cameras(*((f"c{size}", "a", "general", size) for size in (3, 4, 10))), rooms, FIRST, TERMS)
    assert [move.camera for move in found.moves] == ["c10"]


def test_what_is_kept_longest_goes_first() -> None:
    """A byte a day that is kept thirty days relieves three times as much as one that is kept ten."""
    rooms = {"a": a_room(100, [90] * 40 + [130] * 20), "b": a_room(1000, [0] * 60)}
    found = advise(cameras(("general", "a", "general", 3), ("key", "a", "key-area", 1)), rooms, FIRST, TERMS)
    assert [move.camera for move in found.moves] == ["key"]


def test_pools_of_other_sites_closed_ones_and_full_ones_get_nothing() -> None:
    """Then nothing is moved, and the day is said on which the pool is too full."""
    rooms = {
        "a": a_room(100, [90] * 40 + [110] * 20),
        "away": a_room(1000, [0] * 60, site="there"),
        "closed": a_room(1000, [0] * 60, opened=False),
        "full": a_room(100, [99] * 60),
    }
    found = advise(cameras(("c1", "a", "general", 1)), rooms, FIRST, TERMS)
    assert found == Advice([], {"a": (FIRST + timedelta(days=40), FIRST + timedelta(days=59))})


def test_days_that_no_move_can_meet_are_said_and_the_others_met() -> None:
    """Too full tomorrow, when nothing moved has told yet, and again in two months."""
    rooms = {"a": a_room(100, [150] * 2 + [90] * 38 + [110] * 20), "b": a_room(1000, [0] * 60)}
    found = advise(cameras(("c1", "a", "general", 1), ("c2", "a", "general", 7)), rooms, FIRST, TERMS)
    assert [move.camera for move in found.moves] == ["c1"]
    assert found.too_full == {"a": (FIRST, FIRST + timedelta(days=1))}


def test_where_it_is_too_late_no_more_is_moved_than_is_enough_later() -> None:
    """Twenty bytes too many from tomorrow on: the 2 a day that tell in ten days, not the 9 that would tell in three."""
    rooms = {"a": a_room(100, [120] * 60), "b": a_room(1000, [0] * 60)}
    found = advise(cameras(("c2", "a", "general", 2), ("c9", "a", "general", 9)), rooms, FIRST, TERMS)
    assert [move.camera for move in found.moves] == ["c2"]
    assert found.too_full == {"a": (FIRST, FIRST + timedelta(days=8))}


def test_pools_are_looked_at_over_the_same_days() -> None:
    """Or it is refused."""
    with pytest.raises(BadInput, match="same days"):
        advise(cameras(), {"a": a_room(1, [0]), "b": a_room(1, [0, 0])}, FIRST, TERMS)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["general", "key-area"]), st.integers(1, 9)), min_size=1, max_size=7),
    st.integers(0, 120),
    st.integers(0, 120),
)
def test_moves_keep_all_limits_and_are_not_far_from_the_least(lines: list[tuple[str, str, int]], a: int, b: int) -> None:
    """Over all choices there are of one pool's cameras: where one is enough, so is ours, and at most one camera above the least of them."""
    frame = cameras(*((f"c{n}", pool, tier, float(size)) for n, (pool, tier, size) in enumerate(lines)))
    rooms = {"a": a_room(100, np.linspace(60, a, 60)), "b": a_room(400, np.linspace(60, b, 60))}
    found = advise(frame, rooms, FIRST, TERMS)
    ours = after(found, rooms)
    for pool, line in ours.items():
        worse = np.maximum(line, rooms[pool].limit_bytes) > np.maximum(rooms[pool].ahead_bytes, rooms[pool].limit_bytes) + 1e-6
        assert not worse.any()
        assert (pool in found.too_full) == bool((line > rooms[pool].limit_bytes + 1e-6).any())
    mine = [line for line in frame.iter_rows(named=True) if line["pool"] == "a"]
    brought = [kept_bytes(FIRST, [one["tier"]], np.full((1, 60), one["day_bytes"]), TERMS)[0] for one in mine]
    least = min(
        (
            sum(one["day_bytes"] for one, goes in zip(mine, choice, strict=True) if goes)
            for choice in product((False, True), repeat=len(mine))
            if (rooms["a"].ahead_bytes - sum(line for line, goes in zip(brought, choice, strict=True) if goes) <= 100 + 1e-6).all()
        ),
        default=None,
    )
    if least is not None:
        assert "a" not in found.too_full
        assert found.moved_day_bytes <= least + max((one["day_bytes"] for one in mine), default=0)
