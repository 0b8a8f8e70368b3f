"""The HLS playlists of a span."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request
from starlette.responses import Response

from playback.access import needs
from playback.asked import AskedSpan, CameraId
from playback.gate import admit, beside
from playback.laid import ANSWERS, Laid, PlaylistResponse, answer, lay, passed_on
from playback.limits import COSTLY
from playback.links import HLS_SPAN
from playback.play_query import PlayQuery
from playback.playlist import key_entries, media_entries, media_text, multivariant_text
from playback.services import Given, Services
from segments.access import Verb
from segments.audit import Action
from segments.model import Span

router = APIRouter()

_BEFORE = [*needs(Verb.VIEW, HLS_SPAN), COSTLY]


@router.get("/cameras/{camera}/hls/multivariant.m3u8", dependencies=_BEFORE, response_class=PlaylistResponse, responses=ANSWERS)
async def multivariant(request: Request, services: Given, camera: CameraId, span: AskedSpan, _: PlayQuery) -> Response:
    """What there is to play over at most 24 h: the media playlist with its codecs, and the I-frame playlist."""
    query = passed_on(request, **{"from": request.query_params["from"], "to": request.query_params["to"]})
    return await _played(request, services, camera, span, lambda laid: multivariant_text(laid.found, laid.runs, laid.window, query))


@router.get("/cameras/{camera}/hls/media.m3u8", dependencies=_BEFORE, response_class=PlaylistResponse, responses=ANSWERS)
async def media(request: Request, services: Given, camera: CameraId, span: AskedSpan, _: PlayQuery) -> Response:
    """The footage of a span as byte ranges of segments; it grows while `to` lies in the future."""
    query = passed_on(request)
    text = lambda laid: media_text(media_entries(laid.found), laid.runs, laid.window, query=query)  # noqa: E731
    return await _played(request, services, camera, span, text)


@router.get("/cameras/{camera}/hls/iframes.m3u8", dependencies=_BEFORE, response_class=PlaylistResponse, responses=ANSWERS)
async def iframes(request: Request, services: Given, camera: CameraId, span: AskedSpan, _: PlayQuery) -> Response:
    """The key frames of a span; over 2 h one each 10 s."""
    query = passed_on(request)
    keys = lambda laid: media_text(key_entries(laid.found, laid.window), laid.runs, laid.window, keys_only=True, query=query)  # noqa: E731
    return await _played(request, services, camera, span, keys)


async def _played(request: Request, services: Services, camera: str, span: Span, text: Callable[[Laid], str]) -> Response:
    """A playlist of what there is, laid out while the gate writes down who asks, and given only behind it."""

    async def laid_out() -> Response:
        laid = await lay(services, camera, span)
        return await answer(request, laid, lambda: text(laid))

    return await beside(admit(request, Action.VIEW, "played", [camera], span), laid_out())
