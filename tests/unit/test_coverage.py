"""Coverage against a model that asks about every single moment."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segments import coverage as module
from segments.clock import US_PER_S
from segments.coverage import RESOLUTIONS_S, Facts, Gap, bucket_count, buckets, coverage, least_resolution_s
from segments.model import CameraState, Cause, Footage, Span, StateChange
from segments.timeline import epoch_of
from tests.builders import NOON_US

SPAN = Span(100, 160)
"""A span of 60 us: short enough to ask about each of its microseconds."""

UNDER_WAY_US = 15
NOT_STORED = "recording, but nothing of it is stored"

STATE_CAUSES = [None, Cause.DISABLED, Cause.RECORDER_AWAY, Cause.CAMERA_AWAY, Cause.RECONNECTING]


def some_facts(**fields: object) -> Facts:
    """A camera added long ago, seen from long after, of which nothing is known."""
    return replace(Facts(footage=(), states=(), added_us=0, now_us=10**6), **fields)  # type: ignore[arg-type]


def a_change(at_us: int, cause: Cause | None, detail: str = "") -> StateChange:
    """A change to this cause, or to recording."""
    return StateChange("gate", at_us, CameraState.WAITING if cause else CameraState.RECORDING, cause, detail)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """Footage of runs of several epochs, states, and deleted spans around the span, as they like."""
    moments, lengths = st.integers(90, 170), st.integers(1, 40)
    footage = [
        Footage(start, start + draw(lengths), f"home-a-{draw(st.integers(1, 3))}-{n}", "c")
        for n, start in enumerate(draw(st.lists(moments, max_size=4)))
    ]
    changes = [a_change(m, draw(st.sampled_from(STATE_CAUSES))) for m in sorted(draw(st.sets(moments, max_size=5)))]
    deleted = [Span(start, start + draw(lengths)) for start in draw(st.lists(moments, max_size=2))]
    return Facts(footage, changes, draw(moments), draw(moments), deleted)


def said_by_model(moment: int, known: Facts) -> str | Cause:
    """The run, or the cause, that a moment has, by asking each rule in turn."""
    there = [one for one in known.footage if one.start_us <= moment < one.end_us]
    if there:
        return min(there, key=lambda one: (-epoch_of(one.run), one.start_us, one.run)).run
    holding = {Cause.UNKNOWN}
    if any(start <= moment < end for start, end in known.deleted):
        holding.add(Cause.DELETED)
    if moment < known.added_us:
        holding.add(Cause.NOT_COMMISSIONED)
    if moment >= known.now_us:
        holding.add(Cause.FUTURE)
    in_force = [change for change in known.states if change.at_us <= moment]
    if in_force and in_force[-1].cause:
        holding.add(in_force[-1].cause)
    behind = [change for change in known.states if change.at_us > moment]
    recording = in_force and not in_force[-1].cause
    if recording and behind and behind[0].cause is Cause.RECORDER_AWAY and not goes_on(known, moment, behind[0].at_us):
        holding.add(Cause.RECORDER_AWAY)  # lost with the recorder
    under_way = known.now_us - UNDER_WAY_US <= moment < known.now_us
    if recording and not behind and under_way and not goes_on(known, moment, known.now_us):
        holding.add(Cause.FUTURE)  # being recorded
    return next(cause for cause in Cause if cause in holding)


def goes_on(known: Facts, moment: int, until: int) -> bool:
    """Whether there is footage that begins before `until` and lasts beyond the moment."""
    return any(one.start_us < until and one.end_us > moment for one in known.footage)


@pytest.fixture(autouse=True)
def _no_slew(monkeypatch: pytest.MonkeyPatch) -> None:
    """At this scale the slew of a clock would join everything, and everything would be under way."""
    monkeypatch.setattr("segments.timeline.SLEW_US", 0)
    monkeypatch.setattr(module, "UNDER_WAY_US", UNDER_WAY_US)


@given(facts())
def test_every_moment_has_one_answer_and_it_is_the_models(known: Facts) -> None:
    """The pieces follow each other from end to end of the span, and say of each microsecond what the model says."""
    pieces = coverage(SPAN, known)
    assert (pieces[0].start_us, pieces[-1].end_us) == SPAN
    assert all(a.end_us == b.start_us for a, b in pairwise(pieces))
    for piece in pieces:
        said = piece.cause if isinstance(piece, Gap) else piece.run
        assert {said_by_model(moment, known) for moment in range(piece.start_us, piece.end_us)} == {said}


@given(facts())
def test_neighbouring_gaps_differ_in_their_cause(known: Facts) -> None:
    """What one cause explains is one gap, however often the state was written."""
    causes = [piece.cause if isinstance(piece, Gap) else None for piece in coverage(SPAN, known)]
    assert all(a is not b for a, b in pairwise(causes) if a is not None)


def test_the_order_of_causes_is_that_of_the_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all hold at once deletion is named; the negative control turns the order round, and another cause is."""
    known = some_facts(states=[a_change(0, Cause.DISABLED)], added_us=200, now_us=0, deleted=[SPAN])
    assert coverage(SPAN, known) == [Gap(*SPAN, Cause.DELETED, "")]
    monkeypatch.setattr(module, "_ORDER", {cause: -place for place, cause in enumerate(Cause)})
    assert coverage(SPAN, known) == [Gap(*SPAN, Cause.DISABLED, "")]


def test_footage_goes_before_every_cause() -> None:
    """Footage adopted from before the camera was added is footage."""
    footage = Footage(110, 120, "home-a-1-1", "c")
    pieces = coverage(SPAN, some_facts(footage=[footage], added_us=200))
    assert [piece for piece in pieces if isinstance(piece, Footage)] == [footage]


def test_nothing_known_is_unknown() -> None:
    """A moment that nothing explains is unknown, never left out."""
    assert coverage(SPAN, some_facts()) == [Gap(*SPAN, Cause.UNKNOWN, "")]


def test_what_a_dead_recorder_took_along_was_lost_by_its_being_away() -> None:
    """Its last seconds were never durable and its death is told later: they have its cause, a hole in front of later footage has not."""
    footage = [Footage(100, 120, "home-a-1-1", "c"), Footage(125, 130, "home-a-1-1", "c")]
    known = some_facts(footage=footage, states=[a_change(0, None), a_change(150, Cause.RECORDER_AWAY, "the recorder is gone")])
    gaps = [piece for piece in coverage(SPAN, known) if isinstance(piece, Gap)]
    assert [(gap.start_us, gap.end_us, gap.cause) for gap in gaps] == [(120, 125, Cause.UNKNOWN), (130, 160, Cause.RECORDER_AWAY)]


def test_the_newest_seconds_of_a_recording_are_under_way() -> None:
    """They are being recorded, which is no gap with an unknown cause; what is missing for longer is one, and a hole before footage too."""
    footage = [Footage(90, 120, "home-a-1-1", "c"), Footage(125, 140, "home-a-1-1", "c")]
    for now_us, expected in (
        (150, [(120, 125, Cause.UNKNOWN, NOT_STORED), (140, 160, Cause.FUTURE, "being recorded")]),
        (158, [(120, 125, Cause.UNKNOWN, NOT_STORED), (140, 143, Cause.UNKNOWN, NOT_STORED), (143, 160, Cause.FUTURE, "being recorded")]),
    ):
        known = some_facts(footage=footage, states=[a_change(0, None)], now_us=now_us)
        assert [tuple(piece) for piece in coverage(SPAN, known) if isinstance(piece, Gap)] == expected


def test_recording_without_footage_says_so() -> None:
    """A camera that says it records while nothing is there is an unknown gap with a sentence."""
    (gap,) = coverage(SPAN, some_facts(states=[a_change(0, None)]))
    assert isinstance(gap, Gap)
    assert (gap.cause, gap.detail) == (Cause.UNKNOWN, "recording, but nothing of it is stored")


def test_a_gap_keeps_the_first_sentence_of_its_cause() -> None:
    """While a camera is tried again and again the gap is one and says what was wrong first."""
    states = [a_change(90, Cause.CAMERA_AWAY, "connection refused"), a_change(130, Cause.CAMERA_AWAY, "no route to host")]
    assert coverage(SPAN, some_facts(states=states)) == [Gap(*SPAN, Cause.CAMERA_AWAY, "connection refused")]


@given(facts(), st.integers(1, 25))
def test_buckets_lose_no_moment(known: Facts, width: int) -> None:
    """Buckets begin at multiples of their width, follow each other, and sum up what the model says of their moments."""
    span = Span(SPAN.start_us * US_PER_S, SPAN.end_us * US_PER_S)
    pieces = [p._replace(start_us=p.start_us * US_PER_S, end_us=p.end_us * US_PER_S) for p in coverage(SPAN, known)]
    filled = buckets(span, pieces, width)
    assert [b.start_us for b in filled[1:]] == [b.end_us for b in filled[:-1]]
    assert (filled[0].start_us, filled[-1].end_us, len(filled)) == (*span, bucket_count(span, width))
    assert all(b.start_us % (width * US_PER_S) == 0 for b in filled[1:])
    for bucket in filled:
        said = [said_by_model(m, known) for m in range(bucket.start_us // US_PER_S, bucket.end_us // US_PER_S)]
        causes = [one for one in said if isinstance(one, Cause)]
        assert (bucket.footage_us, bucket.gap_us) == ((len(said) - len(causes)) * US_PER_S, len(causes) * US_PER_S)
        assert bucket.cause == (max(Cause, key=causes.count) if causes else None)


@given(st.integers(1, 400 * 86_400), st.integers(0, 86_400))
@example(400 * 86_400, 1)
def test_the_chosen_resolution_is_the_finest_that_fits(seconds: int, offset: int) -> None:
    """Spans of up to 400 days fit into 2,000 buckets, and no finer width of the list would do."""
    start_us = NOON_US + offset * US_PER_S
    span = Span(start_us, start_us + seconds * US_PER_S)
    chosen = least_resolution_s(span, 2000)
    assert bucket_count(span, chosen) <= 2000
    assert all(bucket_count(span, finer) > 2000 for finer in RESOLUTIONS_S if finer < chosen)
