"""The tail of a segment: everything that is known of it, found from its end, and never believed when it is spoiled."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.fragment import Sample, SegmentWriter
from segments.box_reader import box_at, boxes_in, read_moof
from segments.errors import DataDamaged, KeepsightError
from segments.sample_table import MAX_FRAGMENT_BYTES, MAX_TICKS
from segments.segment_file import scan
from segments.segment_tail import MAX_TAIL_BYTES, TailIsLonger, read_tail
from tests.media import Clips, access_units
from tests.samples import (
    FACTS,
    MEDIA_START,
    SMALL_CLIPS,
    SOUND,
    VIDEO,
    Made,
    fragments_of,
    made,
    samples_of,
    small_clip,
    small_segment,
)


@pytest.fixture(params=SMALL_CLIPS)
def segment(request: pytest.FixtureRequest, clips: Clips) -> Made:
    """A small real segment: three fragments with B-frames."""
    return small_clip(clips, request.param)


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


_SMALL = small_segment()
