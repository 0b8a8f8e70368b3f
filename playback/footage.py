"""What there is of a camera: rows and runs of index, live edge and other sites joined, and the reason where there is nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from playback.elsewhere import SITES_AWAY_HEADER
from playback.live import Partly
from playback.missing import missing, together, touches
from playback.problems import NoFootage
from playback.services import Services
from segments.clock import iso
from segments.coverage import Facts, Gap, coverage
from segments.errors import KeepsightError, NotFound, Refused, TryAgain
from segments.model import Camera, Footage, Row, RowPosition, Run, Span
from segments.takeover import read_standing, recorded_elsewhere
from segments.timeline import deleted_between, footage_between, footage_of_rows, rows_between, states_between

T = TypeVar("T")

LIVE_HEADER = "Keepsight-Live"
"""Response header; `away` says that footage not yet indexed is missing from the answer because the recording side does not answer."""


@dataclass(frozen=True, slots=True)
class LiveEdge:
    """What is not in the index yet: rows in order, their runs by id. `away` if somebody who may know more could not be asked."""

    rows: Sequence[Row] = ()
    runs: Mapping[str, Run] = field(default_factory=dict)
    away: bool = False


@dataclass(frozen=True, slots=True)
class Beside:
    """What was found beside the index: runs by id; and who could not be asked, so that something may be missing."""

    runs: Mapping[str, Run] = field(default_factory=dict)
    live_away: bool = False
    sites_away: frozenset[str] = frozenset()

    @property
    def headers(self) -> dict[str, str]:
        """What an answer made with it says of it."""
        live = {LIVE_HEADER: "away"} if self.live_away else {}
        return live | ({SITES_AWAY_HEADER: ",".join(sorted(self.sites_away))} if self.sites_away else {})


async def live_edge(services: Services, camera: str, span: Span) -> LiveEdge:
    """The live edge of a camera as far as it lies in a span; never fails, so that what is indexed can always be seen."""
    segments, error = await _segments(services, camera)
    found = [(row, run) for row, run in segments if row.start_us < span.end_us and row.end_us > span.start_us]
    return LiveEdge([row for row, _ in found], {run.id: run for _, run in found}, away=error is not None)


async def _segments(services: Services, camera: str) -> tuple[Sequence[tuple[Row, Run]], KeepsightError | None]:
    """What the live edge holds of a camera, and why that may not be all."""
    try:
        return await services.live.segments(camera), None
    except Partly as error:
        return error.found, error
    except (TryAgain, Refused) as error:
        return (), error


async def rows_of(services: Services, camera: str, span: Span) -> tuple[list[Row], Beside]:
    """All rows of a span, those of the live edge included, and those of other sites where there is nothing here and no receipt tells why.

    Where a segment is in several, the index is right. The live edge first: what leaves it in between is then found in the index, never in
    neither.
    """
    edge = await live_edge(services, camera, span)
    rows = await rows_between(services.index, camera, span)
    theirs, away = await _rows_elsewhere(services, camera, span, [*edge.rows, *rows])
    by_position: dict[RowPosition, Row] = {row.position: row for row in (*(row for row, _ in theirs), *edge.rows, *rows)}
    runs = {run.id: run for _, run in theirs} | dict(edge.runs)
    return sorted(by_position.values(), key=lambda row: row.position), Beside(runs, edge.away, away)


async def _rows_elsewhere(services: Services, camera: str, span: Span, here: Sequence[Row]) -> tuple[list[tuple[Row, Run]], frozenset[str]]:
    """The segments of other sites that a missing stretch has a part of, and the sites that did not answer."""
    stretches = await _missing_here(services, camera, span, here)
    said = await asyncio.gather(*(services.elsewhere.segments(camera, each) for each in together(stretches)))
    found = (one for each in said for _, segments in sorted(each.by_site.items(), reverse=True) for one in segments)
    return [(row, run) for row, run in found if touches(row, stretches)], frozenset[str]().union(*(each.away for each in said))


async def _missing_here(services: Services, camera: str, span: Span, here: Sequence[Row]) -> list[Span]:
    """The stretches of a span that other sites are to be asked for, given what is here; none where there are no others."""
    now_us = services.clock.now_us()
    if not services.elsewhere.sites or not missing(span, here, (), now_us):
        return []
    return missing(span, here, await deleted_between(services.index, camera, span), now_us)


async def footage_of(services: Services, camera: str, span: Span) -> tuple[list[Footage], LiveEdge]:
    """When there is footage here in a span, that of the live edge included; the live edge first, as for `rows_of`."""
    edge = await live_edge(services, camera, span)
    indexed = await footage_between(services.index, camera, span)
    return [*{*indexed, *footage_of_rows(edge.rows)}], edge


async def run_of(services: Services, camera: str, run_id: str) -> Run:
    """A run, indexed, live or of another site; raises NotFound.

    It may be indexed between the two looks, so the index is asked once more.
    """
    try:
        return await services.index.run(camera, run_id)
    except NotFound:
        segments, error = await _segments(services, camera)
        for row, run in segments:
            if row.run == run_id:
                return run
    try:
        return await services.index.run(camera, run_id)
    except NotFound:
        return await _or(error, services.elsewhere.run(camera, run_id))


async def row_of(services: Services, camera: str, position: RowPosition) -> Row:
    """A row, indexed, live or of another site; raises NotFound. What was deleted here is not asked for elsewhere.

    A segment may be indexed between the two looks, so the index is asked once more.
    """
    try:
        return await services.index.row(camera, position)
    except NotFound:
        segments, error = await _segments(services, camera)
        for row, _ in segments:
            if row.position == position:
                return row
    try:
        return await services.index.row(camera, position)
    except NotFound as nowhere:
        if services.elsewhere.sites and await deleted_between(services.index, camera, Span(position.start_us, position.start_us + 1)):
            raise nowhere from None
        return await _or(error, services.elsewhere.row(camera, position))


async def _or(error: KeepsightError | None, found: Awaitable[T]) -> T:
    """What is found. If nothing is, and the live edge could not be asked, nobody knows that it is nowhere."""
    try:
        return await found
    except NotFound:
        if error is not None:
            raise error from None
        raise


async def camera_added_us(services: Services, camera: str) -> int | None:
    """When a camera was added; None if it is not in the archive (its footage may still be there)."""
    try:
        found: Camera = await services.index.camera(camera)
    except NotFound:
        return None
    return found.added_us


async def elsewhere_of(services: Services, camera: str) -> Sequence[Span]:
    """When another site was to record a camera; nothing is asked where there are none."""
    if not services.elsewhere.sites:
        return ()
    try:
        found = await services.index.camera(camera)
    except NotFound:
        return ()
    return recorded_elsewhere(found, await read_standing(services.index), services.clock.now_us())


async def no_footage(services: Services, camera: str, span: Span, beside: Beside | None = None) -> NotFound:
    """The error for a span without footage: the cause that takes the most of it, or that there is no such camera."""
    added_us = await camera_added_us(services, camera)
    away = ", ".join(sorted(beside.sites_away)) if beside else ""
    unasked = f"; there may be some at {away}, which did not answer" if away else ""
    if added_us is None:
        return NotFound(f"there is no camera {camera}, and no footage of it from {iso(span.start_us)} to {iso(span.end_us)}{unasked}")
    states = await states_between(services.index, camera, span)
    deleted = await deleted_between(services.index, camera, span)
    pieces = coverage(span, Facts((), states, added_us, services.clock.now_us(), deleted, await elsewhere_of(services, camera)))
    gap = max((piece for piece in pieces if isinstance(piece, Gap)), key=lambda piece: piece.end_us - piece.start_us)
    said = f": {gap.detail}" if gap.detail else ""
    return NoFootage(f"{camera} has no footage from {iso(span.start_us)} to {iso(span.end_us)} ({gap.cause}{said}){unasked}", gap.cause)
