"""What of the footage a virtual mp4 holds: cut ends, gaps, changes of codec, the manifest, and its limits."""

from __future__ import annotations

import json
import struct
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playback.virtual_mp4 import Gap, manifest
from segments.clock import US_PER_S
from segments.errors import BadInput, DataDamaged
from segments.media import TIMESCALE
from segments.model import Span
from tests.builders import NOON_US
from tests.pool import Pool, cut_to, lay_out, pictures, read, sounds, ten_seconds
from tests.samples import MEDIA_START, SOUND, VIDEO, fragments_of


def test_a_span_begins_at_a_key_frame_and_ends_with_a_fragment() -> None:
    """Cut from 1.3 s to 3.5 s, the file has the fragments from 1.2 s to 3.6 s and not a byte more."""
    pool, samples = ten_seconds()
    (file,) = lay_out(cut_to(pool, 1.3, 3.5))
    found = read(pool.bytes_of(file))
    assert [data for _, data in found[0]] == [sample.data for sample in samples[0][30:90]]
    begins = samples[0][30].pts
    heard = {sample.data: sample.pts for sample in samples[1]}
    assert all(heard[data] - begins == pts for pts, data in found[1])
    assert [part.row.counter for part in file.ranges] == [1, 2, 3]
    runs = manifest(file)["runs"]
    assert isinstance(runs, list)
    assert [segment["at_us"] - NOON_US for segment in runs[0]["segments"]] == [1_200_000, 2_000_000, 3_000_000]
    assert [segment["file_s"] for segment in runs[0]["segments"]] == pytest.approx([0, 0.8, 1.8])


def test_a_piece_of_a_long_gop_is_no_beginning() -> None:
    """A span that begins in a fragment without a key frame is laid out from the fragment that has it."""
    pool = Pool()
    gop = pictures(30, MEDIA_START, every=1_000)
    pool.record([VIDEO], [[gop[:10]], [gop[10:20]], [gop[20:]]], start_us=NOON_US)
    (file,) = lay_out(cut_to(pool, 0.9, 0.95))
    assert [data for _, data in read(pool.bytes_of(file))[0]] == [sample.data for sample in gop]


def test_gaps_are_left_out_and_told() -> None:
    """Of two runs an hour apart the file shows one right behind the other, and the manifest says when each was."""
    pool = Pool()
    pool.record([VIDEO, SOUND], fragments_of([pictures(25, MEDIA_START), sounds(46, MEDIA_START)]), start_us=NOON_US)
    later = NOON_US + 3_600 * US_PER_S
    second = [pictures(25, MEDIA_START + 500), sounds(46, MEDIA_START)]
    pool.record([VIDEO, SOUND], fragments_of(second), start_us=later, run="home-a-1-2")
    (file,) = lay_out(pool.footage)
    beside = manifest(file, [Gap(NOON_US + US_PER_S, later, "camera-away")])
    video, sound = read(pool.bytes_of(file))
    assert len(video) == 50
    joint = video[25][0]
    assert TIMESCALE <= joint <= TIMESCALE + 1_920
    assert sound[46][0] - joint == -500
    assert beside["gaps"] == [{"from": "2026-03-14T12:00:01.000Z", "to": "2026-03-14T13:00:00.000Z", "cause": "camera-away"}]
    runs = manifest(file)["runs"]
    assert isinstance(runs, list)
    assert [(run["run"], run["from"]) for run in runs] == [
        ("home-a-1-1", "2026-03-14T12:00:00.000Z"),
        ("home-a-1-2", "2026-03-14T13:00:00.000Z"),
    ]
    assert runs[1]["segments"][0]["file_s"] == pytest.approx(joint / TIMESCALE)
    assert json.loads(json.dumps(beside)) == beside


def test_a_segment_missing_from_a_run_is_a_gap() -> None:
    """Without its middle segment a run goes on right behind the first."""
    pool, _ = ten_seconds()
    (file,) = lay_out([pool.footage[0], pool.footage[2]])
    video, _ = read(pool.bytes_of(file))
    assert [pts for pts, _ in video[24:26]] == pytest.approx([24 * 3_600, TIMESCALE], abs=1_920)


def test_a_change_of_codec_configuration_begins_a_new_file() -> None:
    """Runs with other init segments become files of their own, in order; the same configuration later is a third."""
    pool = Pool()
    other = replace(VIDEO, parameter_sets=(VIDEO.parameter_sets[0], b"\x68\xee\x3c\x80"))
    for n, track in enumerate([VIDEO, other, VIDEO]):
        pool.record([track], fragments_of([pictures(25, MEDIA_START)]), start_us=NOON_US + n * US_PER_S, run=f"home-a-1-{n}")
    files = lay_out(pool.footage)
    assert [[part.row.run for part in file.ranges] for file in files] == [["home-a-1-0"], ["home-a-1-1"], ["home-a-1-2"]]
    assert all(len(read(pool.bytes_of(file))[0]) == 25 for file in files)


def test_sound_that_begins_later_stays_where_it_was() -> None:
    """A track that begins after the others, in a later segment even, is heard at its time."""
    pool = Pool()
    pool.record([VIDEO, SOUND], fragments_of([pictures(25, MEDIA_START), []]), start_us=NOON_US)
    late = MEDIA_START + TIMESCALE + 700
    second = [pictures(25, MEDIA_START + TIMESCALE), sounds(30, late)]
    pool.record([VIDEO, SOUND], fragments_of(second), start_us=NOON_US + US_PER_S, counter=1)
    (file,) = lay_out(pool.footage)
    assert [track[0][0] for track in read(pool.bytes_of(file))] == [0, late - MEDIA_START]


def test_edit_lists_only_where_they_are_needed() -> None:
    """A file whose tracks begin together, composed at once, has no edit list."""
    pool = Pool()
    pool.record([VIDEO, SOUND], fragments_of([pictures(25, MEDIA_START), sounds(40, MEDIA_START)]), start_us=NOON_US)
    (file,) = lay_out(pool.footage)
    assert b"elst" not in file.head


def test_the_bytes_of_the_segments_are_verbatim() -> None:
    """Behind the head lies one 64-bit mdat that is the stored fragments, byte for byte."""
    pool, _ = ten_seconds()
    (file,) = lay_out(pool.footage)
    content = b"".join(pool.objects[part.row.key][part.start : part.end] for part in file.ranges)
    assert pool.bytes_of(file)[len(file.head) :] == content
    assert struct.unpack(">I4sQ", file.head[-16:]) == (1, b"mdat", 16 + len(content))
    for each, part in zip(pool.footage, file.ranges, strict=True):
        assert part.start == each.row.fragments[0].offset
        assert part.end == each.row.fragments[-1].offset + each.row.fragments[-1].length


def test_the_etag_follows_the_bytes() -> None:
    """Equal inputs give equal tags, and another hash or another cut another one."""
    pool, _ = ten_seconds()
    etags = [lay_out(footage)[0].etag for footage in (pool.footage, pool.footage, cut_to(pool, 0, 9.5), pool.footage[:9])]
    assert len(set(etags)) == 3
    changed = [replace(pool.footage[0], row=replace(pool.footage[0].row, sha256="0" * 64)), *pool.footage[1:]]
    assert lay_out(changed)[0].etag not in etags


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 9.9), st.floats(0.01, 9.9))
def test_any_span_is_covered(start_s: float, length_s: float) -> None:
    """Whatever span is asked for, the file covers it, from a key frame on, with less than a fragment more at either end."""
    pool, _ = _TEN_SECONDS
    end_s = min(10.0, start_s + length_s)
    (file,) = lay_out(cut_to(pool, start_s, end_s))
    runs = manifest(file)["runs"]
    assert isinstance(runs, list)
    first_s = (runs[0]["segments"][0]["at_us"] - NOON_US) / US_PER_S
    shown_s = len(read(pool.bytes_of(file))[0]) * 0.04
    assert first_s <= start_s + 1e-5 < first_s + 0.2 + 2e-5
    assert end_s - 1e-5 <= first_s + shown_s < end_s + 0.2 + 1e-5


# --- limits ------------------------------------------------------------------------------------------------------------


def test_a_day_is_the_longest_file() -> None:
    """What spans days is refused with a sentence that says what to do; 24 h are not."""
    pool, _ = ten_seconds()
    first, last = pool.footage[0], pool.footage[1]
    for hours, fits in ((24, True), (25, False)):
        later = replace(last.row, start_us=NOON_US + (hours * 3600 - 2) * US_PER_S, end_us=NOON_US + (hours * 3600 - 1) * US_PER_S)
        footage = [first, replace(last, row=later, wanted=Span(later.start_us, later.end_us))]
        if fits:
            assert lay_out(footage)
            continue
        with pytest.raises(BadInput, match="split the span by day"):
            lay_out(footage)


@pytest.mark.parametrize("spoil", ["size", "tracks", "position", "times", "empty"])
def test_a_tail_that_contradicts_its_row_is_damage(spoil: str) -> None:
    """A tail with places outside the object, other tracks than the header, or times that run back is damage."""
    pool, _ = ten_seconds()
    good = pool.footage[1]
    table = good.tail.tracks[0]
    chunk = table.chunks[0]._replace(position=10**9)
    spoils = {
        "size": replace(good, row=replace(good.row, size=100)),
        "tracks": replace(good, tail=replace(good.tail, tracks=(table,))),
        "position": replace(good, tail=replace(good.tail, tracks=(replace(table, chunks=(chunk, *table.chunks[1:])), good.tail.tracks[1]))),
        "times": replace(good, tail=replace(good.tail, tracks=(replace(table, first_dts=0), good.tail.tracks[1]))),
        "empty": replace(good, tail=replace(good.tail, fragments=())),
    }
    with pytest.raises(DataDamaged):
        lay_out([pool.footage[0], spoils[spoil], pool.footage[2]])


@pytest.mark.slow
def test_an_hour_is_laid_out_quickly() -> None:
    """Sixty segments of a minute with sound take some 10 ms; the test allows ten times that, for a busy machine."""
    pool = Pool()
    for minute in range(60):
        start = MEDIA_START + minute * 60 * TIMESCALE
        samples = [pictures(1_500, start, every=50), sounds(2_812, start)]
        pool.record([VIDEO, SOUND], fragments_of(samples), start_us=NOON_US + minute * 60 * US_PER_S, counter=minute)
    took_s = []
    for _ in range(3):
        began = time.perf_counter()
        (file,) = lay_out(pool.footage)
        took_s.append(time.perf_counter() - began)
    assert len(file.ranges) == 60
    assert min(took_s) < 0.2


_TEN_SECONDS = ten_seconds()
