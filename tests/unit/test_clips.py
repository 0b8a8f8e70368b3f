"""The clips of the tests: numbers that survive compression, and access units that are what the file holds."""

from __future__ import annotations

import subprocess
from itertools import pairwise

import av
import numpy as np
import pytest

from segments.media import TIMESCALE, Codec
from tests.media import LOAD, Clips, access_units, encode_clip, frame_numbers, packets, read_frame_number
from tests.servers.processes import require_program


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_every_picture_carries_its_number(clips: Clips, codec: str, b_frames: int):
    """Decoded in order of presentation the numbers are 0, 1, 2..."""
    assert frame_numbers(clips.get(codec=codec, seconds=2, b_frames=b_frames)) == list(range(50))


def test_numbers_survive_hard_compression(clips: Clips):
    """At 100 kbit/s the squares are still read right."""
    assert frame_numbers(clips.get(seconds=2, bitrate=100_000, width=320, height=180)) == list(range(50))


def test_a_picture_without_guards_is_not_read():
    """Gray, black and noise are refused instead of read as some number."""
    noise = np.random.default_rng(1).integers(0, 255, (360, 640), np.uint8)
    for picture in (np.full((360, 640), 128, np.uint8), np.zeros((360, 640, 3), np.uint8), noise):
        with pytest.raises(ValueError, match="no frame number"):
            read_frame_number(picture)


def test_key_frames_stand_where_they_were_asked_for(clips: Clips):
    """Every `gop_frames` pictures, and nowhere else."""
    keys = [packet.key for packet in packets(clips.get(seconds=2, gop_frames=10))]
    assert [n for n, key in enumerate(keys) if key] == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_access_units_decode_without_their_file(clips: Clips, codec: Codec):
    """Units behind start codes, with the track's parameter sets in front where they are not inside, give all pictures."""
    tracks, units = access_units(clips.get(codec=codec.value, seconds=2))
    sets = b"" if codec is Codec.H264 else b"".join(b"\0\0\0\1" + unit for unit in tracks[0].parameter_sets)
    decoder = av.CodecContext.create("hevc" if codec is Codec.H265 else "h264", "r")
    frames = [frame for unit in units for frame in decoder.decode(av.Packet(sets + _annex_b(unit.data)))] + decoder.decode(None)
    assert [read_frame_number(frame.to_ndarray(format="gray")) for frame in frames] == list(range(50))


def test_access_units_keep_the_times_of_the_file(clips: Clips):
    """Presentation and decoding times are ticks from 0, with B-frames and sound where the file has them."""
    tracks, units = access_units(clips.get(seconds=2, b_frames=2, audio="aac"))
    stored = [packet for packet in packets(clips.get(seconds=2, b_frames=2, audio="aac")) if packet.kind == "video"]
    video = [unit for unit in units if unit.track == 0]
    assert min(unit.dts for unit in units) == 0
    assert [(unit.pts - video[0].pts, unit.dts - video[0].dts) for unit in video] == [
        (packet.pts - stored[0].pts, packet.dts - stored[0].dts) for packet in stored
    ]
    assert (tracks[1].sample_rate_hz, sum(unit.track == 1 for unit in units) * 1024) == (48_000, pytest.approx(2 * 48_000, abs=2048))


@pytest.mark.slow
def test_the_load_clip_has_the_bitrate_it_says(clips: Clips):
    """1080p25 at 4 Mbit/s, within a tenth, a key frame each 2 s."""
    read = packets(clips.get(clip=LOAD))
    keys = [packet.pts for packet in read if packet.key]
    assert sum(len(packet.data) for packet in read) * 8 / LOAD.seconds == pytest.approx(4_000_000, rel=0.1)
    assert {later - earlier for earlier, later in pairwise(keys)} == {2 * TIMESCALE}


@pytest.mark.server
def test_ffprobe_names_what_was_encoded(tmp_path):
    """An independent reader agrees on codec, size and sound."""
    ffprobe = require_program("ffprobe", "ffmpeg")
    encode_clip(tmp_path / "clip.mov", seconds=1, width=320, height=180, audio="pcm_alaw")
    show = ["-v", "error", "-show_entries", "stream=codec_name,width,height,sample_rate", "-of", "csv=p=0", str(tmp_path / "clip.mov")]
    said = subprocess.run([ffprobe, *show], capture_output=True, text=True, check=True).stdout.split()
    assert said == ["h264,320,180", "pcm_alaw,8000"]


def _annex_b(data: bytes) -> bytes:
    units, at = b"", 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        units += b"\0\0\0\1" + data[at + 4 : at + 4 + size]
        at += 4 + size
    return units
