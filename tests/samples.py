"""Clips as samples of the recorder, cut into fragments and segments: what tests of the file format are made of."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from recorder.fragment import Sample, SegmentWriter
from segments.media import AccessUnit, AudioTrack, Codec, Track, VideoTrack
from segments.model import Fragment
from tests.media import Clips, access_units

MEDIA_START = 900_000
"""Ticks at which the media time of a run begins: 10 s."""

FACTS: dict[str, object] = {"camera": "gate", "run": "home-a-1-1", "counter": 0, "note": "门口"}

VIDEO = VideoTrack(
    Codec.H264, 1920, 1080, (bytes.fromhex("67640028acd940780227e5c05a808080a0000003002000000651e30632c0"), b"\x68\xeb\xe3\xcb")
)
"""A picture track for samples that nobody decodes."""
SOUND = AudioTrack(48_000, 2, bytes.fromhex("1190"))
"""A sound track for the same."""

Samples = list[list[Sample]]
"""Samples by track."""


def samples_of(tracks: Sequence[Track], units: Sequence[AccessUnit], start: int = MEDIA_START) -> Samples:
    """The units of a clip by track, its earliest decode time at `start`; the last sample of a track lasts as long as the one before."""
    by_track: Samples = []
    for index in range(len(tracks)):
        mine = [unit for unit in units if unit.track == index]
        lasting = [after.dts - before.dts for before, after in pairwise(mine)]
        by_track.append(
            [
                Sample(start + unit.dts, start + unit.pts, duration, unit.key, bytes(unit.data))
                for unit, duration in zip(mine, [*lasting, lasting[-1]], strict=True)
            ]
        )
    return by_track


def with_signed_offsets(samples: Samples) -> Samples:
    """The same with each picture's decode time the i-th smallest presentation time, as the recorder orders them."""
    pictures = [sample._replace(dts=pts) for sample, pts in zip(samples[0], sorted(each.pts for each in samples[0]), strict=True)]
    return [pictures, *samples[1:]]


def fragments_of(samples: Samples) -> list[Samples]:
    """Cut before each key frame of the first track; the other tracks are cut at its decode times."""
    starts = [sample.dts for sample in samples[0] if sample.key]
    fragments: list[Samples] = [[[] for _ in samples] for _ in starts]
    for track, mine in enumerate(samples):
        for sample in mine:
            fragments[max(0, bisect_right(starts, sample.dts) - 1)][track].append(sample)
    return fragments


def segment_of(tracks: Sequence[Track], fragments: Sequence[Samples], writer: SegmentWriter | None = None) -> bytes:
    """A whole segment of these fragments, tail and all."""
    writer = writer or SegmentWriter()
    return writer.begin(tracks) + b"".join(map(writer.add, fragments)) + writer.finish(FACTS)


def small_segment() -> bytes:
    """A whole segment in 2 kB: two fragments of pictures and sound that nobody decodes."""
    fragments: list[Samples] = [
        [
            [Sample(start + 3_600 * n, start + 3_600 * n, 3_600, key=n == 0, data=bytes(5 + n)) for n in range(4)],
            [Sample(start + 1_920 * n, start + 1_920 * n, 1_920, key=True, data=bytes(3)) for n in range(7)],
        ]
        for start in (MEDIA_START, MEDIA_START + 14_400)
    ]
    return segment_of([VIDEO, SOUND], fragments)


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


SMALL_CLIPS = ["h264", "h264+sound", "h265", "h265+sound"]


def small_clip(clips: Clips, kind: str) -> Made:
    """A real segment of one of the kinds of `SMALL_CLIPS` in some 5 kB: three fragments with B-frames."""
    codec, *sound = kind.split("+")
    clip = clips.get(codec=codec, seconds=0.6, fps=10, width=320, height=64, gop_frames=2, b_frames=1, audio="aac" if sound else None)
    tracks, units = access_units(clip)
    return made(tracks, samples_of(tracks, units))
