"""Coverage: for every moment of a camera either footage or the one cause of its absence. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from segments.clock import US_PER_S
from segments.model import CameraState, Cause, Footage, Span, StateChange
from segments.timeline import Claim, joined, settle

RESOLUTIONS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400)
"""Widths of buckets that are chosen by themselves; each divides a UTC day."""

_ORDER = {cause: place for place, cause in enumerate(Cause)}
_NOT_STORED = "recording, but nothing of it is stored"
UNDER_WAY_US = 15 * US_PER_S
"""Footage younger than this may be on its way to the disk; older, and not there, it is missing."""


class Gap(NamedTuple):
    """A stretch of wall time without footage, and why; `detail` is a sentence for people, often empty."""

    start_us: int
    end_us: int
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a camera over a span.

    Footage may overlap. `states` are in order of time and begin with the one in force at the start. `deleted` are spans whose footage
    retention has removed, `elsewhere` those in which another site was to record the camera.
    """

    footage: Sequence[Footage]
    states: Sequence[StateChange]
    added_us: int
    now_us: int
    deleted: Sequence[Span] = ()
    elsewhere: Sequence[Span] = ()


class Bucket(NamedTuple):
    """How much of a stretch has footage; `cause` is the one behind most of what has none (of equals the first in the order of `Cause`)."""

    start_us: int
    end_us: int
    footage_us: int
    gap_us: int
    cause: Cause | None


def coverage(span: Span, facts: Facts) -> list[Footage | Gap]:
    """Every moment of the span exactly once, in order of time.

    Footage goes before every cause, among causes the order of `Cause` decides, and what nothing explains is `Cause.UNKNOWN`.
    """
    claims = [Claim[Footage | Gap]((-1,), one.start_us, one.end_us, one) for one in joined(facts.footage)]
    claims += [Claim((_ORDER[gap.cause],), gap.start_us, gap.end_us, gap) for gap in _reasons(span, facts)]
    claims.append(Claim((len(_ORDER),), span.start_us, span.end_us, Gap(*span, Cause.UNKNOWN, "")))
    pieces: list[Footage | Gap] = []
    for claim in settle(claims):
        start_us, end_us = max(claim.start_us, span.start_us), min(claim.end_us, span.end_us)
        if start_us < end_us:
            _append(pieces, claim.value._replace(start_us=start_us, end_us=end_us))
    return pieces


def _append(pieces: list[Footage | Gap], piece: Footage | Gap) -> None:
    """Adds a piece; a gap goes into the one before if their cause is the same (whose detail stays)."""
    last = pieces[-1] if pieces else None
    if isinstance(last, Gap) and isinstance(piece, Gap) and last.cause is piece.cause:
        pieces[-1] = last._replace(end_us=piece.end_us, detail=last.detail or piece.detail)
    else:
        pieces.append(piece)


def _reasons(span: Span, facts: Facts) -> Iterator[Gap]:
    """All that could explain an absence."""
    yield from (Gap(start_us, end_us, Cause.DELETED, "") for start_us, end_us in facts.deleted)
    yield from (Gap(start_us, end_us, Cause.ELSEWHERE, "") for start_us, end_us in facts.elsewhere)
    yield Gap(span.start_us, facts.added_us, Cause.NOT_COMMISSIONED, "")
    yield Gap(facts.now_us, span.end_us, Cause.FUTURE, "")
    ends_us = [change.at_us for change in facts.states[1:]] + [span.end_us]
    for change, end_us in zip(facts.states, ends_us, strict=False):
        detail = change.detail if change.cause else _NOT_STORED
        yield Gap(change.at_us, end_us, change.cause or Cause.UNKNOWN, detail)
    yield from (_lost(before, after, facts.footage) for before, after in pairwise(facts.states) if _is_loss(before, after))
    if facts.states and facts.states[-1].state is CameraState.RECORDING:
        yield _under_way(facts)


def _under_way(facts: Facts) -> Gap:
    """The newest moments of a camera that records are not durable yet: no absence, but a footage that is to come."""
    kept_us = max((min(one.end_us, facts.now_us) for one in facts.footage if one.start_us < facts.now_us), default=0)
    since_us = max(kept_us, facts.states[-1].at_us, facts.now_us - UNDER_WAY_US)
    return Gap(since_us, facts.now_us, Cause.FUTURE, "being recorded")


def _is_loss(before: StateChange, after: StateChange) -> bool:
    return before.state is CameraState.RECORDING and after.cause is Cause.RECORDER_AWAY


def _lost(recording: StateChange, away: StateChange, footage: Sequence[Footage]) -> Gap:
    """A recorder that dies takes along what it had not made durable, and its death is told later than that: it was away from there on."""
    kept_us = max((min(one.end_us, away.at_us) for one in footage if one.start_us < away.at_us), default=recording.at_us)
    return Gap(max(kept_us, recording.at_us), away.at_us, Cause.RECORDER_AWAY, away.detail)


def least_resolution_s(span: Span, most: int) -> int:
    """The finest of `RESOLUTIONS_S` that cuts a span into at most `most` buckets; the coarsest if none does."""
    return next((width for width in RESOLUTIONS_S if bucket_count(span, width) <= most), RESOLUTIONS_S[-1])


def bucket_count(span: Span, resolution_s: int) -> int:
    """How many buckets of this width a span touches."""
    width_us = resolution_s * US_PER_S
    return (span.end_us - 1) // width_us - span.start_us // width_us + 1


def buckets(span: Span, pieces: Sequence[Footage | Gap], resolution_s: int) -> list[Bucket]:
    """Coverage of the span summed in buckets that begin at multiples of the resolution since 1970 UTC; those at its ends are cut to it."""
    width_us = resolution_s * US_PER_S
    inner = range((span.start_us // width_us + 1) * width_us, span.end_us, width_us)
    filled: list[Bucket] = []
    place = 0
    for start_us, end_us in pairwise([span.start_us, *inner, span.end_us]):
        while pieces[place].end_us <= start_us:
            place += 1
        filled.append(_bucket(Span(start_us, end_us), pieces, place))
    return filled


def _bucket(span: Span, pieces: Sequence[Footage | Gap], place: int) -> Bucket:
    footage_us = 0
    absent_us: dict[Cause, int] = {}
    while place < len(pieces) and pieces[place].start_us < span.end_us:
        piece = pieces[place]
        length_us = min(piece.end_us, span.end_us) - max(piece.start_us, span.start_us)
        if isinstance(piece, Gap):
            absent_us[piece.cause] = absent_us.get(piece.cause, 0) + length_us
        else:
            footage_us += length_us
        place += 1
    cause = min(absent_us, key=lambda one: (-absent_us[one], _ORDER[one])) if absent_us else None
    return Bucket(span.start_us, span.end_us, footage_us, sum(absent_us.values()), cause)
