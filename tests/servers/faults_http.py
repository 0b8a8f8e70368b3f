"""A proxy in front of a real S3 server that breaks chosen requests, as stores and networks break them.

    def fault(method, path, n):                       # n counts the requests from 1; path holds the query
        return Fault.RESPONSE_LOST if method == "PUT" and n == 1 else None

    async with HttpFaults(port_of_the_server, fault) as proxy:
        endpoint = f"http://127.0.0.1:{proxy.port}"

Each connection carries one request. The Host header is handed on as it is: it is part of the signature.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple, Self

_MAX_BODY_BYTES = 256 << 20


class Fault(Enum):
    """What happens to a request."""

    SLOW_DOWN = auto()
    """503 SlowDown; the server never sees the request."""
    FORBIDDEN = auto()
    """403 AccessDenied; the server never sees the request."""
    ERROR_AFTER_COMMIT = auto()
    """500 InternalError, although the server did it."""
    RESPONSE_LOST = auto()
    """The server did it; the connection closes without an answer."""
    TRUNCATED_UPLOAD = auto()
    """Half of the body reaches the server, then both connections close."""
    WRONG_BYTES = auto()
    """One byte in the middle of the body is changed on its way to the server."""
    LYING_200 = auto()
    """200 with the right ETag; the server never sees the request."""
    TRUNCATED_ANSWER = auto()
    """Half of the answer's bytes, then the connection closes."""
    SLOW = auto()
    """Goes through after `slow_s`."""


class Request(NamedTuple):
    """One request as it came; `head` ends with the empty line."""

    method: str
    path: str
    head: bytes
    body: bytes


@dataclass
class HttpFaults:
    """The proxy; `seen` lists method and path of each request, `fault` may be replaced at any time."""

    server_port: int
    fault: Callable[[str, str, int], Fault | None]
    slow_s: float = 1.0
    seen: list[tuple[str, str]] = field(default_factory=list)
    port: int = field(default=0, init=False)
    _server: asyncio.Server | None = field(default=None, init=False)
    _tasks: set[asyncio.Task] = field(default_factory=set, init=False)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            request = await _read_request(reader, writer)
            self.seen.append((request.method, request.path))
            writer.write(await self._answer(request, self.fault(request.method, request.path, len(self.seen))))
            await writer.drain()
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # a client or server that went away, or the end of the test
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(OSError):
                writer.close()

    async def _answer(self, request: Request, fault: Fault | None) -> bytes:
        if fault is Fault.SLOW_DOWN:
            return _error(503, "SlowDown")
        if fault is Fault.FORBIDDEN:
            return _error(403, "AccessDenied")
        if fault is Fault.LYING_200:
            etag = hashlib.md5(request.body).hexdigest()  # what S3 calls the ETag of a plain put
            return f'HTTP/1.1 200 OK\r\nETag: "{etag}"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'.encode()
        if fault is Fault.SLOW:
            await asyncio.sleep(self.slow_s)
        answer = await self._forward(request, _spoiled(request.body, fault))
        if fault in (Fault.RESPONSE_LOST, Fault.TRUNCATED_UPLOAD):
            return b""
        if fault is Fault.TRUNCATED_ANSWER:
            head = answer.index(b"\r\n\r\n") + 4
            return answer[: head + (len(answer) - head) // 2]
        return _error(500, "InternalError") if fault is Fault.ERROR_AFTER_COMMIT else answer

    async def _forward(self, request: Request, body: bytes) -> bytes:
        """The server's whole answer; b'' after a truncated body, whose connection is closed as soon as it is sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        try:
            writer.write(request.head + body)
            await writer.drain()
            return await reader.read() if len(body) == len(request.body) else b""
        finally:
            writer.close()
            await writer.wait_closed()


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    """One request with its whole body; a client that asks first (Expect: 100-continue) is told to go on."""
    head = await reader.readuntil(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    size = int(headers.get("content-length", "0"))
    if "transfer-encoding" in headers or size > _MAX_BODY_BYTES:
        raise EOFError("only bodies of a declared size up to 256 MiB are carried")
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(size)
    kept = [line for line in lines if line.partition(":")[0].lower() not in ("connection", "expect")]
    method, path, _ = start.split(" ", 2)
    return Request(method, path, "\r\n".join([start, *kept, "Connection: close", "", ""]).encode("latin-1"), body)


def _spoiled(body: bytes, fault: Fault | None) -> bytes:
    middle = len(body) // 2
    if fault is Fault.TRUNCATED_UPLOAD:
        return body[:middle]
    if fault is Fault.WRONG_BYTES and body:
        return body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]
    return body


def _error(status: int, code: str) -> bytes:
    """An answer with an error document as S3 writes it."""
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>injected</Message></Error>'.encode()
    head = f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
