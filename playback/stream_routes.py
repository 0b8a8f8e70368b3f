"""The HLS playlists of a span."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from playback.access import needs
from playback.asked import AskedSpan, CameraId, check_length
from playback.footage import Beside, no_footage, rows_of
from playback.limits import COSTLY
from playback.playlist import MAX_SPAN_US, Piece, Window, key_entries, media_entries, media_text, multivariant_text, stretches
from playback.problems import described
from playback.services import Given, Services
from segments.access import Verb
from segments.errors import NotFound
from segments.model import Run, Span

router = APIRouter()

_BEFORE = [*needs(Verb.VIEW), COSTLY]


class PlaylistResponse(Response):
    """An HLS playlist (RFC 8216)."""

    media_type = "application/vnd.apple.mpegurl"


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {PlaylistResponse.media_type: {"schema": {"type": "string"}}}, "description": "A playlist (RFC 8216)"},
    **described(404, 429),
}


@dataclass(frozen=True, slots=True)
class _Laid:
    """What there is to play in a window."""

    window: Window
    found: Sequence[Sequence[Piece]]
    runs: Mapping[str, Run]
    beside: Beside


@router.get("/cameras/{camera}/hls/multivariant.m3u8", dependencies=_BEFORE, response_class=PlaylistResponse, responses=_ANSWERS)
async def multivariant(request: Request, services: Given, camera: CameraId, span: AskedSpan) -> Response:
    """What there is to play over at most 24 h: the media playlist with its codecs, and the I-frame playlist."""
    laid = await _lay(services, camera, span)
    query = urlencode({"from": request.query_params["from"], "to": request.query_params["to"]})
    return await _answer(request, laid, lambda: multivariant_text(laid.found, laid.runs, laid.window, query))


@router.get("/cameras/{camera}/hls/media.m3u8", dependencies=_BEFORE, response_class=PlaylistResponse, responses=_ANSWERS)
async def media(request: Request, services: Given, camera: CameraId, span: AskedSpan) -> Response:
    """The footage of a span as byte ranges of segments; it grows while `to` lies in the future."""
    laid = await _lay(services, camera, span)
    return await _answer(request, laid, lambda: media_text(media_entries(laid.found), laid.runs, laid.window))


@router.get("/cameras/{camera}/hls/iframes.m3u8", dependencies=_BEFORE, response_class=PlaylistResponse, responses=_ANSWERS)
async def iframes(request: Request, services: Given, camera: CameraId, span: AskedSpan) -> Response:
    """The key frames of a span; over 2 h one each 10 s."""
    laid = await _lay(services, camera, span)
    keys = lambda: media_text(key_entries(laid.found, laid.window), laid.runs, laid.window, keys_only=True)  # noqa: E731
    return await _answer(request, laid, keys)


async def _lay(services: Services, camera: str, span: Span) -> _Laid:
    """Finds what to play; raises NoFootage with the cause if there is nothing."""
    check_length(span, MAX_SPAN_US, "playlist")
    rows, beside = await rows_of(services, camera, span)
    window = Window(span, growing=span.end_us > services.clock.now_us())
    found = await asyncio.to_thread(stretches, rows, window)
    if not found:
        raise await no_footage(services, camera, span, beside)
    return _Laid(window, found, await _runs(services, camera, found, beside), beside)


async def _runs(services: Services, camera: str, found: Sequence[Sequence[Piece]], beside: Beside) -> dict[str, Run]:
    """The runs that are played, as far as they can be had: a playlist can do without."""

    async def one(run_id: str) -> Run | None:
        try:
            return beside.runs.get(run_id) or await services.index.run(camera, run_id)
        except NotFound:
            return None

    ids = dict.fromkeys(piece.row.run for stretch in found for piece in stretch)
    return {run.id: run for run in await asyncio.gather(*map(one, ids)) if run is not None}


async def _answer(request: Request, laid: _Laid, text: Callable[[], str]) -> Response:
    """The playlist, written in a thread: one of 24 h takes a tenth of a second, in which others are answered too."""
    packed = "gzip" in request.headers.get("accept-encoding", "")
    body = await asyncio.to_thread(lambda: _packed(text()) if packed else text().encode())
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding", **laid.beside.headers}
    return PlaylistResponse(body, headers=headers | ({"Content-Encoding": "gzip"} if packed else {}))


def _packed(text: str) -> bytes:
    """Lightly: level 1 takes a third of the time of level 6."""
    return gzip.compress(text.encode(), 1)
