"""Routes by which people sign in at the provider, and by which the provider ends their sessions here."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Any, Protocol
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from playback.access import needs
from playback.identity.oidc import SOURCE
from playback.identity.oidc_bearers import OidcBearers
from playback.identity.oidc_sign_in import BEGUN_S, SignIn, SignInFailed
from playback.identity.oidc_tokens import LOGOUT_AGE_S, MOST_CHARACTERS, NotValid, Tokens
from playback.problems import described
from playback.services import services_of
from segments.access import Subject, Verb
from segments.audit import Act, Action, Outcome
from segments.clock import US_PER_S, Clock

MOST_REMEMBERED = 10_000
"""Logout tokens that are known to have come."""
Page = Annotated[str, Query(alias="next", max_length=1024, description="The page to end at, as a path")]
_NEVER_KEPT = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class SessionDoor(Protocol):
    """Begins and ends sessions of people."""

    async def begin(self, subject: Subject, source: str, *, ends_us: int | None = None, foreign_id: str = "") -> str:
        """Begins a session and returns the value of its cookie."""

    async def end_of(self, foreign_id: str) -> int:
        """Ends the sessions that their source calls so; how many there were."""

    async def end_all(self, subject_id: str) -> None:
        """Ends all sessions of a subject."""


class CookieSetter(Protocol):
    """Hands a session's cookie to the browser."""

    def __call__(self, request: Request, response: Response, value: str, lasts_s: int) -> None:
        """Sets it on a response."""


class Remembering:
    """Ids that have come, for as long as they could be believed if they came again; the oldest go first where there are too many."""

    def __init__(self, clock: Clock, lasts_s: int) -> None:
        self._clock = clock
        self._lasts_us = lasts_s * US_PER_S
        self._seen: OrderedDict[str, int] = OrderedDict()

    def __contains__(self, name: str) -> bool:
        return name in self._seen

    def add(self, name: str) -> None:
        """Remembers one."""
        now_us = self._clock.now_us()
        while self._seen and (len(self._seen) >= MOST_REMEMBERED or next(iter(self._seen.values())) < now_us - self._lasts_us):
            self._seen.popitem(last=False)
        self._seen[name] = now_us


class OidcDoors:
    """What the routes do, over sign-in and sessions."""

    def __init__(
        self, sign_in: SignIn, tokens: Tokens, sessions: SessionDoor, bearers: OidcBearers, set_cookie: CookieSetter, clock: Clock
    ) -> None:
        self._sign_in = sign_in
        self._bearers = bearers
        self._tokens = tokens
        self._sessions = sessions
        self._set_cookie = set_cookie
        self._clock = clock
        self._logouts = Remembering(clock, 2 * LOGOUT_AGE_S)
        safe = sign_in.oidc.base_url.startswith("https://")
        self._cookie_name = "__Host-keepsight_sign_in" if safe else "keepsight_sign_in"
        self._cookie: dict[str, Any] = {"path": "/", "httponly": True, "samesite": "lax", "secure": safe}

    async def begin(self, page: Page = "/") -> Response:
        """Sends a browser to the provider to sign in."""
        begun = await self._sign_in.begin(page)
        answer = RedirectResponse(begun.address, 302, _NEVER_KEPT)
        answer.set_cookie(self._cookie_name, begun.cookie, max_age=BEGUN_S, **self._cookie)
        return answer

    async def done(self, request: Request) -> Response:
        """Where the provider sends the browser back to: begins a session. Every answer ends the sign-in, right or not."""
        answer = RedirectResponse("/", 303, _NEVER_KEPT)
        answer.delete_cookie(self._cookie_name, **self._cookie)
        ending = {"Set-Cookie": answer.headers["set-cookie"], **_NEVER_KEPT}
        try:
            arrived = await self._sign_in.finish(request.cookies.get(self._cookie_name, ""), request.query_params)
        except SignInFailed as error:
            raise HTTPException(400, str(error), ending) from None
        subject, lasts_s = arrived.subject, self._sign_in.oidc.session_s
        await _write(request, subject)
        if not subject.roles:
            raise HTTPException(403, f"{subject.name}, you are known, but have no role here: ask the provider's administrator", ending)
        ends_us = self._clock.now_us() + lasts_s * US_PER_S
        value = await self._sessions.begin(subject, SOURCE, ends_us=ends_us, foreign_id=arrived.foreign_id)
        answer.headers["location"] = arrived.page
        self._set_cookie(request, answer, value, lasts_s)
        return answer

    async def farewell(self) -> Response:
        """Sends a browser to the provider to end its session there, too; the session here is ended before, by its own route."""
        return RedirectResponse(await self._sign_in.farewell(), 302, _NEVER_KEPT)

    async def logout(self, request: Request) -> Response:
        """What the provider calls when a session of it ends (back-channel logout): those that came from it end here."""
        try:
            claims = await self._tokens.logout(await _logout_token(request))
        except NotValid as error:
            raise HTTPException(400, f"this logout token is not believed: {error}", _NEVER_KEPT) from None
        if claims["jti"] in self._logouts:
            raise HTTPException(400, "this logout token has come before", _NEVER_KEPT)
        if isinstance(claims.get("sid"), str):
            await self._sessions.end_of(self._sign_in.foreign_id(claims["sid"]))
        else:
            subject_id = self._sign_in.oidc.subject_id(claims["sub"])
            await self._sessions.end_all(subject_id)
            await self._bearers.forget(subject_id)
        self._logouts.add(claims["jti"])
        return Response(headers=_NEVER_KEPT)


def oidc_routes(doors: OidcDoors) -> APIRouter:
    """The routes of a site that has a provider."""
    router = APIRouter(dependencies=needs(Verb.PROBE))
    router.add_api_route("/sign-in", doors.begin, status_code=302, responses=described(422, 503))
    router.add_api_route("/sign-in/done", doors.done, status_code=303, responses=described(400, 403, 503))
    router.add_api_route("/sign-in/farewell", doors.farewell, status_code=302, responses=described(503))
    router.add_api_route("/sign-in/logout", doors.logout, methods=["POST"], responses=described(400, 503))
    return router


async def _logout_token(request: Request) -> str:
    """The form's one value; raises NotValid."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > 2 * MOST_CHARACTERS:
            raise NotValid("it is too long")
    try:
        values = parse_qs(body.decode("ascii"), max_num_fields=8).get("logout_token", [])
    except ValueError:
        values = []
    if len(values) != 1:
        raise NotValid("the form has no logout_token")
    return values[0]


async def _write(request: Request, who: Subject) -> None:
    services = services_of(request)
    source = request.client.host if request.client else ""
    outcome, detail = (Outcome.DONE, "") if who.roles else (Outcome.REFUSED, "no role here")
    act = Act(services.clock.now_us(), who, Action.SIGN_IN, "signed in at the provider", source=source, outcome=outcome, detail=detail)
    await services.register.write(act)
