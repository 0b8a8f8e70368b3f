"""`GET /cameras/{camera}/snapshot.jpg`: one picture at a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, cast

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from playback.access import Verb, needs
from playback.asked import CameraId, Moment
from playback.footage import no_footage, rows_of, run_of
from playback.playlist import Piece, Window, stretches
from playback.problems import described
from playback.segment_bytes import read
from playback.services import Given, Services
from playback.snapshot import CodedPicture, Decoding, all_pictures, key_picture, snapshot, video_track
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


_ANSWERS = {
    200: {
        "description": "The picture",
        "content": {JpegResponse.media_type: {"schema": {"type": "string", "format": "binary"}}},
        "headers": {TIME_HEADER: {"description": "Wall-clock time of the picture", "schema": {"type": "string", "format": "date-time"}}},
    },
    **described(404, 502, 503),
}

At = Annotated[Moment, Query(description="The moment to show")]
Width = Annotated[int | None, Query(ge=16, le=8192, description="Greatest width in pixels; without it, as recorded")]
Exact = Annotated[bool, Query(description="Decode on from the key frame to the very picture")]


@router.get("/cameras/{camera}/snapshot.jpg", dependencies=needs(Verb.VIEW), response_class=JpegResponse, responses=_ANSWERS)
async def snapshot_at(request: Request, camera: CameraId, at: At, width: Width = None, exact: Exact = False) -> Response:  # noqa: FBT002
    """The key frame at or before a moment, or the very picture; of footage that ended at most 10 s before it."""
    services = cast("Services", request.app.state.services)
    pieces = await _pieces(services, camera, at)
    row, first = pieces[0].row, pieces[0].row.fragments[0]
    until = first.pts + (at + CLOSE_US - row.start_us) * 9 // 100
    run, pictures = await asyncio.gather(run_of(services, camera, row.run), _pictures(services, pieces, exact=exact))
    decoding = cast("Decoding", request.app.state.decoding)
    still = await decoding.run(partial(_still, run.init, pictures, until, width))
    shown_us = row.start_us + (still.pts - first.pts) * 100 // 9
    return JpegResponse(still.jpeg, headers={TIME_HEADER: iso(shown_us), "Cache-Control": "no-store"})
