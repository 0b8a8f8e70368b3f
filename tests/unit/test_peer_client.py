"""The client of another site against one that lies, hangs, or sends us elsewhere."""

from __future__ import annotations

import asyncio
import base64
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pytest

from replication import byte_streams, peer_client, wire
from replication.byte_streams import Opened
from replication.peer_client import PeerClient
from replication.ports import PROTOCOL, Hello, Named
from replication.wire_values import as_bytes, to_json
from segments.errors import DataDamaged, KeepsightError, NotFound, Refused, TryAgain
from segments.model import Partition, RowPosition
from tests.asked_site import ATTRIBUTES, KEY, AskedSite, a_client, a_small_row, all_of, served
from tests.builders import NOON_US, RUN
from tests.certificates import Authority
from tests.servers.processes import free_port

DAY = date(2026, 3, 14)
Answers = Callable[[httpx2.Request], httpx2.Response]
ROW, DATA = a_small_row()
PACKED = base64.b64encode(as_bytes(ATTRIBUTES)).decode()
STORE = "https://store.example"


@asynccontextmanager
async def lying(answers: Answers, **fields: Any) -> AsyncIterator[tuple[PeerClient, list[httpx2.Request]]]:
    """A client of a site (and its stores) that answers so, and all that they were asked."""
    asked: list[httpx2.Request] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        asked.append(request)
        found = answers(request)
        return httpx2.Response(found.status_code, headers=found.headers, stream=Streamed(found))

    client = a_client("https://north.example", **fields)
    await client.close()
    client._http._questions = httpx2.AsyncClient(transport=httpx2.MockTransport(answer), follow_redirects=False)
    client._http._bytes = client._http._stores = SaidBytes(answer)
    yield client, asked
    await client.close()


class SaidBytes:
    """See `ByteStreams`."""

    def __init__(self, answer: Callable[[httpx2.Request], Awaitable[httpx2.Response]]) -> None:
        self._answer = answer

    async def get(self, url: str, headers: Mapping[str, str]) -> Opened:
        found = await self._answer(httpx2.Request("GET", url, headers=headers))
        return Opened(found.status_code, found.headers, aiter(found.stream))

    def close(self) -> None:
        return


def says(value: Any, status: int = 200, **headers: str) -> Answers:
    body = value if isinstance(value, bytes) else as_bytes(value)
    return lambda _: httpx2.Response(status, content=body, headers=headers)


class Streamed(httpx2.AsyncByteStream):
    """The body of an answer, as it comes from a network."""

    def __init__(self, answer: httpx2.Response) -> None:
        self._stream = answer.stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


# --- what cannot be ---


@pytest.mark.parametrize("answer", [b"", b"no", [], {"a": 1}, [1], ["0:" + "0" * 32] * 2, ["x"], ["-1:" + "0" * 32]])
async def test_answers_that_cannot_be_are_damage(answer: Any) -> None:
    """Nothing of them is believed."""
    async with lying(says(answer)) as (client, _):
        with pytest.raises(DataDamaged, match="north"):
            await client.digests([Partition("gate", DAY)])


async def test_answers_to_other_questions_are_damage() -> None:
    """A run of another camera, or another run, fewer answers than questions, a camera of a home of its own."""
    run = {"camera": "door", "id": RUN, "start_us": 0, "last_us": 0, "init": "", "codecs": "", "width": 0, "height": 0}
    for wrong in ({}, {"camera": "gate", "id": f"{RUN}0"}):
        async with lying(says(run | wrong)) as (client, _):
            with pytest.raises(DataDamaged):
                await client.run("gate", RUN)
    async with lying(says(["here"])) as (client, _):
        with pytest.raises(DataDamaged):
            await client.has("gate", DAY, [Named(RowPosition(NOON_US, RUN, n), "0" * 64) for n in range(2)])


async def test_endless_answers_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the limit is not held, whatever it is."""
    monkeypatch.setattr(peer_client, "MOST_ANSWER_BYTES", 1000)
    async with lying(lambda _: httpx2.Response(200, content=in_pieces(*[b"x" * 100] * 1000))) as (client, _):
        with pytest.raises(DataDamaged, match="1000 bytes"):
            await client.holds()


async def test_compressed_answers_are_not_opened() -> None:
    """Few bytes cannot become many here: none are asked for, and none are unpacked."""
    packed = {"Content-Encoding": "gzip"}
    async with lying(lambda _: httpx2.Response(200, content=in_pieces(b"\x1f\x8b"), headers=packed)) as (client, asked):
        with pytest.raises(DataDamaged):
            await client.holds()
        assert asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(("changes", "word"), [({"site": "east"}, "called east"), ({"protocol": PROTOCOL + 1}, "protocol 2")])
async def test_another_site_or_protocol_is_refused_by_name(changes: dict[str, Any], word: str) -> None:
    """Before anything is asked of it."""
    hello = replace(Hello("north", PROTOCOL, "1", NOON_US, 1, "k"), **changes)
    async with lying(says(to_json(hello))) as (client, _):
        with pytest.raises(Refused, match=word):
            await client.hello()


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (401, "not-admitted", Refused),
        (404, "not-found", NotFound),
        (422, "bad-input", Refused),
        (502, "data-damaged", DataDamaged),
        (502, "refused", Refused),
        (503, "try-again", TryAgain),
        (500, "internal", TryAgain),
        (500, "anything else", TryAgain),
    ],
)
async def test_problems_become_errors(status: int, kind: str, error: type[KeepsightError]) -> None:
    """Each of its kind, with what was said: at most a line, without what a terminal would obey."""
    problem = {"type": f"urn:keepsight:problem:{kind}", "detail": "why\x1b[2J\n" + "x" * 1000}
    async with lying(says(problem, status)) as (client, _):
        with pytest.raises(error) as caught:
            await client.run("gate", RUN)
    assert type(caught.value) is error
    assert "why??[2J"[:4] in str(caught.value).replace("\n", "!")
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("status", [301, 307, 308, 200, 404, 500])
async def test_what_is_no_answer_of_ours_passes(status: int) -> None:
    """A page of a proxy, or a redirect, which is not followed."""
    async with lying(says(b"<html>", status, Location="https://elsewhere.example/")) as (client, asked):
        with pytest.raises(TryAgain if status != 200 else DataDamaged):
            await client.holds()
        assert [request.url.host for request in asked] == ["north.example"]


# --- bytes ---


@pytest.mark.parametrize(("given", "said"), [(DATA[:-1], None), (DATA + b"x", None), (DATA[:-1], 4999), (DATA, 6000), (b"", None)])
async def test_a_site_that_lies_about_sizes(given: bytes, said: int | None) -> None:
    """Fewer bytes, more bytes, or another number than there must be are damage, wherever it is noticed."""
    headers = {} if said is None else {"Content-Length": str(said)}
    async with lying(lambda _: httpx2.Response(200, content=in_pieces(given[:2000], given[2000:]), headers=headers)) as (client, _):
        with pytest.raises(DataDamaged):
            await all_of((await client.read(ROW)).pieces)


async def test_endless_bytes_are_cut() -> None:
    """What is more than the segment has is not read on."""
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 1000

    async with lying(lambda _: httpx2.Response(200, content=endless())) as (client, _):
        with pytest.raises(DataDamaged, match="more bytes"):
            await all_of((await client.read(ROW)).pieces)
    assert read == 6


@pytest.mark.parametrize("attributes", ["!", base64.b64encode(b"[]").decode(), base64.b64encode(b'{"a":1}').decode()])
async def test_attributes_that_cannot_be_are_damage(attributes: str) -> None:
    """Text by name, or nothing."""
    async with lying(says(DATA, **{"keepsight-attributes": attributes})) as (client, _):
        with pytest.raises(DataDamaged):
            await client.read(ROW)


# --- links ---


def with_link(link: str, store: Answers) -> Answers:
    """A site that sends its askers to a link, and what answers there; asked without links it gives the bytes itself."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.host != "north.example":
            return store(request)
        if "links" in request.url.params:
            return httpx2.Response(307, headers={"Location": link, "keepsight-attributes": PACKED})
        return httpx2.Response(200, content=DATA, headers={"keepsight-attributes": PACKED})

    return answer


async def test_a_link_is_followed_without_our_signature() -> None:
    """Bytes and ranges come from the store, which is sent nothing of ours; attributes are those the site told."""

    def store(request: httpx2.Request) -> httpx2.Response:
        start, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
        return httpx2.Response(206, content=DATA[int(start) : int(last) + 1])

    async with lying(with_link(f"{STORE}/b/key?X-Amz-Signature=1", store), links=frozenset({STORE})) as (client, asked):
        whole = await client.read(ROW)
        assert (whole.attributes, await all_of(whole.pieces)) == (ATTRIBUTES, DATA)
        assert await all_of((await client.read(ROW, 5, 99)).pieces) == DATA[5:99]
    assert not [name for request in asked if request.url.host == "store.example" for name in request.headers if "keepsight" in name]


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/key",
        "http://store.example/key",
        "https://store.example:444/key",
        "https://store.example@elsewhere.example/key",
        "https://x@store.example/key",
        "https://store.example.elsewhere.example/key",
        "https://127.0.0.1/key",
        "file:///etc/passwd",
        "//store.example/key",
        "/key",
        "https://[",
        "",
    ],
)
async def test_links_to_elsewhere_are_not_followed(link: str) -> None:
    """A site cannot make us ask any address that was not configured."""
    async with lying(with_link(link, says(b"")), links=frozenset({STORE})) as (client, asked):
        with pytest.raises(Refused, match="not among"):
            await client.read(ROW)
        assert {request.url.host for request in asked} == {"north.example"}


async def test_links_are_not_asked_for_where_none_are_accepted() -> None:
    """A redirect is an error then."""
    async with lying(lambda _: httpx2.Response(307, headers={"Location": f"{STORE}/key"})) as (client, asked):
        with pytest.raises(TryAgain):
            await client.read(ROW)
        assert ["links" in request.url.params for request in asked] == [False]


@pytest.mark.parametrize("status", [403, 404, 500, 302])
async def test_a_link_that_does_not_open_is_done_without(status: int) -> None:
    """Its bytes come through the site then; a redirect of the store is not followed."""
    store = says(b"", status, Location="https://elsewhere.example/")
    async with lying(with_link(f"{STORE}/key", store), links=frozenset({STORE})) as (client, asked):
        assert await all_of((await client.read(ROW)).pieces) == DATA
        assert [request.url.host for request in asked] == ["north.example", "store.example", "north.example"]


async def test_a_store_that_ignores_ranges_is_not_believed() -> None:
    """The whole of an object in the place of a part is left, and the site is asked."""
    async with lying(with_link(f"{STORE}/key", says(DATA)), links=frozenset({STORE})) as (client, asked):
        with pytest.raises(DataDamaged):  # the site of this test gives the whole as well
            await client.read(ROW, 5, 99)
        assert len(asked) == 3


# --- over real connections ---


async def test_a_site_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody there, or one who hangs: tried again later, within the limit."""
    client = a_client(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TryAgain, match="north does not answer"):
        await client.hello()
    await client.close()
    monkeypatch.setattr(peer_client, "ANSWER_S", 0.1)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        left.set()

    left = asyncio.Event()
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        client = a_client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(TryAgain, match="within"):
            await client.hello()
        await client.close()
        await left.wait()


async def test_only_its_own_authority_is_believed(tmp_path: Path) -> None:
    """A certificate of another authority is not believed, nothing is told to it, and the setting is named."""
    async with served(AskedSite(), tmp_path) as (url, _):
        client = a_client(url, Authority(tmp_path, "other").ca_file)
        with pytest.raises(TryAgain, match=r"sites\.north\.ca_file"):
            await client.hello()
        await client.close()


async def test_a_wrong_key_is_refused_and_never_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither errors, tracebacks, logs nor representations hold a key."""
    with caplog.at_level(logging.DEBUG):
        async with served(AskedSite(), tmp_path) as (url, ca_file):
            client = a_client(url, ca_file, key="canary-" + "k" * 40)
            with pytest.raises(Refused) as caught:
                await client.hello()
            said = "".join(traceback.format_exception(caught.value)) + repr(client.address) + repr(vars(client)) + caplog.text
            await client.close()
    assert "canary" not in said
    assert KEY not in said


async def test_a_reader_that_leaves_lets_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that nobody reads to their end do not hold a connection: many more than there are can be begun."""
    monkeypatch.setattr(byte_streams, "AT_ONCE", 2)
    site = AskedSite()
    row, data = await site.keep(6 << 20)
    async with served(site, tmp_path, objects=4) as (url, ca_file):
        client = a_client(url, ca_file)
        for _ in range(10 * byte_streams.AT_ONCE):
            found = await client.read(row)
            assert data.startswith(await anext(found.pieces))
            await found.pieces.aclose()
        await client.close()


async def test_reads_that_are_given_up_let_go(tmp_path: Path) -> None:
    """Neither a read that is cancelled while it waits for an answer, nor one in the middle of its bytes, keeps its place."""
    site = AskedSite()
    row, data = await site.keep(6 << 20)
    async with served(site, tmp_path) as (url, ca_file):
        client = a_client(url, ca_file)
        for wait_s in [0.001 * n for n in range(40)]:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await all_of((await client.read(row)).pieces)
        assert await all_of((await client.read(row)).pieces) == data
        await client.close()


async def _all_read(client: PeerClient) -> bytes:
    return await all_of((await client.read(ROW)).pieces)


async def test_a_client_that_is_closed_ends_its_reads(tmp_path: Path) -> None:
    """What hangs is not waited for at the end of a process."""
    left = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nfirst")
        await reader.read()
        writer.close()
        left.set()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        client = a_client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        reading = asyncio.create_task(_all_read(client))
        await asyncio.sleep(0.2)
        await client.close()
        async with asyncio.timeout(3):
            with pytest.raises(TryAgain):
                await reading
            await left.wait()


async def test_a_bad_row_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """Beside a row whose key is another camera's, the good one is given; the log says which was left out, and of whom."""
    good, bad = wire.row_values(ROW), wire.row_values(replace(ROW, counter=ROW.counter + 1, key="yard/2026-03-14/x/12/00-00.000000Z.1.mp4"))
    async with lying(says([good, bad])) as (client, _):
        assert await client.rows(ROW.camera, DAY, [12]) == [ROW]
    (said,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("site.bad-rows")]
    assert f"site north, {ROW.camera} {DAY}: 1 rows are none: row 1" in said
