"""Settling overlaps between runs, and reading a span out of camera-days and camera-months."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments import timeline
from segments.clock import US_PER_DAY, US_PER_S, day_of
from segments.errors import BadInput
from segments.model import Row, RowPosition, Run, Span, StateChange
from segments.ports import Page
from segments.receipt import joined_spans
from segments.timeline import (
    LONGEST_SEGMENT_US,
    SLEW_US,
    Claim,
    Footage,
    epoch_of,
    joined,
    months,
    outside,
    rows_between,
    runs_between,
    settle,
    states_between,
)
from tests.builders import CODECS, NOON_US, RUN, a_change, a_row, a_run, at


class PagedIndex:
    """Rows, runs and states in lists; serves pages of at most `page` and counts them."""

    def __init__(self, rows: Sequence[Row] = (), runs: Sequence[Run] = (), states: Sequence[StateChange] = (), page: int = 2) -> None:
        self.all_rows, self.all_runs, self.all_states = sorted(rows, key=lambda row: row.position), runs, states
        self.page = page
        self.days_read: list[date] = []

    async def rows(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Row, RowPosition]:
        self.days_read.append(day)
        rest = [r for r in self.all_rows if r.camera == camera and r.day == day and (after is None or r.position > after)]
        items = rest[: min(limit, self.page)]
        return Page(items, items[-1].position if len(items) < len(rest) else None)

    async def row(self, camera: str, position: RowPosition) -> Row:
        raise NotImplementedError

    async def put_run(self, run: Run) -> None:
        raise NotImplementedError

    async def run(self, camera: str, run_id: str) -> Run:
        raise NotImplementedError

    async def runs(self, camera: str, month: date, *, after: str = "", limit: int = 1000) -> Page[Run, str]:
        def cursor(run: Run) -> str:
            return f"{run.start_us:020d}{run.id}"

        in_month = [r for r in self.all_runs if month in months(Span(r.start_us, r.last_us))]
        rest = sorted((r for r in in_month if cursor(r) > after), key=cursor)
        items = rest[: min(limit, self.page)]
        return Page(items, cursor(items[-1]) if len(items) < len(rest) else None)

    async def put_state(self, change: StateChange) -> None:
        raise NotImplementedError

    async def states(self, camera: str, month: date, *, after_us: int = -1, limit: int = 1000) -> Page[StateChange, int]:
        rest = [s for s in self.all_states if day_of(s.at_us).replace(day=1) == month and s.at_us > after_us]
        items = rest[: min(limit, self.page)]
        return Page(items, items[-1].at_us if len(items) < len(rest) else None)

    async def state_before(self, camera: str, at_us: int) -> StateChange | None:
        return next((s for s in reversed(self.all_states) if s.at_us <= at_us), None)


spans = st.tuples(st.integers(0, 40), st.integers(0, 12), st.integers(0, 4)).map(
    lambda drawn: Claim((drawn[2],), drawn[0], drawn[0] + drawn[1], (drawn[0], drawn[1], drawn[2]))
)


@given(st.lists(spans, max_size=12))
def test_settle_gives_each_moment_to_the_smallest_rank(claims: list[Claim[tuple[int, int, int]]]) -> None:
    """Moment by moment the settled claims say the same as a search through all claims, and never overlap."""
    settled = settle(claims)
    assert all(a.end_us <= b.start_us for a, b in pairwise(settled))
    for moment in range(60):
        wanted = [c.rank for c in claims if c.start_us <= moment < c.end_us]
        got = [c.rank for c in settled if c.start_us <= moment < c.end_us]
        assert got == ([min(wanted)] if wanted else [])


def test_settle_joins_touching_pieces_of_one_value() -> None:
    """A stretch that another claim only ends beside, without winning, stays whole."""
    assert settle([Claim((0,), 0, 10, "a"), Claim((1,), 3, 5, "b")]) == [Claim((0,), 0, 10, "a")]


def test_the_higher_epoch_wins_an_overlap() -> None:
    """Where a zombie and its successor both recorded, each moment is shown once, from the successor."""
    zombie, successor = Footage(0, 100 * US_PER_S, "home-a-1-1", "c"), Footage(60 * US_PER_S, 160 * US_PER_S, "home-a-2-1", "c")
    assert joined([successor, zombie]) == [zombie._replace(end_us=successor.start_us), successor]


def test_epochs_are_compared_as_numbers() -> None:
    """Epoch 10 is higher than epoch 9, whatever their text; a foreign run has none."""
    assert [epoch_of(run) for run in ("home-a-9-1", "home-a-10-1", "20260314T120000Z")] == [9, 10, 0]


def test_of_one_epoch_the_earlier_start_wins() -> None:
    """Two runs of one epoch that overlap are shown in the order in which they began."""
    first, second = Footage(0, 10, "home-a-1-2", "c"), Footage(5, 20, "home-a-1-1", "c")
    assert joined([second, first]) == [first, second._replace(start_us=10)]


@pytest.mark.parametrize(("apart_us", "pieces"), [(SLEW_US, 1), (SLEW_US + 1, 2), (-SLEW_US, 1)])
def test_neighbours_of_a_run_are_joined_over_the_slew_of_its_clock(apart_us: int, pieces: int) -> None:
    """What a slewed clock puts between two segments of a run is no gap; more than that is one."""
    first = Footage(0, 60 * US_PER_S, RUN, "c")
    second = Footage(first.end_us + apart_us, 120 * US_PER_S, RUN, "c")
    assert len(joined([first, second])) == pieces


def test_neighbours_of_two_runs_are_never_joined() -> None:
    """A moment between two runs is a gap, however short."""
    assert len(joined([Footage(0, 10, "home-a-1-1", "c"), Footage(11, 20, "home-a-1-2", "c")])) == 2


def rows_each_minute(count: int, start_us: int = NOON_US) -> list[Row]:
    """A run of `count` rows of a minute."""
    return [a_row(start_us=start_us + n * 60 * US_PER_S, counter=n) for n in range(count)]


async def test_rows_between_reads_page_after_page() -> None:
    """All rows that touch the span come, in order, whatever the size of a page."""
    rows = rows_each_minute(10)
    span = Span(rows[2].end_us, rows[7].start_us + 1)
    assert await rows_between(PagedIndex(rows), "gate", span) == rows[3:8]


async def test_rows_between_finds_the_segment_that_began_the_day_before() -> None:
    """A segment that reaches over midnight belongs to the day before and is still found."""
    midnight = at("2026-03-15T00:00:00Z")
    late = replace(a_row(start_us=midnight - 10 * US_PER_S), end_us=midnight + 20 * US_PER_S)
    index = PagedIndex([late])
    assert await rows_between(index, "gate", Span(midnight + US_PER_S, midnight + 60 * US_PER_S)) == [late]
    assert index.days_read == [date(2026, 3, 14), date(2026, 3, 15)]


async def test_without_the_look_back_it_would_be_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a reader that does not look back loses the segment over midnight."""
    midnight = at("2026-03-15T00:00:00Z")
    late = replace(a_row(start_us=midnight - 10 * US_PER_S), end_us=midnight + 20 * US_PER_S)
    monkeypatch.setattr(timeline, "LONGEST_SEGMENT_US", 0)
    assert await rows_between(PagedIndex([late]), "gate", Span(midnight + US_PER_S, midnight + 60 * US_PER_S)) == []


@given(
    starts=st.lists(st.integers(0, 3 * 86_400), max_size=20, unique=True),
    begin=st.integers(0, 3 * 86_400),
    length=st.integers(1, 86_400),
    seconds=st.integers(1, LONGEST_SEGMENT_US // US_PER_S),
)
async def test_rows_between_says_what_a_search_through_all_rows_says(starts: list[int], begin: int, length: int, seconds: int) -> None:
    """Over three days the answer is that of a plain search, each row once."""
    day_us = NOON_US - US_PER_DAY // 2
    rows = [
        replace(a_row(start_us=day_us + s * US_PER_S, counter=n), end_us=day_us + (s + seconds) * US_PER_S) for n, s in enumerate(starts)
    ]
    span = Span(day_us + begin * US_PER_S, day_us + (begin + length) * US_PER_S)
    wanted = sorted((r for r in rows if r.start_us < span.end_us and r.end_us > span.start_us), key=lambda row: row.position)
    assert await rows_between(PagedIndex(rows), "gate", span) == wanted


async def test_runs_between_reads_every_month_and_names_a_run_once() -> None:
    """A run over two months is listed in both and comes once; runs outside the span do not come."""
    long = a_run(start_us=at("2026-01-20T00:00:00Z"), last_us=at("2026-02-10T00:00:00Z"))
    later = [a_run(id=f"home-a-1-{n}", start_us=at(f"2026-02-1{n}T00:00:00Z"), last_us=at(f"2026-02-1{n}T05:00:00Z")) for n in range(2, 6)]
    span = Span(at("2026-01-25T00:00:00Z"), at("2026-02-14T01:00:00Z"))
    assert await runs_between(PagedIndex(runs=[long, *later]), "gate", span) == [long, *later[:3]]


async def test_states_between_begins_with_the_state_in_force() -> None:
    """The change before the span comes first, then those inside, over pages and months, and none after."""
    moments = ["2026-01-05", "2026-01-28", "2026-01-29", "2026-02-01", "2026-02-02", "2026-02-20"]
    changes = [a_change(at_us=at(f"{day}T00:00:00Z")) for day in moments]
    span = Span(at("2026-01-27T00:00:00Z"), at("2026-02-03T00:00:00Z"))
    assert await states_between(PagedIndex(states=changes), "gate", span) == changes[:5]


async def test_a_change_at_the_very_start_comes_once() -> None:
    """The state in force and the first change of the span can be the same and are not named twice."""
    change = a_change(at_us=NOON_US)
    assert await states_between(PagedIndex(states=[change]), "gate", Span(NOON_US, NOON_US + 1)) == [change]


async def test_too_many_runs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A span with more runs than one answer may read says so instead of filling the memory."""
    monkeypatch.setattr(timeline, "MAX_FACTS", 3)
    runs = [a_run(id=f"home-a-1-{n}", start_us=NOON_US + n, last_us=NOON_US + n + 1) for n in range(5)]
    with pytest.raises(BadInput, match="more than 3 runs"):
        await runs_between(PagedIndex(runs=runs), "gate", Span(NOON_US, NOON_US + 100))


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), max_size=6),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), max_size=6),
)
def test_what_lies_outside_of_spans(footage: list[tuple[int, int]], gone: list[tuple[int, int]]) -> None:
    """Each moment of each piece of footage is left exactly if no span has it."""
    spans = joined_spans(Span(start * US_PER_S, (start + length) * US_PER_S) for start, length in gone)
    given = [Footage(start * US_PER_S, (start + length) * US_PER_S, f"r{n}", CODECS) for n, (start, length) in enumerate(footage)]

    def seconds(pieces: Iterable[Footage]) -> list[tuple[str, int]]:
        return sorted((one.run, second) for one in pieces for second in range(one.start_us // US_PER_S, one.end_us // US_PER_S))

    expected = [
        (run, second) for run, second in seconds(given) if not any(span.start_us <= second * US_PER_S < span.end_us for span in spans)
    ]
    assert seconds(outside(given, spans)) == expected
