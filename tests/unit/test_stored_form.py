"""Packets into the form MP4 stores: start codes, lengths, parameter sets, ADTS."""

from __future__ import annotations

import contextlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.sources.stored_form import VideoForm, split_adts, split_annex_b, split_lengths
from segments.errors import DataDamaged
from segments.media import Codec
from tests.media import Clips, access_units, packets
from tests.servers.processes import require_program

SPS, PPS = b"\x67\x42\xc0\x1e\xd9", b"\x68\xce\x38\x80"
IDR, SLICE, SEI, AUD, FILLER = b"\x65\x88\x80", b"\x41\x9a\x02", b"\x06\x05\x80", b"\x09\x10", b"\x0c\xff"


def _annex_b(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


def _lengths(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4) + unit for unit in units)


def _form(*units: bytes) -> VideoForm:
    return VideoForm(Codec.H264, _annex_b(*units))


@given(st.lists(st.binary(min_size=1, max_size=40).map(lambda body: (body + b"\x80").replace(b"\0", b"\1")), max_size=8), st.booleans())
def test_annex_b_is_split_where_it_was_joined(units, long):
    """Start codes of 3 and 4 bytes and zeros behind a unit are taken off, nothing else."""
    code = b"\0\0\0\1" if long else b"\0\0\1"
    assert list(split_annex_b(b"".join(code + unit + b"\0" * long for unit in units))) == units


@given(st.binary(max_size=200), st.integers(1, 4))
def test_any_bytes_are_split_or_refused(data, length_bytes):
    """Hostile lengths end in DataDamaged, and no unit is longer than what came."""
    with contextlib.suppress(DataDamaged):
        assert sum(map(len, split_lengths(data, length_bytes))) <= len(data)
    assert sum(map(len, split_annex_b(data))) <= len(data)


def test_known_sets_stand_in_front_of_key_frames_only():
    """A key frame without sets gets those of the description; another picture does not."""
    form = _form(SPS, PPS)
    assert form.convert(_annex_b(SEI, IDR), key=True) == _lengths(SPS, PPS, SEI, IDR)
    assert form.convert(_annex_b(SLICE), key=False) == _lengths(SLICE)


def test_sets_in_the_packet_take_the_place_of_the_known():
    """They are not doubled, and the version rises by what is new."""
    form = _form(SPS, PPS)
    version = form.sets.version
    changed = PPS + b"\x01"
    assert form.convert(_annex_b(AUD, SPS, changed, IDR, FILLER), key=True) == _lengths(SPS, changed, IDR)
    assert form.sets.version == version + 1
    assert form.convert(_annex_b(changed, SLICE), key=False) == _lengths(SPS, changed, SLICE)


def test_a_packet_without_a_picture_is_nothing_but_its_sets_are_kept():
    """Sets alone give no unit."""
    form = _form()
    assert form.convert(_annex_b(SPS, PPS, SEI), key=False) == b""
    assert form.sets.units == (SPS, PPS)


@pytest.mark.parametrize("length_bytes", [1, 2, 4])
def test_lengths_of_any_size_become_four_bytes(length_bytes):
    """avcC says how long they are."""
    avcc = bytes([1, 66, 0, 30, 0xFC | length_bytes - 1, 0xE1]) + len(SPS).to_bytes(2) + SPS + b"\1" + len(PPS).to_bytes(2) + PPS
    packet = b"".join(len(unit).to_bytes(length_bytes) + unit for unit in (SEI, IDR))
    assert VideoForm(Codec.H264, avcc).convert(packet, key=True) == _lengths(SPS, PPS, SEI, IDR)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_a_cut_description_is_damaged(codec):
    """A description cut anywhere is refused, never read in part, never an IndexError."""
    avcc = bytes([1, 66, 0, 30, 0xFF, 0xE1]) + len(SPS).to_bytes(2) + SPS + b"\1" + len(PPS).to_bytes(2) + PPS
    hvcc = bytes([1]) + bytes(20) + b"\x03\x01\x20\x00\x01\x00\x03\x40\x01\x0c"
    description = avcc if codec is Codec.H264 else hvcc
    assert VideoForm(codec, description).sets.units
    for size in range(1, len(description)):
        with pytest.raises(DataDamaged):
            VideoForm(codec, description[:size])


@pytest.mark.server
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_annex_b_and_mp4_of_one_stream_give_the_same_units(clips: Clips, codec: str, tmp_path):
    """ffmpeg's own conversion to MPEG-TS, converted back, is what the MP4 holds."""
    source = clips.get(codec=codec, seconds=2)
    ts = tmp_path / "clip.ts"
    subprocess.run([require_program("ffmpeg", "ffmpeg"), "-v", "error", "-i", source, "-c", "copy", ts], check=True)
    tracks, units = access_units(source)
    form = VideoForm(tracks[0].codec, b"")
    converted = [form.convert(packet.data, key=packet.key) for packet in packets(ts)]
    assert [_slices(data) for data in converted] == [_slices(unit.data) for unit in units]
    assert form.sets.units == tracks[0].parameter_sets
    others = [n for n, unit in enumerate(units) if not unit.key or codec == "h264"]  # ffmpeg puts the SEI of hvcC in front of key frames
    assert [converted[n] for n in others] == [units[n].data for n in others]


def _slices(data: bytes) -> bytes:
    return list(split_lengths(data, 4))[-1]


def test_adts_headers_are_taken_off_and_read(clips: Clips):
    """A TS's frames are the MP4's; the header gives its AudioSpecificConfig."""
    tracks, units = access_units(clips.get(audio="aac", seconds=2))
    split = [split_adts(packet.data) for packet in packets(clips.get(".ts", audio="aac", seconds=2)) if packet.kind == "audio"]
    sound = [unit.data for unit in units if unit.track == 1]
    assert {config for config, _ in split} == {tracks[1].config[:2]}
    assert [raw for _, raw in split] == sound[len(sound) - len(split) :] or [raw for _, raw in split] == sound[: len(split)]


@pytest.mark.parametrize("spoil", [{5: 0xFF}, {6: 0x01}, {3: 0x43, 4: 0xFF}])
def test_an_adts_header_that_does_not_fit_is_refused(spoil):
    """A wrong length or several frames in one packet."""
    packet = bytearray(b"\xff\xf1\x4c\x40\x01\x5f\xfc" + b"abc")
    assert split_adts(bytes(packet)) == (b"\x11\x88", b"abc")
    for at, value in spoil.items():
        packet[at] = value
    with pytest.raises(DataDamaged):
        split_adts(bytes(packet))


def test_raw_aac_is_left_as_it_is():
    """No header, no config."""
    assert split_adts(b"\x21\x10\x04") == (b"", b"\x21\x10\x04")
