"""The sample tables of one segment: gathered fragment by fragment, kept in the byte forms an mp4 needs.

The recorder fills them as it writes, the reader of torn files as it scans; the tail of the segment is made of them.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from operator import add
from typing import NamedTuple

from segments.box_reader import TrackFragment
from segments.errors import DataDamaged
from segments.media import Track
from segments.model import Fragment

MAX_FRAGMENT_BYTES = 1 << 28
"""Longest fragment: 2 s at a thousand Mbit/s."""
MAX_TICKS = 1 << 53
"""Latest media time, 3,000 years."""
MAX_LEAP_TICKS = 1 << 31
"""Longest time between the samples of a track, over 6 h; durations have 32 bits, signed here."""


class Chunk(NamedTuple):
    """The samples of one track in one fragment.

    `position` is where the first of them lies in the segment, `pts` its presentation time, `key` whether it depends on no other.
    `samples` is 0 where the fragment has none of this track.
    """

    position: int
    samples: int
    pts: int
    key: bool


NO_CHUNK = Chunk(0, 0, 0, key=False)


@dataclass(frozen=True, slots=True)
class TrackTable:
    """All samples of one track of a segment, ready to be joined: the byte forms of the sample table boxes (ISO/IEC 14496-12, 8.6, 8.7).

    `sizes`: 4 bytes a sample, as in stsz. `durations`: (count, ticks) as in stts; each sample lasts until the decode time of the next, so
    the table holds across lost samples. `offsets`: (count, signed ticks) as in ctts version 1, empty if all are 0. `syncs`: numbers of the
    key frames, from 1, as in stss; empty for sound. `chunks`: one a fragment.
    """

    samples: int
    first_dts: int
    end_dts: int
    sizes: bytes
    durations: bytes
    offsets: bytes
    syncs: bytes
    chunks: tuple[Chunk, ...]


class SegmentTables:
    """Fragments and samples of one segment, growing by whole fragments."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._tracks = tuple(tracks)
        self._columns = tuple(_Columns() for _ in tracks)
        self.fragments: list[Fragment] = []

    def add(self, offset: int, length: int, parts: Sequence[TrackFragment]) -> Fragment:
        """Takes the fragment at this place of the segment.

        Raises DataDamaged, having taken nothing, where its tracks, times or size do not fit.
        """
        indexes = [part.track for part in parts]
        if not parts or indexes != sorted(set(indexes)) or indexes[-1] >= len(self._tracks):
            raise DataDamaged(f"fragment at byte {offset}: samples of tracks {indexes}, expected some of 0..{len(self._tracks) - 1}")
        if length > MAX_FRAGMENT_BYTES:
            raise DataDamaged(f"fragment at byte {offset} of {length} bytes, over the limit of {MAX_FRAGMENT_BYTES}")
        for part in parts:
            self._columns[part.track].check(part)
        self.fragments.append(self._describe(offset, length, parts))
        by_track = {part.track: part for part in parts}
        for index, columns in enumerate(self._columns):
            columns.add(by_track.get(index))
        return self.fragments[-1]

    def _describe(self, offset: int, length: int, parts: Sequence[TrackFragment]) -> Fragment:
        lead = next((part for part in parts if self._tracks[part.track].is_video), parts[0])
        pts = min(map(add, accumulate(lead.durations, initial=lead.dts), lead.offsets)) if any(lead.offsets) else lead.dts
        is_seek_point = self._tracks[lead.track].is_video and lead.keys[0]
        key_length = lead.position + lead.sizes[0] - offset if is_seek_point else 0
        return Fragment(offset, length, key_length, pts, sum(lead.durations))

    def tracks(self) -> tuple[TrackTable, ...]:
        """The sample tables as they stand, one a track."""
        return tuple(columns.table(is_video=track.is_video) for columns, track in zip(self._columns, self._tracks, strict=True))


class _Columns:
    """The samples of one track by column, 16 bytes a sample."""

    def __init__(self) -> None:
        self.dts = array("q")
        self.offsets = array("i")
        self.sizes = bytearray()
        self.syncs: list[int] = []
        self.chunks: list[Chunk] = []
        self.last_duration = 0

    def check(self, part: TrackFragment) -> None:
        duration = sum(part.durations)
        if part.dts + part.offsets[0] < 0 or part.dts + duration > MAX_TICKS or duration >= MAX_LEAP_TICKS:
            raise DataDamaged(f"track {part.track}: times from {part.dts} over {duration} ticks lie outside 0..{MAX_TICKS}")
        if self.dts and not self.dts[-1] <= part.dts < self.dts[-1] + MAX_LEAP_TICKS:
            raise DataDamaged(f"track {part.track}: decode time {part.dts} after {self.dts[-1]} runs back or leaps")

    def add(self, part: TrackFragment | None) -> None:
        if part is None:
            self.chunks.append(NO_CHUNK)
            return
        self.chunks.append(Chunk(part.position, len(part.sizes), part.dts + part.offsets[0], part.keys[0]))
        self.syncs.extend(number for number, key in enumerate(part.keys, start=len(self.dts) + 1) if key)
        self.dts.extend(accumulate(part.durations[:-1], initial=part.dts))
        self.offsets.extend(part.offsets)
        self.sizes += struct.pack(f">{len(part.sizes)}I", *part.sizes)
        self.last_duration = part.durations[-1]

    def table(self, *, is_video: bool) -> TrackTable:
        durations = [after - before for before, after in pairwise(self.dts)] + [self.last_duration] * bool(self.dts)
        return TrackTable(
            samples=len(self.dts),
            first_dts=self.dts[0] if self.dts else 0,
            end_dts=self.dts[-1] + self.last_duration if self.dts else 0,
            sizes=bytes(self.sizes),
            durations=run_lengths(durations),
            offsets=run_lengths(self.offsets) if any(self.offsets) else b"",
            syncs=struct.pack(f">{len(self.syncs)}I", *self.syncs) if is_video else b"",
            chunks=tuple(self.chunks),
        )


def run_lengths(values: Iterable[int]) -> bytes:
    """(count, value) pairs of 4 bytes each, as in stts and ctts; values below 2^31."""
    return b"".join(struct.pack(">Ii", sum(1 for _ in same), value) for value, same in groupby(values))
