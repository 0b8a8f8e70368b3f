"""The demo's RTSP server, spoken to by hand and by the recorder's own client."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from deploy.demo_cameras import rtsp_server
from deploy.demo_cameras.cameras import demo_cameras
from deploy.demo_cameras.live_camera import LiveCamera
from deploy.demo_cameras.rtsp_login import REALM, Account, DigestLogin
from deploy.demo_cameras.rtsp_server import HEAD_BYTES, MAX_CONNECTIONS, RtspServer
from deploy.demo_cameras.rtsp_session import MAX_BEHIND_BYTES
from segments.clock import SystemClock
from segments.media import AudioTrack, Codec, VideoTrack
from segments.model import Cause
from tests.rtsp_client import KeepingSink, a_source, ending_of, run_until

PASSWORD = "a pass,word"


@asynccontextmanager
async def cameras(count=3, silent=""):
    """A running server; gives its port and its cameras."""
    running = [LiveCamera(camera, SystemClock()) for camera in demo_cameras(count, silent)]
    server = await RtspServer(running, Account("demo", PASSWORD), SystemClock()).listen(0)
    filming = [asyncio.ensure_future(camera.run()) for camera in running]
    try:
        yield server.sockets[0].getsockname()[1], running
    finally:
        server.close()
        for task in filming:
            task.cancel()
        await asyncio.gather(*filming, return_exceptions=True)
        await asyncio.sleep(0.05)  # connections see their end


async def left(camera):
    """Waits until a camera has no reader."""
    async with asyncio.timeout(5):
        while camera._readers:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)


class Client:
    """Speaks RTSP by hand, logging in with MD5 as RFC 2617 says."""

    def __init__(self, reader, writer, port):
        self.reader, self.writer, self.base = reader, writer, f"rtsp://127.0.0.1:{port}"
        self.login = ""
        self.number = 0

    async def ask(self, method, path="", *headers):
        """Sends a request; gives status line, headers and body of the answer, packets before it passed over."""
        self.number += 1
        uri = f"{self.base}/{path}"
        lines = [f"{method} {uri} RTSP/1.0", f"CSeq: {self.number}", *headers]
        if self.login:
            lines.append(f"Authorization: {self.proof(method, uri)}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        while (first := await self.reader.readexactly(1)) == b"$":
            await self.reader.readexactly(int.from_bytes((await self.reader.readexactly(3))[1:]))
        head = (first + await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"Content-Length: (\d+)", head)
        body = (await self.reader.readexactly(int(length[1]))).decode() if length else ""
        if nonce := re.search(r'nonce="(\w+)", algorithm=MD5', head):
            self.login = nonce[1]
        return head.splitlines()[0], head, body

    def proof(self, method, uri, password=PASSWORD):
        def md5(text):
            return hashlib.md5(text.encode()).hexdigest()

        response = md5(f"{md5(f'demo:{REALM}:{password}')}:{self.login}:{md5(f'{method}:{uri}')}")
        return f'Digest username="demo", realm="{REALM}", nonce="{self.login}", uri="{uri}", response="{response}"'


@asynccontextmanager
async def connected(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer, port)
    finally:
        writer.close()


def url(port, camera, login="demo:a%20pass%2Cword@"):
    return f"rtsp://{login}127.0.0.1:{port}/{camera}"


async def test_the_recorder_gets_pictures_and_sound():
    """H.264 with sound and H.265: known sizes, pictures on the camera's own grid from a key frame on, sound beside them."""
    async with cameras() as (port, _):
        for camera, codec, step in (("yard", Codec.H264, 6000), ("quay", Codec.H265, 7500)):
            sink = KeepingSink()
            await run_until(a_source(url(port, camera)), sink, lambda sink=sink: len(sink.of(0)) >= 20)
            tracks, notes = sink.opens[0]
            assert (tracks[0].codec, tracks[0].width, tracks[0].height, notes) == (codec, 640, 360, ())
            assert isinstance(tracks[0], VideoTrack)
            pictures = sink.of(0)
            assert pictures[0].key
            assert {b.pts - a.pts for a, b in pairwise(pictures)} == {step}
        assert len(sink.opens[0][0]) == 1


async def test_sound_lies_beside_its_pictures():
    """Sound comes in pieces of 1024 samples without a hole, and starts within a piece's length of the pictures."""
    async with cameras(2) as (port, _):
        sink = KeepingSink()
        await run_until(a_source(url(port, "yard")), sink, lambda: len(sink.of(1)) >= 20)
        assert sink.opens[0][0][1] == AudioTrack(16_000, 1, sink.opens[0][0][1].config)
        sound = [unit.pts for unit in sink.of(1)]
        assert {b - a for a, b in pairwise(sound)} == {1024 * 90_000 // 16_000}
        assert abs(sound[0] - sink.of(0)[0].pts) < 2 * 5760 + 6000


async def test_sender_reports_say_when_pictures_were_taken():
    """The first report comes before the first picture; by it no picture arrives before it was taken, nor more than a second later."""
    async with cameras(1) as (port, _):
        sink = KeepingSink()
        await run_until(a_source(url(port, "gate")), sink, lambda: len(sink.units) >= 10)
        pts, wall_us = sink.clocks[0]
        late_us = [arrival - wall_us - (unit.pts - pts) * 100 // 9 for unit, arrival in zip(sink.units, sink.arrivals, strict=True)]
        assert min(late_us) > 0
        assert max(late_us) < 1_000_000


@pytest.mark.parametrize("login", ["", "demo:wrong@", "other:a%20pass%2Cword@"])
async def test_only_the_right_login_is_let_in(login):
    """None, a wrong password and a wrong user are refused, by Digest."""
    async with cameras(1) as (port, _):
        assert (await ending_of(a_source(url(port, "gate", login)))).cause is Cause.LOGIN_REFUSED


async def test_a_silent_camera_connects_and_sends_nothing():
    """PLAY is answered, and then no packet comes; the others send."""
    async with cameras(2, silent="yard") as (port, _), connected(port) as client:
        await client.ask("DESCRIBE", "yard")
        await client.ask("SETUP", "yard/video", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        assert (await client.ask("PLAY", "yard"))[0] == "RTSP/1.0 200 OK"
        sink = KeepingSink()
        await run_until(a_source(url(port, "gate")), sink, lambda: len(sink.units) >= 10)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.reader.readexactly(1)


async def test_what_cannot_be_asked_is_answered_so():
    """Each wrong request gets its own status, and the connection goes on."""
    tcp = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
    async with cameras(1) as (port, _), connected(port) as client:
        assert "401" in (await client.ask("DESCRIBE", "gate"))[0]
        for status, *asked in (
            ("404", "DESCRIBE", "nobody"),
            ("461", "SETUP", "gate/video", "Transport: RTP/AVP;unicast;client_port=5000-5001"),
            ("400", "SETUP", "gate/video", "Transport: RTP/AVP/TCP;unicast;interleaved=1-2"),
            ("404", "SETUP", "gate/sound", tcp),
            ("455", "PLAY", "gate"),
            ("501", "RECORD", "gate"),
            ("200", "SETUP", "gate/video", tcp),
            ("200", "GET_PARAMETER", "gate"),
        ):
            assert status in (await client.ask(*asked))[0], asked


async def test_a_login_holds_for_its_request_only():
    """A proof made for one request does not open another, nor one for a nonce of another connection."""
    login = DigestLogin(Account("demo", PASSWORD))
    nonce = re.search(r'nonce="(\w+)"', login.challenges[0])[1]
    client = Client(None, None, 1)
    client.login = nonce
    proof = client.proof("DESCRIBE", "rtsp://h/gate")
    assert login.lets_in("DESCRIBE", "rtsp://h/gate", proof)
    assert not login.lets_in("PLAY", "rtsp://h/gate", proof)
    assert not login.lets_in("DESCRIBE", "rtsp://h/yard", proof)
    assert not DigestLogin(Account("demo", PASSWORD)).lets_in("DESCRIBE", "rtsp://h/gate", proof)
    assert PASSWORD not in repr(Account("demo", PASSWORD))


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"X" * (2 * HEAD_BYTES), b"OPTIONS * RTSP/1.0\r\nContent-Length: 99999\r\n\r\n"]
)
async def test_what_is_no_rtsp_ends_the_connection(sent):
    """Another protocol, a head without end and a body too long are not answered."""
    async with cameras(1) as (port, _), connected(port) as client:
        client.writer.write(sent)
        assert await client.reader.read() == b""


async def test_too_many_connections_are_closed(monkeypatch):
    """One more than the limit is closed at once, and those there go on."""
    assert MAX_CONNECTIONS == 64
    monkeypatch.setattr(rtsp_server, "MAX_CONNECTIONS", 1)
    async with cameras(1) as (port, _), connected(port) as first:
        await first.ask("OPTIONS", "gate")
        async with connected(port) as second:
            assert await second.reader.read() == b""
        assert "200" in (await first.ask("OPTIONS", "gate"))[0]


async def test_a_reader_that_does_not_read_is_cut_off():
    """It holds up nobody: beyond the limit its connection is dropped."""
    async with cameras(1) as (port, running), connected(port) as client:
        await client.ask("DESCRIBE", "gate")
        await client.ask("SETUP", "gate/video", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        await client.ask("PLAY", "gate")
        client.writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.reader._transport.pause_reading()
        (take,) = running[0]._readers
        session = take.__self__
        session._writer.write(bytes(4 * MAX_BEHIND_BYTES))
        await left(running[0])
        assert session.ended


async def test_nobody_looks_nothing_is_encoded():
    """The pictures are numbered as they are encoded: none while there is no reader, and none after the last has gone."""
    async with cameras(1) as (port, running):
        await asyncio.sleep(0.3)
        assert running[0]._number == 0
        sink = KeepingSink()
        await run_until(a_source(url(port, "gate")), sink, lambda: len(sink.units) >= 3)
        await left(running[0])
        await asyncio.sleep(0.1)
        encoded = running[0]._number
        await asyncio.sleep(0.3)
        assert running[0]._number == encoded > 0
