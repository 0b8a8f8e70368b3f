"""The HLS playlists of a span."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from playback.access import needs
from playback.asked import AskedSpan, CameraId
from playback.gate import admit
from playback.laid import ANSWERS, PlaylistResponse, answer, lay, passed_on
from playback.limits import COSTLY
from playback.links import HLS_SPAN
from playback.play_query import PlayQuery
from playback.playlist import key_entries, media_entries, media_text, multivariant_text
from playback.services import Given
from segments.access import Verb
from segments.audit import Action

router = APIRouter()

_BEFORE = [*needs(Verb.VIEW, HLS_SPAN), COSTLY]


@router.get("/cameras/{camera}/hls/multivariant.m3u8", dependencies=_BEFORE, response_class=PlaylistResponse, responses=ANSWERS)
async def multivariant(request: Request, services: Given, camera: CameraId, span: AskedSpan, _: PlayQuery) -> Response:
    """What there is to play over at most 24 h: the media playlist with its codecs, and the I-frame playlist."""
    await admit(request, Action.VIEW, "played", [camera], span)
    laid = await lay(services, camera, span)
    query = passed_on(request, **{"from": request.query_params["from"], "to": request.query_params["to"]})
    return await answer(request, laid, lambda: multivariant_text(laid.found, laid.runs, laid.window, query))


@router.get("/cameras/{camera}/hls/media.m3u8", dependencies=_BEFORE, response_class=PlaylistResponse, responses=ANSWERS)
async def media(request: Request, services: Given, camera: CameraId, span: AskedSpan, _: PlayQuery) -> Response:
    """The footage of a span as byte ranges of segments; it grows while `to` lies in the future."""
    await admit(request, Action.VIEW, "played", [camera], span)
    laid, query = await lay(services, camera, span), passed_on(request)
    return await answer(request, laid, lambda: media_text(media_entries(laid.found), laid.runs, laid.window, query=query))


@router.get("/cameras/{camera}/hls/iframes.m3u8", dependencies=_BEFORE, response_class=PlaylistResponse, responses=ANSWERS)
async def iframes(request: Request, services: Given, camera: CameraId, span: AskedSpan, _: PlayQuery) -> Response:
    """The key frames of a span; over 2 h one each 10 s."""
    await admit(request, Action.VIEW, "played", [camera], span)
    laid, query = await lay(services, camera, span), passed_on(request)
    keys = lambda: media_text(key_entries(laid.found, laid.window), laid.runs, laid.window, keys_only=True, query=query)  # noqa: E731
    return await answer(request, laid, keys)
