"""Serving an application over HTTP, or HTTPS with a certificate, beside the other work of a process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from socket import IPPROTO_TCP, TCP_NODELAY

import uvicorn

from deploy.tls import Certificate
from segments.errors import StartRefused


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server listens, and with which certificate; without one it is plain."""

    host: str
    port: int
    certificate: Certificate | None = None


class _Server(uvicorn.Server):
    """A server that leaves signals to its process, which has other parts to end in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


async def serve_http(app: object, at: Listening) -> None:
    """Serves until cancelled; raises StartRefused if the address is taken."""
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=at.host,
        port=at.port,
        ssl_certfile=at.certificate.certificate_file if at.certificate else None,
        ssl_keyfile=at.certificate.key_file if at.certificate else None,
        log_config=None,
        lifespan="auto",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    try:
        socket = config.bind_socket()
    except SystemExit:
        raise StartRefused(f"{at.host}:{at.port} cannot be listened on: another program uses it; choose another port") from None
    # Connections inherit it. asyncio sets it only where a socket names its protocol, which this one does not; without it the end of an
    # answer waits for the acknowledgement of its begin, 40 ms.
    socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    serving = asyncio.create_task(server.serve(sockets=[socket]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
        socket.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()  # one that does not answer to the end of its TLS
        await asyncio.sleep(0)
