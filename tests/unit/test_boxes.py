"""The init segment: codec records and strings as libav makes them, read back whole, and nothing hostile gets through."""

from __future__ import annotations

import io
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.box_reader import BoxAt, box_at, boxes_in, child, read_init
from segments.boxes import _hevc_string, box, codecs, decoder_config, full_box, init_segment
from segments.errors import DataDamaged, KeepsightError
from segments.media import TIMESCALE, AudioTrack, Codec, Track, VideoTrack
from tests.media import Clips, access_units
from tests.samples import SOUND, VIDEO, fragments_of, samples_of, segment_of

KINDS = [Codec.H264, Codec.H265]


@pytest.fixture(params=KINDS, ids=str)
def clip(request: pytest.FixtureRequest, clips: Clips) -> Path:
    """A short clip with sound and B-frames in either codec."""
    return clips.get(codec=str(request.param), seconds=1, width=320, height=180, b_frames=2, audio="aac")


def _all_boxes(data: bytes, start: int, end: int) -> list[BoxAt]:
    containers = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"dinf"}
    found: list[BoxAt] = []
    for each in boxes_in(data, start, end):
        found.append(each)
        if each.kind in containers:
            found += _all_boxes(data, each.content, each.end)
    return found


def test_the_same_tracks_give_the_same_bytes(clip: Path) -> None:
    """The init segment is a function of its tracks, with nothing of the moment it was made in."""
    tracks, _ = access_units(clip)
    again = [replace(track) for track in tracks]
    assert init_segment(tracks) == init_segment(again)


def test_the_tracks_are_read_back(clip: Path) -> None:
    """read_init gives the very tracks and the length of the header, whatever follows it."""
    tracks, _ = access_units(clip)
    init = init_segment(tracks)
    assert read_init(init + b"any bytes") == (tuple(tracks), len(init))


def test_every_clock_is_ours_and_no_edit_list(clip: Path) -> None:
    """mvhd and every mdhd count 1/90000 s, creation times are 0, and there is no edit list."""
    tracks, _ = access_units(clip)
    init = init_segment(tracks)
    headers = [each for each in _all_boxes(init, 0, len(init)) if each.kind in (b"mvhd", b"mdhd")]
    assert len(headers) == 1 + len(tracks)
    assert {struct.unpack_from(">QQI", init, each.content + 4) for each in headers} == {(0, 0, TIMESCALE)}
    assert b"edts" not in init
    assert all(struct.unpack_from(">20xI", init, each.content) for each in headers)


def test_decoder_records_are_those_of_libav(clip: Path) -> None:
    """avcC is byte for byte what libav writes; of hvcC, whose optional hints differ, profile, depths and sets are."""
    tracks, _ = access_units(clip)
    with av.open(str(clip)) as container:
        theirs = container.streams.video[0].codec_context.extradata
    ours = decoder_config(tracks[0])
    if tracks[0].codec is Codec.H264:
        assert ours == theirs
    else:
        assert ours[:13] == theirs[:13]
        assert ours[16:19] == theirs[16:19]
        assert ours[21] == theirs[21]
        assert all(unit in theirs for unit in tracks[0].parameter_sets)


def test_libav_opens_the_header_alone(clip: Path) -> None:
    """libav finds the codecs, sizes, rates and decoder records in a header without any fragment."""
    tracks, _ = access_units(clip)
    with av.open(io.BytesIO(init_segment(tracks)), format="mp4") as container:
        video, sound = container.streams.video[0].codec_context, container.streams.audio[0].codec_context
        assert (video.width, video.height, video.extradata) == (320, 180, decoder_config(tracks[0]))
        assert (sound.sample_rate, sound.channels, sound.extradata) == (48_000, 1, tracks[1].config)
        assert {stream.time_base.denominator for stream in container.streams} == {TIMESCALE}


@pytest.mark.server
def test_codec_strings_against_ffprobe(clip: Path, tmp_path: Path) -> None:
    """Profile and level in the codecs parameter are those ffprobe reads, and H.265 is tagged hvc1."""
    tracks, units = access_units(clip)
    path = tmp_path / "segment.mp4"
    path.write_bytes(segment_of(tracks, fragments_of(samples_of(tracks, units))))
    command = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "stream=codec_tag_string,level",
        "-of",
        "csv=p=0",
        str(path),
    ]
    tag, level = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().split(",")
    text = codecs(tracks)
    assert text.endswith(",mp4a.40.2")
    assert text.startswith(f"{tag}.")
    picture = text.split(",")[0]
    assert picture.endswith(f"{int(level):02x}") if tag == "avc1" else f".L{level}." in picture


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("016000000090000000000078", "hvc1.1.6.L120.90"),
        ("02200000009000000000005d", "hvc1.2.4.L93.90"),
        ("24080000009d080000000099", "hvc1.4.10.H153.9D.8"),
        ("41600000000000000000001e", "hvc1.A1.6.L30"),
    ],
)
def test_codec_string_of_h265(profile: str, expected: str) -> None:
    """The four parts of the H.265 string, as in the examples of ISO/IEC 14496-15, annex E."""
    assert _hevc_string(bytes.fromhex(profile)) == expected


def test_a_rate_over_16_bits_is_told_by_the_config() -> None:
    """96 kHz does not fit the sample entry: it is 0 there and comes back from the AudioSpecificConfig."""
    track = AudioTrack(96_000, 2, bytes.fromhex("1010"))
    assert read_init(init_segment([track]))[0] == (track,)


def test_a_track_without_a_readable_sps_has_no_header() -> None:
    """Broken parameter sets end in DataDamaged instead of a header no player opens."""
    with pytest.raises(DataDamaged):
        init_segment([VideoTrack(Codec.H264, 640, 360, (b"\x67\x42", b"\x68\xce"))])


@pytest.mark.parametrize("spoil", ["timescale", "track id", "entry", "brand", "no tracks", "esds"])
def test_what_we_do_not_write_is_refused(clips: Clips, spoil: str) -> None:
    """A header spoiled in one field is refused with DataDamaged."""
    tracks: list[Track] = access_units(clips.get(seconds=1, width=320, height=180, audio="aac"))[0]
    init = bytearray(init_segment(tracks))
    movie = child(bytes(init), BoxAt(b"file", 0, 0, len(init)), b"moov")
    header, ident = child(bytes(init), movie, b"trak", b"mdia", b"mdhd"), child(bytes(init), movie, b"trak", b"tkhd")
    spoils = {
        "timescale": (header.content + 20, struct.pack(">I", 48_000)),
        "track id": (ident.content + 20, struct.pack(">I", 7)),
        "entry": (init.index(b"avc1\0"), b"av01"),
        "brand": (4, b"styp"),
        "no tracks": (movie.content, b"\0\0\0\0"),
        "esds": (init.index(b"esds") + 8, b"\x09"),
    }
    at, value = spoils[spoil]
    init[at : at + len(value)] = value
    with pytest.raises(DataDamaged):
        read_init(init)


@given(st.binary(min_size=4, max_size=4), st.integers(0, 255), st.integers(0, 0xFFFFFF), st.binary(max_size=200))
def test_boxes_round_trip(kind: bytes, version: int, flags: int, content: bytes) -> None:
    """A box is found again with its type and its content, among others."""
    data = box(b"free", b"x") + full_box(kind, version, flags, content) + box(b"skip")
    found = list(boxes_in(data, 0, len(data)))
    assert [each.kind for each in found] == [b"free", kind, b"skip"]
    assert data[found[1].content : found[1].end] == struct.pack(">I", version << 24 | flags) + content


def test_a_box_with_a_size_of_64_bits() -> None:
    """The large form of a box size is read, and refused where it is too small for its own header."""
    data = struct.pack(">I4sQ", 1, b"mdat", 20) + b"body"
    assert box_at(data, 0, len(data)) == BoxAt(b"mdat", 0, 16, 20)
    with pytest.raises(DataDamaged):
        box_at(struct.pack(">I4sQ", 1, b"mdat", 12) + b"body", 0, 20)


@given(st.integers(0, 2**32 - 1), st.binary(max_size=40))
def test_no_box_reaches_past_its_parent(size: int, rest: bytes) -> None:
    """A box of any claimed size lies within the data or is damage."""
    data = struct.pack(">I4s", size, b"moov") + rest
    try:
        found = box_at(data, 0, len(data))
    except DataDamaged:
        return
    assert 8 <= found.end <= len(data)


@given(st.data())
def test_a_header_with_flipped_bytes_never_surprises(data: st.DataObject) -> None:
    """A header with any bytes changed is read or refused by an error of ours, and never ends in another."""
    init = bytearray(_INIT)
    for _ in range(data.draw(st.integers(1, 6))):
        init[data.draw(st.integers(0, len(init) - 1))] = data.draw(st.integers(0, 255))
    try:
        tracks, end = read_init(init)
    except KeepsightError:
        return
    assert tracks
    assert end <= len(init)


_INIT = init_segment([VIDEO, SOUND])
