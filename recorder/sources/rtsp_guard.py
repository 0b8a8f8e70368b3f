"""Stands between libav's RTSP reader and a camera, so that a camera can send libav to no other address.

Libav follows RTSP redirects to anywhere, and sends RTP and RTCP to whatever source a transport names. So it connects to us, on loopback;
we connect to the pinned address, over TLS where the camera wants it, end the connection at a redirect, and name the one source there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from ipaddress import IPv4Address
from types import TracebackType
from typing import Self

from recorder.address import Address, PinnedAddress
from recorder.source import SourceEnded
from recorder.sources.limits import Limits
from segments.model import Cause

_PIECE_BYTES = 65_536
_LINE_CHARACTERS = 2048  # libav keeps 4095 of a line: it would not see a source behind them
_DOLLAR = 0x24  # an interleaved frame, RFC 2326 part 10.12
_HEAD_END = re.compile(rb"\n\r*\n")
_STATUS = re.compile(r"RTSP/\d\.\d (\d{3})( .*)?")
_REQUEST = re.compile(r"[A-Z_]+ \S+ RTSP/\d\.\d")
_LENGTH = re.compile(r"(?i)content-length[ \t]*:[ \t]*(\d{1,7})[ \t]*")
_ELSEWHERE = re.compile(r"(?i);[ \t]*(?:source|destination)[ \t]*=[^;,]*")


class AnswerFilter:
    """What a camera sends, as libav may see it. Pure: bytes in, bytes out; frames of media and bodies pass as they are.

    Heads are taken apart and written anew, so that libav cannot read them otherwise than they were read here.
    """

    def __init__(self, camera: Address, limits: Limits) -> None:
        self._camera = camera
        self._limits = limits
        self._waiting = bytearray()
        self._to_pass = 0

    def feed(self, data: bytes) -> bytes:
        """Takes what came and returns what may go on; raises SourceEnded at a redirect, and at what is no RTSP."""
        waiting, out = self._waiting, bytearray()
        waiting += data
        while waiting and (self._to_pass or self._next_message(out)):
            passed = min(self._to_pass, len(waiting))
            out += waiting[:passed]
            del waiting[:passed]
            self._to_pass -= passed
        return bytes(out)

    def _next_message(self, out: bytearray) -> bool:
        """Looks at what begins here; False if too little of it has come."""
        waiting = self._waiting
        if waiting[0] == _DOLLAR:
            if len(waiting) >= 4:
                self._to_pass = 4 + int.from_bytes(waiting[2:4], "big")
            return len(waiting) >= 4
        if waiting[0] in b"\r\n":  # between messages
            del waiting[0]
            return True
        end = _HEAD_END.search(waiting)
        if (end.end() if end else len(waiting)) > self._limits.head_bytes:
            raise _no_rtsp(f"a head of more than {self._limits.head_bytes} bytes")
        if end is None:
            return False
        head = bytes(waiting[: end.start()]).decode("latin-1").replace("\r", "")
        del waiting[: end.end()]
        out += self._allowed(head.split("\n")).encode("latin-1")
        return True

    def _allowed(self, lines: list[str]) -> str:
        """The head as it goes on; notes how long its body is."""
        status, lengths = _STATUS.fullmatch(lines[0]), [found[1] for line in lines if (found := _LENGTH.fullmatch(line))]
        if lines[0].startswith("REDIRECT") or (status and status[1].startswith("3")):
            raise SourceEnded(Cause.CAMERA_AWAY, "the camera redirects; this is not followed: set the address that it should be reached at")
        if not (status or _REQUEST.fullmatch(lines[0])) or any(_is_misread(line) for line in lines) or len(lengths) > 1:
            raise _no_rtsp("what is no RTSP")
        self._to_pass = int(lengths[0]) if lengths else 0
        kept = [self._own(line) for line in lines if not line.lower().startswith("content-length")]
        return "\r\n".join([*kept, *([f"Content-Length: {self._to_pass}"] if lengths else []), "", ""])

    def _own(self, line: str) -> str:
        """A transport that names the camera, and nobody else, as its source."""
        return f"{_ELSEWHERE.sub('', line)};source={self._camera}" if line.lower().startswith("transport") else line


def _is_misread(line: str) -> bool:
    """Whether libav may read a header line otherwise than we do."""
    return line.startswith("$") or "\0" in line or len(line) > _LINE_CHARACTERS


def _no_rtsp(what: str) -> SourceEnded:
    return SourceEnded(Cause.UNSUPPORTED, f"the camera sent {what}")


class RtspGuard:
    """One connection of libav, handed on to one camera; an async context manager. `place` is where libav must connect to."""

    def __init__(self, camera: PinnedAddress, tls: ssl.SSLContext | None, limits: Limits) -> None:
        self.failure: SourceEnded | None = None
        self._camera = camera
        self._tls = tls
        self._limits = limits
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.place = PinnedAddress(IPv4Address("127.0.0.1"), self._server.sockets[0].getsockname()[1], self._camera.host)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server.close()  # nobody else has business here
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)

    async def _serve(self, libav_in: asyncio.StreamReader, libav_out: asyncio.StreamWriter) -> None:
        camera_out: asyncio.StreamWriter | None = None
        try:
            camera_in, camera_out = await self._connect()
            answers = AnswerFilter(self._camera.address, self._limits)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(_up(libav_in, camera_out))
                pumps.create_task(_down(camera_in, libav_out, answers))
        except SourceEnded as ended:
            self.failure = ended
        except ExceptionGroup as group:
            self.failure = next((error for error in group.exceptions if isinstance(error, SourceEnded)), None)
        finally:
            for writer in (libav_out, camera_out):
                if writer is not None:
                    writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = self._camera.host if self._tls is not None else None
        try:
            async with asyncio.timeout(self._limits.connect_s):
                return await asyncio.open_connection(str(self._camera.address), self._camera.port, ssl=self._tls, server_hostname=name)
        except ConnectionRefusedError:
            raise SourceEnded(Cause.CAMERA_AWAY, "the camera refused the connection") from None
        except TimeoutError:
            raise SourceEnded(Cause.CAMERA_AWAY, "the camera did not answer in time") from None
        except ssl.SSLError:
            raise SourceEnded(Cause.CAMERA_AWAY, "the camera's certificate or encryption was not accepted") from None
        except OSError as error:
            raise SourceEnded(Cause.CAMERA_AWAY, f"no connection to the camera: {error.strerror}") from None


class _OtherSideGone(Exception):
    """Ends both directions when one has ended."""


async def _up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIECE_BYTES):
            writer.write(data)
            await writer.drain()
    raise _OtherSideGone


async def _down(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: AnswerFilter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIECE_BYTES):
            writer.write(answers.feed(data))
            await writer.drain()
    raise _OtherSideGone
