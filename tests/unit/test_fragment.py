"""Fragments as independent readers see them: every byte, every time, every key frame that went in comes out."""

from __future__ import annotations

import io
import json
import struct
import subprocess
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.fragment import Sample, SegmentWriter, lay_out
from segments.box_reader import box_at, read_moof
from segments.errors import DataDamaged
from segments.media import TIMESCALE
from segments.sample_table import MAX_FRAGMENT_BYTES
from tests.media import Clips, access_units
from tests.samples import FACTS, MEDIA_START, SOUND, VIDEO, Samples, fragments_of, samples_of, segment_of, with_signed_offsets

THIRTY_DAYS = 30 * 86_400 * TIMESCALE


class Read(NamedTuple):
    """One packet as another reader sees it."""

    pts: int
    dts: int
    key: bool
    data: bytes


def read(data: bytes) -> list[list[Read]]:
    """All packets by track, as libav reads them."""
    with av.open(io.BytesIO(data), format="mp4") as container:
        assert {stream.time_base.denominator for stream in container.streams} == {TIMESCALE}
        found: list[list[Read]] = [[] for _ in container.streams]
        for packet in container.demux():
            if packet.size:
                found[packet.stream_index].append(Read(packet.pts, packet.dts, packet.is_keyframe, bytes(packet)))
        return found


def went_in(samples: Samples) -> list[list[Read]]:
    """What a reader must find of these samples."""
    return [[Read(sample.pts, sample.dts, sample.key, bytes(sample.data)) for sample in track] for track in samples]


@pytest.mark.parametrize("start", [MEDIA_START, THIRTY_DAYS], ids=["10 s", "30 days"])
@pytest.mark.parametrize(
    "clip", [{"audio": "aac"}, {"b_frames": 2}, {"codec": "h265", "b_frames": 2, "audio": "aac"}], ids=["h264+aac", "b-frames", "h265+aac"]
)
def test_every_sample_comes_out_as_it_went_in(clips: Clips, clip: dict[str, object], start: int) -> None:
    """libav reads the same bytes, presentation times, decode times and key frames, from 10 s of media time or from 30 days."""
    tracks, units = access_units(clips.get(seconds=3, width=320, height=180, **clip))
    samples = samples_of(tracks, units, start)
    assert read(segment_of(tracks, fragments_of(samples))) == went_in(samples)


def test_a_lost_byte_is_noticed(clips: Clips) -> None:
    """Control: with one byte of one sample changed, the comparison above fails."""
    tracks, units = access_units(clips.get(seconds=3, width=320, height=180, audio="aac"))
    samples = samples_of(tracks, units)
    segment = bytearray(segment_of(tracks, fragments_of(samples)))
    segment[segment.index(samples[0][40].data) + 9] ^= 1
    assert read(bytes(segment)) != went_in(samples)


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_signed_composition_offsets(clips: Clips, codec: str) -> None:
    """With decode times that are the sorted presentation times, B-frames lie before their decode time, and all keep their distances.

    libav shows a track with negative offsets late as a whole, by the lowest of them; its decode times are as they went in.
    """
    tracks, units = access_units(clips.get(codec=codec, seconds=3, width=320, height=180, b_frames=2, audio="aac"))
    samples = with_signed_offsets(samples_of(tracks, units))
    late = -min(sample.pts - sample.dts for sample in samples[0])
    assert late > 0
    found = read(segment_of(tracks, fragments_of(samples)))
    assert [packet._replace(pts=packet.pts - late) for packet in found[0]] == went_in(samples)[0]
    assert found[1] == went_in(samples)[1]


def test_time_goes_on_over_the_segments_of_a_run(clips: Clips) -> None:
    """Two segments of a run, each opened alone, together give all samples at the times of the run, sequence numbers rising."""
    tracks, units = access_units(clips.get(seconds=4, width=320, height=180, audio="aac"))
    samples = samples_of(tracks, units)
    fragments = fragments_of(samples)
    writer = SegmentWriter()
    segments = [segment_of(tracks, fragments[:2], writer), segment_of(tracks, fragments[2:], writer)]
    first, second = (read(segment) for segment in segments)
    assert [before + after for before, after in zip(first, second, strict=True)] == went_in(samples)
    numbers = [struct.unpack_from(">I", segment, at + 8)[0] for segment in segments for at in _places(segment, b"mfhd")]
    assert numbers == [1, 2, 3, 4]


def _places(data: bytes, kind: bytes) -> list[int]:
    places, at = [], data.find(kind)
    while at >= 0:
        places.append(at)
        at = data.find(kind, at + 1)
    return places


def test_the_header_is_the_same_in_every_segment_of_a_run(clips: Clips) -> None:
    """begin gives the same bytes each time, so any fragment of the run can be read with any of its headers."""
    tracks, _ = access_units(clips.get(seconds=1, width=320, height=180, audio="aac"))
    writer = SegmentWriter()
    assert writer.begin(tracks) == writer.begin(tracks)


@pytest.mark.server
def test_ffprobe_reads_the_times(clips: Clips, tmp_path: Path) -> None:
    """ffprobe, another libav by years, sees the first sample of each track at its media time, and no complaint to make."""
    tracks, units = access_units(clips.get(seconds=3, width=320, height=180, audio="aac", b_frames=2))
    samples = samples_of(tracks, units)
    path = tmp_path / "segment.mp4"
    path.write_bytes(segment_of(tracks, fragments_of(samples)))
    command = ["ffprobe", "-v", "warning", "-show_entries", "packet=stream_index,pts,dts,size,flags", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    packets = json.loads(done.stdout)["packets"]
    for index, mine in enumerate(samples):
        theirs = [(each["pts"], each["dts"], int(each["size"])) for each in packets if each["stream_index"] == index]
        assert theirs == [(sample.pts, sample.dts, len(sample.data)) for sample in mine]
    assert done.stderr == ""


@pytest.mark.server
def test_ffmpeg_decodes_without_complaint(clips: Clips, tmp_path: Path) -> None:
    """ffmpeg decodes every picture and all sound of a segment with nothing to report."""
    tracks, units = access_units(clips.get(codec="h265", seconds=3, width=320, height=180, audio="aac", b_frames=2))
    path = tmp_path / "segment.mp4"
    path.write_bytes(segment_of(tracks, fragments_of(samples_of(tracks, units))))
    done = subprocess.run(["ffmpeg", "-v", "warning", "-i", str(path), "-f", "null", "-"], capture_output=True, text=True, check=True)
    assert done.stderr == ""


# --- what the table of fragments says --------------------------------------------------------------------------------


def pictures(count: int, *, start: int = MEDIA_START, every: int = 50) -> list[Sample]:
    """Pictures of 40 ms, a key frame every so many, each 100 bytes longer than the one before."""
    return [Sample(start + 3_600 * n, start + 3_600 * n, 3_600, n % every == 0, bytes([n % 256]) * (500 + 100 * n)) for n in range(count)]


def sounds(count: int, start: int = MEDIA_START) -> list[Sample]:
    """Sound in pieces of 1,920 ticks."""
    return [Sample(start + 1_920 * n, start + 1_920 * n, 1_920, True, b"\x21" * (20 + n)) for n in range(count)]  # noqa: FBT003


def test_the_fragment_table_points_at_bytes() -> None:
    """Offset and length lead to moof and end of mdat, and the key length ends with the last byte of the key frame."""
    writer = SegmentWriter()
    data = writer.begin([VIDEO, SOUND])
    for second in range(3):
        start = MEDIA_START + second * 2 * TIMESCALE
        data += writer.add([pictures(50, start=start), sounds(90, start)])
    assert writer.size_bytes == len(data)
    for second, fragment in enumerate(writer.fragments):
        assert data[fragment.offset + 4 : fragment.offset + 8] == b"moof"
        mdat = box_at(data, box_at(data, fragment.offset, len(data)).end, len(data))
        assert (mdat.kind, mdat.end) == (b"mdat", fragment.offset + fragment.length)
        assert data[mdat.content : fragment.offset + fragment.key_length] == pictures(1)[0].data
        assert (fragment.pts, fragment.duration) == (MEDIA_START + second * 2 * TIMESCALE, 2 * TIMESCALE)


def test_a_piece_without_a_key_frame_is_no_seek_point() -> None:
    """A piece of a long GOP has key length 0, and is not in the random access table of the video track."""
    writer = SegmentWriter()
    writer.begin([VIDEO])
    gop = pictures(100, every=1_000)
    writer.add([gop[:50]])
    writer.add([gop[50:]])
    assert [bool(fragment.key_length) for fragment in writer.fragments] == [True, False]
    tail = writer.finish(FACTS)
    assert struct.unpack_from(">III", tail, tail.index(b"tfra") + 8) == (1, 0, 1)


def test_fragments_of_sound_alone() -> None:
    """Without pictures a fragment's time is that of its sound, and it has no key frame."""
    writer = SegmentWriter()
    writer.begin([SOUND])
    writer.add([sounds(90)])
    assert writer.fragments[0][2:] == (0, MEDIA_START, 90 * 1_920)


def test_the_time_of_a_fragment_is_its_first_presentation_time(clips: Clips) -> None:
    """With B-frames the fragment begins when its first picture is shown, not when it is decoded."""
    tracks, units = access_units(clips.get(seconds=3, width=320, height=180, b_frames=2))
    samples = samples_of(tracks, units)
    writer = SegmentWriter()
    writer.begin(tracks)
    for fragment in fragments_of(samples):
        writer.add(fragment)
        assert writer.fragments[-1].pts == min(sample.pts for sample in fragment[0])


def test_a_sample_lasts_until_the_next_one() -> None:
    """Lost sound leaves the later sound where it belongs: durations follow decode times, within a fragment and over its end."""
    heard = sounds(90)
    lossy = [*heard[:10], *heard[20:40]], heard[60:]
    writer = SegmentWriter()
    segment = writer.begin([SOUND]) + writer.add([lossy[0]]) + writer.add([lossy[1]]) + writer.finish(FACTS)
    assert [packet.dts for packet in read(segment)[0]] == [sample.dts for part in lossy for sample in part]


# --- limits ----------------------------------------------------------------------------------------------------------


def test_decode_times_that_run_back_are_refused() -> None:
    """A sample decoded before the one in front of it is damage, in a fragment and between two, and leaves the segment as it was."""
    writer = SegmentWriter()
    writer.begin([VIDEO])
    good = pictures(4)
    with pytest.raises(DataDamaged):
        writer.add([[good[1], good[0]]])
    writer.add([good[2:]])
    with pytest.raises(DataDamaged):
        writer.add([good[:2]])
    assert len(writer.fragments) == 1
    writer.add([pictures(2, start=good[-1].dts + 3_600)])
    assert len(writer.fragments) == 2


@pytest.mark.parametrize(("dts", "pts"), [(-1, 0), (0, 1 << 31), (1 << 31, 0)])
def test_times_that_no_field_can_hold_are_refused(dts: int, pts: int) -> None:
    """Negative decode times and composition offsets over 31 bits are damage."""
    with pytest.raises(DataDamaged):
        lay_out(1, [VIDEO], [[Sample(dts, pts, 3_600, key=True, data=b"picture")]])


def test_a_fragment_has_a_longest_length() -> None:
    """A fragment over the limit is refused before it is put together."""
    megabyte = bytes(1 << 20)
    too_much = [Sample(MEDIA_START + n, MEDIA_START + n, 1, n == 0, megabyte) for n in range(MAX_FRAGMENT_BYTES // len(megabyte))]
    with pytest.raises(DataDamaged):
        lay_out(1, [VIDEO], [too_much])


def test_an_empty_fragment_is_a_mistake() -> None:
    """There is no fragment without samples."""
    with pytest.raises(ValueError, match="at least one sample"):
        lay_out(1, [VIDEO, SOUND], [[], []])


_TICKS = st.integers(1, 90_000)
_TRACK = st.lists(st.tuples(_TICKS, st.integers(-5_000, 90_000), st.booleans(), st.binary(max_size=30)), max_size=8)


@given(st.integers(10_000, 2**40), _TRACK, _TRACK)
def test_fragments_round_trip(start: int, video: list[tuple[int, int, bool, bytes]], sound: list[tuple[int, int, bool, bytes]]) -> None:
    """What lay_out writes, read_moof reads: places, sizes, times and keys of any samples."""
    given_samples: Samples = []
    for rows in (video, sound):
        times = accumulate((duration for duration, *_ in rows), initial=start)
        given_samples.append(
            [Sample(dts, dts + offset, duration, key, data) for dts, (duration, offset, key, data) in zip(times, rows, strict=False)]
        )
    if not (video or sound):
        return
    data, parts = lay_out(7, [VIDEO, SOUND], given_samples)
    assert read_moof(data, box_at(data, 0, len(data))) == tuple(
        part if part.track == 0 else part._replace(keys=(True,) * len(part.sizes)) for part in parts
    )
    for part in parts:
        mine = given_samples[part.track]
        starts = list(accumulate(part.sizes, initial=part.position))
        assert [data[at : at + size] for at, size in zip(starts, part.sizes, strict=False)] == [sample.data for sample in mine]
        assert list(accumulate(part.durations[:-1], initial=part.dts)) == [sample.dts for sample in mine]
