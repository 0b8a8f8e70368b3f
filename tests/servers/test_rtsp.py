"""The third-party camera server, read by libav: what the tests of the recorder rely on."""

from __future__ import annotations

import threading
from itertools import pairwise

import av
import pytest

from tests.media import Clips, read_frame_number
from tests.servers.rtsp import RtspServer

pytestmark = pytest.mark.server
_OPTIONS = {"rtsp_transport": "tcp", "probesize": "32", "timeout": "5000000"}


def _numbers(url: str, count: int) -> list[int]:
    with av.open(url, options=_OPTIONS) as container:
        frames = container.decode(video=0)
        return [read_frame_number(next(frames).to_ndarray(format="gray")) for _ in range(count)]


@pytest.mark.parametrize("camera", ["h264", "h265", "aac", "alaw", "ulaw", "bframes"])
def test_each_reader_starts_at_the_first_picture(rtsp_server: RtspServer, camera: str):
    """A reader of its own sees pictures 0, 1, 2... whatever others watch."""
    assert _numbers(rtsp_server.url(f"{camera}/numbers"), 10) == list(range(10))


def test_the_clip_is_looped_without_a_step(clips: Clips):
    """After the last picture comes the first, 40 ms later."""
    with RtspServer({"short": clips.get(seconds=1)}) as server, av.open(server.url("short/x"), options=_OPTIONS) as container:
        packets = container.demux(video=0)
        next(packets)  # libav gives the first one no time
        times = [next(packets).pts for _ in range(60)]
    assert {later - earlier for earlier, later in pairwise(times)} == {3600}


def test_shared_readers_see_the_same_moment(rtsp_server: RtspServer):
    """A second reader of a shared camera joins where the first one is."""
    with av.open(rtsp_server.url("load/one"), options=_OPTIONS) as first:
        frames = first.decode(video=0)
        for _ in range(30):
            seen = read_frame_number(next(frames).to_ndarray(format="gray"))
        assert (_numbers(rtsp_server.url("load/two"), 1)[0] - seen) % 100 < 50


def test_an_outage_ends_readers_and_is_over_when_restored(rtsp_server: RtspServer):
    """Readers end, new ones get 404, and after `restore` there is media again; other paths go on."""
    with av.open(rtsp_server.url("h264/dropped"), options=_OPTIONS) as container:
        packets = container.demux()
        next(packets)
        rtsp_server.drop("h264/dropped")
        assert sum(1 for _ in packets) < 50
    with pytest.raises(av.error.HTTPNotFoundError):
        _numbers(rtsp_server.url("h264/dropped"), 1)
    assert _numbers(rtsp_server.url("h264/other"), 1) == [0]
    rtsp_server.restore("h264/dropped")
    assert _numbers(rtsp_server.url("h264/dropped"), 1) == [0]


def test_a_frozen_camera_goes_on_at_the_present_time(rtsp_server: RtspServer):
    """Media stops while the connection lives; the times jump by about the length of the freeze."""
    with av.open(rtsp_server.url("h264/frozen"), options=_OPTIONS) as container:
        packets = container.demux(video=0)
        next(packets)
        rtsp_server.freeze("h264/frozen")
        threading.Timer(0.5, rtsp_server.thaw, ["h264/frozen"]).start()
        times = [next(packets).pts for _ in range(20)]
    assert 0.3 < max(later - earlier for earlier, later in pairwise(times)) / 90_000 < 5


def test_digest_lets_in_who_knows_the_password(clips: Clips):
    """The right password plays; none and a wrong one are refused."""
    with RtspServer({"cam": clips.get()}, auth=("ops", "right")) as server:
        assert _numbers(server.url("cam/x"), 1) == [0]
        for url in (server.url("cam/x", login=False), server.url("cam/x").replace("right", "wrong")):
            with pytest.raises(av.error.HTTPUnauthorizedError):
                _numbers(url, 1)


def test_a_killed_server_comes_back(clips: Clips):
    """kill -9 loses the readers' connection; a new start serves again."""
    with RtspServer({"cam": clips.get()}) as server:
        url = server.url("cam/x")
        server.kill()
        with pytest.raises(av.error.ConnectionRefusedError):
            _numbers(url, 1)
        server.start()
        assert _numbers(server.url("cam/x"), 1) == [0]
