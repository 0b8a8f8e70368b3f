"""Pressure: what goes early of a full pool, in which order, what never does, and that a search finds each rule that is taken away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.forecast import HORIZON_DAYS, Growth, Stock, when_full
from retention.pressure import HITS_NAMED, NOTHING_WAITS, Kept, PoolDay, PoolSize, Relief, Waiting, rank, relieve
from segments.errors import BadInput
from tests.builders import NOON_US

SIZE = PoolSize(100)
TODAY = date(2026, 3, 14)
Relieve = Callable[..., Relief]


def a_day(number: int = 0, **fields: object) -> PoolDay:
    """A camera-day of 5 bytes and class 3 that may go and is not due."""
    good = PoolDay(f"cam{number}", TODAY - timedelta(40), 3, 5, NOON_US - 1, NOON_US + 1)
    return good._replace(**fields)


days_ = st.lists(
    st.builds(
        lambda age, camera_class, stored_bytes, floor, keep, held, ceiling: a_day(
            day=TODAY - timedelta(age),
            camera_class=camera_class,
            stored_bytes=stored_bytes,
            floor_us=NOON_US + floor,
            keep_us=NOON_US + floor + keep,
            held=held,
            ceiling_us=NOON_US + floor + keep + ceiling,
        ),
        st.integers(30, 40),
        st.integers(1, 3),
        st.integers(1, 20),
        st.integers(-3, 2),
        st.integers(0, 4),
        st.sampled_from([False, False, False, True]),
        st.integers(0, 3),
    ),
    max_size=30,
).map(lambda days: [day._replace(camera=f"cam{number}") for number, day in enumerate(days)])
others_ = st.integers(0, 60)


def wrong(decide: Relieve, days: Sequence[PoolDay], others_bytes: int, *, already: bool, waiting: Waiting = NOTHING_WAITS) -> list[str]:
    """Which promises a decision breaks, by definitions of its own."""
    by_name = {(day.camera, day.day): day for day in days}
    used_bytes = others_bytes + sum(day.stored_bytes for day in days)
    relief = decide("disk", replace(SIZE, used_bytes=used_bytes), Kept(NOON_US, days), already=already, waiting=waiting)
    room = {place: max(0, day.stored_bytes - waiting.get(place, 0)) for place, day in by_name.items()}
    taken = [by_name[each] for each in relief.taken]
    over = [day for day in days if day.keep_us <= NOON_US and not day.held]
    leaving_bytes = sum(room[day.place] if day.ceiling_us > NOON_US else day.stored_bytes for day in over)
    after_bytes = used_bytes - leaving_bytes - sum(room[day.place] for day in taken)
    spared = [day for day in days if day not in taken and room[day.place] and not day.held and day.floor_us <= NOON_US < day.keep_us]
    broken = []
    if any(day.floor_us > NOON_US for day in taken):
        broken.append("took what is under its floor")
    if any(day.held for day in taken):
        broken.append("took what is held")
    if any(day.keep_us <= NOON_US for day in taken):
        broken.append("took what goes anyway")
    if taken and used_bytes <= (90 if already else 95):
        broken.append("took without need")
    if taken and after_bytes + room[taken[-1].place] <= 90:
        broken.append("took more than was needed")
    if relief.pressed and after_bytes > 90 and spared:
        broken.append("took too little")
    if relief.pressed and (after_bytes > 95) != (relief.breach is not None):
        broken.append("a breach in silence, or none and told")
    if taken and any(_before(left, one) for one in taken for left in spared):
        broken.append("took out of turn")
    if relief.breach and relief.breach.missing_bytes != after_bytes - 95:
        broken.append("missing bytes")
    return broken


def _before(one: PoolDay, other: PoolDay) -> bool:
    if one.camera_class != other.camera_class:
        return one.camera_class > other.camera_class
    if one.keep_us != other.keep_us:
        return one.keep_us < other.keep_us
    return one.day < other.day


@given(days_, others_, st.booleans())
def test_what_goes_early_is_enough_or_all_there_is_and_nothing_forbidden(days: list[PoolDay], others_bytes: int, already: bool) -> None:
    """Never under the floor or held, in the declared order, down to the low mark and no further; else a breach."""
    assert wrong(relieve, days, others_bytes, already=already) == []


@given(days_, others_, st.booleans(), st.lists(st.integers(0, 20), min_size=30, max_size=30))
def test_what_waits_for_copies_gives_no_room(days: list[PoolDay], others_bytes: int, already: bool, missing: list[int]) -> None:
    """The same rules hold by what can really go: others go instead of it, or a breach is told that names it."""
    waiting = {day.place: bytes_ for day, bytes_ in zip(days, missing, strict=False) if bytes_}
    assert wrong(relieve, days, others_bytes, already=already, waiting=waiting) == []


@given(days_, st.integers(0, 200), st.integers(0, 50))
def test_a_fuller_pool_loses_the_same_and_more(days: list[PoolDay], used_bytes: int, more_bytes: int) -> None:
    """What is chosen at some use is chosen at a greater one, in the same order; and a breach only grows."""
    less = relieve("disk", replace(SIZE, used_bytes=used_bytes), Kept(NOON_US, days))
    more = relieve("disk", replace(SIZE, used_bytes=used_bytes + more_bytes), Kept(NOON_US, days))
    assert more.taken[: len(less.taken)] == less.taken
    assert (more.breach.missing_bytes if more.breach else 0) >= (less.breach.missing_bytes if less.breach else 0)


@given(days_, others_)
def test_the_same_is_chosen_while_it_is_still_there(days: list[PoolDay], others_bytes: int) -> None:
    """A second look before anything is gone chooses nothing else, in whatever order the days are told."""
    size = replace(SIZE, used_bytes=others_bytes + sum(day.stored_bytes for day in days))
    first = relieve("disk", size, Kept(NOON_US, days))
    assert relieve("disk", size, Kept(NOON_US, reversed(days)), already=first.pressed) == first


def under_the_floor(pool: str, size: PoolSize, kept: Kept, *, already: bool, waiting: Waiting) -> Relief:
    return relieve(pool, size, Kept(NOON_US, [*kept.early, *(day._replace(floor_us=0) for day in kept.bound)]), already=already)


def out_of_turn(pool: str, size: PoolSize, kept: Kept, *, already: bool, waiting: Waiting) -> Relief:
    found = relieve(pool, size, kept, already=already)
    return found._replace(taken=tuple((day.camera, day.day) for day in sorted(kept.early, key=rank, reverse=True)[: len(found.taken)]))


def in_silence(pool: str, size: PoolSize, kept: Kept, *, already: bool, waiting: Waiting) -> Relief:
    return relieve(pool, size, kept, already=already)._replace(breach=None)


def blind_to_copies(pool: str, size: PoolSize, kept: Kept, *, already: bool, waiting: Waiting) -> Relief:
    return relieve(pool, size, kept, already=already)


def test_control_a_pool_that_counts_what_waits_is_missed() -> None:
    """All that may go waits for its copies: to count it as gone is silence about a pool that stays full."""
    days = [a_day(number, stored_bytes=10) for number in range(10)]
    waiting = {day.place: day.stored_bytes for day in days}
    assert wrong(relieve, days, 0, already=False, waiting=waiting) == []
    assert "a breach in silence, or none and told" in wrong(blind_to_copies, days, 0, already=False, waiting=waiting)


def test_a_breach_names_what_waits_for_copies() -> None:
    """What is due and what may go early, if a copy of some of it is missing; under the floor only as much as is missing beside it."""
    due = a_day(1, keep_us=NOON_US - 1, ceiling_us=NOON_US + 1, stored_bytes=50)
    bound = a_day(2, floor_us=NOON_US + 7, keep_us=NOON_US + 9, stored_bytes=46)
    days = [due, bound, a_day(3, stored_bytes=4), a_day(4, keep_us=NOON_US - 2, ceiling_us=NOON_US - 1, stored_bytes=1)]
    relief = relieve("disk", SIZE, Kept(NOON_US, days), waiting={due.place: 50, days[2].place: 3, days[3].place: 1})

    assert relief.taken == (days[2].place,), "a byte of it may go"
    assert relief.breach is not None
    assert (relief.breach.waiting, relief.breach.hits, relief.breach.missing_bytes) == ((due.place, days[2].place), (), 4)


def everything(pool: str, size: PoolSize, kept: Kept, *, already: bool, waiting: Waiting) -> Relief:
    return Relief(pressed=True, taken=tuple((day.camera, day.day) for day in kept.early))


MIXED = [
    *(a_day(number, camera_class=number % 3 + 1, keep_us=NOON_US + 1 + number) for number in range(9)),
    *(a_day(number, floor_us=NOON_US + number, keep_us=NOON_US + 90) for number in range(10, 20)),
]


@pytest.mark.parametrize(
    ("careless", "others_bytes", "found"),
    [
        (under_the_floor, 60, "took what is under its floor"),
        (out_of_turn, 20, "took out of turn"),
        (in_silence, 60, "a breach in silence, or none and told"),
        (everything, 20, "took more than was needed"),
        (everything, 0, "took without need"),
    ],
)
def test_each_rule_that_is_taken_away_is_missed(careless: Relieve, others_bytes: int, found: str) -> None:
    """Negative controls: the same checks end red, for the right reason."""
    assert wrong(relieve, MIXED, others_bytes, already=False) == []
    assert found in wrong(careless, MIXED, others_bytes, already=False)


def test_a_breach_names_what_stands_against_the_room() -> None:
    """The camera-days under their floor that are nearest to it, as many as the missing bytes need, with the moment it eases."""
    days = [a_day(number, floor_us=NOON_US + 100 - number, keep_us=NOON_US + 200) for number in range(20)]
    breach = relieve("disk", SIZE, Kept(NOON_US, [*days, a_day(20, stored_bytes=3, floor_us=NOON_US + 500, keep_us=NOON_US + 500)])).breach

    assert breach is not None
    assert breach.missing_bytes == 8
    assert [camera for camera, _ in breach.hits] == ["cam19", "cam18"]
    assert breach.eased_us == NOON_US + 81


def test_a_breach_of_many_days_names_the_nearest_thousand() -> None:
    """However many there are, a record stays small."""
    days = [a_day(number, floor_us=NOON_US + 5_000 - number, keep_us=NOON_US + 9_000) for number in range(HITS_NAMED + 500)]
    breach = relieve("disk", SIZE, Kept(NOON_US, days)).breach

    assert breach is not None
    assert len(breach.hits) == HITS_NAMED
    assert breach.hits[0][0] == f"cam{HITS_NAMED + 499}"


@pytest.mark.parametrize("change", [{"size_bytes": 0}, {"low": 0.0}, {"low": 0.96}, {"high": 1.1}])
def test_marks_that_make_no_sense_are_refused(change: dict[str, float]) -> None:
    """With a sentence."""
    with pytest.raises(BadInput, match="a pool's"):
        replace(SIZE, **change)


stock_ = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 12), st.integers(0, 6)), max_size=8)
growth_ = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(0, 5)), max_size=3)


@given(stock_, growth_, st.integers(0, 30))
def test_the_forecast_is_what_happens_day_by_day(
    stock: list[tuple[int, int, int]], growth: list[tuple[int, int, int]], others_bytes: int
) -> None:
    """Against a pool that is played through: every day's footage is put in by itself, and taken out when it goes."""
    lying = [(stored_bytes, floor, floor + more) for stored_bytes, floor, more in stock]
    used_bytes = others_bytes + sum(stored_bytes for stored_bytes, *_ in lying)
    found = when_full(
        replace(SIZE, used_bytes=used_bytes),
        [Stock(stored_bytes, TODAY + timedelta(floor), TODAY + timedelta(keep)) for stored_bytes, floor, keep in lying],
        [Growth("", 3, day_bytes, floor, floor + more) for day_bytes, floor, more in growth],
        TODAY,
    )
    firsts: dict[int, date] = {}
    for number in range(1, 60):
        lying += [(day_bytes, number + floor, number + floor + more) for day_bytes, floor, more in growth]
        for place, term in ((0, 2), (1, 1)):
            if others_bytes + sum(each[0] for each in lying if each[term] > number) > 95:
                firsts.setdefault(place, TODAY + timedelta(number))
    assert (found.pressed, found.breaks) == (firsts.get(0), firsts.get(1))


def test_the_forecast_names_the_largest_contributors() -> None:
    """By what they keep in the end; and says nothing beyond its horizon."""
    small, large = Growth("xiamen", 3, 2, 30, 30), Growth("siming", 1, 1, 90, 90)
    found = when_full(PoolSize(10_000), [], [small, large], TODAY)
    assert found == (None, None, (large, small))
    assert when_full(PoolSize(HORIZON_DAYS), [], [Growth("", 3, 1, 99_999, 99_999)], TODAY).breaks == TODAY + timedelta(1041)
