"""Requests of consumers on their way: admitted behind the rule of a route, counted and paced while their answers are sent."""

from __future__ import annotations

import math
from collections.abc import Callable, MutableMapping
from typing import Any, cast

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playback.consumers.accounts import Account, Consumers
from playback.consumers.rate_fields import REQUESTS, limit_field
from playback.consumers.streams import Stream
from segments.access import Subject, Verb
from segments.audit import Action

FOOTAGE = frozenset({Verb.VIEW, Verb.EXPORT})
"""What a consumer whose bandwidth is taken may not ask for."""
PIECE_S = 0.25
"""Footage is sent in pieces of so much of a consumer's bandwidth, but at least of `LEAST_PIECE_BYTES`."""
LEAST_PIECE_BYTES = 64 << 10

SecondsOf = Callable[[int], float]
"""How many seconds of footage the first so many bytes of an answer hold."""


class Passage:
    """One request of a consumer."""

    def __init__(self, consumers: Consumers, account: Account) -> None:
        self.account = account
        self._consumers = consumers
        self._action: Action | None = None
        self._seconds_of: SecondsOf = lambda _: 0.0
        self._stream: Stream | None = None
        self._sent = 0
        self._counted_s = 0.0
        self._reserved_s = 0.0

    async def footage(self, action: Action, camera: str, at_us: int, size: int, seconds_of: SecondsOf) -> None:
        """What is sent from now on is footage; raises OverQuota if that is a stream, or an export, too many."""
        stream = self._consumers.stream(self.account, camera, at_us)
        if action is Action.EXPORT:
            seconds = seconds_of(size)
            await self._consumers.may_export(self.account, seconds)
            self._reserved_s = seconds
            self.account.exporting_s += seconds
        self._stream, self._action, self._seconds_of = stream, action, seconds_of

    def made(self, action: Action) -> None:
        """What is sent from now on was made before: only its bytes are counted."""
        self._action = action

    def handed_out(self, size: int) -> None:
        """What is fetched elsewhere is taken from the bandwidth, and counted, as a whole."""
        if self.account.allowance.bytes_per_s:
            self.account.bytes.take(size, self._consumers.clock.monotonic_ns())
        self._count(size)

    def answers(self, status: int) -> None:
        """What is sent is no footage if it is a problem."""
        if status >= 400:
            self._action = None

    async def send(self, body: bytes, more: bool, send: Send) -> None:
        """Sends a part of the answer, no faster than the consumer's bandwidth, and counts what the client took."""
        limit = self.account.allowance.bytes_per_s
        if self._action is None or not body:
            await send({"type": "http.response.body", "body": body, "more_body": more})
            return
        step = max(LEAST_PIECE_BYTES, round(limit * PIECE_S)) if limit else len(body)
        for at in range(0, len(body), step):
            piece = body[at : at + step]
            if limit:
                await self._paid(len(piece))
            await send({"type": "http.response.body", "body": piece, "more_body": more or at + step < len(body)})
            self._count(len(piece))

    def close(self) -> None:
        """Gives back what was reserved and is counted by now, or was never sent."""
        self.account.exporting_s = max(0.0, self.account.exporting_s - self._reserved_s)
        self._reserved_s = 0.0

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What an answer says of the limits."""
        account, now_ns = self.account, self._consumers.clock.monotonic_ns()
        if not account.policy:
            return []
        found = [(b"ratelimit-policy", account.policy.encode())]
        if account.allowance.requests_per_s:
            left = account.requests.left(now_ns)
            wait_s = account.requests.wait_s(math.floor(max(0.0, left)) + 1, now_ns) if left < account.requests.most else 0
            found.append((b"ratelimit", limit_field(REQUESTS, left, wait_s).encode()))
        return found

    async def _paid(self, size: int) -> None:
        bucket, clock = self.account.bytes, self._consumers.clock
        bucket.take(size, clock.monotonic_ns())
        wait_s = bucket.wait_s(0, clock.monotonic_ns())
        if wait_s:
            await clock.sleep(wait_s)

    def _count(self, size: int) -> None:
        self._sent += size
        used = self._consumers.metering.used(self.account.subject_id)
        seconds = self._seconds_of(self._sent)
        added_s, self._counted_s = max(0.0, seconds - self._counted_s), max(seconds, self._counted_s)
        if self._action is Action.EXPORT:
            used.exported_bytes += size
            used.exported_s += added_s
            paid_s = min(self._reserved_s, added_s)
            self._reserved_s -= paid_s
            self.account.exporting_s = max(0.0, self.account.exporting_s - paid_s)
        else:
            used.played_bytes += size
            used.played_s += added_s
        if self._stream is not None:
            self._stream.last_ns = self._consumers.clock.monotonic_ns()


async def admit_request(scope: MutableMapping[str, Any], consumers: Consumers, subject: Subject, verb: Verb) -> None:
    """Behind the rule of a route: begins the passage of a request; raises OverQuota."""
    if not subject.id:
        return
    state = scope.setdefault("state", {})
    state["passage"] = Passage(consumers, await consumers.account(subject.id))
    await consumers.admit(subject.id, footage=verb in FOOTAGE)


async def delivers(request: Request, action: Action, camera: str, at_us: int, size: int, seconds_of: SecondsOf) -> None:
    """Called by a route before it sends so many bytes of footage from this moment on; raises OverQuota."""
    passage = cast("Passage | None", request.scope.get("state", {}).get("passage"))
    if passage is not None:
        await passage.footage(action, camera, at_us, size, seconds_of)


def hands_out(request: Request, size: int) -> None:
    """Called where so many bytes that `delivers` told of are fetched by a link elsewhere: they count as sent."""
    passage = cast("Passage | None", request.scope.get("state", {}).get("passage"))
    if passage is not None:
        passage.handed_out(size)


def delivers_made(request: Request, action: Action) -> None:
    """The same for what was made before, and its seconds counted then: bytes only, and no stream."""
    passage = cast("Passage | None", request.scope.get("state", {}).get("passage"))
    if passage is not None:
        passage.made(action)


class Paced:
    """Sends the answers of consumers: with what is left of their limits, no faster than their bandwidth, and counted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def sent(message: Message) -> None:
            passage = cast("Passage | None", state.get("passage"))
            if passage is None:
                await send(message)
            elif message["type"] == "http.response.start":
                passage.answers(message["status"])
                present = {name.lower() for name, _ in message["headers"]}
                more = [one for one in passage.headers() if one[0] not in present]
                await send({**message, "headers": [*message["headers"], *more]})
            elif message["type"] == "http.response.body":
                await passage.send(message.get("body", b""), message.get("more_body", False), send)
            else:
                await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            passage = cast("Passage | None", state.get("passage"))
            if passage is not None:
                passage.close()
