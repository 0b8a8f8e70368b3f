"""Plans the files of a span: which stored bytes, behind which head, make playable mp4s. Reads rows, then the tails of segments only.

What is not here comes from other sites, as everywhere in playback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playback.file_parts import Cut, Part, cut, parts_of
from playback.footage import Beside, camera_added_us, elsewhere_of, no_footage, rows_of, run_of
from playback.segment_bytes import read
from playback.services import Services
from playback.virtual_mp4 import MAX_FILE_US, Gap, VirtualMp4, lay_out, manifest
from segments.coverage import Facts, coverage
from segments.coverage import Gap as Absence
from segments.errors import BadInput, DataDamaged
from segments.model import Row, Span
from segments.segment_tail import SegmentTail, TailIsLonger, read_tail
from segments.timeline import Claim, deleted_between, footage_of_rows, footage_rank, settle, states_between

AT_ONCE = 16
"""How many tails are read at once for one file."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of a span, the sealed segments there are in it, and what was found beside the index for them."""

    parts: Sequence[Part]
    rows: Sequence[Row]
    beside: Beside


@dataclass(frozen=True, slots=True)
class Planned:
    """A file that is laid out, with its manifest."""

    file: VirtualMp4
    manifest: dict[str, Any]

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.file.size


async def plan_export(services: Services, camera: str, span: Span) -> list[Planned]:
    """All files of a span of at most 24 h, laid out; raises as `find_parts` and `plan_file` do."""
    found = await find_parts(services, camera, span)
    gaps = await gaps_of(services, camera, span, found.rows)
    files = [await plan_file(services, part) for part in found.parts]
    return [Planned(file, manifest(file, gaps)) for file in files]


async def find_parts(services: Services, camera: str, span: Span, *, hold: bool = False) -> Parts:
    """The files of a span of at most 24 h, one for each stretch of the same codec configuration; reads no segment.

    Where runs overlap each moment is taken from one of them, as the timeline shows it. Only sealed segments count: what still grows has no
    tail yet. Raises BadInput for a longer span, NotFound if it holds no sealed footage.
    """
    if span.end_us - span.start_us > MAX_FILE_US:
        raise BadInput("a file holds at most 24 hours: ask for the span in parts")
    rows, beside = await rows_of(services, camera, span)
    rows = [row for row in rows if row.sha256]
    wanted = _wanted(rows, span)
    if not wanted:
        raise await no_footage(services, camera, span, beside)
    ids = list(dict.fromkeys(row.run for row, _ in wanted))
    inits = dict(zip(ids, await asyncio.gather(*(_init(services, camera, run, beside) for run in ids)), strict=True))
    return Parts(parts_of([cut(row, inits[row.run], each) for row, each in wanted], hold=hold), rows, beside)


async def _init(services: Services, camera: str, run_id: str, beside: Beside) -> bytes:
    run = beside.runs.get(run_id) or await run_of(services, camera, run_id)
    return run.init


def _wanted(rows: list[Row], span: Span) -> list[tuple[Row, Span]]:
    """Each moment of the span from one row."""
    claims = (
        Claim(footage_rank(row.start_us, row.run), max(row.start_us, span.start_us), min(row.end_us, span.end_us), row) for row in rows
    )
    return [(claim.value, Span(claim.start_us, claim.end_us)) for claim in settle(claims)]


async def plan_file(services: Services, part: Part) -> VirtualMp4:
    """Reads the tails of a part and lays it out; raises DataDamaged where a segment is not what its row says."""
    places = asyncio.Semaphore(AT_ONCE)

    async def tail_of(each: Cut) -> SegmentTail:
        async with places:
            return await _tail(services, each.row)

    try:
        async with asyncio.TaskGroup() as group:
            tails = [group.create_task(tail_of(each)) for each in part.cuts]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return await asyncio.to_thread(lay_out, part, [tail.result() for tail in tails])


async def _tail(services: Services, row: Row) -> SegmentTail:
    """It begins where the last fragment ends, which the row tells."""
    last = row.fragments[-1]
    start = last.offset + last.length
    last_bytes = await read(services, row, start, row.size)
    try:
        return read_tail(last_bytes, row.size)
    except TailIsLonger as longer:
        raise DataDamaged(f"{row.key}: its tail is of {longer.tail_bytes} bytes, its row leaves {row.size - start}") from None


async def gaps_of(services: Services, camera: str, span: Span, rows: Sequence[Row]) -> list[Gap]:
    """When there is nothing of a span in these segments, and why."""
    added_us = await camera_added_us(services, camera)
    states = await states_between(services.index, camera, span)
    deleted = await deleted_between(services.index, camera, span)
    elsewhere = await elsewhere_of(services, camera)
    facts = Facts(footage_of_rows(rows), states, added_us or 0, services.clock.now_us(), deleted, elsewhere)
    return [Gap(piece.start_us, piece.end_us, piece.cause) for piece in coverage(span, facts) if isinstance(piece, Absence)]
