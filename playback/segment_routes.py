"""The bytes a player fetches: the init of a run and the ranges of a segment."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from playback.access import needs
from playback.asked import CameraId, RunName
from playback.byte_range import ByteRange, asked_range
from playback.consumers.delivered import seconds_of_bytes, span_of_bytes
from playback.consumers.passages import delivers, hands_out
from playback.delivery import Delivery, pool_link
from playback.footage import row_of, run_of
from playback.gate import admit_part
from playback.links import HLS_INIT, HLS_SEGMENT, check_bytes, link_of
from playback.play_query import PlayQuery
from playback.problems import described
from playback.segment_bytes import PIECE_BYTES, read, stream
from playback.services import Given, Services
from segments.access import Verb
from segments.audit import Action
from segments.model import Row, RowPosition, Span

router = APIRouter()

_HEADERS = {"Cache-Control": "no-store", "Accept-Ranges": "bytes", "Referrer-Policy": "no-referrer"}
"""Footage is not left in caches: there nobody deletes it. Nor is an address with a link told to anybody else."""

_MP4 = {"content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}}


class Mp4Response(Response):
    """MP4 bytes."""

    media_type = "video/mp4"


StartPath = Annotated[int, Path(ge=0, le=2**53, description="Start of the segment, microseconds since 1970 UTC")]
CounterPath = Annotated[int, Path(ge=0, le=999_999_999, description="Place of the segment in its run")]
RangeHeader = Annotated[str | None, Header(alias="Range", description="One range of bytes; several are answered with everything")]
IfRangeHeader = Annotated[str | None, Header(alias="If-Range", description="The range holds only for this ETag")]


@router.get(
    "/cameras/{camera}/runs/{run}/init.mp4",
    dependencies=needs(Verb.VIEW, HLS_INIT),
    response_class=Mp4Response,
    responses={
        200: {**_MP4, "description": "ftyp and moov of the run"},
        206: {**_MP4, "description": "The range asked for"},
        **described(403, 404, 416, 503),
    },
)
async def init(request: Request, services: Given, camera: CameraId, run: RunName, _: PlayQuery, wanted: RangeHeader = None) -> Response:
    """What a player needs before the segments of a run."""
    found = await run_of(services, camera, run)
    end_us = found.last_us if found.ended else max(found.last_us, services.clock.now_us())
    await admit_part(request, Action.VIEW, "played", camera, Span(found.start_us, max(end_us, found.start_us + 1)))
    data = found.init
    part = asked_range(wanted, len(data))
    if part is None:
        return Mp4Response(data, headers=_HEADERS)
    return Mp4Response(data[part.start : part.end], 206, _HEADERS | {"Content-Range": _content_range(part, len(data))})


async def _row(services: Given, camera: CameraId, start_us: StartPath, run: RunName, counter: CounterPath) -> Row:
    return await row_of(services, camera, RowPosition(start_us, run, counter))


@router.get(
    "/cameras/{camera}/segments/{start_us}/{run}/{counter}.mp4",
    dependencies=needs(Verb.VIEW, HLS_SEGMENT),
    response_class=Mp4Response,
    responses={
        200: {**_MP4, "description": "The whole segment"},
        206: {**_MP4, "description": "The range asked for"},
        307: {"description": "The same bytes in their pool: `Location` is good for 30 s, for the Range header of this request alone"},
        **described(403, 404, 416, 502, 503),
    },
)
async def segment(
    request: Request,
    services: Given,
    row: Annotated[Row, Depends(_row)],
    delivery: PlayQuery,
    wanted: RangeHeader = None,
    if_range: IfRangeHeader = None,
) -> Response:
    """A segment, or one range of it. Of one that is still recorded, what is durable."""
    etag = f'"{row.sha256}"' if row.sha256 else None
    part = asked_range(wanted, row.size) if if_range is None or if_range == etag else None
    link = link_of(request)
    start, end = part or ByteRange(0, row.size)
    check_bytes(row, start, end, link)
    shown = span_of_bytes(row, start, end)
    await admit_part(request, Action.VIEW, "played", row.camera, Span(row.start_us, row.end_us), shown)
    await delivers(request, Action.VIEW, row.camera, shown.start_us, end - start, seconds_of_bytes(row, start))
    if (delivery or services.links.usual) is Delivery.LINKS:
        address = await pool_link(services, row, part, wanted, link)
        if address is not None:
            hands_out(request, end - start)
            return RedirectResponse(address, 307, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    headers = _HEADERS | ({"ETag": etag} if etag else {})
    if part is None:
        return await _bytes(services, row, ByteRange(0, row.size), 200, headers)
    headers["Content-Range"] = _content_range(part, row.size if etag else None)
    return await _bytes(services, row, part, 206, headers)


def _content_range(part: ByteRange, size: int | None) -> str:
    """Of what grows the whole length is not known (RFC 9110, 14.4)."""
    return f"bytes {part.start}-{part.end - 1}/{'*' if size is None else size}"


async def _bytes(services: Services, row: Row, part: ByteRange, status: int, headers: dict[str, str]) -> Response:
    """Small parts at once, large ones as they come from the pool."""
    if part.end - part.start <= PIECE_BYTES:
        return Mp4Response(await read(services, row, part.start, part.end), status, headers)
    headers["Content-Length"] = str(part.end - part.start)
    return StreamingResponse(await stream(services, row, part.start, part.end), status, headers, Mp4Response.media_type)
