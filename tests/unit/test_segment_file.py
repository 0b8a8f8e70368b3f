"""Segment files from their end and from their start: the tail tells everything, and a cut at any byte loses no whole fragment."""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.fragment import Sample, SegmentWriter
from segments.box_reader import box_at, boxes_in, read_moof
from segments.errors import DataDamaged, KeepsightError
from segments.media import Track
from segments.model import Fragment
from segments.sample_table import MAX_FRAGMENT_BYTES, MAX_TICKS
from segments.segment_file import Scan, rebuild_tail, scan
from segments.segment_tail import MAX_TAIL_BYTES, TailIsLonger, read_tail
from tests.media import Clips, access_units
from tests.samples import FACTS, MEDIA_START, SOUND, VIDEO, Samples, fragments_of, samples_of, segment_of, small_segment


class Made(NamedTuple):
    """A segment, and what it was made of."""

    data: bytes
    tracks: Sequence[Track]
    fragments: tuple[Fragment, ...]
    header_bytes: int
    samples: Samples


def made(tracks: Sequence[Track], samples: Samples) -> Made:
    """A segment of these samples, cut at key frames."""
    writer = SegmentWriter()
    header = writer.begin(tracks)
    data = header + b"".join(map(writer.add, fragments_of(samples))) + writer.finish(FACTS)
    return Made(data, tuple(tracks), writer.fragments, len(header), samples)


@pytest.fixture(params=["h264", "h264+sound", "h265", "h265+sound"])
def segment(request: pytest.FixtureRequest, clips: Clips) -> Made:
    """A small real segment: three fragments with B-frames."""
    codec, *sound = str(request.param).split("+")
    clip = clips.get(codec=codec, seconds=0.6, fps=10, width=320, height=64, gop_frames=2, b_frames=1, audio="aac" if sound else None)
    tracks, units = access_units(clip)
    return made(tracks, samples_of(tracks, units))


# --- cut at every byte -------------------------------------------------------------------------------------------------


def whole_fragments(segment: Made, end: int) -> tuple[Fragment, ...]:
    """What must survive a cut at `end`, told by the writer alone."""
    if end < segment.header_bytes:
        return ()
    return tuple(fragment for fragment in segment.fragments if fragment.offset + fragment.length <= end)


def lost_offsets(segment: Made, scanned: Sequence[Scan]) -> list[int]:
    """The cuts after which a whole fragment is missing, or one too many is there."""
    return [end for end, found in enumerate(scanned) if found.fragments != whole_fragments(segment, end)]


def test_a_cut_at_any_byte_loses_no_whole_fragment(segment: Made) -> None:
    """At every offset the scan gives every whole fragment, where the file is good, and whether it is complete (promise R3)."""
    scanned = [scan(segment.data[:end]) for end in range(len(segment.data) + 1)]
    assert lost_offsets(segment, scanned) == []
    for end, found in enumerate(scanned):
        last = found.fragments[-1] if found.fragments else None
        assert found.good_bytes == (last.offset + last.length if last else segment.header_bytes if end >= segment.header_bytes else 0)
        assert found.complete == (end == len(segment.data))


def test_a_reader_that_trusts_the_tail_alone_loses_fragments(segment: Made) -> None:
    """Control: without scanning, whatever is cut has no fragments at all, and the check above sees it."""

    def by_the_tail(data: bytes) -> Scan:
        found = scan(data)
        return found if found.complete else scan(b"")

    lost = lost_offsets(segment, [by_the_tail(segment.data[:end]) for end in range(len(segment.data) + 1)])
    first = segment.fragments[0]
    assert lost == list(range(first.offset + first.length, len(segment.data)))


def test_a_cut_file_gets_its_tail_again(segment: Made) -> None:
    """Cut back to its good bytes and given a tail, a torn file is a whole segment, with every sample that was whole."""
    for end in range(segment.header_bytes, len(segment.data), 997):
        found = scan(segment.data[:end])
        mended = segment.data[: found.good_bytes] + rebuild_tail(found, FACTS)
        again = scan(mended)
        assert again.complete
        assert again.tracks == segment.tracks
        assert again.fragments == whole_fragments(segment, end)
        assert read_tail(mended, len(mended)).fragments == again.fragments


def test_the_rebuilt_tail_is_the_one_the_recorder_wrote(segment: Made) -> None:
    """A segment torn only in its tail comes back byte for byte."""
    found = scan(segment.data[:-1])
    assert segment.data[: found.good_bytes] + rebuild_tail(found, FACTS) == segment.data


def test_a_mended_file_plays(segment: Made) -> None:
    """libav reads from a mended file the samples of its whole fragments and nothing else."""
    second = segment.fragments[1]
    found = scan(segment.data[: second.offset + second.length + 100])
    mended = segment.data[: found.good_bytes] + rebuild_tail(found, FACTS)
    expected = [sample.data for fragment in fragments_of(segment.samples)[:2] for sample in fragment[0]]
    with av.open(io.BytesIO(mended), format="mp4") as container:
        assert [bytes(packet) for packet in container.demux(video=0) if packet.size] == expected


def test_a_scan_reads_a_mapped_file(segment: Made, tmp_path: Path) -> None:
    """A file mapped into memory is scanned like bytes, and no view keeps it open."""
    path = tmp_path / "segment.part"
    path.write_bytes(segment.data)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert scan(mapped).fragments == segment.fragments


# --- damage in the middle ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "at", "value"),
    [
        ("moof type", 4, b"free"),
        ("base flags", 24 + 8 + 9, b"\1"),
        ("track id", 24 + 8 + 12, b"\0\0\0\7"),
        ("decode time", 24 + 8 + 16 + 12, b"\x7f" * 8),
        ("sample count", 24 + 8 + 16 + 20 + 12, b"\xff\xff\xff\xff"),
        ("data offset", 24 + 8 + 16 + 20 + 16, b"\0\0\0\0"),
        ("first size", 24 + 8 + 16 + 20 + 20 + 4, b"\0\0\0\1"),
        ("first duration", 24 + 8 + 16 + 20 + 20, b"\x80\0\0\0"),
    ],
)
def test_damage_stops_the_scan(clips: Clips, what: str, at: int, value: bytes) -> None:
    """A fragment with one spoiled field ends what is good; those in front of it stay."""
    tracks, units = access_units(clips.get(seconds=2, fps=10, width=320, height=64, gop_frames=5))
    segment = made(tracks, samples_of(tracks, units))
    spoiled = bytearray(segment.data)
    start = segment.fragments[2].offset + at
    spoiled[start : start + len(value)] = value
    found = scan(spoiled)
    assert found.fragments == segment.fragments[:2], what
    assert found.good_bytes == segment.fragments[2].offset
    assert not found.complete


def test_a_tail_of_other_fragments_is_not_whole(segment: Made) -> None:
    """A file that ends in a whole tail which tells of other fragments counts as torn."""
    found = scan(segment.data)
    first = segment.fragments[0]
    tail = segment.data[found.good_bytes :]
    assert not scan(segment.data[: first.offset + first.length] + tail).complete
    assert not scan(segment.data[: found.good_bytes] + tail + b"\0").complete


@given(st.binary(max_size=300))
def test_bytes_that_are_no_segment(data: bytes) -> None:
    """Anything else has nothing good in it."""
    found = scan(data)
    assert (found.header, found.tracks, found.fragments, found.good_bytes, found.complete) == (b"", (), (), 0, False)


@given(st.data())
def test_a_spoiled_segment_never_surprises(data: st.DataObject) -> None:
    """With any bytes changed, a scan ends in whole fragments within the file, and its tail can be made."""
    spoiled = bytearray(_SMALL)
    for _ in range(data.draw(st.integers(1, 8))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    found = scan(spoiled)
    assert found.good_bytes <= len(spoiled)
    if found.fragments:
        mended = bytes(spoiled[: found.good_bytes]) + rebuild_tail(found, FACTS)
        assert scan(mended).complete


# --- the tail ----------------------------------------------------------------------------------------------------------


def test_the_tail_tells_what_the_writer_knew(segment: Made) -> None:
    """Facts, fragments and samples come back; sizes, times and key frames are those that went in."""
    tail = read_tail(segment.data[-64 * 1024 :], len(segment.data))
    assert dict(tail.facts) == FACTS
    assert tail.fragments == segment.fragments
    for table, samples in zip(tail.tracks, segment.samples, strict=True):
        assert [size for (size,) in struct.iter_unpack(">I", table.sizes)] == [len(sample.data) for sample in samples]
        assert _values(table.offsets or struct.pack(">Ii", len(samples), 0)) == [sample.pts - sample.dts for sample in samples]
        assert _values(table.durations) == [sample.duration for sample in samples]
        assert (table.first_dts, table.end_dts) == (samples[0].dts, samples[-1].dts + samples[-1].duration)
        at = [chunk.position for chunk in table.chunks]
        assert [segment.data[place : place + 8] for place in at] == [
            samples[sum(chunk.samples for chunk in table.chunks[:n])].data[:8] for n in range(len(at))
        ]
    keys = [number for number, sample in enumerate(segment.samples[0], start=1) if sample.key]
    assert [number for (number,) in struct.iter_unpack(">I", tail.tracks[0].syncs)] == keys


def _values(runs: bytes) -> list[int]:
    return [value for count, value in struct.iter_unpack(">Ii", runs) for _ in range(count)]


def test_the_tail_is_found_from_the_end(segment: Made) -> None:
    """A piece that is too short says how many last bytes it takes, three times from the least piece on, and with these the tail is read."""
    wanted = [16]
    for _ in range(3):
        with pytest.raises(TailIsLonger) as asked:
            read_tail(segment.data[-wanted[-1] :], len(segment.data))
        wanted.append(asked.value.tail_bytes)
    assert wanted == sorted(set(wanted))
    assert read_tail(segment.data[-wanted[-1] :], len(segment.data)).fragments == segment.fragments


def test_mfra_is_the_last_box_and_leads_to_key_frames(segment: Made) -> None:
    """The last box is mfra; each of its video entries leads to the moof whose first picture is shown then."""
    kinds = [each.kind for each in boxes_in(segment.data, 0, len(segment.data))]
    assert kinds == [b"ftyp", b"moov", *[b"moof", b"mdat"] * len(segment.fragments), b"uuid", b"mfra"]
    mfra = list(boxes_in(segment.data, 0, len(segment.data)))[-1]
    *tables, mfro = boxes_in(segment.data, mfra.content, mfra.end)
    assert struct.unpack_from(">I", segment.data, mfro.content + 4) == (mfra.end - mfra.start,)
    assert len(tables) == len(segment.tracks)
    for index, table in enumerate(tables):
        rows = list(struct.iter_unpack(">QQBBB", segment.data[table.content + 16 : table.end]))
        assert [offset for _, offset, *_ in rows] == [fragment.offset for fragment in segment.fragments]
        first = [fragment[index][0].pts for fragment in fragments_of(segment.samples)]
        assert [row[0] for row in rows] == first
        assert {row[2:] for row in rows} == {(index + 1, 1, 1)}


@pytest.mark.parametrize("spoil", ["end", "mfro", "mfra", "repeated size", "type", "version", "facts", "samples", "claimed"])
def test_a_spoiled_tail_is_damage(clips: Clips, spoil: str) -> None:
    """A tail with one field spoiled is refused."""
    tracks, units = access_units(clips.get(seconds=1, fps=10, width=320, height=64, gop_frames=5))
    data = bytearray(made(tracks, samples_of(tracks, units)).data)
    uuid, mfra = list(boxes_in(bytes(data), 0, len(data)))[-2:]
    claimed = uuid.content + 16 + 4
    spoils = {
        "end": (len(data), b"\0"),
        "mfro": (len(data) - 12, b"mfrx"),
        "mfra": (mfra.start + 4, b"mfrx"),
        "repeated size": (uuid.end - 4, b"\0\0\0\x10"),
        "type": (uuid.content, b"x"),
        "version": (uuid.content + 16, b"\0\0\0\2"),
        "facts": (uuid.content + 24, b"["),
        "samples": (uuid.end - 4 - 21 + 8, b"\0\0\0\1"),
        "claimed": (claimed, b"\xff\xff\xff\xff"),
    }
    at, value = spoils[spoil]
    data[at : at + len(value)] = value
    with pytest.raises(DataDamaged):
        read_tail(bytes(data), len(data))


def test_a_tail_over_the_limit_is_not_asked_for() -> None:
    """An mfro that claims more than any tail can have is damage, not a request for the whole object."""
    end = struct.pack(">I4sII", 16, b"mfro", 0, MAX_TAIL_BYTES + 1)
    with pytest.raises(DataDamaged):
        read_tail(end, 1 << 40)
    with pytest.raises(TailIsLonger):
        read_tail(struct.pack(">I4sII", 16, b"mfro", 0, MAX_TAIL_BYTES), 1 << 40)


@given(st.data())
def test_a_tail_with_flipped_bytes_never_surprises(data: st.DataObject) -> None:
    """A tail with any bytes changed is read or refused by an error of ours."""
    start = scan(_SMALL).good_bytes
    spoiled = bytearray(_SMALL)
    for _ in range(data.draw(st.integers(1, 4))):
        spoiled[data.draw(st.integers(start, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_tail(bytes(spoiled[start:]), len(spoiled))
    except KeepsightError:
        return


_ROWS = st.lists(
    st.tuples(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.lists(st.integers(0, 40), max_size=5)), min_size=1, max_size=4
)


@settings(max_examples=50)
@given(_ROWS, st.dictionaries(st.text(max_size=8), st.one_of(st.integers(), st.text(max_size=20), st.booleans(), st.none()), max_size=5))
def test_tails_round_trip(rows: list[tuple[list[int], list[int]]], facts: dict[str, object]) -> None:
    """Whatever fragments a segment has, its tail gives them back, with the facts; fragments without sound among them."""
    writer = SegmentWriter()
    data = writer.begin([VIDEO, SOUND])
    start = MEDIA_START
    for fragment in rows:
        tracks = [[Sample(start + n, start + n, 1, n == 0, bytes(size)) for n, size in enumerate(sizes)] for sizes in fragment]
        data += writer.add(tracks)
        start += 10
    data += writer.finish(facts)
    tail = read_tail(data[-64 * 1024 :], len(data))
    assert (tail.fragments, dict(tail.facts)) == (writer.fragments, facts)
    assert scan(data).complete
    assert [table.samples for table in tail.tracks] == [sum(map(len, column)) for column in zip(*rows, strict=True)]


# --- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "dts", "offset", "bytes_more"),
    [("negative time", 10, -11, 0), ("time past the limit", MAX_TICKS, 0, 0), ("too long", 10, 0, MAX_FRAGMENT_BYTES)],
)
def test_tables_refuse_what_is_past_their_limits(what: str, dts: int, offset: int, bytes_more: int) -> None:
    """Times before 0 or past the limit and overlong fragments are damage, and are not taken."""
    writer = SegmentWriter()
    data = writer.begin([VIDEO]) + writer.add([[Sample(20, 20, 1, key=True, data=b"picture")]])
    (part,) = read_moof(data, box_at(data, writer.fragments[0].offset, len(data)))
    tables = scan(writer.begin([VIDEO])).tables
    with pytest.raises(DataDamaged):
        tables.add(0, 100 + bytes_more, [part._replace(dts=dts, offsets=(offset,))])
    assert tables.fragments == [], what
    tables.add(0, 100, [part])


def test_a_track_spoiled_by_its_header_is_not_read(clips: Clips) -> None:
    """A segment of more tracks than its header has ends before the first fragment."""
    tracks, units = access_units(clips.get(seconds=1, fps=10, width=320, height=64, gop_frames=5, audio="aac"))
    samples = samples_of(tracks, units)
    segment = segment_of(tracks, fragments_of(samples))
    alone = SegmentWriter().begin([replace(tracks[0])])
    header_bytes = scan(segment).fragments[0].offset
    assert scan(alone + segment[header_bytes:]).fragments == ()


_SMALL = small_segment()
