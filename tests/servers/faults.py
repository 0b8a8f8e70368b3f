"""A TCP proxy that injects faults between a client and a real server.

    async with TcpFaults(port_of_the_server) as proxy:
        connect to 127.0.0.1, proxy.port
        proxy.silent = True         # accepts and takes everything, answers nothing more: a black hole
        proxy.stall()               # stops reading on both sides until resume(): their buffers fill
        proxy.reset()               # RST to every client connected now

The fields may be changed at any moment and act on connections that live and on new ones. "Up" is from client to server.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import Self

_PIECE_BYTES = 16_384


@dataclass
class TcpFaults:
    """The proxy of one server; all its connections share the faults. Starts without any."""

    server_port: int
    server_host: str = "127.0.0.1"
    latency_s: float = 0.0
    """Waits before each piece handed on, both ways."""
    bytes_per_s: float | None = None
    """Limit of each direction of each connection."""
    silent: bool = False
    """Takes bytes from both sides and drops them; new connections are accepted and never answered."""
    cut_after_bytes: int | None = None
    """Closes a connection once the server has sent so many bytes down; the piece is cut exactly there."""
    cut_up_after_bytes: int | None = None
    """The same for what the client has sent up."""
    accepted: int = 0
    """Connections accepted so far."""
    port: int = field(default=0, init=False)
    _server: asyncio.Server | None = field(default=None, init=False)
    _flowing: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _tasks: set[asyncio.Task] = field(default_factory=set, init=False)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set, init=False)

    async def __aenter__(self) -> Self:
        self.resume()
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def up(self) -> None:
        """Listens, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuses new connections and cuts those that live."""
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stall(self) -> None:
        """Stops reading from both sides. Nothing is lost: it comes through after `resume`."""
        self._flowing.clear()

    def resume(self) -> None:
        """Ends a stall."""
        self._flowing.set()

    def reset(self) -> None:
        """Sends RST to both ends of every living connection."""
        for writer in list(self._writers):
            _reset_on_close(writer)
            writer.transport.abort()

    async def _serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        self.accepted += 1
        self._writers.add(client_out)
        try:
            server_in, server_out = await asyncio.open_connection(self.server_host, self.server_port)
            self._writers.add(server_out)
            up = asyncio.create_task(self._pump(client_in, server_out, "cut_up_after_bytes"))
            down = asyncio.create_task(self._pump(server_in, client_out, "cut_after_bytes"))
            try:
                await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            finally:
                up.cancel()
                down.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
                self._close(server_out)
        except (OSError, asyncio.CancelledError):
            pass  # the server is away, or the proxy goes down: the client sees its connection end
        finally:
            self._close(client_out)
            self._tasks.discard(task)

    def _close(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        with contextlib.suppress(OSError):
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: str) -> None:
        """Hands pieces on until one side ends or the byte limit named by the field `limit` is met."""
        passed = 0
        while True:
            piece = await reader.read(_PIECE_BYTES)
            if not piece:
                return
            await self._wait(len(piece))
            await self._flowing.wait()
            if self.silent:
                continue
            cut = getattr(self, limit)
            if cut is not None:
                piece = piece[: max(0, cut - passed)]
            passed += len(piece)
            writer.write(piece)
            await writer.drain()
            if cut is not None and passed >= cut:
                return

    async def _wait(self, size: int) -> None:
        delay_s = self.latency_s + (size / self.bytes_per_s if self.bytes_per_s else 0)
        if delay_s:
            await asyncio.sleep(delay_s)


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    """Makes the kernel send RST instead of FIN (SO_LINGER with no time)."""
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
