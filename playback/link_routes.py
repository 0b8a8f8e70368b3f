"""`POST /cameras/{camera}/links`: addresses for players that cannot send who they are."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from playback.access import Asker, camera_allowed, needs
from playback.asked import CameraId, Moment, check_length
from playback.gate import admit
from playback.link_token import LONGEST_START_S, VERB_OF, Use, new_link
from playback.links import LINK
from playback.play_query import HowDelivered
from playback.playlist import MAX_SPAN_US
from playback.problems import described
from playback.services import Given
from segments.access import Verb
from segments.audit import Action
from segments.clock import US_PER_S, iso
from segments.errors import BadInput
from segments.model import Span

router = APIRouter()


class LinkWanted(BaseModel):
    """What a link is to open."""

    model_config = ConfigDict(extra="forbid")

    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to", description="A snapshot may be of any moment between the two")
    use: Use
    seconds: int = Field(60, ge=1, le=LONGEST_START_S, description="How soon it is to be opened")
    delivery: HowDelivered = None


class LinkMade(BaseModel):
    """A link."""

    address: str = Field(description="From the service's root on; to be kept as secret as what it opens")
    expires: str = Field(description="Until when it can be opened; what is played of it may go on for longer")


@router.post("/cameras/{camera}/links", status_code=201, dependencies=needs(Verb.VIEW), responses=described(403, 404, 422))
async def make_link(request: Request, services: Given, camera: CameraId, wanted: LinkWanted, who: Asker) -> LinkMade:
    """A link to one span of one camera, for one use; it stops working when whoever asked for it may not see that any more."""
    if wanted.end <= wanted.start:
        raise BadInput(f"`to` ({iso(wanted.end)}) must be later than `from` ({iso(wanted.start)})")
    span = Span(wanted.start, wanted.end)
    check_length(span, MAX_SPAN_US, "link")
    if VERB_OF[wanted.use] is not Verb.VIEW:
        await camera_allowed(request, VERB_OF[wanted.use], camera)
    action = Action.EXPORT if VERB_OF[wanted.use] is Verb.EXPORT else Action.VIEW
    await admit(request, action, f"made a link: {wanted.use}", [camera], span)
    expires_us = services.clock.now_us() + min(wanted.seconds, services.link_s) * US_PER_S
    token = services.link_keys.token(new_link(who.id, camera, span, wanted.use, expires_us))
    query = {**_asked(wanted.use, span), LINK: token} | ({"delivery": wanted.delivery} if wanted.delivery else {})
    if request.query_params.get("reason"):
        query["reason"] = request.query_params["reason"]
    place = request.url.path.removesuffix("links") + _PLACES[wanted.use]
    return LinkMade(address=f"{place}?{urlencode(query)}", expires=iso(expires_us))


_PLACES = {Use.HLS: "hls/multivariant.m3u8", Use.MP4: "footage.mp4", Use.SNAPSHOT: "snapshot.jpg"}


def _asked(use: Use, span: Span) -> dict[str, str]:
    return {"at": iso(span.start_us)} if use is Use.SNAPSHOT else {"from": iso(span.start_us), "to": iso(span.end_us)}
