"""Bytes of footage over HTTP, read by blocking connections in threads: half the work of reading them in the event loop.

By TLS an event loop is handed 16 KiB at a time (RFC 8446, section 5.1); here a piece is a MiB or more before the loop hears of it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import urllib3

P = ParamSpec("P")
T = TypeVar("T")

PIECE_BYTES, MOST_PIECE_BYTES = 1 << 20, 4 << 20
"""Pieces grow while they come within `QUICK_S`: on a fast way there are few, and on a slow one none takes long."""
QUICK_S = 0.5
AT_ONCE = 16
"""Reads that are under way; more wait."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The beginning of an answer: names of headers have no case. `pieces` are its body, and end the connection's use when they are left."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


class ByteStreams:
    """GETs of one other side. Nothing of the environment counts, no redirect is followed and nothing is repeated."""

    def __init__(self, tls: ssl.SSLContext, *, connect_s: float, silence_s: float) -> None:
        timeout = urllib3.Timeout(connect=connect_s, read=silence_s)
        self._pool = urllib3.PoolManager(maxsize=4 * AT_ONCE, retries=False, timeout=timeout, ssl_context=tls)
        self._threads = ThreadPoolExecutor(AT_ONCE, "site-bytes")
        self._open: set[urllib3.BaseHTTPResponse] = set()

    async def get(self, url: str, headers: Mapping[str, str]) -> Opened:
        """Raises urllib3's HTTPError, as do the pieces."""
        asked = self._begun(self._get, url, headers)
        try:
            answer = await asyncio.wrap_future(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(self._let_go)
            raise
        return Opened(answer.status, answer.headers, self._pieces(answer))

    def close(self) -> None:
        """Ends all that is under way."""
        for answer in list(self._open):
            self._cut(answer)
        self._threads.shutdown(wait=False)
        self._pool.clear()

    def _get(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        return self._pool.request("GET", url, headers=headers, preload_content=False, decode_content=False, redirect=False)

    async def _pieces(self, answer: urllib3.BaseHTTPResponse) -> AsyncIterator[bytes]:
        self._open.add(answer)
        whole, size, began_s = False, PIECE_BYTES, time.monotonic()
        try:
            while piece := await asyncio.wrap_future(self._begun(answer.read, size)):
                size = min(2 * size, MOST_PIECE_BYTES) if time.monotonic() - began_s < QUICK_S else PIECE_BYTES
                yield piece
                began_s = time.monotonic()
            whole = True
        finally:
            self._open.discard(answer)
            if whole:
                answer.release_conn()
            else:
                self._cut(answer)

    def _let_go(self, future: Future[urllib3.BaseHTTPResponse]) -> None:
        """Of an answer that came when nobody waited for it any more."""
        if not future.cancelled() and future.exception() is None:
            self._cut(future.result())

    def _cut(self, answer: urllib3.BaseHTTPResponse) -> None:
        """Ends a connection in the middle of its answer: a thread that reads from it is woken, and then it is closed."""
        with suppress(OSError, AttributeError):
            answer.connection.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
        try:
            self._begun(answer.close)
        except urllib3.exceptions.HTTPError:
            answer.close()

    def _begun(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> Future[T]:
        try:
            return self._threads.submit(work, *arguments, **named)
        except RuntimeError:
            raise urllib3.exceptions.HTTPError("these connections are closed") from None
