"""Footage over wall time: settling overlaps so that each moment counts once, and reading the rows, runs and states of a span."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Awaitable, Hashable, Iterable, Sequence
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Generic, NamedTuple, Protocol, TypeVar

from segments.clock import US_PER_DAY, US_PER_S, day_of, day_start_us
from segments.errors import BadInput
from segments.keys import parse_run
from segments.model import Footage, Row, RowPosition, Run, Span, StateChange
from segments.ports import Page, ReadReceipts, ReadRows, Runs, States
from segments.receipt import joined_spans

V = TypeVar("V", bound=Hashable)
R = TypeVar("R", Row, Footage)

LONGEST_SEGMENT_US = 300 * US_PER_S
"""No segment lasts longer, so this is how far before a span a reader looks for rows that reach into it."""

SLEW_US = LONGEST_SEGMENT_US * 500 // 1_000_000
"""How far two neighbouring segments of a run may lie apart although nothing is missing: 500 ppm over the longest segment."""

MAX_FACTS = 50_000
"""Most runs, and most state changes, that are read for one answer; a span with more raises BadInput."""

_USUAL_SEGMENT_US = 50 * US_PER_S


class Claim(NamedTuple, Generic[V]):
    """A value that wants a stretch of time; of several at one moment the smallest rank gets it."""

    rank: tuple[int | str, ...]
    start_us: int
    end_us: int
    value: V


def settle(claims: Iterable[Claim[V]]) -> list[Claim[V]]:
    """Gives each claimed moment to one claim; the answer is in order of time, without overlaps, touching pieces of a value joined."""
    arriving = sorted((claim for claim in claims if claim.end_us > claim.start_us), key=lambda claim: claim.start_us, reverse=True)
    edges = sorted({claim.start_us for claim in arriving} | {claim.end_us for claim in arriving})
    present: list[tuple[tuple[int | str, ...], int, Claim[V]]] = []
    settled: list[Claim[V]] = []
    for start_us, end_us in pairwise(edges):
        while arriving and arriving[-1].start_us == start_us:
            heapq.heappush(present, (arriving[-1].rank, len(arriving), arriving.pop()))
        while present and present[0][2].end_us <= start_us:
            heapq.heappop(present)
        if present:
            _append(settled, present[0][2]._replace(start_us=start_us, end_us=end_us))
    return settled


def _append(settled: list[Claim[V]], piece: Claim[V]) -> None:
    last = settled[-1] if settled else None
    if last is not None and last.end_us == piece.start_us and last.value == piece.value:
        settled[-1] = last._replace(end_us=piece.end_us)
    else:
        settled.append(piece)


@lru_cache(maxsize=4096)
def epoch_of(run: str) -> int:
    """The lease epoch in a run id; 0 for runs of cameras that upload by themselves."""
    try:
        return parse_run(run).epoch
    except BadInput:
        return 0


def footage_rank(start_us: int, run: str) -> tuple[int | str, ...]:
    """Whose footage a moment shows: that of the higher epoch, then that which began earlier."""
    return (-epoch_of(run), start_us, run)


def joined(footage: Iterable[Footage]) -> list[Footage]:
    """Each moment of footage once, in order of time, with neighbours of a run joined over gaps that only the slew of its clock made."""
    together: list[Footage] = []
    begun: Footage | None = None
    end_us = 0
    for one in _settled(footage):
        if begun is None or one.run != begun.run or one.codecs != begun.codecs or one.start_us - end_us > SLEW_US:
            if begun is not None:
                together.append(begun._replace(end_us=end_us))
            begun = one
        end_us = one.end_us
    if begun is not None:
        together.append(begun._replace(end_us=end_us))
    return together


def _settled(footage: Iterable[Footage]) -> list[Footage]:
    """Without overlaps, in order of time. Most footage is so already, which is far quicker to see than to settle."""
    ordered = sorted([one for one in footage if one.end_us > one.start_us])
    end_us = 0
    for one in ordered:
        if one.start_us < end_us:
            break
        end_us = one.end_us
    else:
        return ordered
    claims = (Claim(footage_rank(one.start_us, one.run), one.start_us, one.end_us, (one.run, one.codecs)) for one in _unslewed(ordered))
    return [Footage(claim.start_us, claim.end_us, *claim.value) for claim in settle(claims)]


def _unslewed(ordered: Iterable[Footage]) -> list[Footage]:
    """With neighbours of a run joined over what the slew of its clock left between them: another run is not to show there for a moment."""
    last: dict[tuple[str, str], Footage] = {}
    whole: list[Footage] = []
    for one in ordered:
        before = last.get((one.run, one.codecs))
        if before is not None and one.start_us - before.end_us <= SLEW_US:
            last[one.run, one.codecs] = Footage(before.start_us, max(before.end_us, one.end_us), one.run, one.codecs)
        else:
            whole += [before] if before is not None else []
            last[one.run, one.codecs] = one
    return [*whole, *last.values()]


def footage_of_rows(rows: Iterable[Row]) -> list[Footage]:
    """What rows say there is."""
    return [Footage(row.start_us, row.end_us, row.run, row.codecs) for row in rows]


def footage_of_runs(runs: Iterable[Run]) -> list[Footage]:
    """What runs say there is: a run is unbroken from its start to its last moment."""
    return [Footage(run.start_us, run.last_us, run.id, run.codecs) for run in runs]


def outside(footage: Iterable[Footage], spans: Sequence[Span]) -> list[Footage]:
    """What of some footage lies in none of these spans, which are in order and do not overlap.

    Runs stay when their footage is deleted: this takes from what they say what receipts name.
    """
    left: list[Footage] = []
    for one in footage:
        start_us = one.start_us
        for span in spans[bisect_right(spans, start_us, key=lambda span: span.end_us) :]:
            if span.start_us >= one.end_us:
                break
            left += [one._replace(start_us=start_us, end_us=span.start_us)] if span.start_us > start_us else []
            start_us = span.end_us
        left += [one._replace(start_us=start_us)] if start_us < one.end_us else []
    return left


def months(span: Span) -> list[date]:
    """The first days of the UTC months a span touches."""
    first, last = day_of(span.start_us), day_of(span.end_us - 1)
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [date(first.year + (first.month - 1 + n) // 12, (first.month - 1 + n) % 12 + 1, 1) for n in range(count)]


async def rows_between(index: ReadRows, camera: str, span: Span) -> list[Row]:
    """Rows of which a part lies in the span, in order of their start; looks back into the day before for those that began there."""
    return await _between(index.rows, camera, span, most=1000)


async def footage_between(index: ReadRows, camera: str, span: Span) -> list[Footage]:
    """The same for those who only ask where there is footage: much quicker."""
    return await _between(index.footage, camera, span, most=4000)


class _Listing(Protocol[R]):
    def __call__(self, camera: str, day: date, *, after: RowPosition | None, limit: int) -> Awaitable[Page[R, RowPosition]]: ...


async def _between(listing: _Listing[R], camera: str, span: Span, *, most: int) -> list[R]:
    """What a listing by camera-day has of a span, in pages of `most` at the most."""
    reach_us = max(span.start_us - LONGEST_SEGMENT_US, 0)
    found: list[R] = []
    for noon_us in range(day_start_us(day_of(reach_us)) + US_PER_DAY // 2, span.end_us + US_PER_DAY // 2, US_PER_DAY):
        found += await _of_day(listing, camera, day_of(noon_us), Span(reach_us, span.end_us), most)
    return [one for one in found if one.end_us > span.start_us]


async def _of_day(listing: _Listing[R], camera: str, day: date, reach: Span, most: int) -> list[R]:
    """What starts within `reach` in a camera-day, read in pages of about as many as such a span holds."""
    after: RowPosition | None = RowPosition(reach.start_us, "", -1)
    limit = min(most, 2 + (reach.end_us - reach.start_us) // _USUAL_SEGMENT_US)
    found: list[R] = []
    while after is not None:
        page = await listing(camera, day, after=after, limit=limit)
        found += [row for row in page.items if row.start_us < reach.end_us]
        after = page.next if page.items and page.items[-1].start_us < reach.end_us else None
    return found


async def runs_between(index: Runs, camera: str, span: Span) -> list[Run]:
    """Runs of which a part lies in the span, in order of their start; BadInput if there are more than `MAX_FACTS`."""
    found: dict[str, Run] = {}
    for month in months(span):
        after: str | None = ""
        while after is not None:
            page = await index.runs(camera, month, after=after)
            found |= {run.id: run for run in page.items if run.start_us < span.end_us and run.last_us > span.start_us}
            after = page.next
            _check_count(found, "runs")
    return sorted(found.values(), key=lambda run: (run.start_us, run.id))


async def states_between(index: States, camera: str, span: Span) -> list[StateChange]:
    """The state in force at the start of the span and all changes within it, in order; BadInput if there are more than `MAX_FACTS`."""
    before = await index.state_before(camera, span.start_us)
    found = [before] if before is not None else []
    for month in months(span):
        after_us: int | None = span.start_us
        while after_us is not None:
            page = await index.states(camera, month, after_us=after_us)
            found += [change for change in page.items if change.at_us < span.end_us]
            after_us = page.next if page.items and page.items[-1].at_us < span.end_us else None
            _check_count(found, "state changes")
    return found


async def deleted_between(index: ReadReceipts, camera: str, span: Span) -> list[Span]:
    """When retention has removed footage of which a part lay in the span; in order, without overlaps."""
    reach = Span(max(span.start_us - LONGEST_SEGMENT_US, 0), span.end_us)
    found = [each for month in months(reach) for each in await index.deleted(camera, month)]
    return joined_spans(each for each in found if each.start_us < span.end_us and each.end_us > span.start_us)


def _check_count(found: dict[str, Run] | Sequence[StateChange], what: str) -> None:
    if len(found) > MAX_FACTS:
        raise BadInput(f"the span holds more than {MAX_FACTS} {what}: ask for a shorter one")
