"""Where other sites are asked: the stretches without footage here."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from playback.missing import NEAR_US, missing, together, touches, within
from segments.coverage import UNDER_WAY_US
from segments.model import Footage, Span
from segments.timeline import SLEW_US
from tests.builders import a_row

S = 1_000_000
SPAN = Span(100 * S, 200 * S)
LATER_US = 10_000 * S


def shot(start_s: float, end_s: float) -> Footage:
    return Footage(round(start_s * S), round(end_s * S), "home-a-1-1", "avc1")


def test_what_is_not_here_is_missing() -> None:
    """Before, between and behind the footage of here."""
    assert missing(SPAN, [shot(110, 120), shot(150, 160)], (), LATER_US) == [
        Span(100 * S, 110 * S),
        Span(120 * S, 150 * S),
        Span(160 * S, 200 * S),
    ]
    assert missing(SPAN, [shot(90, 210)], (), LATER_US) == []
    assert missing(SPAN, (), (), LATER_US) == [SPAN]


def test_what_was_deleted_is_not() -> None:
    """A receipt explains it."""
    assert missing(SPAN, [shot(110, 120)], [Span(120 * S, 300 * S)], LATER_US) == [Span(100 * S, 110 * S)]


def test_what_slew_made_is_not() -> None:
    """Neighbours of a run may lie a little apart; a microsecond more is a gap."""
    gap_s = SLEW_US / S
    assert missing(SPAN, [shot(100, 150), shot(150 + gap_s, 200)], (), LATER_US) == []
    assert len(missing(SPAN, [shot(100, 150), shot(150 + gap_s + 1e-6, 200)], (), LATER_US)) == 1


def test_the_future_and_what_is_on_its_way_are_not() -> None:
    """The newest seconds behind footage of here are being recorded; where nothing of here came before, they are asked for."""
    now_us = 190 * S
    late_s = UNDER_WAY_US / S
    assert missing(SPAN, [shot(100, 190 - late_s)], (), now_us) == []
    assert missing(SPAN, [shot(100, 189 - late_s)], (), now_us) == [Span(189 * S - UNDER_WAY_US, now_us)]
    assert missing(Span(185 * S, 300 * S), (), (), now_us) == [Span(185 * S, now_us)]
    assert missing(SPAN, (), (), 50 * S) == []


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 60))), st.integers(50, 400))
def test_each_moment_is_here_or_missing(pieces: list[tuple[int, int]], now_s: int) -> None:
    """A model by the second: never both, and neither only in the future or on its way."""
    here = [shot(start, start + length) for start, length in pieces]
    stretches = missing(SPAN, here, (), now_s * S)
    for second in range(100, 200):
        present = any(one.start_us <= second * S < one.end_us for one in here)
        lacking = any(one.start_us <= second * S < one.end_us for one in stretches)
        assert not (present and lacking)
        assert present or lacking or second * S >= now_s * S - UNDER_WAY_US
    assert all(before.end_us <= after.start_us for before, after in pairwise(stretches))


def test_near_stretches_are_asked_for_at_once() -> None:
    """So few questions do for a day of many short gaps; far ones stay apart."""
    near, far = NEAR_US - 1, NEAR_US
    assert together([Span(0, 10), Span(10 + near, 20 + near)]) == [Span(0, 20 + near)]
    assert together([Span(0, 10), Span(10 + far, 20 + far)]) == [Span(0, 10), Span(10 + far, 20 + far)]
    assert len(together([Span(n * 10 * S, n * 10 * S + S) for n in range(8640)])) == 1


def test_rows_touch_stretches_with_any_part() -> None:
    """Half-open on both sides."""
    row = a_row()
    start_us, end_us = row.start_us, row.end_us
    touching = [Span(start_us - 5, start_us + 1), Span(end_us - 1, end_us + 5), Span(start_us + 5, start_us + 6), Span(0, end_us * 2)]
    beside = [Span(start_us - 5, start_us), Span(end_us, end_us + 5)]
    assert all(touches(row, [each]) for each in touching)
    assert not touches(row, beside)
    assert not touches(row, [])
    assert touches(row, [beside[0], Span(start_us + 3, start_us + 4), beside[1]])


def test_footage_is_cut_to_the_stretches() -> None:
    """What lies in several is in pieces; what lies in none is gone."""
    assert within([shot(0, 100), shot(100, 110)], [Span(10 * S, 20 * S), Span(95 * S, 105 * S)]) == [
        shot(10, 20),
        shot(95, 100),
        shot(100, 105),
    ]
    assert within([shot(0, 100)], []) == []
