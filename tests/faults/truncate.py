"""Cuts real segments at every byte offset and repairs what is left (promise R3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from recorder.fragment import SegmentWriter
from recorder.repair import SegmentFormat, repair
from segments.media import Track
from segments.segment_tail import read_tail
from tests.media import Clip, Clips, access_units
from tests.samples import FACTS, fragments_of, samples_of

CLIPS = {
    "h264": Clip(seconds=1.2, width=320, height=64, gop_frames=10, fps=15),
    "h264 with B-frames": Clip(seconds=1.2, width=320, height=64, gop_frames=10, fps=15, b_frames=2),
    "h265": Clip(codec="h265", seconds=1.2, width=320, height=64, gop_frames=10, fps=15),
    "h264 and sound": Clip(seconds=1.2, width=320, height=64, gop_frames=10, fps=15, audio="aac"),
}


@dataclass(frozen=True)
class Whole:
    """A segment, and where header, fragments and tail end in it: known from writing it, not from reading it."""

    data: bytes
    header_bytes: int
    ends: tuple[int, ...]
    pictures: tuple[int, ...]
    """Pictures up to the end of each fragment."""

    def fragments_before(self, offset: int) -> int:
        """How many fragments are whole in the first `offset` bytes."""
        return sum(end <= offset for end in self.ends)


def written(clips: Clips, clip: Clip) -> Whole:
    """The clip as the recorder writes it."""
    tracks, units = access_units(clips.get(clip=clip))
    return _written(tracks, fragments_of(samples_of(tracks, units)))


def _written(tracks: Sequence[Track], fragments: Sequence[Any]) -> Whole:
    writer = SegmentWriter()
    data = header = writer.begin(tracks)
    ends, pictures = [], []
    for fragment in fragments:
        data += writer.add(fragment)
        ends.append(len(data))
        pictures.append(sum(pictures[-1:]) + len(fragment[0]))
    return Whole(data + writer.finish(FACTS), len(header), tuple(ends), tuple(pictures))


def failures(whole: Whole, offsets: Sequence[int], folder: Path, form: SegmentFormat[Any]) -> list[str]:
    """What went wrong at which offset, for a segment that ends there in the spool at this folder."""
    run = folder / "gate" / "home-a-1-1"
    run.mkdir(parents=True, exist_ok=True)
    return [f"cut at {offset}: {wrong}" for offset in offsets if (wrong := _wrong(whole, offset, run / "1000.1.part", form))]


def _wrong(whole: Whole, offset: int, part: Path, form: SegmentFormat[Any]) -> str:
    count = whole.fragments_before(offset)
    part.write_bytes(whole.data[:offset])
    repaired = repair(part, form)
    if repaired is None:
        return "" if count == 0 else f"nothing came back of {count} fragments"
    sealed = repaired.file.path.read_bytes()
    repaired.file.path.unlink()
    if repaired.fragments != count:
        return f"{repaired.fragments} fragments came back of {count}"
    if offset == len(whole.data):
        return "" if sealed == whole.data else "a whole segment was changed"
    good_bytes = whole.ends[count - 1]
    if sealed[:good_bytes] != whole.data[:good_bytes]:
        return "the fragments are not the ones written"
    return _wrong_tail(sealed, good_bytes, count)


def _wrong_tail(sealed: bytes, good_bytes: int, count: int) -> str:
    """Behind the fragments nothing but uuid and mfra, up to the last byte; and they can be read backwards from there."""
    kinds, at = [], good_bytes
    while at < len(sealed):
        kinds.append(sealed[at + 4 : at + 8])
        at += int.from_bytes(sealed[at : at + 4]) or len(sealed)
    if kinds != [b"uuid", b"mfra"] or at != len(sealed):
        return f"behind the fragments are {kinds} up to byte {at} of {len(sealed)}"
    tail = read_tail(sealed, len(sealed))
    last = tail.fragments[-1]
    if len(tail.fragments) != count or last.offset + last.length != good_bytes:
        return f"the tail tells of {len(tail.fragments)} fragments up to byte {last.offset + last.length}"
    return ""


def decoded(path: Path) -> int:
    """How many undamaged pictures libav gives back of a file."""
    with av.open(str(path)) as container:
        return sum(not frame.is_corrupt for frame in container.decode(video=0))
