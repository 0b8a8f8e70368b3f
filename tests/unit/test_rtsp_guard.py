"""What a camera may tell libav's RTSP reader: no redirect, and no other source than itself."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.source import SourceEnded
from recorder.sources.limits import Limits
from recorder.sources.rtsp_guard import AnswerFilter
from segments.model import Cause

CAMERA = ip_address("10.0.0.7")
MEDIA = b"$\x00\x00\x0a0123456789"
DESCRIPTION = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 25\r\n\r\nRTSP/1.0 302 not a head\r\n"
LIMITS = Limits()


def passed(*pieces: bytes, limits: Limits = LIMITS) -> bytes:
    """What of these pieces goes on."""
    answers = AnswerFilter(CAMERA, limits)
    return b"".join(answers.feed(piece) for piece in pieces)


def test_answers_bodies_and_media_pass_as_they_are() -> None:
    """Neither a body nor a frame of media is looked into, whatever stands in it."""
    frame = b"$\x00\x00\x12RTSP/1.0 302 x\r\n\r\n"
    stream = DESCRIPTION + MEDIA + frame + b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n" + MEDIA
    assert passed(stream) == stream


@given(st.lists(st.integers(0, 200), max_size=6))
def test_pieces_do_not_matter(places: list[int]) -> None:
    """However the stream is cut on its way, the same goes on."""
    stream = DESCRIPTION + MEDIA + b"RTSP/1.0 200 OK\r\nTransport: RTP/AVP;unicast;source=10.9.9.9;server_port=5-6\r\n\r\n" + MEDIA * 3
    cuts = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    assert passed(*(stream[a:b] for a, b in pairwise(cuts))) == passed(stream)


@pytest.mark.parametrize("head", ["RTSP/1.0 302 Moved", "RTSP/1.0 301 Moved", "\r\nRTSP/1.0 302 Moved", "REDIRECT rtsp://x RTSP/1.0"])
@pytest.mark.parametrize("before", [b"", MEDIA, DESCRIPTION])
def test_a_redirect_ends_the_connection(before: bytes, head: str) -> None:
    """Nothing of it reaches libav."""
    answers = AnswerFilter(CAMERA, LIMITS)
    answers.feed(before)
    with pytest.raises(SourceEnded) as ended:
        answers.feed(f"{head}\r\nLocation: rtsp://127.0.0.2/live\r\n\r\n".encode())
    assert ended.value.cause is Cause.CAMERA_AWAY
    assert "127.0.0.2" not in str(ended.value)


@pytest.mark.parametrize(
    "stream",
    [
        b"RTSP/1.0 200 OK\r\nCSeq: 1\n\r\r\nRTSP/1.0 302 Moved\r\nLocation: rtsp://127.0.0.2/\r\n\r\n",
        b"RTSP/1.0 +302 Moved\r\n\r\n",
        b"RTSP/1.0 0302 Moved\r\n\r\n",
        b"RTSP/1.0\t302 Moved\r\n\r\n",
        b"RTSP/1.0  302 Moved\r\n\r\n",
        b"rtsp/1.0 302 Moved\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 9\r\nContent-Length: 0\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n$\0\0\1x: y\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: rtsp://127.0.0.2/\r\n\r\n",
    ],
)
def test_what_libav_might_read_otherwise_is_refused(stream: bytes) -> None:
    """Two messages in one, numbers and lines that another reader takes in another way: the connection ends."""
    with pytest.raises(SourceEnded):
        passed(stream)


def test_a_length_that_is_none_does_not_go_on() -> None:
    """What follows is read as the next message, here and by libav."""
    with pytest.raises(SourceEnded):
        passed(b"RTSP/1.0 200 OK\r\nContent-Length: +60\r\n\r\nRTSP/1.0 302 Moved\r\nLocation: rtsp://127.0.0.2/\r\n\r\n")
    assert passed(b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n") == b"RTSP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    "transport",
    [
        "RTP/AVP;unicast;client_port=5-6;server_port=7-8",
        "RTP/AVP;unicast;source=127.0.0.2;client_port=5-6;server_port=7-8",
        "RTP/AVP;unicast;destination=127.0.0.2; Source = 127.0.0.2 ;client_port=5-6;server_port=7-8",
    ],
)
def test_the_camera_is_the_only_source(transport: str) -> None:
    """Whatever a transport names, libav is told the camera's own address."""
    said = passed(f"RTSP/1.0 200 OK\r\nCSeq: 4\r\nTransport: {transport}\r\nSession: 1\r\n\r\n".encode()).decode()
    assert "127.0.0.2" not in said
    assert said.count("source=") == 1
    assert "server_port=7-8;source=10.0.0.7\r\n" in said
    assert said.endswith("Session: 1\r\n\r\n")


def test_a_head_without_an_end_is_refused() -> None:
    """No camera makes us keep more than a head's limit."""
    with pytest.raises(SourceEnded) as ended:
        passed(b"RTSP/1.0 200 OK\r\n" + b"x: y\r\n" * 200, limits=Limits(head_bytes=1000))
    assert ended.value.cause is Cause.UNSUPPORTED
