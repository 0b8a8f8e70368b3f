"""Our RTSP client against a third-party server (GStreamer's): what arrives is what the clip holds, byte for byte."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from segments.media import AudioTrack, Codec, VideoTrack
from segments.model import Cause
from tests.media import access_units, packets
from tests.rtsp_client import KeepingSink, a_source, ending_of, run_until
from tests.servers.rtsp import RtspServer

pytestmark = pytest.mark.server
SEI, AUD = {"h264": 6, "h265": 39}, {"h264": 9, "h265": 35}


def nal_units(data, codec):
    """(type, bytes) of each NAL unit behind its 4-byte length."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        nal = data[at + 4 : at + 4 + size]
        assert len(nal) == size, "a length points past the unit"
        found.append((nal[0] & 31 if codec == "h264" else nal[0] >> 1 & 63, nal))
        at += 4 + size
    return found


def slices(data, codec):
    """The coded picture alone: what no server may change."""
    limit = 6 if codec == "h264" else 32
    return [nal for kind, nal in nal_units(data, codec) if kind < limit]


@pytest.mark.parametrize("codec", ["h264", "h265"])
async def test_pictures_arrive_as_the_clip_holds_them(rtsp_server, clips, codec):
    """Every picture of a GOP and more arrives whole, once, in order and at its time, its key frames known as such."""
    tracks, expected = access_units(clips.get(codec=codec))
    sink = KeepingSink()
    await run_until(a_source(rtsp_server.url(f"{codec}/pictures")), sink, lambda: len(sink.units) >= 40)
    assert [sink.opens[0][0][0].codec, len(sink.opens)] == [Codec(codec), 1]
    assert (sink.opens[0][0][0].width, sink.opens[0][0][0].height) == (tracks[0].width, tracks[0].height)
    assert sorted(sink.opens[0][0][0].parameter_sets) == sorted(tracks[0].parameter_sets)
    for got, wanted in zip(sink.units[:40], expected, strict=False):
        assert slices(got.data, codec) == slices(wanted.data, codec)
        assert got.key == wanted.key
    assert {b.pts - a.pts for a, b in pairwise(sink.units)} == {3600}
    assert abs(sink.units[0].pts) < 90_000


async def test_parameter_sets_stand_where_mp4_wants_them(rtsp_server):
    """H.264 has its sets in front of every key frame, H.265 has none in its samples."""
    for codec in ("h264", "h265"):
        sink = KeepingSink()
        await run_until(a_source(rtsp_server.url(f"{codec}/sets")), sink, lambda sink=sink: sum(unit.key for unit in sink.units) >= 2)
        keys = [[kind for kind, _ in nal_units(unit.data, codec)] for unit in sink.units if unit.key]
        if codec == "h264":
            assert all(kinds[:2] == [7, 8] for kinds in keys)
        else:
            assert not any({32, 33, 34, 35} & set(kinds) for kinds in keys)


async def test_b_frames_keep_the_order_of_decoding(rtsp_server, clips):
    """With B-frames units come in decoding order, so presentation times go back and forth as in the clip."""
    _, expected = access_units(clips.get(b_frames=2))
    sink = KeepingSink()
    await run_until(a_source(rtsp_server.url("bframes/order")), sink, lambda: len(sink.units) >= 30)
    steps = [b.pts - a.pts for a, b in pairwise(sink.units[:30])]
    assert steps == [b.pts - a.pts for a, b in pairwise(expected[:30])]
    assert min(steps) < 0


async def test_aac_arrives_frame_by_frame(rtsp_server, clips):
    """AAC frames are those of the clip, 1024 samples apart, on the video's timeline."""
    path = clips.get(audio="aac")
    frames = [packet.data for packet in packets(path) if packet.kind == "audio"]
    sink = KeepingSink()
    await run_until(a_source(rtsp_server.url("aac/sound")), sink, lambda: len(sink.of(1)) >= 60)
    video, sound = sink.opens[0][0]
    assert isinstance(video, VideoTrack)
    assert isinstance(sound, AudioTrack)
    assert (sound.sample_rate_hz, sound.channels) == (48_000, 1)
    got = [unit.data for unit in sink.of(1)]
    assert got[:60] == frames[frames.index(got[0]) :][:60]
    assert all(1918 <= b.pts - a.pts <= 1922 for a, b in pairwise(sink.of(1)[:60]))  # the server rounds to a sample
    assert abs(sink.of(1)[0].pts - sink.of(0)[0].pts) < 45_000


async def test_a_law_goes_through_the_encoder(rtsp_server, clips):
    """A-law reaches the sound encoder as the clip holds it, and the notes say that it is recorded as AAC."""
    law = b"".join(packet.data for packet in packets(clips.get(".mov", audio="pcm_alaw")) if packet.kind == "audio")
    sink = KeepingSink()
    await run_until(a_source(rtsp_server.url("alaw/sound")), sink, lambda: sum(len(unit.data) for unit in sink.of(1)) >= 8000)
    got = b"".join(unit.data for unit in sink.of(1))[:8000]
    assert got in law
    assert sink.opens[0][1] == ("sound (G.711 A-law) recorded as AAC",)


async def test_a_sender_report_places_the_media_on_the_wall(rtsp_server):
    """The camera's reports agree with the machine's clock, for the camera is this machine."""
    sink = KeepingSink()
    await run_until(a_source(rtsp_server.url("h264/clock")), sink, lambda: sink.clocks and len(sink.units) > 10, timeout_s=30)
    pts, wall_us = sink.clocks[0]
    arrived = min(arrival - (unit.pts - pts) * 100 // 9 for unit, arrival in zip(sink.units, sink.arrivals, strict=True))
    assert abs(arrived - wall_us) < 500_000


async def test_digest_lets_in_and_keeps_out(clips):
    """The right password gets pictures; a wrong one and none end with the cause that a person must look at, unspoken in the text."""
    with RtspServer({"cam": clips.get()}, auth=("ops", "s3cret pw")) as server:
        place = server.url("cam/x", login=False).removeprefix("rtsp://")
        sink = KeepingSink()
        await run_until(a_source(f"rtsp://ops:s3cret%20pw@{place}"), sink, lambda: len(sink.units) >= 3)
        for login in ("ops:wrong-canary@", ""):
            ended = await ending_of(a_source(f"rtsp://{login}{place}"))
            assert ended.cause is Cause.LOGIN_REFUSED
            assert "canary" not in str(ended)


async def test_an_outage_ends_with_its_cause(rtsp_server):
    """A camera that goes away in mid-stream, and one that knows no such path, are away."""
    sink = KeepingSink()
    running = asyncio.ensure_future(ending_of(a_source(rtsp_server.url("h264/outage")), sink))
    while len(sink.units) < 5:
        sink.changed.clear()
        await sink.changed.wait()
    await asyncio.to_thread(rtsp_server.drop, "h264/outage")
    assert (await running).cause is Cause.CAMERA_AWAY
    ended = await ending_of(a_source(rtsp_server.url("h264/outage")))
    assert ended.cause is Cause.CAMERA_AWAY
    assert "404" in str(ended)
