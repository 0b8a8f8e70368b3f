"""`GET /groups`: what several cameras have over one span, so that a page can play them in step."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from playback.access import camera_allowed, needs
from playback.asked import AskedSpan
from playback.footage import Beside
from playback.laid import lay
from playback.limits import COSTLY
from playback.play_query import PlayQuery
from playback.playlist import Piece, shown_spans
from playback.problems import NoFootage, described
from playback.services import Given, Services
from segments.access import Reach, Verb
from segments.audit import Action
from segments.clock import US_PER_S, iso
from segments.errors import BadInput
from segments.keys import CAMERA_ID
from segments.model import Cause, Span

router = APIRouter()

MOST_CAMERAS = 16
_AT_ONCE = 4

_Id = Annotated[str, Field(pattern=f"^{CAMERA_ID.pattern}$")]


class ShownSpan(BaseModel):
    """A stretch of footage without a gap, where it lies on the wall clock and in the time of the player."""

    model_config = ConfigDict(populate_by_name=True)

    start: str = Field(
        serialization_alias="from", description="Its first picture; of the first stretch it may lie before the group's `from`"
    )
    end: str = Field(serialization_alias="to")
    media_s: float = Field(description="Seconds from the playlist's begin to this stretch: the player's `currentTime` at `from`")


class GroupCamera(BaseModel):
    """One camera of a group."""

    camera: str
    playlist: str | None = Field(description="Address of its multivariant playlist, relative to `/api/v1/`; null where it has no footage")
    footage: list[ShownSpan]
    cause: Cause | None = Field(description="Why it has no footage at all")
    partial: bool = Field(description="Whether something may be missing, as somebody who may know of more did not answer")


class Group(BaseModel):
    """Several cameras on one clock: that of the wall. A moment T is at `media_s + (T - from)` of the stretch that holds it, or in a gap."""

    model_config = ConfigDict(populate_by_name=True)

    start: str = Field(serialization_alias="from", description="The common start: zero of the common clock")
    end: str = Field(serialization_alias="to")
    growing: bool = Field(description="Whether the end lies in the future: ask again for what came since")
    cameras: list[GroupCamera] = Field(description="In the order they were asked for")


@router.get(
    "/groups",
    dependencies=[*needs(Verb.VIEW, reach=Reach.SCOPE, action=Action.SEARCH), COSTLY],
    response_model_by_alias=True,
    responses=described(403, 404, 429),
)
async def group(
    request: Request,
    services: Given,
    span: AskedSpan,
    _: PlayQuery,
    camera: Annotated[list[_Id], Query(min_length=1, max_length=MOST_CAMERAS, description="Cameras, each once")],
) -> Group:
    """What these cameras have over a span of at most 24 h, and where each moment lies in the time of each player."""
    if len(set(camera)) != len(camera):
        raise BadInput("each camera stands once in a group")
    for each in camera:
        await camera_allowed(request, Verb.VIEW, each)
    passed = {name: request.query_params[name] for name in ("from", "to", "delivery", "reason") if name in request.query_params}
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(each: str) -> GroupCamera:
        async with places:
            return await _camera(services, each, span, urlencode(passed))

    found = await asyncio.gather(*map(one, camera))
    growing = span.end_us > services.clock.now_us()
    return Group(start=iso(span.start_us), end=iso(span.end_us), growing=growing, cameras=found)


async def _camera(services: Services, camera: str, span: Span, query: str) -> GroupCamera:
    try:
        laid = await lay(services, camera, span)
    except NoFootage as error:
        return GroupCamera(camera=camera, playlist=None, footage=[], cause=error.cause, partial=False)
    address = f"cameras/{camera}/hls/multivariant.m3u8?{query}"
    return GroupCamera(camera=camera, playlist=address, footage=_spans(laid.found), cause=None, partial=_partial(laid.beside))


def _spans(found: Sequence[Sequence[Piece]]) -> list[ShownSpan]:
    return [ShownSpan(start=iso(one.start_us), end=iso(one.end_us), media_s=one.media_us / US_PER_S) for one in shown_spans(found)]


def _partial(beside: Beside) -> bool:
    return bool(beside.headers)
