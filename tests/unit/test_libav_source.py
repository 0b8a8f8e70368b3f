"""The source by libav: what it delivers against the clip that was sent, how it ends, and what it never does."""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from recorder.address import LOOPBACK_NETWORKS, resolve_and_pin
from recorder.source import SourceEnded
from recorder.sources.handover import Handover
from recorder.sources.libav import FileSource, LibavSettings, LibavSource
from recorder.sources.limits import Limits
from segments.clock import SystemClock
from segments.media import AccessUnit
from segments.model import Cause, Credential, Sound
from tests.keeping_sink import KeepingSink
from tests.media import Clips, access_units
from tests.servers.faults import TcpFaults
from tests.servers.processes import Program, free_port, require_program

CANARY = "Kenn-Wort%7"
LOGIN = Credential("ops", CANARY)


async def _check(url: str):
    return await resolve_and_pin(url, LOOPBACK_NETWORKS)


def _settings(**limits: float) -> LibavSettings:
    short = {"connect_s": 1.0, "answer_s": 1.0, "silence_s": 1.0} | limits
    return LibavSettings(SystemClock(), _check, ssl.create_default_context(), Limits(**short))


async def _run(source: LibavSource, *, until_enough: bool = False) -> tuple[KeepingSink, SourceEnded | None]:
    """Runs a source to its end (at most 20 s), or until 60 units came; nothing of it may be left then."""
    sink = KeepingSink()
    task = asyncio.ensure_future(source.run(sink))
    async with asyncio.timeout(20):
        if until_enough:
            enough = asyncio.ensure_future(sink.enough.wait())
            await asyncio.wait((task, enough), return_when=asyncio.FIRST_COMPLETED)
            enough.cancel()
            task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
    for thread in [each for each in threading.enumerate() if each.name == "libav source"]:
        thread.join(1)
        assert not thread.is_alive()
    if isinstance(ended, SourceEnded):
        assert CANARY not in str(ended)
        assert "%257" not in repr(ended)
        return sink, ended
    assert isinstance(ended, asyncio.CancelledError)
    return sink, None


class Web:
    """A camera that speaks HTTP: answers by path, remembers what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.login = ""
        self.port = 0

    def give(self, path: str, body: bytes, status: str = "200 OK", *headers: str) -> None:
        """Sets the answer of a path."""
        self.answers[path] = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split(" ")[1])
        if self.login and f"Authorization: {self.login}" not in head:
            writer.write(b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="camera"\r\nContent-Length: 0\r\n\r\n')
        else:
            writer.write(self.answers.get(self.asked[-1], b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
        await writer.drain()
        writer.close()

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    """A running camera by HTTP, without any path yet."""
    web = Web()
    server = await asyncio.start_server(web.serve, "127.0.0.1", 0)
    web.port = server.sockets[0].getsockname()[1]
    yield web
    server.close()


# --- what is delivered -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv"])
@pytest.mark.parametrize("options", [{}, {"audio": "aac"}, {"b_frames": 2}, {"codec": "h265"}])
async def test_units_are_those_of_the_clip(clips: Clips, suffix: str, options: dict):
    """Whatever the container, tracks and pictures are byte for byte those the encoder made, at the same distances."""
    tracks, units = access_units(clips.get(**options))
    sink, ended = await _run(FileSource(clips.get(suffix, **options), _settings()))
    wanted, got = [unit for unit in units if unit.track == 0], sink.of(0)
    assert ended.cause is Cause.CAMERA_AWAY
    assert sink.openings[-1][0][0] == tracks[0]
    assert len(sink.openings) == 1
    same = [n for n, unit in enumerate(wanted) if not unit.key or "codec" not in options]  # x265's SEI stands in .ts only
    assert [got[n].data for n in same] == [wanted[n].data for n in same]
    assert [unit.pts - got[0].pts for unit in got] == [unit.pts - wanted[0].pts for unit in wanted]
    assert [unit.key for unit in got] == [unit.key for unit in wanted]
    assert [track.codec for track in sink.openings[0][0]] == [track.codec for track in tracks]
    assert len(sink.of(1)) == pytest.approx(sum(unit.track == 1 for unit in units), abs=3)


async def test_g711_becomes_aac_and_the_notes_say_so(clips: Clips):
    """The sound lies in a second track, as long as the picture but for what the encoder still holds."""
    sink, _ = await _run(FileSource(clips.get(".mov", audio="pcm_alaw"), _settings()))
    assert sink.openings[0][1] == ("sound (pcm_alaw) recorded as AAC",)
    assert len(sink.of(1)) * 1024 / 8_000 == pytest.approx(4, abs=0.4)


async def test_g711_is_left_out_where_the_setting_says_so(clips: Clips):
    """One track, and a note."""
    sink, _ = await _run(FileSource(clips.get(".mov", audio="pcm_alaw"), _settings(), sound=Sound.OMIT))
    assert (len(sink.openings[0][0]), sink.openings[0][1]) == (1, ("sound (pcm_alaw) left out by setting",))
    assert sink.of(1) == []


async def test_mpeg_ts_over_http(clips: Clips, web: Web):
    """All pictures come, then the end of the connection is the end of the source."""
    web.give("/live.ts", clips.get(".ts").read_bytes())
    sink, ended = await _run(LibavSource(web.url("/live.ts"), None, _settings()))
    assert (len(sink.units), ended.cause) == (100, Cause.CAMERA_AWAY)


async def test_hls(clips: Clips, web: Web):
    """Pieces of a playlist are joined."""
    web.give("/live/one.ts", clips.get(".ts", seconds=2).read_bytes())
    web.give("/live/two.ts", clips.get(".ts", seconds=2).read_bytes())
    web.give("/live/x.m3u8", _playlist("one.ts", "two.ts"))
    sink, _ = await _run(LibavSource(web.url("/live/x.m3u8"), None, _settings()))
    assert len(sink.units) == 100
    assert web.asked == ["/live/x.m3u8", "/live/one.ts", "/live/two.ts"]


async def test_udp_takes_the_cameras_datagrams(clips: Clips):
    """MPEG-TS sent to our port is read."""
    port, data = free_port(), clips.get(".ts", seconds=2, audio="aac").read_bytes()
    sender, _ = await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port))

    async def send() -> None:
        while True:
            for at in range(0, len(data), 1316):
                sender.sendto(data[at : at + 1316])
                await asyncio.sleep(0.002)

    sending = asyncio.ensure_future(send())
    sink, _ = await _run(LibavSource(f"udp://127.0.0.1:{port}", None, _settings()), until_enough=True)
    sending.cancel()
    sender.close()
    assert [track.codec.value for track in sink.openings[0][0]] == ["h264", "aac"]


@pytest.mark.server
@pytest.mark.parametrize("camera", ["h264", "h265", "aac", "alaw", "bframes"])
async def test_rtsp_by_libav_begins_with_the_first_picture(rtsp_server, clips: Clips, camera: str):
    """The first packet, which libav gives no time, is there, is a key frame, and stands one step before the next in time."""
    sink, _ = await _run(LibavSource(rtsp_server.url(f"{camera}/libav"), None, _settings()), until_enough=True)
    video = sink.of(0)
    times = sorted(unit.pts for unit in video[:20])
    assert video[0].key
    assert times[0] == video[0].pts
    assert {later - earlier for earlier, later in pairwise(times[:8])} <= {3600, 3601, 3599}
    assert {unit.dts for unit in video} == {None}
    assert len(sink.openings[0][0]) == (2 if camera in ("aac", "alaw") else 1)


@pytest.mark.server
async def test_rtmp(clips: Clips):
    """What ffmpeg serves as RTMP arrives as it was."""
    ffmpeg, port = require_program("ffmpeg", "ffmpeg"), free_port()
    url = f"rtmp://127.0.0.1:{port}/live/x"
    serving = Program([ffmpeg, "-v", "error", "-re", "-i", str(clips.get()), "-c", "copy", "-f", "flv", "-listen", "1", url])
    try:
        for _ in range(50):
            sink, _ = await _run(LibavSource(url, None, _settings(silence_s=5, answer_s=10)), until_enough=True)
            if sink.units:
                break
            await asyncio.sleep(0.1)
        assert [unit.data for unit in sink.units[:60]] == [unit.data for unit in access_units(clips.get())[1][:60]]
    finally:
        serving.stop()


# --- how it ends -------------------------------------------------------------------------------------------------------


@pytest.mark.server
async def test_a_wrong_password_is_a_refused_login_without_the_password(clips: Clips):
    """Digest by libav; neither the text nor the chain of exceptions holds the password."""
    from tests.servers.rtsp import RtspServer

    with RtspServer({"cam": clips.get()}, auth=("ops", "r@/:%41t")) as server:
        _, ended = await _run(LibavSource(server.url("cam/x", login=False), LOGIN, _settings()))
        sink, _ = await _run(LibavSource(server.url("cam/x", login=False), Credential("ops", "r@/:%41t"), _settings()), until_enough=True)
    assert (ended.cause, ended.__cause__, ended.__context__) == (Cause.LOGIN_REFUSED, None, None)
    assert sink.units


@pytest.mark.server
async def test_media_that_stops_while_the_connection_lives(rtsp_server):
    """RTCP keeps libav waiting for ever; the source ends, and so does its thread."""
    source = LibavSource(rtsp_server.url("h264/stops"), None, _settings())
    freeze = asyncio.get_running_loop().call_later(1, rtsp_server.freeze, "h264/stops")
    _, ended = await _run(source)
    freeze.cancel()
    assert ended.cause is Cause.MEDIA_STOPPED


async def test_http_login(clips: Clips, web: Web):
    """Basic is answered when it is asked for; a wrong password is a refused login."""
    web.give("/live.ts", clips.get(".ts").read_bytes())
    web.login = "Basic " + base64.b64encode(f"ops:{CANARY}".encode()).decode()
    sink, _ = await _run(LibavSource(web.url("/live.ts"), LOGIN, _settings()))
    _, wrong = await _run(LibavSource(web.url("/live.ts"), Credential("ops", "no"), _settings()))
    _, none = await _run(LibavSource(web.url("/live.ts"), None, _settings()))
    assert (len(sink.units), wrong.cause, none.cause) == (100, Cause.LOGIN_REFUSED, Cause.LOGIN_REFUSED)


async def test_a_redirect_is_not_followed(web: Web):
    """The place it points to is never asked."""
    web.give("/live.ts", b"", "302 Found", f"Location: {web.url('/inner')}")
    _, ended = await _run(LibavSource(web.url("/live.ts"), None, _settings()))
    assert (ended.cause, web.asked) == (Cause.CAMERA_AWAY, ["/live.ts"])
    assert "redirect" in str(ended)


async def test_a_playlist_reaches_no_other_host_and_no_file(clips: Clips, web: Web, tmp_path):
    """Other ports and hosts, files and libav's special protocols are refused; the control, on the same host, is fetched."""
    reached: list[str] = []

    async def inner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append("inner")
        writer.close()

    server = await asyncio.start_server(inner, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    secret = tmp_path / "secret.ts"
    secret.write_bytes(clips.get(".ts").read_bytes())
    for target in (
        f"http://127.0.0.1:{port}/x.ts",
        f"http://localhost:{web.port}/ok.ts",
        f"file://{secret}",
        str(secret),
        f"concat:{secret}",
    ):
        web.give("/x.m3u8", _playlist(target))
        sink, ended = await _run(LibavSource(web.url("/x.m3u8"), None, _settings()))
        assert (sink.units, reached) == ([], [])
        assert ended.cause in (Cause.UNSUPPORTED, Cause.CAMERA_AWAY)
    assert set(web.asked) <= {"/x.m3u8"} | {path for path in web.asked if path == str(secret)}  # a path is a path on the camera
    web.give("/ok.ts", secret.read_bytes())
    web.give("/x.m3u8", _playlist(web.url("/ok.ts")))
    sink, _ = await _run(LibavSource(web.url("/x.m3u8"), None, _settings()))
    server.close()
    assert len(sink.units) == 100


@pytest.mark.parametrize("scheme", ["http", "tcp", "rtmp", "rtsp"])
async def test_a_camera_that_accepts_and_never_answers(scheme: str):
    """The source ends by its limits, whoever holds the connection."""

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    brief = _settings(connect_s=0.3, answer_s=0.3)
    _, ended = await _run(LibavSource(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/x", LOGIN, brief))
    server.close()
    assert ended.cause is Cause.CAMERA_AWAY


@pytest.mark.parametrize("fault", ["stall", "reset", "down"])
async def test_a_connection_that_breaks(clips: Clips, web: Web, fault: str):
    """A stall is stopped media, the rest is a camera away; units that came before stay."""
    web.give("/live.ts", clips.get(".ts", seconds=20).read_bytes())
    async with TcpFaults(web.port) as proxy:
        proxy.bytes_per_s = 200_000
        task = asyncio.ensure_future(_run(LibavSource(f"http://127.0.0.1:{proxy.port}/live.ts", None, _settings())))
        await asyncio.sleep(0.5)
        broken = getattr(proxy, fault)()
        if broken is not None:
            await broken
        sink, ended = await task
        proxy.resume()
    assert ended.cause is (Cause.MEDIA_STOPPED if fault == "stall" else Cause.CAMERA_AWAY)
    assert sink.units


@pytest.mark.parametrize(
    ("url", "cause", "words"),
    [
        ("tcp://127.0.0.1:1", Cause.CAMERA_AWAY, "refused the connection"),
        ("srt://127.0.0.1:9000", Cause.UNSUPPORTED, "srt:// is not carried"),
        ("file:///etc/passwd", Cause.CAMERA_AWAY, "must begin with"),
        ("http://8.8.8.8/x.ts", Cause.CAMERA_AWAY, "does not lie in a camera network"),
    ],
)
async def test_what_is_not_opened_says_why(url: str, cause: Cause, words: str):
    """One sentence for a person."""
    _, ended = await _run(LibavSource(url, LOGIN, _settings()))
    assert ended.cause is cause
    assert words in str(ended)


async def test_what_is_no_stream_is_unsupported(web: Web):
    """A page instead of a stream is told apart from silence."""
    web.give("/live.ts", b"<html>" + b"no stream here " * 1000)
    _, ended = await _run(LibavSource(web.url("/live.ts"), None, _settings()))
    assert ended.cause is Cause.UNSUPPORTED


# --- the hand-over -----------------------------------------------------------------------------------------------------


async def test_a_busy_loop_ends_the_source_not_the_memory():
    """Past the limit the thread waits, then is told to end; what waited before is delivered, in order."""
    sink = KeepingSink()
    handover = Handover(sink, max_waiting_bytes=10_000, max_wait_s=0.1)

    def read() -> str:
        try:
            for n in range(1000):
                handover.unit(AccessUnit(0, n, n, key=True, data=bytes(800)), 0)
        except SourceEnded as error:
            handover.end(error)
            return str(error)
        return "no limit"

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()  # the loop does nothing meanwhile
    ended = await handover.ended
    assert ended.cause is Cause.RECONNECTING
    assert [unit.pts for unit in sink.units] == list(range(10))


async def test_a_loop_that_keeps_up_meets_no_limit():
    """The control: the same amount, taken as it comes, arrives whole although it is more than may wait."""
    sink = KeepingSink()
    handover = Handover(sink, max_waiting_bytes=10_000)

    def read() -> None:
        for n in range(1000):
            handover.unit(AccessUnit(0, n, n, key=True, data=bytes(800)), 0)

    await asyncio.to_thread(read)
    await asyncio.sleep(0)
    assert [unit.pts for unit in sink.units] == list(range(1000))


async def test_nothing_comes_after_the_end(clips: Clips):
    """A cancelled source's sink is not called again."""
    sink = KeepingSink()
    handover = Handover(sink)
    handover.unit(AccessUnit(0, 0, 0, key=True, data=b"x"), 0)
    handover.close()
    await asyncio.sleep(0)
    assert sink.units == []


def _playlist(*pieces: str) -> bytes:
    """A playlist of pieces of 2 s."""
    lines = "".join(f"#EXT-X-DISCONTINUITY\n#EXTINF:2.0,\n{piece}\n" for piece in pieces)
    return f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n{lines}#EXT-X-ENDLIST\n".encode()
