"""A camera recorded twice: of two lanes each moment is shown once, and the loss of either leaves no moment without footage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playback.playlist import Entry, Window, media_entries, stretches
from segments.clock import US_PER_S
from segments.coverage import Facts, Gap, coverage
from segments.model import Row, Span
from segments.timeline import footage_of_rows, joined
from tests.builders import FRAGMENT_S, NOON_US, a_change, a_loss, some_rows

A, B = "home-a-5-1", "home-b-6-1"
B_LATE_US = 21 * US_PER_S
"""Lane b began so much later, in a higher epoch, and cuts at other moments."""
SPAN = Span(NOON_US, NOON_US + 5 * 60 * US_PER_S)


def lanes() -> tuple[list[Row], list[Row]]:
    """Five minutes of lane a, and of lane b what follows its later beginning."""
    return some_rows(5, run=A), some_rows(5, run=B, start_us=NOON_US + B_LATE_US)


def until(rows: list[Row], end_s: float) -> list[Row]:
    """What is left of a lane whose node is lost: the fragments that were whole by then."""
    kept = []
    for row in rows:
        durable = [f for n, f in enumerate(row.fragments) if row.start_us + (n + 1) * FRAGMENT_S * US_PER_S <= NOON_US + end_s * US_PER_S]
        if durable:
            kept.append(replace(row, fragments=tuple(durable), end_us=row.start_us + len(durable) * FRAGMENT_S * US_PER_S))
    return kept


def played(*rows: Row) -> list[Entry]:
    """What a player is given of the span."""
    return media_entries(stretches(rows, Window(SPAN, growing=False)))


def uncovered_us(entries: list[Entry]) -> int:
    """How much of the span no entry shows."""
    missing, at_us = 0, SPAN.start_us
    for entry in sorted(entries, key=lambda entry: entry.start_us):
        missing += max(0, entry.start_us - at_us)
        at_us = max(at_us, entry.start_us + entry.ticks * 100 // 9)
    return missing + max(0, SPAN.end_us - at_us)


def doubled_us(entries: list[Entry]) -> int:
    """How much is shown twice."""
    return sum(entry.ticks * 100 // 9 for entry in entries) - (SPAN.end_us - SPAN.start_us) + uncovered_us(entries) - _behind_us(entries)


def _behind_us(entries: list[Entry]) -> int:
    """What the last entry shows behind the span's end."""
    return max(0, max(entry.start_us + entry.ticks * 100 // 9 for entry in entries) - SPAN.end_us)


def test_two_lanes_are_shown_once() -> None:
    """Lane a until lane b begins, which has the higher epoch, then b alone; at the one seam at most a fragment is shown twice."""
    a, b = lanes()
    entries = played(*a, *b)

    assert [row.run for row in dict.fromkeys(entry.row for entry in entries)] == [A, *[B] * 5]
    assert uncovered_us(entries) == 0
    assert doubled_us(entries) <= FRAGMENT_S * US_PER_S
    assert [piece.run for piece in joined(footage_of_rows([*a, *b]))] == [A, B]


@pytest.mark.parametrize("lost_s", [22.5, 100, 201.9, 299])
def test_losing_the_lane_that_is_shown_loses_nothing(lost_s: float) -> None:
    """Lane b ends in the middle of a segment and even of a fragment: lane a goes on from there, and nothing else is shown twice."""
    a, b = lanes()
    entries = played(*a, *until(b, lost_s))

    assert uncovered_us(entries) == 0
    assert doubled_us(entries) <= 2 * FRAGMENT_S * US_PER_S
    assert entries[-1].row.run == A


@pytest.mark.parametrize("lost_s", [10, 100])
def test_losing_the_other_lane_loses_nothing(lost_s: float) -> None:
    """Lane a ends, before or after lane b begins: what is lost is only what neither had."""
    a, b = lanes()
    entries = played(*until(a, lost_s), *b)

    assert uncovered_us(entries) == max(0, B_LATE_US - round(lost_s * US_PER_S))


def test_control_one_lane_alone_loses_what_it_lost() -> None:
    """The measure sees a gap where there is one."""
    a, _ = lanes()
    assert uncovered_us(played(*until(a, 100))) == 200 * US_PER_S


def test_the_slew_of_one_lane_shows_nothing_of_the_other() -> None:
    """Between segments whose clock was slewed lie some milliseconds: they are no gap for two seconds of the other lane to fill."""
    a, b = lanes()
    slewed = [replace(row, end_us=row.end_us - 20_000) for row in b]
    entries = played(*a, *slewed)

    assert [row.run for row in dict.fromkeys(entry.row for entry in entries)] == [A, *[B] * 5]


def test_a_loss_that_costs_no_footage_is_no_gap() -> None:
    """The camera's state is what lane a sees; while lane b records, that lane a is away covers nothing."""
    a, b = lanes()
    states = [a_change(), a_loss(at_us=NOON_US + 100 * US_PER_S)]
    found = coverage(SPAN, Facts(footage_of_rows([*until(a, 100), *b]), states, 0, SPAN.end_us))

    assert not [piece for piece in found if isinstance(piece, Gap)]
