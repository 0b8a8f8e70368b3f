"""One RTSP connection: requests and their answers, login, the camera's own requests, and the one reason why it ended."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from recorder.address import PinnedAddress
from recorder.source import SourceEnded
from recorder.sources.digest import Login, best_challenge
from recorder.sources.interleaved import Interleaved, PacketHandler
from recorder.sources.limits import Limits
from recorder.sources.message import Message, request_bytes
from recorder.sources.poller import Poller
from recorder.sources.wire import Wire, connect
from segments.clock import Clock
from segments.errors import DataDamaged
from segments.model import Cause, Credential

T = TypeVar("T")

_TRIES = 3
_WAITING = 8
_NO_CONTENT = {"OPTIONS", "GET_PARAMETER", "SET_PARAMETER"}


class RtspConnection:
    """Speaks RTSP with one camera; what waits raises SourceEnded once the connection has ended. It quotes no text of the camera."""

    def __init__(self, credential: Credential | None, clock: Clock, limits: Limits) -> None:
        self.session = ""
        """The session's id, sent with each request once it is set."""
        self.on_batch: Callable[[int], None] = lambda _: None
        """Told the wall clock (microseconds) before what was read is taken apart."""
        self._login = Login(credential) if credential else None
        self._accepted = False
        self._clock = clock
        self._limits = limits
        self._stream = Interleaved(self._take_message, limits)
        self._wire: Wire | None = None
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._full_visits = 0
        self._ended: asyncio.Future[SourceEnded] = asyncio.get_running_loop().create_future()

    async def open(self, place: PinnedAddress, poller: Poller, tls: ssl.SSLContext | None) -> None:
        """Connects; raises SourceEnded."""
        where = f"{place.host}:{place.port}"
        try:
            async with asyncio.timeout(self._limits.connect_s):
                self._wire = await connect(place, self, poller, tls)
        except TimeoutError:
            raise SourceEnded(Cause.CAMERA_AWAY, f"{where} did not answer within {self._limits.connect_s:g} s") from None
        except ssl.SSLError as error:
            raise SourceEnded(Cause.CAMERA_AWAY, f"no TLS with {where}: {error.reason or type(error).__name__}") from None
        except OSError as error:
            raise SourceEnded(Cause.CAMERA_AWAY, f"{where} cannot be reached: {error.strerror or type(error).__name__}") from None

    def stream(self) -> None:
        """Media flows from now on."""
        if self._wire:
            self._wire.stream()

    def add_channels(self, channels: tuple[int, int], rtp: PacketHandler, rtcp: PacketHandler) -> None:
        """Sends a track's packets to its handlers; raises DataDamaged if a channel is taken."""
        if self._stream.channels.keys() & set(channels):
            raise DataDamaged("the camera gave one channel to two tracks")
        self._stream.channels.update(zip(channels, (rtp, rtcp), strict=True))

    # --- requests ---

    async def exchange(self, method: str, uri: str, headers: Mapping[str, str] | None = None) -> Message:
        """Sends a request, logging in where the camera asks for it, and waits for its final answer of whatever status but 401."""
        for _ in range(_TRIES):
            answer = await self._answer(method, self.post(method, uri, headers))
            if answer.status != 401:
                return answer
            self.log_in(answer)
        raise SourceEnded(Cause.LOGIN_REFUSED, "the camera asks for a login again and again")

    def post(self, method: str, uri: str, headers: Mapping[str, str] | None = None) -> asyncio.Future[Message]:
        """Sends a request without waiting; its answer may be looked at later."""
        self._number += 1
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = answer
        if len(self._waiting) > _WAITING:
            self._waiting.pop(next(iter(self._waiting))).cancel()
        session = {"Session": self.session} if self.session else {}
        login = self._login.header(method, uri) if self._login else {}
        if self._wire and not self._ended.done():
            self._wire.send(
                request_bytes(method, uri, {"CSeq": str(self._number), "User-Agent": "Keepsight", **session, **(headers or {}), **login})
            )
        return answer

    def log_in(self, refusal: Message) -> None:
        """Takes up the challenge of a 401; raises SourceEnded if the credential was refused or there is no way to log in."""
        if self._login is None:
            raise SourceEnded(Cause.LOGIN_REFUSED, "the camera asks for a user and a password, and none is set")
        challenge = best_challenge(refusal.headers.get("www-authenticate", ()))
        if challenge is None:
            raise SourceEnded(Cause.LOGIN_REFUSED, "the camera asks for a kind of login that is not supported")
        if self._login.challenged and not challenge.stale and not self._accepted:
            raise SourceEnded(Cause.LOGIN_REFUSED, "the camera refused the user or the password")
        self._accepted = False
        self._login.take(challenge)

    async def _answer(self, method: str, answer: asyncio.Future[Message]) -> Message:
        try:
            async with asyncio.timeout(self._limits.answer_s):
                return await self.unless_ended(answer)
        except TimeoutError:
            raise SourceEnded(Cause.CAMERA_AWAY, f"the camera did not answer {method} within {self._limits.answer_s:g} s") from None

    async def unless_ended(self, awaitable: Awaitable[T]) -> T:
        """Waits, or raises the reason as soon as the connection has ended."""
        waiting = asyncio.ensure_future(awaitable)
        try:
            either: set[asyncio.Future[Any]] = {waiting, self._ended}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise self._ended.result()
            return waiting.result()
        finally:
            waiting.cancel()

    # --- ending ---

    def fail(self, cause: Cause, text: str) -> None:
        """Ends the connection for this reason, unless it has ended before."""
        if not self._ended.done():
            self._ended.set_result(SourceEnded(cause, text))
        self._close_wire()

    def close(self, uri: str) -> None:
        """Says TEARDOWN, without waiting for the answer, and closes."""
        if self.session and not self._ended.done():
            self.post("TEARDOWN", uri)
        for answer in self._waiting.values():
            answer.cancel()
        self.fail(Cause.RECONNECTING, "the recorder closed the connection")

    def _close_wire(self) -> None:
        wire, self._wire = self._wire, None
        if wire:
            wire.close()

    # --- what the wire says ---

    def feed(self, view: memoryview, end: int) -> int:
        """See `wire.Reader`."""
        if self._ended.done():
            return end
        try:
            self.on_batch(self._clock.now_us())
            return self._stream.feed(view, end)
        except DataDamaged as error:
            self.fail(Cause.CAMERA_AWAY, str(error))
        except Exception as error:  # noqa: BLE001 - whatever a stream makes us do wrong costs this camera, not all of the process
            self.fail(Cause.UNKNOWN, f"reading the camera's stream failed inside: {type(error).__name__}")
        return end

    def full(self, *, is_full: bool) -> None:
        """See `wire.Reader`."""
        self._full_visits = self._full_visits + 1 if is_full else 0
        if self._full_visits > self._limits.full_visits:
            self.fail(Cause.CAMERA_AWAY, "the camera sends faster than it can be read")

    def lost(self, reason: str) -> None:
        """See `wire.Reader`."""
        self.fail(Cause.CAMERA_AWAY, f"the camera {reason}")

    def _take_message(self, message: Message) -> None:
        if message.method:
            self._reply(message)
        elif message.status >= 200:
            self._accepted = self._accepted or (message.status < 300 and self._login is not None and self._login.challenged)
            number = message.cseq if message.cseq is not None else next(iter(self._waiting), None)
            answer = self._waiting.pop(number, None) if number is not None else None
            if answer and not answer.done():
                answer.set_result(message)

    def _reply(self, request: Message) -> None:
        """Answers a camera's own request, so that it does not wait; nothing it asks for is done."""
        status = "200 OK" if request.method in _NO_CONTENT else "501 Not Implemented"
        number = f"CSeq: {request.cseq}\r\n" if request.cseq is not None else ""
        if self._wire:
            self._wire.send(f"RTSP/1.0 {status}\r\n{number}\r\n".encode())
