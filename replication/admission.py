"""Who may ask this site, and how much at once. A request is believed by its signature before a byte of its body is read."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from replication.signing import BODY, SITE, Asked, Nonces, seal_of, verify
from segments.clock import Clock
from segments.errors import BadInput, KeepsightError, Refused, TryAgain

log = logging.getLogger(__name__)

QUESTIONS_AT_ONCE = 64
OBJECTS_AT_ONCE = 48
"""Bytes take their time: they do not keep questions from being answered, of which some (holds) are in a hurry."""
OBJECTS = "/sites/object"
COSTLY_AT_ONCE = 4
TURN_S = 10.0
"""How long a costly question waits for its turn."""
BODY_S = 20.0
"""How long a body may take to come."""
STALLED_S = 60.0
"""Who takes none of an answer for so long is cut off."""
QUIET_NS = 60 * 10**9
"""So often at most the refusal of one site's requests is logged."""
_NOBODY = "a key that nobody has"


class NotAdmitted(Refused):
    """Whoever asks has not shown that they may."""


class Admission:
    """Of the sites whose keys are given, to the site of this name."""

    def __init__(self, site: str, keys: Mapping[str, str], clock: Clock) -> None:
        self._site = site
        self._keys = keys
        self._clock = clock
        self._nonces = {name: Nonces(since_us=clock.now_us()) for name in keys}
        self._turns = asyncio.Semaphore(COSTLY_AT_ONCE)
        self._said_ns: dict[str, int] = {}

    def admit(self, request: Request) -> None:
        """Raises NotAdmitted unless a site we know has signed it, for us, just now, and for the first time; also BadInput, TryAgain."""
        name = request.headers.get(SITE, "")
        try:
            self._verify(request, name)
        except KeepsightError as error:
            self._say(name, error)
            raise (NotAdmitted(str(error)) if isinstance(error, Refused) else error) from None

    async def body(self, request: Request, most_bytes: int) -> bytes:
        """What was signed; raises BadInput if it is longer, NotAdmitted if it is something else, TryAgain if it does not come."""
        parts: list[bytes] = []
        size, hashed = 0, hashlib.sha256()
        try:
            async with asyncio.timeout(BODY_S):
                async for part in request.stream():
                    size += len(part)
                    if size > most_bytes:
                        raise BadInput(f"a body of more than {most_bytes} bytes")
                    hashed.update(part)
                    parts.append(part)
        except TimeoutError:
            raise TryAgain(f"the body did not come within {BODY_S:g} s") from None
        if not hmac.compare_digest(hashed.hexdigest(), request.headers.get(BODY, "")):
            raise NotAdmitted("the body is not the one that was signed")
        return b"".join(parts)

    @asynccontextmanager
    async def turn(self, *, costly: bool) -> AsyncIterator[None]:
        """While a question is answered; raises TryAgain if the turn of a costly one does not come."""
        if not costly:
            yield
            return
        try:
            async with asyncio.timeout(TURN_S):
                await self._turns.acquire()
        except TimeoutError:
            raise TryAgain(f"this site has more questions to answer than it can in {TURN_S:g} s") from None
        try:
            yield
        finally:
            self._turns.release()

    def _verify(self, request: Request, name: str) -> None:
        seal = seal_of(request.headers)
        raw = request.scope["raw_path"]
        target = (raw + b"?" + request.scope["query_string"] if request.scope["query_string"] else raw).decode("ascii", "replace")
        now_us = self._clock.now_us()
        asked = Asked(name if name in self._keys else "", self._site, request.method, target, request.headers[BODY])
        verify(self._keys.get(name, _NOBODY), asked, seal, now_us=now_us)
        if name not in self._keys:
            raise Refused("the signature is not that of the key we share, for this request to this site")
        self._nonces[name].spend(seal, now_us=now_us)

    def _say(self, name: str, error: KeepsightError) -> None:
        """In the log, now and then: whoever asks can ask often. A name that is none of ours is not repeated."""
        known = name if name in self._keys else "unknown"
        now_ns = self._clock.monotonic_ns()
        if known not in self._said_ns or now_ns - self._said_ns[known] >= QUIET_NS:
            self._said_ns[known] = now_ns
            log.warning("site.not-admitted: a request of %(site)s is not answered: %(error)s", {"site": known, "error": error})


class AtOnce:
    """An application that answers so many requests at once, until they are taken; more get 503, and stalled readers are cut off."""

    def __init__(self, app: ASGIApp, *, questions: int = QUESTIONS_AT_ONCE, objects: int = OBJECTS_AT_ONCE) -> None:
        self._app = app
        self._left = {True: objects, False: questions}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        of_objects = scope["path"] == OBJECTS
        if not self._left[of_objects]:
            await _busy(send)
            return
        self._left[of_objects] -= 1
        try:
            await self._app(scope, receive, _cutting_off(send))
        finally:
            self._left[of_objects] += 1


async def _busy(send: Send) -> None:
    await send({"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"2"), (b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def _cutting_off(send: Send) -> Send:
    async def sent(message: Message) -> None:
        async with asyncio.timeout(STALLED_S):  # the server closes a connection whose answer ends too early
            await send(message)

    return sent
