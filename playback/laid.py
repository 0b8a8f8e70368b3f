"""What there is to play in a window, and the answer that a playlist of it is: shared by all routes that lay one out."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from starlette.responses import Response

from playback.asked import check_length
from playback.footage import Beside, no_footage, rows_of
from playback.links import LINK, link_of
from playback.playlist import MAX_SPAN_US, Piece, Window, stretches
from playback.problems import described
from playback.services import Services, services_of
from segments.errors import NotFound
from segments.model import Run, Span

_QUICK_ROWS = 90
"""Up to so many rows, an hour and a half of footage, a playlist is laid out at once: a thread of its own takes longer than that."""

_PACKED_FROM_BYTES = 16 << 10
"""Shorter playlists are sent as they are."""


class PlaylistResponse(Response):
    """An HLS playlist (RFC 8216)."""

    media_type = "application/vnd.apple.mpegurl"


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {PlaylistResponse.media_type: {"schema": {"type": "string"}}}, "description": "A playlist (RFC 8216)"},
    **described(403, 404, 429),
}


@dataclass(frozen=True, slots=True)
class Laid:
    """What there is to play in a window. `small`: laying out the playlist takes no thread of its own."""

    window: Window
    found: Sequence[Sequence[Piece]]
    runs: Mapping[str, Run]
    beside: Beside
    small: bool


async def lay(services: Services, camera: str, span: Span) -> Laid:
    """Finds what to play; raises NoFootage with the cause if there is nothing."""
    check_length(span, MAX_SPAN_US, "playlist")
    return await laid_in(services, camera, Window(span, growing=span.end_us > services.clock.now_us()))


async def laid_in(services: Services, camera: str, window: Window) -> Laid:
    """The same for a window of any kind."""
    rows, beside = await rows_of(services, camera, window.span)
    small = len(rows) <= _QUICK_ROWS
    found = stretches(rows, window) if small else await asyncio.to_thread(stretches, rows, window)
    if not found:
        raise await no_footage(services, camera, window.span, beside)
    return Laid(window, found, await _runs(services, camera, found, beside), beside, small)


async def _runs(services: Services, camera: str, found: Sequence[Sequence[Piece]], beside: Beside) -> dict[str, Run]:
    """The runs that are played, as far as they can be had: a playlist can do without."""

    async def one(run_id: str) -> Run | None:
        try:
            return beside.runs.get(run_id) or await services.index.run(camera, run_id)
        except NotFound:
            return None

    ids = dict.fromkeys(stretch[0].row.run for stretch in found)  # a stretch is of one run
    return {run.id: run for run in await asyncio.gather(*map(one, ids)) if run is not None}


async def answer(request: Request, laid: Laid, text: Callable[[], str]) -> Response:
    """The playlist; one of 24 h is written in a thread: it takes a tenth of a second, in which others are answered too."""
    packs = "gzip" in request.headers.get("accept-encoding", "")
    body, packed = _body(text(), packs=packs) if laid.small else await asyncio.to_thread(lambda: _body(text(), packs=packs))
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding", "Referrer-Policy": "no-referrer", **laid.beside.headers}
    return PlaylistResponse(body, headers=headers | ({"Content-Encoding": "gzip"} if packed else {}))


def _body(text: str, *, packs: bool) -> tuple[bytes, bool]:
    """The bytes, and whether they are packed: lightly, as level 1 takes a third of the time of level 6."""
    data = text.encode()
    return (gzip.compress(data, 1), True) if packs and len(data) >= _PACKED_FROM_BYTES else (data, False)


def passed_on(request: Request, **more: str) -> str:
    """The query of the addresses in a playlist: how bytes are to be delivered, why they are asked for, and the link that opens them.

    A link goes on as a token for entries, with the bounds of the link that opened the playlist.
    """
    query = more | {name: request.query_params[name] for name in ("delivery", "reason") if name in request.query_params}
    link, services = link_of(request), services_of(request)
    if link is not None:
        query[LINK] = services.link_keys.token(link.for_entries(services.clock.now_us()))
    return urlencode(query)
