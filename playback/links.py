"""What a request that comes with a link of ours may do: who it acts for as they are now, and that it stays within the link's bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from playback.asked import moment_us
from playback.link_token import VERB_OF, Link, LinkRefused, Use
from segments.errors import NotFound
from segments.model import Row, Span
from segments.timeline import LONGEST_SEGMENT_US

if TYPE_CHECKING:
    from playback.access import Access
    from playback.services import Services
    from segments.access import Scope, Subject

LINK = "link"
"""The query that carries a token."""

_OTHER = "this link is for something else"


class ByLink:
    """Says of a route which links open it: those of some uses, if what is asked for lies within the link.

    `within` looks at the request; what only the footage itself can tell is the route's to check (`check_bytes`).
    """

    def __init__(self, uses: frozenset[Use], within: Callable[[Request, Link], bool]) -> None:
        self._uses = uses
        self._within = within

    async def opened(self, request: Request) -> tuple[Subject, Link]:
        """Who the link of a request acts for, and the link; raises LinkRefused. Who lost the right, or the camera, lost the links."""
        services, access = cast("Services", request.app.state.services), cast("Access", request.app.state.access)
        link = services.link_keys.read(request.query_params[LINK], services.clock.now_us())
        if not self.fits(request, link):
            raise LinkRefused(_OTHER)
        subject = await access.known(link.subject_id)
        if subject is None or not subject.may(VERB_OF[link.use]) or not await _covered(services, subject.scope, link.camera):
            raise LinkRefused("whoever this link was made for may not see this any more")
        return subject, link

    def fits(self, request: Request, link: Link) -> bool:
        """Whether a request asks for what a link is for, and no more."""
        if request.method not in ("GET", "HEAD") or link.use not in self._uses or link.camera != request.path_params.get("camera"):
            return False
        return self._within(request, link)


async def _covered(services: Services, scope: Scope, camera: str) -> bool:
    if scope.everything or camera in scope.cameras:
        return True
    try:
        return scope.covers(await services.index.camera(camera))
    except NotFound:
        return False


# --- what lies within a link ------------------------------------------------------------------------------------------


def asked_span(request: Request, link: Link) -> bool:
    """A span: `from` and `to` lie in the link's."""
    try:
        return link.holds(Span(*(moment_us(request.query_params.get(name)) for name in ("from", "to"))))
    except ValueError:
        return False


def now(request: Request, link: Link) -> bool:
    """The live edge: the link's span holds the present moment."""
    now_us = cast("Services", request.app.state.services).clock.now_us()
    return link.span.start_us <= now_us < link.span.end_us


def asked_moment(request: Request, link: Link) -> bool:
    """A picture: `at` lies in the link's span."""
    try:
        return link.span.start_us <= moment_us(request.query_params.get("at")) < link.span.end_us
    except ValueError:
        return False


def asked_segment(request: Request, link: Link) -> bool:
    """A segment that may reach into the link's span; whether the bytes do is the route's to check."""
    start = str(request.path_params["start_us"])
    if not (start.isascii() and start.isdecimal()):
        return False
    start_us = int(start)
    return link.span.start_us - LONGEST_SEGMENT_US < start_us < link.span.end_us


def the_camera(request: Request, link: Link) -> bool:  # noqa: ARG001
    """Anything of the camera: the init of a run, in which there is no picture."""
    return True


HLS_SPAN = ByLink(frozenset({Use.HLS}), asked_span)
HLS_NOW = ByLink(frozenset({Use.HLS}), now)
HLS_SEGMENT = ByLink(frozenset({Use.HLS}), asked_segment)
HLS_INIT = ByLink(frozenset({Use.HLS}), the_camera)
SNAPSHOT = ByLink(frozenset({Use.SNAPSHOT}), asked_moment)
MP4 = ByLink(frozenset({Use.MP4}), asked_span)


# --- what only the footage can tell -----------------------------------------------------------------------------------


def check_bytes(row: Row, start: int, end: int, link: Link | None) -> None:
    """Raises LinkRefused unless these bytes of a segment are of whole fragments that a link's span touches.

    With them go the fragments before, back to the key frame from which the first one can be decoded: a player needs them.
    """
    if link is None:
        return
    first, last = touched(row, link.span)
    if not first <= start < end <= last:
        raise LinkRefused(_OTHER)


def touched(row: Row, span: Span) -> tuple[int, int]:
    """Where the fragments begin and end that a span touches, from a key frame on; (0, 0) for none."""
    found = [n for n, fragment in enumerate(row.fragments) if _lies_in(row, n, span) and fragment.length]
    if not found:
        return 0, 0
    first, last = found[0], row.fragments[found[-1]]
    while first and not row.fragments[first].key_length:
        first -= 1
    return row.fragments[first].offset, last.offset + last.length


def _lies_in(row: Row, place: int, span: Span) -> bool:
    fragment = row.fragments[place]
    start_us = row.start_us + (fragment.pts - row.fragments[0].pts) * 100 // 9
    return start_us < span.end_us and start_us + fragment.duration * 100 // 9 > span.start_us


def handed_on(request: Request) -> Response | None:
    """For what is one address from begin to end: the answer to a link that was handed out, a redirect to the token that goes on living."""
    link, services = link_of(request), cast("Services", request.app.state.services)
    if link is None or not link.start:
        return None
    token = services.link_keys.token(link.for_entries(services.clock.now_us()))
    query = urlencode({**request.query_params, LINK: token})
    return RedirectResponse(f"{request.url.path}?{query}", 307, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def link_of(request: Request) -> Link | None:
    """The link that opened this request; None for one that came with who it is."""
    return cast("Link | None", getattr(request.state, "link", None))
