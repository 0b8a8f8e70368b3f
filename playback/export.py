"""Plans the export of a span: which stored bytes, behind which head, make a playable mp4. Reads rows and the tails of segments only.

What is not here comes from other sites, as everywhere in playback.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from playback.footage import elsewhere_of, rows_of, run_of
from playback.problems import NoFootage
from playback.segment_bytes import read, stream
from playback.services import Services
from playback.virtual_mp4 import MAX_FILE_US, Footage, Gap, VirtualMp4, lay_out
from segments.clock import iso
from segments.coverage import Facts, coverage
from segments.coverage import Gap as Absence
from segments.errors import BadInput
from segments.model import Cause, Row, Span
from segments.segment_tail import TAIL_GUESS_BYTES, SegmentTail, TailIsLonger, read_tail
from segments.timeline import Claim, deleted_between, footage_of_rows, footage_rank, settle, states_between

AT_ONCE = 16


async def plan_export(services: Services, camera: str, span: Span) -> list[VirtualMp4]:
    """The files of a span, one for each stretch of the same codec configuration.

    Where runs overlap each moment is taken from one of them, as the timeline shows it. Raises BadInput for a span over 24 h, NotFound if it
    holds no sealed footage, DataDamaged where a segment is not what its row says.
    """
    if span.end_us - span.start_us > MAX_FILE_US:
        raise BadInput("an export holds at most 24 hours: divide the span")
    index = services.index
    found = await index.camera(camera)
    rows, beside = await rows_of(services, camera, span)
    rows = [row for row in rows if row.sha256]  # what still grows has no tail yet
    states = await states_between(index, camera, span)
    deleted = await deleted_between(index, camera, span)
    elsewhere = await elsewhere_of(services, camera)
    pieces = coverage(span, Facts(footage_of_rows(rows), states, found.added_us, services.clock.now_us(), deleted, elsewhere))
    gaps = [Gap(piece.start_us, piece.end_us, piece.cause) for piece in pieces if isinstance(piece, Absence)]
    if not rows:
        raise NoFootage(f"{camera} has no indexed footage from {iso(span.start_us)} to {iso(span.end_us)}", Cause(gaps[0].cause))
    places = asyncio.Semaphore(AT_ONCE)

    async def footage(row: Row, wanted: Span) -> Footage:
        async with places:
            tail = await _tail(services, row)
            run = beside.runs.get(row.run) or await run_of(services, camera, row.run)
        return Footage(row, tail, run.init, wanted)

    return lay_out(await asyncio.gather(*(footage(row, wanted) for row, wanted in _wanted(rows, span))), gaps)


async def read_export(plan: VirtualMp4, services: Services) -> AsyncIterator[bytes]:
    """The file's bytes, piece by piece."""
    yield plan.head
    for part in plan.ranges:
        async for piece in await stream(services, part.row, part.start, part.end):
            yield piece


def _wanted(rows: list[Row], span: Span) -> list[tuple[Row, Span]]:
    """Each moment of the span from one row."""
    claims = (
        Claim(footage_rank(row.start_us, row.run), max(row.start_us, span.start_us), min(row.end_us, span.end_us), row) for row in rows
    )
    return [(claim.value, Span(claim.start_us, claim.end_us)) for claim in settle(claims)]


async def _tail(services: Services, row: Row) -> SegmentTail:
    wanted = TAIL_GUESS_BYTES
    while True:
        last_bytes = await read(services, row, max(0, row.size - wanted), row.size)
        try:
            return read_tail(last_bytes, row.size)
        except TailIsLonger as longer:
            wanted = longer.tail_bytes
