"""The fault proxies themselves: each fault is what it says, and without one nothing changes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from tests.servers.faults import TcpFaults
from tests.servers.faults_http import Fault, HttpFaults


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that sends back what it gets."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            writer.write(piece)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def proxy(echo: int) -> AsyncIterator[TcpFaults]:
    """A proxy in front of the echo, without faults yet."""
    async with TcpFaults(echo) as faults:
        yield faults


async def _ask(proxy: TcpFaults, data: bytes = b"x") -> bytes:
    """What comes back on a new connection, until as much came as went or the other side ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(data)
        async with asyncio.timeout(0.4):
            return await reader.readexactly(len(data))
    except asyncio.IncompleteReadError as end:
        return end.partial
    finally:
        writer.close()


async def test_without_faults_bytes_pass_unchanged(proxy):
    """A megabyte comes back as it went."""
    data = bytes(range(256)) * 4096
    assert await _ask(proxy, data) == data


async def test_latency_delays_both_ways(proxy):
    """The answer takes at least twice the latency."""
    proxy.latency_s = 0.05
    start = asyncio.get_running_loop().time()
    await _ask(proxy)
    assert asyncio.get_running_loop().time() - start >= 0.1


async def test_bandwidth_is_a_limit(proxy):
    """20 kB at 100 kB/s up and down take at least 0.2 s."""
    proxy.bytes_per_s = 100_000
    start = asyncio.get_running_loop().time()
    assert len(await _ask(proxy, b"x" * 20_000)) == 20_000
    assert asyncio.get_running_loop().time() - start >= 0.2


async def test_silent_accepts_and_never_answers(proxy):
    """The connection opens, and nothing comes until the caller's own limit."""
    proxy.silent = True
    with pytest.raises(TimeoutError):
        await _ask(proxy)
    assert proxy.accepted == 1


async def test_a_stall_loses_nothing(proxy):
    """Nothing comes during a stall, all of it after."""
    proxy.stall()
    asyncio.get_running_loop().call_later(0.2, proxy.resume)
    start = asyncio.get_running_loop().time()
    assert await _ask(proxy, b"abc") == b"abc"
    assert asyncio.get_running_loop().time() - start >= 0.19


async def test_reset_is_seen_as_reset(proxy):
    """A living connection ends by RST, not by an orderly end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"x")
    await reader.readexactly(1)
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_cut_counts_bytes_exactly(proxy):
    """Exactly so many bytes come down, then the end."""
    proxy.cut_after_bytes = 1000
    assert await _ask(proxy, b"x" * 5000) == b"x" * 1000


async def test_down_refuses_and_up_serves_on_the_same_port(proxy, echo):
    """Clients need not learn a new address after an outage."""
    port = proxy.port
    await proxy.down()
    with pytest.raises(ConnectionRefusedError):
        await _ask(proxy)
    await proxy.up()
    assert (proxy.port, await _ask(proxy)) == (port, b"x")


# --- HTTP --------------------------------------------------------------------------------------------------------------


class Store:
    """The least store that could be: keeps what a PUT brought whole, and gives it back."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        size = next((int(line.split(":")[1]) for line in head.lower().split("\r\n") if line.startswith("content-length")), 0)
        try:
            body = await reader.readexactly(size)
            if method == "PUT":
                self.kept[path] = body
            answer = self.kept[path] if method == "GET" else b""
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(answer) + answer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """A running store."""
    store = Store()
    server = await asyncio.start_server(store.serve, "127.0.0.1", 0)
    store.port = server.sockets[0].getsockname()[1]
    yield store
    server.close()


async def _request(proxy: HttpFaults, method: str, body: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(f"{method} /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("fault", "status", "kept"),
    [
        (None, b"HTTP/1.1 200 OK", b"0123456789"),
        (Fault.SLOW_DOWN, b"HTTP/1.1 503 SlowDown", None),
        (Fault.ERROR_AFTER_COMMIT, b"HTTP/1.1 500 InternalError", b"0123456789"),
        (Fault.RESPONSE_LOST, b"", b"0123456789"),
        (Fault.TRUNCATED_UPLOAD, b"", None),
        (Fault.WRONG_BYTES, b"HTTP/1.1 200 OK", b"01234\xca6789"),
        (Fault.LYING_200, b"HTTP/1.1 200 OK", None),
        (Fault.SLOW, b"HTTP/1.1 200 OK", b"0123456789"),
    ],
)
async def test_what_the_client_hears_and_the_store_keeps(store, fault, status, kept):
    """Each fault is told apart by the answer and by what is in the store afterwards."""
    async with HttpFaults(store.port, lambda method, path, n: fault, slow_s=0.05) as proxy:
        answer = await _request(proxy, "PUT", b"0123456789")
    assert (answer.partition(b"\r\n")[0], store.kept.get("/b/k")) == (status, kept)


async def test_the_fault_is_asked_for_each_request(store):
    """Only the request that the callable names is broken; it hears method, path and count."""
    heard = []

    def second(method: str, path: str, n: int) -> Fault | None:
        heard.append((method, path, n))
        return Fault.SLOW_DOWN if n == 2 else None

    async with HttpFaults(store.port, second) as proxy:
        answers = [await _request(proxy, "PUT", b"x") for _ in range(3)]
    assert [answer.split()[1] for answer in answers] == [b"200", b"503", b"200"]
    assert heard == [("PUT", "/b/k", 1), ("PUT", "/b/k", 2), ("PUT", "/b/k", 3)]


async def test_a_lying_answer_carries_the_right_etag(store):
    """Only reading back shows the lie."""
    async with HttpFaults(store.port, lambda *_: Fault.LYING_200) as proxy:
        assert hashlib.md5(b"abc").hexdigest().encode() in await _request(proxy, "PUT", b"abc")


async def test_a_truncated_answer_is_shorter_than_it_says(store):
    """The head promises all bytes, half of them come."""
    store.kept["/b/k"] = b"x" * 1000
    async with HttpFaults(store.port, lambda *_: Fault.TRUNCATED_ANSWER) as proxy:
        head, _, body = (await _request(proxy, "GET")).partition(b"\r\n\r\n")
    assert (b"Content-Length: 1000" in head, len(body)) == (True, 500)
