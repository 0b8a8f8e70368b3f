"""Parameter sets: sizes and profiles as real encoders write them, and limits on everything hostile."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.errors import DataDamaged
from segments.media import Codec
from segments.parameter_sets import MAX_SET_BYTES, MAX_SETS, audio_object_type, audio_track, read_sps, track_sps, video_track

# 1920x1080 in 1088 lines, as x264 writes it (high profile, level 4, VUI with reordering)
SPS = bytes.fromhex("67640028acd940780227e5c05a808080a000000300200000065 1e30632c0".replace(" ", ""))
PPS = bytes.fromhex("68ebe3cb22c0")
LC_48_KHZ_STEREO = bytes.fromhex("1190")
_CHROMA = {"yuv420p": 1, "yuv422p": 2, "yuv444p": 3}


def units_of(codec: Codec, size: tuple[int, int], pix_fmt: str = "yuv420p", *, preset: str = "medium", **params: object) -> list[bytes]:
    """NAL units of some pictures that libx264 or libx265 encodes in Annex B form."""
    name = "x264" if codec is Codec.H264 else "x265"
    context = av.CodecContext.create(f"lib{name}", "w")
    context.width, context.height, context.pix_fmt = *size, pix_fmt
    context.time_base, context.thread_count = Fraction(1, 25), 1
    text = ":".join(f"{key.replace('_', '-')}={value}" for key, value in ({"log-level": "none"} | params).items())
    context.options = {"preset": preset, f"{name}-params": text}
    stream = b""
    for number in range(3):
        frame = av.VideoFrame(*size, pix_fmt)
        frame.pts = number
        stream += b"".join(bytes(packet) for packet in context.encode(frame))
    stream += b"".join(bytes(packet) for packet in context.encode(None))
    return [unit.rstrip(b"\0") for unit in stream.split(b"\0\0\1")[1:]]


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("size", [(1920, 1080), (64, 64), (322, 178)])
def test_size_and_chroma_are_those_encoded(codec: Codec, pix_fmt: str, size: tuple[int, int]) -> None:
    """The cropped size and the chroma format are read back from what an encoder wrote."""
    track = video_track(codec, units_of(codec, size, pix_fmt, preset="ultrafast"))
    assert (track.width, track.height) == size
    assert track_sps(track).chroma_format == _CHROMA[pix_fmt]


def test_interlaced_pictures_with_scaling_lists_and_hrd() -> None:
    """Fields, scaling matrices and HRD parameters in the SPS do not shift what follows them."""
    units = units_of(
        Codec.H264,
        (720, 576),
        interlaced=1,
        cqm="jvt",
        nal_hrd="cbr",
        vbv_maxrate=500,
        vbv_bufsize=500,
        bitrate=500,
        bframes=2,
        b_pyramid="none",
    )
    track = video_track(Codec.H264, units)
    assert (track.width, track.height) == (720, 576)
    assert track_sps(track).max_reorder_frames == 1


@pytest.mark.parametrize(
    ("codec", "params", "expected"),
    [
        (Codec.H264, {"bframes": 0}, 0),
        (Codec.H264, {"bframes": 3, "b_pyramid": "none"}, 1),
        (Codec.H264, {"bframes": 3, "b_pyramid": "normal"}, 2),
        (Codec.H265, {"bframes": 0}, 0),
        (Codec.H265, {"bframes": 3, "b_pyramid": 1}, 2),
    ],
)
def test_reordering_is_told(codec: Codec, params: dict[str, object], expected: int) -> None:
    """The SPS says how many pictures are reordered: none without B-frames, two with a pyramid of them."""
    assert track_sps(video_track(codec, units_of(codec, (640, 360), **params))).max_reorder_frames == expected


def test_temporal_layers_of_h265() -> None:
    """Sub-layer fields of an H.265 SPS are stepped over, and the layers counted."""
    track = video_track(Codec.H265, units_of(Codec.H265, (640, 360), temporal_layers=2))
    assert (track.width, track.height, track_sps(track).temporal_layers) == (640, 360, 2)


def test_sets_are_ordered_and_repetitions_left_out() -> None:
    """Sets come out SPS before PPS, each once, with empty and foreign units left out."""
    track = video_track(Codec.H264, [PPS, b"", SPS, b"\x06\x05\x01", PPS, SPS])
    assert track.parameter_sets == (SPS, PPS)
    assert (track.width, track.height) == (1920, 1080)


@pytest.mark.parametrize(
    "sets",
    [[], [SPS], [PPS], [SPS[:6], PPS], [SPS[:4], PPS], [SPS + bytes(MAX_SET_BYTES), PPS]],
    ids=["none", "no PPS", "no SPS", "cut", "cut in the profile", "too long"],
)
def test_broken_sets_are_refused(sets: list[bytes]) -> None:
    """Missing, cut and overlong sets end in DataDamaged."""
    with pytest.raises(DataDamaged):
        video_track(Codec.H264, sets)


def test_number_of_sets_is_limited() -> None:
    """More sets than an avcC can count are refused; as many as it can are taken."""
    many = [PPS + bytes((number, 0x80)) for number in range(1, MAX_SETS + 2)]
    assert len(video_track(Codec.H264, [SPS, *many[:MAX_SETS]]).parameter_sets) == MAX_SETS + 1
    with pytest.raises(DataDamaged):
        video_track(Codec.H264, [SPS, *many])


def test_a_picture_over_the_limit_is_refused() -> None:
    """An SPS of a picture wider than 16,384 samples is refused, however well it is formed."""
    bits = "".join(f"{byte:08b}" for byte in bytes((66, 0, 40))) + "1" + "1" + "1" + "1" + "1" + "0"
    for width_in_mbs in (1024, 1025):
        code = f"{width_in_mbs:b}"
        text = bits + "0" * (len(code) - 1) + code + "00100" + "1" + "1" + "0" + "0" + "1"
        sps = b"\x67" + int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8))
        if width_in_mbs == 1024:
            assert read_sps(Codec.H264, sps).width == 16_384
        else:
            with pytest.raises(DataDamaged):
                read_sps(Codec.H264, sps)


@given(st.sampled_from([Codec.H264, Codec.H265]), st.binary(max_size=80))
def test_hostile_sps_ends_in_a_value_or_in_damage(codec: Codec, tail: bytes) -> None:
    """Whatever bytes stand for an SPS, the reader gives a picture within the limits or DataDamaged, and nothing else."""
    head = b"\x67" if codec is Codec.H264 else b"\x42\x01"
    try:
        sps = read_sps(codec, head + tail)
    except DataDamaged:
        return
    assert 0 < sps.width <= 16_384
    assert 0 < sps.height <= 16_384


def test_every_cut_of_an_sps() -> None:
    """An SPS cut anywhere is refused, or read right where only the VUI was cut."""
    read = 0
    for end in range(1, len(SPS)):
        try:
            sps = read_sps(Codec.H264, SPS[:end])
        except DataDamaged:
            continue
        read += 1
        assert (sps.width, sps.height) == (1920, 1080)
    assert 0 < read < len(SPS) - 1


def _bits(text: str) -> bytes:
    """Bits in groups, filled up with zeros."""
    digits = text.replace(" ", "")
    return int(digits.ljust(-(-len(digits) // 8) * 8, "0"), 2).to_bytes(-(-len(digits) // 8))


@pytest.mark.parametrize(
    ("config", "rate_hz", "channels", "kind"),
    [
        ("00010 0011 0010 000", 48_000, 2, 2),
        ("00010 1011 0001 000", 8_000, 1, 2),
        ("00101 0110 0001 0011 00010", 24_000, 1, 5),
        ("00010 1111 000000001011101110000010 0111", 48_002, 8, 2),
        ("11111 000111 1000 0001", 16_000, 1, 39),
    ],
)
def test_audio_specific_config(config: str, rate_hz: int, channels: int, kind: int) -> None:
    """Rate, channels and object type of AudioSpecificConfigs, escape forms among them."""
    track = audio_track(_bits(config))
    assert (track.sample_rate_hz, track.channels, audio_object_type(track.config)) == (rate_hz, channels, kind)


@pytest.mark.parametrize("config", [b"", b"\x11", b"\x16\x90", b"\x11\x80\x00"], ids=["empty", "cut", "rate reserved", "no channels"])
def test_broken_audio_config_is_refused(config: bytes) -> None:
    """An AudioSpecificConfig without a rate or a channel layout is damage."""
    with pytest.raises(DataDamaged):
        audio_track(config)
