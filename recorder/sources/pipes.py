"""Connections for libav that we make ourselves (HTTP, TCP, UDP), read like files, to one pinned address and without redirects.

So libav never sees a password, resolves no name and opens nothing on its own; a playlist that names another host is refused.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Protocol

from recorder.address import PinnedAddress, parse_url
from recorder.source import SourceEnded
from recorder.sources.digest import Login, best_challenge
from recorder.sources.limits import Limits
from segments.errors import BadInput, KeepsightError, Refused
from segments.model import Cause, Credential

PIPE_SCHEMES: Mapping[str, int] = {"http": 80, "https": 443, "tcp": 0, "udp": 0}
"""What these pipes carry, with default ports as in address.CAMERA_SCHEMES."""
MAX_OPEN = 16
"""Connections of one camera at a time (HLS opens one a playlist and one a piece)."""
_UDP_BUFFER_BYTES = 4 << 20
_POLL_S = 0.5


class Readable(Protocol):
    """What libav reads from."""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, b'' at the end; raises OSError when the other side is silent too long or the pipe was closed."""

    def close(self) -> None:
        """Lets go of the connection."""


class Pipes:
    """All connections of one camera, to one address.

    `received_bytes` rises as they are read; `failure` says why the first one could not be opened.
    """

    def __init__(self, place: PinnedAddress, credential: Credential | None, tls: ssl.SSLContext, limits: Limits) -> None:
        self.received_bytes = 0
        self.failure: SourceEnded | None = None
        self._place = place
        self._login = Login(credential) if credential else None
        self._tls = tls
        self._limits = limits
        self._sockets: dict[socket.socket, http.client.HTTPResponse | None] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._first = True

    def open(self, url: str) -> Readable:
        """Opens a URL; raises SourceEnded in our own words for the camera's first one.

        Whatever else cannot be opened, or is refused for it lies elsewhere, is empty: libav goes on without it. PyAV would write the trace
        of every exception but one into the log, and a playlist can name thousands.
        """
        first, self._first = self._first, False
        try:
            return self._open(url)
        except (KeepsightError, http.client.HTTPException, OSError) as error:
            if not first:
                return _Nothing()
            text = f"no connection to the camera: {_sentence(error)}"
            self.failure = error if isinstance(error, SourceEnded) else SourceEnded(Cause.CAMERA_AWAY, text)
            raise self.failure from None

    def _open(self, url: str) -> Readable:
        try:
            parts = parse_url(url, PIPE_SCHEMES)
        except BadInput as error:
            raise Refused(f"not opened: {error}") from None
        if (parts.host, parts.port) != (self._place.host, self._place.port):
            raise Refused("the camera's playlist names another host; this is not followed")
        if parts.scheme == "udp":
            return _Udp(self, self._keep(self._listen()))
        if parts.scheme == "tcp":
            return _Tcp(self, self._keep(self._connect()))
        return self._open_http(parts.scheme, parts.rest or "/")

    def close(self) -> None:
        """Ends every read at once, from any thread; nothing opens after it."""
        with self._lock:
            self._closed = True
            for each in self._sockets:
                _shut(each)

    def release(self, connection: socket.socket) -> None:
        """Closes one connection."""
        with self._lock:
            answer = self._sockets.pop(connection, None)
        if answer:
            answer.close()
        connection.close()

    def release_all(self) -> None:
        """Closes what libav has left open; called by the reading thread at its end."""
        for connection in list(self._sockets):
            self.release(connection)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def address(self) -> str:
        """The camera's numeric address."""
        return str(self._place.address)

    def _keep(self, connection: socket.socket) -> socket.socket:
        with self._lock:
            if self._closed or len(self._sockets) >= MAX_OPEN:
                connection.close()
                raise ConnectionAbortedError("closed, or too many connections")
            self._sockets[connection] = None
        return connection

    def _connect(self) -> socket.socket:
        connection = socket.create_connection((self.address, self._place.port), self._limits.connect_s)
        connection.settimeout(2 * self._limits.silence_s)  # the source looks for silence itself, and is earlier
        return connection

    def _listen(self) -> socket.socket:
        """A camera that sends UDP sends it to this port of ours."""
        listener = socket.socket(socket.AF_INET6 if self._place.address.version == 6 else socket.AF_INET, socket.SOCK_DGRAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER_BYTES)
        try:
            listener.bind(("", self._place.port))
        except OSError:
            listener.close()
            raise
        listener.settimeout(_POLL_S)
        return listener

    # --- HTTP ---

    def _open_http(self, scheme: str, target: str) -> Readable:
        for _ in range(3):  # plain, with the login, and once more where the nonce was stale
            connection = self._keep(self._secured() if scheme == "https" else self._connect())
            answer = self._sockets[connection] = self._request(connection, target)
            if answer.status == 200:
                return _Http(self, connection, answer)
            challenge = best_challenge(answer.headers.get_all("WWW-Authenticate", []))
            self.release(connection)
            if answer.status != 401 or self._login is None or challenge is None or (self._login.challenged and not challenge.stale):
                raise _refusal(answer.status)
            self._login.take(challenge)
        raise _refusal(401)

    def _secured(self) -> socket.socket:
        return self._tls.wrap_socket(self._connect(), server_hostname=self._place.host)

    def _request(self, connection: socket.socket, target: str) -> http.client.HTTPResponse:
        client = http.client.HTTPConnection(self._place.host, self._place.port)
        client.sock = connection
        login = self._login.header("GET", target) if self._login else {}
        client.request("GET", target, headers={"User-Agent": "keepsight", "Accept": "*/*", "Connection": "close", **login})
        return client.getresponse()


class _Nothing:
    """What could not be opened."""

    def read(self, size: int) -> bytes:  # noqa: ARG002 - what libav reads from
        return b""

    def close(self) -> None:
        pass


class _Http:
    """The body of one answer."""

    def __init__(self, pipes: Pipes, connection: socket.socket, answer: http.client.HTTPResponse) -> None:
        self._pipes, self._connection, self._answer = pipes, connection, answer

    def read(self, size: int) -> bytes:
        try:
            data = self._answer.read1(size)
        except http.client.HTTPException as error:
            raise ConnectionAbortedError(f"not HTTP: {type(error).__name__}") from None
        self._pipes.received_bytes += len(data)
        return data

    def close(self) -> None:
        self._pipes.release(self._connection)


class _Tcp:
    """A plain TCP stream."""

    def __init__(self, pipes: Pipes, connection: socket.socket) -> None:
        self._pipes, self._connection = pipes, connection

    def read(self, size: int) -> bytes:
        data = self._connection.recv(size)
        self._pipes.received_bytes += len(data)
        return data

    def close(self) -> None:
        self._pipes.release(self._connection)


class _Udp:
    """Datagrams of the camera; those of other senders are passed over."""

    def __init__(self, pipes: Pipes, listener: socket.socket) -> None:
        self._pipes, self._listener = pipes, listener

    def read(self, size: int) -> bytes:
        while not self._pipes.closed:
            try:
                data, sender = self._listener.recvfrom(size)
            except TimeoutError:
                continue
            if sender[0] == self._pipes.address and data:
                self._pipes.received_bytes += len(data)
                return data
        return b""

    def close(self) -> None:
        self._pipes.release(self._listener)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is closed already, or a listener that looks by itself
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _refusal(status: int) -> SourceEnded:
    """Our words for an HTTP status; the camera's own could hold a secret."""
    if status in (401, 403):
        return SourceEnded(Cause.LOGIN_REFUSED, f"the camera refuses the login ({status}): check its user and password")
    if 300 <= status < 400:
        return SourceEnded(
            Cause.CAMERA_AWAY, f"the camera redirects ({status}); this is not followed: set the address that it should be reached at"
        )
    if status == 404:
        return SourceEnded(Cause.CAMERA_AWAY, "the camera knows no such stream (404): check the path in its URL")
    return SourceEnded(Cause.CAMERA_AWAY, f"the camera answered with an error ({status})")


def _sentence(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "it refused the connection"
    if isinstance(error, ssl.SSLError):
        return "its certificate or encryption was not accepted"
    return type(error).__name__
