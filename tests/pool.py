"""Recorded segments and their bytes, and a reader of what is laid out of them: for tests of virtual mp4s."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import av

from playback.file_parts import cut, parts_of
from playback.virtual_mp4 import VirtualMp4
from playback.virtual_mp4 import lay_out as lay_out_part
from recorder.fragment import Sample, SegmentWriter
from segments.boxes import init_segment
from segments.clock import US_PER_S
from segments.media import TIMESCALE, Track
from segments.model import Row, Span
from segments.segment_tail import SegmentTail, read_tail
from tests.builders import NOON_US, a_row
from tests.samples import FACTS, MEDIA_START, SOUND, VIDEO, Samples, fragments_of


@dataclass(frozen=True, slots=True)
class Footage:
    """A segment to be laid out: its row, its tail, the init segment of its run, and the part of it that is wanted."""

    row: Row
    tail: SegmentTail
    init: bytes
    wanted: Span


def lay_out(footage: Sequence[Footage], *, hold: bool = False) -> list[VirtualMp4]:
    """The files these segments make, as `playback.export` has them laid out."""
    parts = parts_of([cut(each.row, each.init, each.wanted) for each in footage], hold=hold)
    tails = iter([each.tail for each in footage])
    return [lay_out_part(part, [next(tails) for _ in part.cuts]) for part in parts]


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
