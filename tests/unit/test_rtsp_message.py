"""RTSP messages and interleaved frames as real cameras write them, and the limits of both."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.sources.interleaved import Interleaved
from recorder.sources.limits import DEFAULT_LIMITS
from recorder.sources.message import HEADERS, interleaved_channels, read_message, request_bytes, rtp_times, session_of
from segments.errors import DataDamaged
from tests.rtp_builders import frame

ANSWER = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 4\r\n\r\nbody"


def take(stream, *, pieces=(), channels=(0,), limits=DEFAULT_LIMITS):
    """What a splitter finds in a stream cut at the given places: packets and messages, in order."""
    found = []

    def on_packet(view, pos, after, _end):
        found.append(bytes(view[pos + 4 : after]))
        return after

    splitter = Interleaved(found.append, limits)
    splitter.channels.update(dict.fromkeys(channels, on_packet))
    rest, places = b"", [0, *sorted(pieces), len(stream)]
    for start, stop in pairwise(places):
        buffer = rest + stream[start:stop]
        used = splitter.feed(memoryview(bytearray(buffer)), len(buffer))
        rest = buffer[used:]
    return found


@pytest.mark.parametrize(
    "answer",
    [ANSWER, ANSWER.replace(b"\r\n", b"\n"), ANSWER.replace(b"CSeq", b"CSEQ"), ANSWER.replace(b": ", b":"), ANSWER.replace(b"1.0", b"1.1")],
)
def test_answers_are_read_however_they_are_written(answer):
    """Line ends of one or two bytes, any case of names, spaces or none."""
    message, length = read_message(answer + b"more", DEFAULT_LIMITS)
    assert (message.status, message.cseq, message.body, length) == (200, 3, b"body", len(answer))


def test_repeated_headers_keep_all_their_values():
    """Two WWW-Authenticate lines are two challenges."""
    message, _ = read_message(b"RTSP/1.0 401 No\r\nWWW-Authenticate: a\r\nwww-authenticate: b\r\n\r\n", DEFAULT_LIMITS)
    assert message.headers["www-authenticate"] == ("a", "b")


@pytest.mark.parametrize(
    "text",
    [
        b"RTSP/1.0 200 OK\r\n" + b"x" * DEFAULT_LIMITS.head_bytes,
        b"RTSP/1.0 200 OK\r\n" + b"A: b\r\n" * (HEADERS + 1) + b"\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 65537\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: four\r\n\r\n",
    ],
)
def test_an_answer_past_a_limit_is_refused(text):
    """Head, number of headers and length of the body have limits."""
    with pytest.raises(DataDamaged):
        read_message(text, DEFAULT_LIMITS)


@pytest.mark.parametrize("end", range(len(ANSWER)))
def test_an_answer_is_waited_for_until_it_is_whole(end):
    """Cut anywhere, it is no answer yet."""
    assert read_message(ANSWER[:end], DEFAULT_LIMITS) is None
    assert take(ANSWER[:end]) == []


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 200), max_size=12))
def test_packets_and_answers_are_told_apart_wherever_reads_cut(cuts):
    """Frames between answers, answers between frames, requests of the camera, unknown channels: all in order, whatever the cuts."""
    asked = b"OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 9\r\n\r\n"
    stream = frame(b"one") + ANSWER + frame(b"odd", 77) + frame(b"") + asked + frame(b"$\0two RTSP/1.0 200 OK\r\n\r\n") + ANSWER
    found = take(stream, pieces=[cut for cut in cuts if cut < len(stream)])
    assert [part if isinstance(part, bytes) else part.method or part.status for part in found] == [
        b"one",
        200,
        b"",
        "OPTIONS",
        b"$\0two RTSP/1.0 200 OK\r\n\r\n",
        200,
    ]


@pytest.mark.parametrize("garbage", [b"\0", b"\xff" * 300, b"GARBAGE\n", b"abc$def", b"$", b"RTSP", b"\r\n"])
def test_garbage_between_frames_is_passed_over(garbage):
    """Reading goes on with the next frame of a known channel or the next answer."""
    found = take(frame(b"one") + garbage + frame(b"two" * 50) + frame(b"three") + ANSWER)
    assert found[0] == b"one"
    assert found[-2:-1] == [b"three"]
    assert found[-1].status == 200


def test_endless_garbage_ends_the_connection():
    """When garbage outweighs what is read cleanly by the limit, the connection is given up."""
    limits = replace(DEFAULT_LIMITS, garbage_bytes=1000)
    stream = b"\xff" * 700 + frame(b"one" * 300)
    cuts = range(0, 20 * len(stream), 150)
    assert len(take(stream * 20, pieces=cuts, limits=limits)) == 20
    with pytest.raises(DataDamaged):
        take(b"\xff" * 1100, limits=limits)


def test_a_server_that_does_not_speak_rtsp_is_known_at_once():
    """Before anything is set up there is nothing to pass over."""
    for hello in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\0\2\2\x16"):
        with pytest.raises(DataDamaged, match="does not speak RTSP"):
            take(hello, channels=())


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_any_bytes_are_read_or_refused(stream, cuts):
    """Whatever comes, cut anywhere: packets, messages, or DataDamaged."""
    with contextlib.suppress(DataDamaged):
        take(stream, pieces=[cut for cut in cuts if cut < len(stream)])


def test_sessions_and_their_timeouts():
    """With a timeout, without, with spaces; 60 s where none is named."""
    assert session_of("12345678;timeout=30") == ("12345678", 30)
    assert session_of("abc ; Timeout = 5") == ("abc", 5)
    assert session_of("abc;timeout=0") == session_of("abc;x") == session_of("abc") == ("abc", 60)
    assert session_of("") == ("", 60)
    for bad in ("a b", "x" * 257, "ü"):
        with pytest.raises(DataDamaged):
            session_of(bad)


def test_channels_of_a_transport_answer():
    """As named, with only the first named, or not at all."""
    assert interleaved_channels("RTP/AVP/TCP;unicast;interleaved=4-5;ssrc=1") == (4, 5)
    assert interleaved_channels("RTP/AVP/TCP;Interleaved=2") == (2, 3)
    assert interleaved_channels("RTP/AVP/TCP;unicast") is None
    for bad in ("interleaved=300-301", "interleaved=4-4", "interleaved=255"):
        with pytest.raises(DataDamaged):
            interleaved_channels(bad)


def test_rtp_info_is_read_by_url():
    """Quoted or not, with commas inside a URL, without rtptime."""
    header = 'url=rtsp://h/a,b/1;seq=5;rtptime=77, url="rtsp://h/2";rtptime=4294967295,url=rtsp://h/3;seq=1'
    assert rtp_times(header) == [("rtsp://h/a,b/1", 77), ("rtsp://h/2", 2**32 - 1), ("rtsp://h/3", None)]
    assert rtp_times("") == []


def test_a_request_as_the_rfc_writes_it():
    """Request line, headers, an empty line."""
    assert request_bytes("PLAY", "rtsp://h/", {"CSeq": "4"}) == b"PLAY rtsp://h/ RTSP/1.0\r\nCSeq: 4\r\n\r\n"
