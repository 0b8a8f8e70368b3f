"""Quirks of real cameras, one a test: each camera is good but for one habit, and its pictures arrive."""

from __future__ import annotations

import asyncio

import pytest

from segments.media import Codec
from tests.quirk_camera import LAW, PICTURES, VIDEO, QuirkCamera, some_pictures
from tests.rtp_builders import PICTURE_TICKS, PPS, SMALL_SPS, SPS, Packets, frame, idr, inter, sender_report, stored
from tests.rtsp_client import KeepingSink, a_source, run_until

WAITING = PICTURES - 1
"""Pictures that come out of a camera that stops: the last one waits for the next RTP time until the marker is trusted."""


async def record(camera, *, units=WAITING, path="live", login="", **changes):
    """Runs a source on a camera until so many units came; the sink and the camera's log are the result."""
    sink = KeepingSink()
    async with camera:
        await run_until(a_source(camera.url(path, login), **changes), sink, lambda: len(sink.units) >= units, timeout_s=10)
        await asyncio.wait_for(camera.closed.wait(), 5)
    return sink


async def test_a_good_camera_is_recorded():
    """Requests in their order, pictures whole and in time, TEARDOWN at the end."""
    camera = QuirkCamera()
    sink = await record(camera)
    assert [asked.method for asked in camera.asked] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
    assert [int(asked.headers["cseq"]) for asked in camera.asked] == [1, 2, 3, 4, 5]
    assert {asked.headers.get("session") for asked in camera.asked[3:]} == {"12345678"}
    assert (sink.opens[0][0][0].codec, sink.opens[0][0][0].width, sink.opens[0][1]) == (Codec.H264, 640, ())
    assert sink.units[0].data == stored(SPS, PPS, idr(300))
    assert [unit.pts for unit in sink.units] == [n * PICTURE_TICKS for n in range(PICTURES)]
    assert [unit.key for unit in sink.units] == [True] + [False] * (PICTURES - 1)


@pytest.mark.parametrize(
    ("camera", "setup", "play"),
    [
        (QuirkCamera(base=None), "{url}/trackID=1", "{url}"),
        (QuirkCamera(base=("Content-Location", "{url}/there")), "{url}/there/trackID=1", "{url}/there"),
        (QuirkCamera(base=("Content-Base", "not a url")), "{url}/trackID=1", "{url}"),
        (QuirkCamera(base=("content-base", "{url}/")), "{url}/trackID=1", "{url}/"),
        (QuirkCamera(controls=("", "trackID=1")), "{url}/trackID=1", "{url}/"),
        (QuirkCamera(controls=("*", "/trackID=1")), "{url}/trackID=1", "{url}/"),
        (
            QuirkCamera(controls=("rtsp://10.0.0.9/live", "rtsp://10.0.0.9/live/v?a=b")),
            "rtsp://10.0.0.9/live/v?a=b",
            "rtsp://10.0.0.9/live",
        ),
        (QuirkCamera(controls=("all", "video?x=1&y")), "{url}/video?x=1&y", "{url}/all"),
        (QuirkCamera(controls=("*", "*")), "{url}/", "{url}/"),
    ],
)
async def test_addresses_in_all_forms(camera, setup, play):
    """Base URL missing or elsewhere, control addresses of all forms: SETUP and PLAY ask for what the camera means."""
    await record(camera)
    assert camera.of("SETUP")[0].uri == setup.format(url=camera.url())
    assert camera.of("PLAY")[0].uri == play.format(url=camera.url())


async def test_a_url_with_a_query_is_a_base_like_any_other():
    """The query stays, and controls are put behind it, as the cameras that have such URLs expect."""
    camera = QuirkCamera()
    await record(camera, path="cam?channel=1&subtype=0")
    assert camera.of("SETUP")[0].uri == camera.url("cam?channel=1&subtype=0/trackID=1")


@pytest.mark.parametrize(
    "camera",
    [
        QuirkCamera(end_of_line="\n"),
        QuirkCamera(spell=str.lower),
        QuirkCamera(spell=str.upper),
        QuirkCamera(session="abc"),
        QuirkCamera(session="  abc ; timeout=30"),
        QuirkCamera(session=""),
        QuirkCamera(before_each_answer=b"RTSP/1.0 100 Continue\r\nCSeq: 1\r\n\r\n"),
        QuirkCamera(before_each_answer=frame(b"stray", 9) + frame(b"", 0)),
        QuirkCamera(answers={"OPTIONS": b"RTSP/1.0 501 Not Implemented\r\nCSeq: {cseq}\r\n\r\n"}),
        QuirkCamera(answers={"OPTIONS": b"RTSP/1.0 200 OK\r\n\r\n"}),
        QuirkCamera(transports=("RTP/AVP/TCP;unicast",)),
        QuirkCamera(transports=("RTP/AVP/TCP;unicast;interleaved=6-7",), media=some_pictures(channel=6)),
        QuirkCamera(media=[frame(b"?" * 99, 50), *some_pictures()]),
        QuirkCamera(media=[part for packet in some_pictures() for part in (packet, b"\0\0")]),
        QuirkCamera(sdp=VIDEO.replace(";sprop", ";nothing")),
        QuirkCamera(media=some_pictures(sets=False)),
    ],
    ids=[
        "LF only",
        "lower",
        "upper",
        "no timeout",
        "spaces",
        "no session",
        "100 Continue",
        "frames between answers",
        "no OPTIONS",
        "no CSeq",
        "no channels",
        "other channels",
        "unknown channel",
        "garbage between frames",
        "sets in the stream only",
        "sets in the description only",
    ],
)
async def test_a_habit_does_no_harm(camera):
    """Spelling, missing or odd headers, stray data: the same pictures come."""
    sink = await record(camera)
    assert sink.units[0].data == stored(SPS, PPS, idr(300))
    assert [unit.pts for unit in sink.units[:WAITING]] == [n * PICTURE_TICKS for n in range(WAITING)]


async def test_requests_of_the_camera_are_answered():
    """200 for a ping, 501 for anything else; the media goes on."""
    camera = QuirkCamera(
        media=[b"OPTIONS * RTSP/1.0\r\nCSeq: 71\r\n\r\n", b"REDIRECT rtsp://evil/ RTSP/1.0\r\nCSeq: 72\r\n\r\n", *some_pictures()]
    )
    await record(camera)
    assert camera.replies == [b"RTSP/1.0 200 OK\r\nCSeq: 71\r\n\r\n", b"RTSP/1.0 501 Not Implemented\r\nCSeq: 72\r\n\r\n"]


async def test_packets_before_play_is_answered_are_not_lost():
    """A camera that starts early: its first key frame is kept, and placed by the RTP-Info that comes after it."""
    pictures = some_pictures()
    camera = QuirkCamera(before_play=pictures[:30], media=pictures[30:], rtp_info="url=trackID=1;seq=100;rtptime=991000")
    sink = await record(camera)
    assert sink.units[0].key
    assert sink.units[0].pts == 9000


async def test_tracks_are_aligned_by_rtp_info():
    """Where the camera says both tracks' RTP time of the beginning, they lie on one timeline by it."""
    sound = Packets(channel=2, payload_type=8, ssrc=5)
    for n in range(3):
        sound.add(b"\xd5" * 160, 500 + n * 160)
    pictures = some_pictures(first_stamp=1_000_000)
    info = "url={base}/trackID=1;rtptime=1000000,url={base}/trackID=2;rtptime=100"
    camera = QuirkCamera(sdp=VIDEO + LAW, media=[*pictures[:50], *sound.frames, *pictures[50:]], rtp_info=info)
    sink = await record(camera, units=WAITING + 3)
    assert [unit.pts for unit in sink.of(1)] == [400 * 90 // 8, 560 * 90 // 8, 720 * 90 // 8]
    assert sink.of(0)[0].pts == 0
    assert sink.opens[0][1] == ("sound (G.711 A-law) recorded as AAC",)


async def test_tracks_are_aligned_by_arrival_without_rtp_info():
    """Else the first packets' arrival says where a track begins."""
    sound = Packets(channel=2, payload_type=8, ssrc=5)
    sound.add(b"\xd5" * 160, 77_000)
    sink = KeepingSink()
    async with QuirkCamera(sdp=VIDEO + LAW, media=[*some_pictures(), *sound.frames], pause_s=0.005) as camera:
        await run_until(a_source(camera.url()), sink, lambda: bool(sink.of(1)))
    arrived_us = sink.arrivals[sink.units.index(sink.of(1)[0])]
    assert sink.of(1)[0].pts == (arrived_us - sink.arrivals[0]) * 9 // 100


async def test_sound_is_left_out_by_setting_and_not_set_up():
    """Without an encoder the camera is not asked for G.711 at all."""
    camera = QuirkCamera(sdp=VIDEO + LAW)
    sink = await record(camera, sound_factory=None)
    assert len(camera.of("SETUP")) == 1
    assert sink.opens[0][1] == ("sound (G.711 A-law) left out by setting",)


async def test_a_new_resolution_is_announced_before_its_first_unit():
    """Changed parameter sets in the stream open the tracks again; the same sets again do not."""
    packets = Packets()
    for n, sps in enumerate([SPS, SPS, SMALL_SPS, SMALL_SPS]):
        packets.unit([sps, PPS, idr(fill=n)], n * PICTURE_TICKS)
    packets.unit([inter()], 5 * PICTURE_TICKS)
    log = []

    class Log(KeepingSink):
        def opened(self, tracks, notes):
            super().opened(tracks, notes)
            log.append(tracks[0].width)

        def unit(self, unit, arrival_us):
            super().unit(unit, arrival_us)
            log.append(unit.pts)

    sink = Log()
    async with QuirkCamera(media=packets.frames) as camera:
        await run_until(a_source(camera.url()), sink, lambda: len(sink.units) >= 4)
    assert log == [640, 0, 3600, 320, 7200, 10800]


async def test_sender_reports_before_the_first_unit_are_kept():
    """A camera that reports once, at its start, still places its media."""
    camera = QuirkCamera(media=[frame(sender_report(3_976_214_400, 0, 1_000_000 + 90_000), 1), *some_pictures()])
    sink = await record(camera)
    assert sink.clocks == [(90_000, (3_976_214_400 - 2_208_988_800) * 1_000_000)]


@pytest.mark.parametrize(
    "challenges",
    [
        ['Digest realm="cam", nonce="{nonce}"'],
        ['Digest realm="cam", nonce="{nonce}", qop="auth", algorithm=SHA-256', 'Digest realm="cam", nonce="{nonce}"'],
        ['Basic realm="cam"', 'Digest realm="cam", nonce="{nonce}", algorithm="MD5", qop="auth,auth-int", opaque="o"'],
        ['Basic realm="cam"'],
    ],
)
async def test_logins_of_all_kinds(challenges):
    """Digest with and without qop, MD5 and SHA-256, Basic where nothing else is offered."""
    camera = QuirkCamera(login=("ops", "p@ss word", challenges))
    await record(camera, login="ops:p%40ss%20word@")
    sent = camera.of("PLAY")[0].headers["authorization"]
    assert sent.startswith("Basic" if challenges == ['Basic realm="cam"'] else "Digest")
    assert ("SHA-256" in sent) == ("SHA-256" in challenges[0])


@pytest.mark.parametrize("stale", ["", ", stale=true"])
async def test_a_nonce_that_ran_out_is_replaced(stale):
    """A camera with a new nonce every fourth request is answered with it, whether it says that the old one was stale or not."""
    camera = QuirkCamera(login=("ops", "secret", [f'Digest realm="cam", nonce="{{nonce}}"{stale}']), renew_nonce_after=4)
    await record(camera, login="ops:secret@")
    assert camera.of("PLAY")
