"""Virtual mp4s of any footage, against models: every range is a slice of the whole, every sample is the segments', nothing else is read."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playback.file_bytes import reads_of
from playback.file_parts import ByteRange
from playback.virtual_mp4 import VirtualMp4
from recorder.fragment import Sample
from segments.clock import US_PER_S
from segments.errors import BadInput, DataDamaged
from segments.media import TIMESCALE
from segments.model import Span
from segments.segment_tail import TailIsLonger, read_tail
from tests.builders import NOON_US
from tests.pool import Footage, Pool, lay_out, pictures, read, sounds, ten_seconds
from tests.samples import MEDIA_START, SOUND, VIDEO, fragments_of, with_signed_offsets

_TEN_SECONDS, _ = ten_seconds()
_FILE = lay_out(_TEN_SECONDS.footage)[0]
_WHOLE = _TEN_SECONDS.bytes_of(_FILE)
_PLACES = st.integers(0, len(_WHOLE))


def sliced(file: VirtualMp4, start: int, end: int) -> bytes:
    """A range of a file as it is answered: of its head, then what is to be read."""
    return file.head[start:end] + b"".join(_TEN_SECONDS.objects[row.key][first:last] for row, first, last in reads_of(file, start, end))


@settings(max_examples=100, deadline=None)
@given(_PLACES, _PLACES)
def test_any_range_is_a_slice_of_the_whole(one: int, other: int) -> None:
    """Whatever begins and ends anywhere, in the head, in a segment or over many; and nothing beside the fragments is read for it."""
    start, end = sorted((one, other))
    assert sliced(_FILE, start, end) == _WHOLE[start:end]
    fragments = {each.row.key: each.row.fragments for each in _TEN_SECONDS.footage}
    for row, first, last in reads_of(_FILE, start, end):
        assert fragments[row.key][0].offset <= first < last <= fragments[row.key][-1].offset + fragments[row.key][-1].length


@pytest.mark.parametrize("off", [-1, 1])
def test_a_place_that_is_off_by_one_is_seen(off: int) -> None:
    """The negative control: with one segment's range moved by a byte the comparison above fails, and so does the reading of samples."""
    moved = [ByteRange(part.row, part.start + off * (n == 3), part.end + off * (n == 3)) for n, part in enumerate(_FILE.ranges)]
    wrong = replace(_FILE, ranges=tuple(moved))
    assert sliced(wrong, 0, len(_WHOLE)) != _WHOLE
    assert read(sliced(wrong, 0, len(_WHOLE))) != read(_WHOLE)


# --- any footage -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunOf:
    """A run to be made: how many seconds (a segment each), how long nothing was before it, and whether it has B-frames."""

    seconds: int
    gap_s: float
    reordered: bool


_RUNS = st.lists(st.builds(RunOf, st.integers(1, 4), st.floats(0, 30), st.booleans()), min_size=1, max_size=4)


def made(runs: Sequence[RunOf], *, sound: bool) -> Pool:
    """These runs, one after the other from noon on."""
    pool, at_us = Pool(), NOON_US
    for number, run in enumerate(runs):
        at_us += round(run.gap_s * US_PER_S)
        for second in range(run.seconds):
            start = MEDIA_START + second * TIMESCALE
            shown = [sample._replace(data=b"run %d, %b" % (number, sample.data)) for sample in pictures(25, start)]
            samples = [_reordered(shown) if run.reordered else shown]
            samples += [sounds(46, start)] if sound else []
            tracks = [VIDEO, SOUND] if sound else [VIDEO]
            pool.record(tracks, fragments_of(samples), start_us=at_us, run=f"home-a-1-{number}", counter=second)
            at_us += US_PER_S
    return pool


def _reordered(samples: list[Sample]) -> list[Sample]:
    """In each GOP of five the pictures are decoded in the order 1, 3, 2, 5, 4 of their showing."""
    shown = [sample.pts for sample in samples]
    order = [n + (0, 1, -1, 1, -1)[n % 5] for n in range(len(samples))]
    return with_signed_offsets([[sample._replace(pts=shown[place]) for sample, place in zip(samples, order, strict=True)]])[0]


def stored(each: Footage, data: bytes) -> list[tuple[int, int, bytes]]:
    """(track, presentation time, bytes) of all packets of a segment as libav reads it by itself."""
    with av.open(io.BytesIO(data), format="mp4") as container:
        return [(packet.stream_index, packet.pts, bytes(packet)) for packet in container.demux() if packet.size]


@settings(max_examples=25, deadline=None)
@given(_RUNS, st.booleans(), st.booleans(), st.floats(0, 1), st.floats(0, 1))
def test_any_span_shows_what_the_segments_hold(runs: list[RunOf], sound: bool, hold: bool, one: float, other: float) -> None:
    """Of any runs and any span: the packets of each segment in its order, all that lie in the span and less than a GOP more at each end, at
    their distances within a run; in file time they rise, and held gaps take as long as they took."""
    pool = made(runs, sound=sound)
    last_us = pool.footage[-1].row.end_us
    start_us, end_us = (NOON_US + round(part * (last_us - NOON_US)) for part in sorted((one, other)))
    wanted = [replace(each, wanted=Span(max(start_us, each.row.start_us), min(end_us, each.row.end_us))) for each in pool.footage]
    wanted = [each for each in wanted if each.wanted.start_us < each.wanted.end_us]
    if not wanted:
        return
    (file,) = lay_out(wanted, hold=hold)
    found = read(pool.bytes_of(file))[0]
    expected = [(each.row, pts, data) for each in wanted for track, pts, data in stored(each, pool.objects[each.row.key]) if track == 0]
    at_us = {data: row.start_us + (pts - row.fragments[0].pts) * US_PER_S // TIMESCALE for row, pts, data in expected}
    of_run = {data: (row.run, row.counter, pts) for row, pts, data in expected}
    kept = [data for _, data in found]
    first, last = (next(n for n, (_, _, data) in enumerate(expected) if data == edge) for edge in (kept[0], kept[-1]))
    assert kept == [data for _, _, data in expected[first : last + 1]]
    assert all(data in set(kept) for data, shown_us in at_us.items() if start_us <= shown_us < end_us)
    assert all(start_us - 200_001 <= at_us[data] < end_us + 200_001 for data in kept)
    assert [data for _, data in sorted(found)] == sorted(kept, key=lambda data: (at_us[data], of_run[data]))
    for (before_ticks, before), (ticks, data) in pairwise(found):
        if of_run[before][0] == of_run[data][0]:
            assert ticks - before_ticks == of_run[data][2] - of_run[before][2]
    if hold:
        origin = min(ticks for ticks, _ in found), min(at_us[data] for data in kept)
        late_us = [(ticks - origin[0]) * US_PER_S / TIMESCALE - (at_us[data] - origin[1]) for ticks, data in found]
        assert min(late_us) > -50_000  # libav shows a fragmented file with signed offsets, the model's side, a picture late
        assert max(late_us) < 250_000


# --- hostile tails ---------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_hostile_tail_leads_nowhere(data: st.DataObject) -> None:
    """Any four bytes of a tail changed: it is refused as damage, or the file still holds nothing but fragments."""
    good = _TEN_SECONDS.footage[2]
    last = good.row.fragments[-1]
    tail = bytearray(_TEN_SECONDS.objects[good.row.key][last.offset + last.length :])
    place = data.draw(st.integers(0, len(tail) - 4))
    tail[place : place + 4] = data.draw(
        st.one_of(st.binary(min_size=4, max_size=4), st.integers(0, 2**32 - 1).map(struct.Struct(">I").pack))
    )
    try:
        (file,) = lay_out([_TEN_SECONDS.footage[1], replace(good, tail=read_tail(bytes(tail), good.row.size)), _TEN_SECONDS.footage[3]])
    except (DataDamaged, BadInput, TailIsLonger):
        return
    assert [part[1:] for part in file.ranges] == [part[1:] for part in _FILE.ranges[1:4]]
