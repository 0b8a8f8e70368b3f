"""Acts that are not looking at footage: searches, changes, sign-ins and refusals, written down where every route's rule stands."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from fastapi import Request

from playback.asked import moment_us, reason_of, source_of
from playback.seen import Seen, SeenKey
from segments.access import NOBODY, Subject, Verb
from segments.audit import Act, Action, Outcome
from segments.clock import US_PER_HOUR
from segments.errors import BadInput
from segments.keys import CAMERA_ID
from segments.model import Span

if TYPE_CHECKING:
    from playback.services import Services

log = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000
_NO_TIME = Span(0, 1)
_LOOKS = {Verb.VIEW: Action.VIEW, Verb.EXPORT: Action.EXPORT, Verb.INSPECT: Action.SEARCH, Verb.AUDIT: Action.AUDIT}
_ALWAYS = {Verb.HOLD: Action.HOLD, Verb.CONSENT: Action.CONSENT}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
BY_THE_GATE = frozenset({Action.VIEW, Action.EXPORT})
"""Written by the gate (playback/gate.py), which knows the cameras and the time; only their refusals are written here."""
CHANGES = frozenset({Action.HOLD, Action.CHANGE, Action.CONSENT, Action.SIGN_IN})
MAX_CAMERAS = 64
_SECRET = frozenset({"token", "link", "state", "code"})
"""Parameters of paths that are not written down."""


def action_of(verb: Verb, method: str) -> Action | None:
    """What a route does whose rule asks for this right; None: nothing the register is for (what cameras there are, one's own things)."""
    if method in _SAFE:
        return Action.SEARCH if verb is Verb.ADMINISTER else _LOOKS.get(verb)
    if verb is Verb.ADMINISTER:
        return Action.CHANGE
    return _ALWAYS.get(verb) or _LOOKS.get(verb)


def subject_or_nobody(request: Request) -> Subject:
    """Who asks, as far as the access found out before it refused."""
    return cast("Subject", getattr(request.state, "subject", NOBODY))


async def register_act(
    request: Request, action: Action, outcome: Outcome = Outcome.DONE, *, what: str = "", detail: str = "", camera: str = ""
) -> None:
    """Writes what this request does or was refused; returns when it stands there, raises TryAgain if it cannot."""
    services = cast("Services", request.app.state.services)
    await services.register.write(
        Act(
            at_us=services.clock.now_us(),
            who=subject_or_nobody(request),
            action=action,
            what=what or _what(request),
            cameras=(camera,) if camera else _cameras(request),
            span=_span(request),
            reason=_reason(request),
            source=source_of(request),
            outcome=outcome,
            detail=detail or _address(request),
        )
    )


async def register_once(request: Request, action: Action, outcome: Outcome = Outcome.DONE, *, detail: str = "", camera: str = "") -> None:
    """The same, unless this process wrote the same within ten minutes: what a page asks for again and again.

    Of a search that is given a time, whole hours are the same.
    """
    seen, now_s = cast("Seen", request.app.state.seen), request.app.state.services.clock.monotonic_ns() / _NS_PER_S
    who = subject_or_nobody(request).id or source_of(request)
    key = SeenKey(who, camera or " ".join(_cameras(request)), f"{outcome} {_address(request)}")
    span = _hours(_span(request))
    if not seen.covers(key, _reason(request), span, now_s):
        await register_act(request, action, outcome, detail=detail, camera=camera)
        seen.add(key, _reason(request), span, now_s)


def presented(request: Request) -> bool:
    """Whether the request came with any credential: what comes without is not worth a line."""
    return "authorization" in request.headers or "link" in request.query_params or bool(request.cookies)


def _cameras(request: Request) -> tuple[str, ...]:
    """The camera of the path, or those of the query; bounded, as nobody has judged the query yet."""
    if "camera" in request.path_params:
        return (request.path_params["camera"],)
    return tuple(camera for camera in request.query_params.getlist("camera")[:MAX_CAMERAS] if CAMERA_ID.fullmatch(camera))


def _what(request: Request) -> str:
    return str(getattr(request.scope.get("route"), "name", request.url.path)).replace("_", " ")


def _address(request: Request) -> str:
    """The route with what its path names, but for secrets."""
    path = request.url.path
    for name, value in request.path_params.items():
        if name in _SECRET:
            path = path.replace(str(value), "...")
    return f"{request.method} {path}"


def _reason(request: Request) -> str:
    """A reason that is none does not keep anything from being written down."""
    try:
        return reason_of(request)
    except BadInput:
        return ""


def _span(request: Request) -> Span | None:
    """The time a request is about, where its query says one as most do."""
    try:
        span = Span(moment_us(request.query_params.get("from")), moment_us(request.query_params.get("to")))
    except ValueError:
        return None
    return span if span.start_us < span.end_us else None


def _hours(span: Span | None) -> Span:
    if span is None:
        return _NO_TIME
    return Span(span.start_us // US_PER_HOUR * US_PER_HOUR, -(-span.end_us // US_PER_HOUR) * US_PER_HOUR)
