"""Two sites with plain HTTP between them, on which bits may flip: copier, client and routes are real, the stores are in memory."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from deploy.web_server import Listening, serve_http
from replication.admission import Admission, AtOnce
from replication.peer_client import PeerClient
from replication.peer_routes import create_peer_app
from tests.asked_site import KEY, a_client
from tests.copy_sites import CopySite
from tests.servers.processes import free_port

HEAD_END = b"\r\n\r\n"
_PIECE_BYTES = 1 << 16


@dataclass
class BitFlips:
    """A relay before a server. `flips`: of the segment with this counter, the byte of its body whose lowest bit is changed on the way.

    Each connection carries one request, so that an answer is all that comes back on it.
    """

    server_port: int
    flips: Mapping[int, int] = field(default_factory=dict)
    flipped: int = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Its port."""
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            head = (await reader.readuntil(HEAD_END)).decode("latin-1")
            theirs, to_theirs = await asyncio.open_connection("127.0.0.1", self.server_port)
            asked = re.sub(r"\r\nconnection:[^\r]*", "", head, flags=re.IGNORECASE).replace("\r\n", "\r\nConnection: close\r\n", 1)
            to_theirs.write(asked.encode("latin-1"))
            sending = asyncio.create_task(_pass_on(reader, to_theirs))
            writer.write(self._spoiled(head, await theirs.read(-1)))
            await writer.drain()
            sending.cancel()
            to_theirs.close()
        writer.close()

    def _spoiled(self, head: str, answer: bytes) -> bytes:
        counter = re.match(r"GET /sites/object\?.*?\bcounter=(\d+)", head)
        offset = self.flips.get(int(counter[1])) if counter else None
        if offset is None:
            return answer
        self.flipped += 1
        place = answer.index(HEAD_END) + len(HEAD_END) + offset
        return answer[:place] + bytes([answer[place] ^ 1]) + answer[place + 1 :]


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE_BYTES):
        writer.write(piece)


@asynccontextmanager
async def linked(site: CopySite) -> AsyncIterator[tuple[PeerClient, BitFlips]]:
    """What a site asks the other one by, and the relay in between."""
    port = free_port()
    app = AtOnce(create_peer_app(site.source.source(), Admission("north", {"south": KEY}, site.clock)))
    serving = asyncio.create_task(serve_http(app, Listening("127.0.0.1", port)))
    try:
        await _answering(port)
        relay = BitFlips(port)
        async with relay.listening() as relayed:
            client = a_client(f"http://127.0.0.1:{relayed}", clock=site.clock)
            yield client, relay
            await client.close()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def _answering(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            with suppress(OSError):
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                return
            await asyncio.sleep(0.02)
