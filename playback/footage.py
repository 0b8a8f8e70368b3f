"""What there is of a camera: rows and runs of the index joined with the live edge, and the reason where there is nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from playback.problems import NoFootage
from playback.services import Services
from segments.clock import iso
from segments.coverage import Facts, Gap, coverage
from segments.errors import NotFound, Refused, TryAgain
from segments.model import Camera, Row, RowPosition, Run, Span
from segments.timeline import rows_between, states_between

LIVE_HEADER = "Keepsight-Live"
"""Response header; `away` says that footage not yet indexed is missing from the answer because the recording side does not answer."""


@dataclass(frozen=True, slots=True)
class LiveEdge:
    """What is not in the index yet: rows in order, their runs by id. `away` if nobody could be asked."""

    rows: Sequence[Row] = ()
    runs: Mapping[str, Run] = field(default_factory=dict)
    away: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """What an answer made with it says of it."""
        return {LIVE_HEADER: "away"} if self.away else {}


async def live_edge(services: Services, camera: str, span: Span) -> LiveEdge:
    """The live edge of a camera as far as it lies in a span; never fails, so that what is indexed can always be seen."""
    try:
        segments = await services.live.segments(camera)
    except (TryAgain, Refused):
        return LiveEdge(away=True)
    found = [(row, run) for row, run in segments if row.start_us < span.end_us and row.end_us > span.start_us]
    return LiveEdge([row for row, _ in found], {run.id: run for _, run in found})


async def rows_of(services: Services, camera: str, span: Span) -> tuple[list[Row], LiveEdge]:
    """All rows of a span, those of the live edge included; where a segment is in both, the index is right.

    The live edge first: what leaves it in between is then found in the index, never in neither.
    """
    edge = await live_edge(services, camera, span)
    rows = await rows_between(services.index, camera, span)
    by_position: dict[RowPosition, Row] = {row.position: row for row in (*edge.rows, *rows)}
    return sorted(by_position.values(), key=lambda row: row.position), edge


async def run_of(services: Services, camera: str, run_id: str) -> Run:
    """A run, indexed or live; raises NotFound. It may be indexed between the two looks, so the index is asked once more."""
    try:
        return await services.index.run(camera, run_id)
    except NotFound:
        for row, run in await services.live.segments(camera):
            if row.run == run_id:
                return run
    return await services.index.run(camera, run_id)


async def row_of(services: Services, camera: str, position: RowPosition) -> Row:
    """A row, indexed or live; raises NotFound. A segment may be indexed between the two looks, so the index is asked once more."""
    try:
        return await services.index.row(camera, position)
    except NotFound:
        for row, _ in await services.live.segments(camera):
            if row.position == position:
                return row
    return await services.index.row(camera, position)


async def camera_added_us(services: Services, camera: str) -> int | None:
    """When a camera was added; None if it is not in the archive (its footage may still be there)."""
    try:
        found: Camera = await services.index.camera(camera)
    except NotFound:
        return None
    return found.added_us


async def no_footage(services: Services, camera: str, span: Span) -> NotFound:
    """The error for a span without footage: the cause that takes the most of it, or that there is no such camera."""
    added_us = await camera_added_us(services, camera)
    if added_us is None:
        return NotFound(f"there is no camera {camera}, and no footage of it from {iso(span.start_us)} to {iso(span.end_us)}")
    states = await states_between(services.index, camera, span)
    pieces = coverage(span, Facts((), states, added_us, services.clock.now_us()))
    gap = max((piece for piece in pieces if isinstance(piece, Gap)), key=lambda piece: piece.end_us - piece.start_us)
    said = f": {gap.detail}" if gap.detail else ""
    return NoFootage(f"{camera} has no footage from {iso(span.start_us)} to {iso(span.end_us)} ({gap.cause}{said})", gap.cause)
