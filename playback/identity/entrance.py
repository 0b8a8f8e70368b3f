"""The entrance: finds out who asks, by bearer token or by session, and whether they may. Denies by default."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from playback.identity.known_cameras import KnownCameras
from playback.identity.sessions import Sessions
from segments.access import EVERYTHING, NOBODY, Role, Subject, Verb
from segments.errors import NotFound

COOKIE = "keepsight_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="keepsight"'}


class TokenSource(Protocol):
    """Knows some kind of bearer tokens: the site's own, API keys, tokens of an identity provider."""

    async def subject(self, token: str) -> Subject | None:
        """Whose token it is; None if it is not one of this kind, or not valid."""

    async def known(self, subject_id: str) -> Subject | None:
        """A subject of this kind as it is now; None if it is none, or may not come in any more."""


class SiteToken:
    """The one token of a site, of `api.token_file`: whoever has it may do everything. Compares in constant time."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def subject(self, token: str) -> Subject | None:
        """See `TokenSource`."""
        return _HOLDER if hmac.compare_digest(token.encode(), self._token) else None

    async def known(self, subject_id: str) -> Subject | None:
        """See `TokenSource`."""
        return _HOLDER if subject_id == _HOLDER.id else None


_HOLDER = Subject("token", "", "", frozenset(Role), EVERYTHING)


class Entrance:
    """Asks several sources in turn. See `playback.access.Access`."""

    def __init__(self, sources: Sequence[TokenSource], sessions: Sessions, cameras: KnownCameras) -> None:
        self._sources = sources
        self.sessions = sessions
        self.cameras = cameras

    async def allow(self, request: Request, verb: Verb, camera: str | None) -> Subject:
        """See `Access`. A camera outside of the scope is answered as one that does not exist."""
        if verb is Verb.PROBE:
            return NOBODY
        subject = await self._subject(request)
        if subject is None:
            raise HTTPException(401, "sign in, or send a token in `Authorization: Bearer ...`", _CHALLENGE)
        request.state.subject = subject  # the register says who was refused, too
        if not subject.may(verb):
            raise HTTPException(403, f"your roles do not let you do this: it takes the right to {verb}")
        if camera is not None and not await self.cameras.in_scope(subject.scope, camera):
            raise NotFound(f"there is no camera {camera}")
        return subject

    async def known(self, subject_id: str) -> Subject | None:
        """See `Access`."""
        for source in (*self._sources, self.sessions):
            found = await source.known(subject_id)
            if found is not None:
                return found
        return None

    async def _subject(self, request: Request) -> Subject | None:
        """Who asks. A request with a token is judged by its token alone: a cookie beside it neither helps nor hurts."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme:
            return await self._holder(token.strip()) if scheme.lower() == "bearer" else None
        cookie = request.cookies.get(COOKIE)
        if not cookie:
            return None
        if request.method not in _SAFE:
            check_same_origin(request)
        return await self.sessions.subject(cookie)

    async def _holder(self, token: str) -> Subject | None:
        for source in self._sources:
            found = await source.subject(token)
            if found is not None:
                return found
        return None


def check_same_origin(request: Request) -> None:
    """Raises HTTPException 403 where another page's script or form made this request (CSRF).

    Browsers say so in Sec-Fetch-Site, and in Origin with every request that changes something; a request that says neither is refused too.
    """
    fetched = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    same = fetched in ("same-origin", "none") if fetched else False
    if not fetched and origin:
        same = urlsplit(origin).netloc == request.headers.get("host", "")
    if not same:
        raise HTTPException(403, "with a session, changes are made from Keepsight's own page only: the request came from elsewhere")


def set_cookie(request: Request, response: Response, value: str, lasts_s: int) -> None:
    """Hands a session's cookie to the browser; by TLS it goes nowhere else."""
    response.set_cookie(COOKIE, value, max_age=lasts_s, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https")


def drop_cookie(request: Request, response: Response) -> None:
    """Has the browser forget it."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https")
