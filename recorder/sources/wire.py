"""The bytes of one camera's connection: plain TCP, read by the poller, and TLS, read by asyncio. Both feed the same reader."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Protocol

from recorder.address import PinnedAddress
from recorder.sources.poller import BUFFER_BYTES, Poller

TLS_BUFFER_BYTES = 1 << 18
"""More than the longest RTSP message or interleaved packet that may lie unfinished in it."""

TLS_GOODBYE_S = 1.0
"""A camera that does not answer the end of TLS within this time is cut off."""


class Reader(Protocol):
    """Whom a wire feeds. None of the calls may raise."""

    def feed(self, view: memoryview, end: int) -> int:
        """Takes view[:end] as far as it is whole; what it leaves comes again, in front of what follows."""

    def full(self, *, is_full: bool) -> None:
        """Whether the last read filled all the room there was."""

    def lost(self, reason: str) -> None:
        """The connection has ended, for a reason that reads after 'the camera '."""


class Wire(Protocol):
    """One connection."""

    def send(self, data: bytes) -> None:
        """Sends a request; a connection that cannot take it at once is lost."""

    def stream(self) -> None:
        """From now on much will come and the answer to nothing is waited for."""

    def close(self) -> None:
        """Closes the connection at once."""


class PlainWire:
    """TCP without TLS. Read at once while requests are answered, and by the poller once media flows."""

    def __init__(self, sock: socket.socket, reader: Reader, poller: Poller) -> None:
        self._socket = sock
        self._reader = reader
        self._poller = poller
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self.visit, poller.buffer)

    def visit(self, buffer: memoryview) -> None:
        """Reads what is there into the shared buffer, behind what was left over, and feeds it. See `Polled`."""
        rest = self._rest
        kept = len(rest)
        buffer[:kept] = rest
        try:
            got = self._socket.recv_into(buffer[kept:])
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(f"broke the connection ({error.strerror or type(error).__name__})")
            return
        if not got:
            self._end("closed the connection")
            return
        end = kept + got
        used = self._reader.feed(buffer, end)
        self._rest = bytes(buffer[used:end]) if used < end else b""
        self._reader.full(is_full=end == BUFFER_BYTES)

    def send(self, data: bytes) -> None:
        """See `Wire`."""
        try:
            sent = self._socket.send(data)
        except OSError as error:
            self._end(f"broke the connection ({error.strerror or type(error).__name__})")
            return
        if sent < len(data):
            self._end("does not read what is sent to it")

    def stream(self) -> None:
        """See `Wire`."""
        self._loop.remove_reader(self._socket)
        self._poller.add(self)

    def close(self) -> None:
        """See `Wire`."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
        self._poller.remove(self)
        self._socket.close()

    def _end(self, reason: str) -> None:
        self.close()
        self._reader.lost(reason)


class TlsWire(asyncio.BufferedProtocol):
    """TLS over TCP, through asyncio, which hands over a few kilobytes at a time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._view = memoryview(bytearray(TLS_BUFFER_BYTES))
        self._kept = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TLS handshake is done."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Room behind what was left over."""
        return self._view[self._kept :]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes were read."""
        end = self._kept + nbytes
        used = self._reader.feed(self._view, end)
        self._kept = end - used
        if used and self._kept:
            self._view[: self._kept] = bytes(self._view[used:end])

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._reader.lost(f"broke the connection ({type(exc).__name__})" if exc else "closed the connection")

    def send(self, data: bytes) -> None:
        """See `Wire`."""
        if self._transport:
            self._transport.write(data)

    def stream(self) -> None:
        """See `Wire`; nothing changes."""

    def close(self) -> None:
        """See `Wire`."""
        if self._transport:
            self._transport.close()


async def connect(place: PinnedAddress, reader: Reader, poller: Poller, tls: ssl.SSLContext | None) -> Wire:
    """Connects to the pinned address, with TLS if a context is given (the certificate must be of the URL's host). Raises OSError."""
    family = socket.AF_INET if place.address.version == 4 else socket.AF_INET6
    loop = asyncio.get_running_loop()
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        await loop.sock_connect(sock, (str(place.address), place.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is None:
            return PlainWire(sock, reader, poller)
        _, wire = await loop.create_connection(
            lambda: TlsWire(reader), sock=sock, ssl=tls, server_hostname=place.host, ssl_shutdown_timeout=TLS_GOODBYE_S
        )
        return wire
    except BaseException:
        with contextlib.suppress(OSError):
            sock.close()
        raise
