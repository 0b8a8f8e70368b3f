"""Segment files from their end and from their start: the tail tells everything, and a cut at any byte loses no whole fragment."""

from __future__ import annotations

import io
import mmap
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.fragment import SegmentWriter
from segments.model import Fragment
from segments.segment_file import Scan, rebuild_tail, scan
from segments.segment_tail import read_tail
from tests.media import Clips, access_units
from tests.samples import (
    FACTS,
    SMALL_CLIPS,
    Made,
    fragments_of,
    made,
    samples_of,
    segment_of,
    small_clip,
    small_segment,
)


@pytest.fixture(params=SMALL_CLIPS)
def segment(request: pytest.FixtureRequest, clips: Clips) -> Made:
    """A small real segment: three fragments with B-frames."""
    return small_clip(clips, request.param)


# --- cut at every byte -------------------------------------------------------------------------------------------------


def whole_fragments(segment: Made, end: int) -> tuple[Fragment, ...]:
    """What must survive a cut at `end`, told by the writer alone."""
    if end < segment.header_bytes:
        return ()
    return tuple(fragment for fragment in segment.fragments if fragment.offset + fragment.length <= end)


@cache
def scans(data: bytes) -> list[Scan]:
    """What is found of a file that was cut at each of its bytes."""
    return [scan(data[:end]) for end in range(len(data) + 1)]


def lost_offsets(segment: Made, scanned: Sequence[Scan]) -> list[int]:
    """The cuts after which a whole fragment is missing, or one too many is there."""
    return [end for end, found in enumerate(scanned) if found.fragments != whole_fragments(segment, end)]


def test_a_cut_at_any_byte_loses_no_whole_fragment(segment: Made) -> None:
    """At every offset the scan gives every whole fragment, where the file is good, and whether it is complete (promise R3)."""
    scanned = scans(segment.data)
    assert lost_offsets(segment, scanned) == []
    for end, found in enumerate(scanned):
        last = found.fragments[-1] if found.fragments else None
        assert found.good_bytes == (last.offset + last.length if last else segment.header_bytes if end >= segment.header_bytes else 0)
        assert found.complete == (end == len(segment.data))


def test_a_reader_that_trusts_the_tail_alone_loses_fragments(segment: Made) -> None:
    """Control: without scanning, whatever is cut has no fragments at all, and the check above sees it."""
    nothing = scan(b"")
    lost = lost_offsets(segment, [found if found.complete else nothing for found in scans(segment.data)])
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


def test_a_track_spoiled_by_its_header_is_not_read(clips: Clips) -> None:
    """A segment of more tracks than its header has ends before the first fragment."""
    tracks, units = access_units(clips.get(seconds=1, fps=10, width=320, height=64, gop_frames=5, audio="aac"))
    samples = samples_of(tracks, units)
    segment = segment_of(tracks, fragments_of(samples))
    alone = SegmentWriter().begin([replace(tracks[0])])
    header_bytes = scan(segment).fragments[0].offset
    assert scan(alone + segment[header_bytes:]).fragments == ()


_SMALL = small_segment()
