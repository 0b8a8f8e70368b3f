"""`GET /cameras/{camera}/snapshot.jpg`: one picture at a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from playback.access import needs
from playback.asked import CameraId, Moment
from playback.footage import Beside, no_footage, rows_of, run_of
from playback.gate import admit
from playback.limits import COSTLY
from playback.links import SNAPSHOT
from playback.playlist import Piece, Window, stretches
from playback.problems import described
from playback.segment_bytes import read
from playback.services import Given, Services
from playback.snapshot import Decoding, Snapshot, all_pictures, key_picture, snapshot, video_track
from segments.access import Verb
from segments.audit import Action
from segments.clock import US_PER_S, iso
from segments.errors import BadInput
from segments.model import Span

router = APIRouter()

LOOK_BACK_US = 10 * US_PER_S
"""Footage that ended up to this long ago still answers for a moment: at the live edge there is never any of right now."""

CLOSE_US = 1000
"""Moments are given in milliseconds: a picture that begins within one still counts as shown."""

MAX_EXACT_BYTES = 64 << 20
"""Most that is read, from the key frame on, for one exact picture."""

TIME_HEADER = "Keepsight-Time"


class JpegResponse(Response):
    """A JPEG picture."""

    media_type = "image/jpeg"


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The picture",
        "content": {JpegResponse.media_type: {"schema": {"type": "string", "format": "binary"}}},
        "headers": {TIME_HEADER: {"description": "Wall-clock time of the picture", "schema": {"type": "string", "format": "date-time"}}},
    },
    **described(403, 404, 429, 502, 503),
}


class Asked(BaseModel):
    """Which picture is wanted."""

    at: Moment = Field(description="The moment to show")
    width: int | None = Field(default=None, ge=16, le=8192, description="Greatest width in pixels; without it, as recorded")
    exact: bool = Field(default=False, description="Decode on from the key frame to the very picture")


async def _decoding(request: Request) -> Decoding:
    return cast("Decoding", request.app.state.decoding)


@router.get(
    "/cameras/{camera}/snapshot.jpg", dependencies=[*needs(Verb.VIEW, SNAPSHOT), COSTLY], response_class=JpegResponse, responses=_ANSWERS
)
async def snapshot_at(
    request: Request, services: Given, decoding: Annotated[Decoding, Depends(_decoding)], camera: CameraId, asked: Annotated[Asked, Query()]
) -> Response:
    """The key frame at or before a moment, or the very picture; of footage that ended at most 10 s before it."""
    await admit(request, Action.VIEW, "looked at a picture", [camera], Span(max(0, asked.at - LOOK_BACK_US), asked.at + 1))
    pieces, beside = await _pieces(services, camera, asked.at)
    row, first = pieces[0].row, pieces[0].row.fragments[0]
    until = first.pts + (asked.at + CLOSE_US - row.start_us) * 9 // 100
    run, data = await asyncio.gather(run_of(services, camera, row.run), _bytes(services, pieces, exact=asked.exact))
    still = await decoding.run(partial(_still, run.init, data, until, asked))
    shown_us = row.start_us + (still.pts - first.pts) * 100 // 9
    return JpegResponse(still.jpeg, headers={TIME_HEADER: iso(shown_us), "Cache-Control": "no-store", **beside.headers})


async def _pieces(services: Services, camera: str, at_us: int) -> tuple[Sequence[Piece], Beside]:
    """The fragments of one row from the last key frame at or before a moment up to the one that shows it; raises NoFootage."""
    span = Span(max(0, at_us - LOOK_BACK_US), at_us + CLOSE_US + 1)
    rows, beside = await rows_of(services, camera, span)
    found = stretches(rows, Window(span, growing=False))
    pieces = found[-1] if found else []
    key = next((place for place in reversed(range(len(pieces))) if pieces[place].fragment.key_length), None)
    if key is None:
        raise await no_footage(services, camera, span, beside)
    return pieces[key:], beside


async def _bytes(services: Services, pieces: Sequence[Piece], *, exact: bool) -> bytes:
    """The key frame of the first fragment; for an exact picture all of them."""
    row, first, last = pieces[0].row, pieces[0].fragment, pieces[-1].fragment
    end = last.offset + last.length if exact else first.offset + first.key_length
    if exact and end - first.offset > MAX_EXACT_BYTES:
        raise BadInput(f"the key frame lies {(end - first.offset) >> 20} MiB before this picture: ask without `exact`")
    return await read(services, row, first.offset, end)


def _still(init: bytes, data: bytes, until: int, asked: Asked) -> Snapshot:
    pictures = all_pictures(data) if asked.exact else [key_picture(data)]
    return snapshot(video_track(init), pictures, until=until, width=asked.width)
