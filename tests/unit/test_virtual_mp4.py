"""Virtual mp4s as other readers see them: every stored sample, in order, at the right time, in a file nobody wrote."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playback.virtual_mp4 import Footage, Gap, VirtualMp4, lay_out
from recorder.fragment import Sample, SegmentWriter
from segments.boxes import init_segment
from segments.clock import US_PER_S
from segments.errors import BadInput, DataDamaged
from segments.media import TIMESCALE, Track
from segments.model import Span
from segments.segment_tail import read_tail
from tests.builders import NOON_US, a_row
from tests.media import Clips, access_units
from tests.samples import FACTS, MEDIA_START, SOUND, VIDEO, Samples, fragments_of, samples_of, with_signed_offsets


@dataclass
class Pool:
    """Recorded segments, and their bytes by key."""

    footage: list[Footage] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)

    def record(
        self, tracks: Sequence[Track], fragments: Sequence[Samples], *, start_us: int, run: str = "home-a-1-1", counter: int = 0
    ) -> None:
        """Stores one segment whose first picture is shown at this wall time."""
        writer = SegmentWriter()
        data = writer.begin(tracks) + b"".join(map(writer.add, fragments)) + writer.finish(FACTS)
        row = a_row(start_us=start_us, run=run, counter=counter, fragments=writer.fragments, size=len(data))
        row = replace(row, sha256=hashlib.sha256(data).hexdigest())
        tail = read_tail(data[-256 * 1024 :], len(data))
        self.objects[row.key] = data
        self.footage.append(Footage(row, tail, init_segment(tracks), Span(row.start_us, row.end_us)))

    def bytes_of(self, file: VirtualMp4) -> bytes:
        """The file as a client downloads it."""
        return file.head + b"".join(self.objects[part.row.key][part.start : part.end] for part in file.ranges)


def record_run(pool: Pool, tracks: Sequence[Track], samples: Samples, *, start_us: int = NOON_US, run: str = "home-a-1-1") -> None:
    """Stores a run in segments of two fragments each, the wall clock exactly beside the media time."""
    fragments = fragments_of(samples)
    zero = min(sample.pts for sample in fragments[0][0])
    for counter in range(0, len(fragments), 2):
        part = fragments[counter : counter + 2]
        shown = min(sample.pts for sample in part[0][0])
        pool.record(tracks, part, start_us=start_us + (shown - zero) * 100 // 9, run=run, counter=counter // 2)


def read(data: bytes) -> list[list[tuple[int, bytes]]]:
    """(presentation time in ticks of the file, bytes) of every packet by track, as libav reads them."""
    with av.open(io.BytesIO(data), format="mp4") as container:
        found: list[list[tuple[int, bytes]]] = [[] for _ in container.streams]
        for packet in container.demux():
            if packet.size:
                found[packet.stream_index].append((packet.pts, bytes(packet)))
        return found


def shown(samples: Samples, from_pts: int) -> list[list[tuple[int, bytes]]]:
    """The same of samples, counted from a presentation time."""
    return [[(sample.pts - from_pts, bytes(sample.data)) for sample in track] for track in samples]


def first_pts(samples: Samples) -> int:
    """The earliest first presentation time of the tracks."""
    return min(track[0].pts for track in samples if track)


CLIPS = [{"audio": "aac"}, {"b_frames": 2, "audio": "aac"}, {"codec": "h265", "b_frames": 2}, {"codec": "h265", "audio": "aac"}]


@pytest.mark.parametrize("signed", [False, True], ids=["offsets from libav", "signed offsets"])
@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: "-".join(map(str, clip.values())))
@pytest.mark.parametrize("start", [MEDIA_START, 30 * 86_400 * TIMESCALE], ids=["10 s", "30 days"])
def test_a_run_of_several_segments_plays_as_one(clips: Clips, clip: dict[str, object], start: int, *, signed: bool) -> None:
    """libav finds every sample of three segments in one file, at its distance from the first, sound and picture together."""
    tracks, units = access_units(clips.get(seconds=5, width=320, height=180, **clip))
    samples = samples_of(tracks, units, start)
    samples = with_signed_offsets(samples) if signed else samples
    pool = Pool()
    record_run(pool, tracks, samples)
    (file,) = lay_out(pool.footage)
    data = pool.bytes_of(file)
    assert len(file.ranges) == 3
    assert file.size == len(data)
    assert read(data) == shown(samples, first_pts(samples))


def test_a_shifted_chunk_is_noticed(clips: Clips) -> None:
    """Control: with one place in co64 off by a byte, the comparison above fails."""
    tracks, units = access_units(clips.get(seconds=5, width=320, height=180, audio="aac"))
    samples = samples_of(tracks, units)
    pool = Pool()
    record_run(pool, tracks, samples)
    (file,) = lay_out(pool.footage)
    data = bytearray(pool.bytes_of(file))
    data[data.index(b"co64") + 12 + 7] ^= 1
    assert read(bytes(data)) != shown(samples, first_pts(samples))


@pytest.mark.server
@pytest.mark.parametrize("clip", [{"audio": "aac"}, {"codec": "h265", "b_frames": 2, "audio": "aac"}], ids=["h264", "h265"])
def test_ffmpeg_plays_and_seeks_without_complaint(clips: Clips, tmp_path: Path, clip: dict[str, object]) -> None:
    """ffprobe sees the length, ffmpeg decodes all pictures and, sought to a time, the right one, with nothing to report."""
    tracks, units = access_units(clips.get(seconds=5, width=320, height=180, **clip))
    pool = Pool()
    record_run(pool, tracks, samples_of(tracks, units))
    (file,) = lay_out(pool.footage)
    path = tmp_path / "export.mp4"
    path.write_bytes(pool.bytes_of(file))
    probe = [
        "ffprobe",
        "-v",
        "warning",
        "-count_frames",
        "-show_entries",
        "stream=nb_frames,nb_read_frames,duration",
        "-of",
        "json",
        str(path),
    ]
    done = subprocess.run(probe, capture_output=True, text=True, check=True)
    video = json.loads(done.stdout)["streams"][0]
    assert (video["nb_frames"], video["nb_read_frames"], float(video["duration"])) == ("125", "125", 5.0)
    sought = ["ffmpeg", "-v", "warning", "-ss", "3.2", "-i", str(path), "-map", "0:v", "-frames:v", "1", "-f", "framemd5", "-"]
    straight = ["ffmpeg", "-v", "warning", "-i", str(path), "-map", "0:v", "-vf", "trim=start_frame=80:end_frame=81", "-f", "framemd5", "-"]
    hashes = [subprocess.run(command, capture_output=True, text=True, check=True) for command in (sought, straight)]
    assert len({each.stdout.split()[-1] for each in hashes}) == 1
    assert [done.stderr, *(each.stderr for each in hashes)] == ["", "", ""]


# --- what is in and what is not ------------------------------------------------------------------------------------------


def pictures(count: int, start: int, *, every: int = 5, step: int = 3_600) -> list[Sample]:
    """Pictures of 40 ms, a key frame every so many."""
    return [Sample(start + step * n, start + step * n, step, n % every == 0, b"%d:%d" % (start, n)) for n in range(count)]


def sounds(count: int, start: int) -> list[Sample]:
    """Sound in pieces of 1,920 ticks."""
    return [Sample(start + 1_920 * n, start + 1_920 * n, 1_920, True, b"s%d:%d" % (start, n)) for n in range(count)]  # noqa: FBT003


def ten_seconds() -> tuple[Pool, Samples]:
    """Ten segments of 1 s, each five fragments of 0.2 s."""
    pool, everything = Pool(), [[], []]
    for second in range(10):
        start = MEDIA_START + second * TIMESCALE
        first, end = (-(-at * TIMESCALE // 1_920) for at in (second, second + 1))
        samples = [pictures(25, start), sounds(end - first, MEDIA_START + first * 1_920)]
        pool.record([VIDEO, SOUND], fragments_of(samples), start_us=NOON_US + second * US_PER_S, counter=second)
        everything = [before + after for before, after in zip(everything, samples, strict=True)]
    return pool, everything


def cut_to(pool: Pool, from_s: float, to_s: float) -> list[Footage]:
    """The segments that lie in the span, each wanted as far as it does."""
    span = Span(NOON_US + round(from_s * US_PER_S), NOON_US + round(to_s * US_PER_S))
    return [
        replace(each, wanted=Span(max(span.start_us, each.row.start_us), min(span.end_us, each.row.end_us)))
        for each in pool.footage
        if each.row.start_us < span.end_us and span.start_us < each.row.end_us
    ]


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
    runs = file.manifest["runs"]
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
    (file,) = lay_out(pool.footage, [Gap(NOON_US + US_PER_S, later, "camera-away")])
    video, sound = read(pool.bytes_of(file))
    assert len(video) == 50
    joint = video[25][0]
    assert TIMESCALE <= joint <= TIMESCALE + 1_920
    assert sound[46][0] - joint == -500
    assert file.manifest["gaps"] == [{"from": "2026-03-14T12:00:01.000Z", "to": "2026-03-14T13:00:00.000Z", "cause": "camera-away"}]
    runs = file.manifest["runs"]
    assert isinstance(runs, list)
    assert [(run["run"], run["from"]) for run in runs] == [
        ("home-a-1-1", "2026-03-14T12:00:00.000Z"),
        ("home-a-1-2", "2026-03-14T13:00:00.000Z"),
    ]
    assert runs[1]["segments"][0]["file_s"] == pytest.approx(joint / TIMESCALE)
    assert json.loads(json.dumps(file.manifest)) == file.manifest


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
    runs = file.manifest["runs"]
    assert isinstance(runs, list)
    first_s = (runs[0]["segments"][0]["at_us"] - NOON_US) / US_PER_S
    shown_s = len(read(pool.bytes_of(file))[0]) * 0.04
    assert first_s <= start_s + 1e-5 < first_s + 0.2 + 2e-5
    assert end_s - 1e-5 <= first_s + shown_s < end_s + 0.2 + 1e-5


# --- limits ------------------------------------------------------------------------------------------------------------


def test_a_day_is_the_longest_file() -> None:
    """A span over 24 h is refused with a sentence that says what to do; 24 h are not."""
    pool, _ = ten_seconds()
    day_us = 86_400 * US_PER_S
    first, last = pool.footage[0], pool.footage[1]
    assert lay_out([first, replace(last, wanted=Span(last.row.start_us, NOON_US + day_us))])
    with pytest.raises(BadInput, match="split the span by day"):
        lay_out([first, replace(last, wanted=Span(last.row.start_us, NOON_US + day_us + 1))])


def test_nothing_to_lay_out_is_said() -> None:
    """A span without footage is refused."""
    with pytest.raises(BadInput, match="no footage"):
        lay_out([])


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
