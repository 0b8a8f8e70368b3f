"""One track of a virtual mp4: the sample tables of many segments cut, joined and placed on the time of the file.

The tables come in the byte forms of the boxes and are joined as bytes; only seams and cut ends are taken apart.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import groupby

from segments.boxes import box, full_box, sample_description, trak
from segments.errors import DataDamaged
from segments.media import Track
from segments.sample_table import MAX_LEAP_TICKS, TrackTable

_RUN = struct.Struct(">Ii")


def cut(table: TrackTable, first: int, end: int) -> TrackTable:
    """The part of a table that lies in the fragments `first` to `end` (excluded)."""
    if first == 0 and end == len(table.chunks):
        return table
    start = sum(chunk.samples for chunk in table.chunks[:first])
    stop = start + sum(chunk.samples for chunk in table.chunks[first:end])
    durations = _cut_runs(table.durations, start, stop)
    first_dts = table.first_dts + _ticks(_cut_runs(table.durations, 0, start))
    syncs = [number - start for (number,) in struct.iter_unpack(">I", table.syncs) if start < number <= stop]
    return replace(
        table,
        samples=stop - start,
        first_dts=first_dts,
        end_dts=first_dts + _ticks(durations),
        sizes=table.sizes[4 * start : 4 * stop],
        durations=durations,
        offsets=_cut_runs(table.offsets, start, stop),
        syncs=struct.pack(f">{len(syncs)}I", *syncs),
        chunks=table.chunks[first:end],
    )


def _cut_runs(runs: bytes, start: int, stop: int) -> bytes:
    """The (count, value) pairs of the samples from `start` to `stop` (excluded)."""
    parts, at = [], 0
    for count, value in _RUN.iter_unpack(runs):
        kept = min(at + count, stop) - max(at, start)
        if kept > 0:
            parts.append(_RUN.pack(kept, value))
        at += count
    return b"".join(parts)


def _ticks(runs: bytes) -> int:
    return sum(count * value for count, value in _RUN.iter_unpack(runs))


class JoinedTable:
    """The samples of one track over all pieces of a file, in file time: ticks from the earliest decode time of the file.

    First all pieces are appended, then the trak is made.
    """

    def __init__(self, track_id: int, track: Track) -> None:
        self._track_id = track_id
        self._track = track
        self._samples = 0
        self._tables: list[TrackTable] = []
        self._durations: list[bytes] = []
        self._syncs: list[int] = []
        self._chunks: list[tuple[int, int]] = []
        self._first_dts = self._end_dts = self._lowest_offset = 0
        self.first_pts: int | None = None
        """Presentation time of the first sample; None if the track has none."""

    def append(self, table: TrackTable, *, shift: int, moved: int) -> None:
        """Takes a piece: file time is its media time plus `shift`, a place in the mdat its place in the segment plus `moved`.

        Raises DataDamaged where it begins before the last sample so far, or hours after it.
        """
        if table.samples == 0:
            return
        first_dts = table.first_dts + shift
        if self.first_pts is None:
            self.first_pts = next(chunk.pts for chunk in table.chunks if chunk.samples) + shift
            self._first_dts = first_dts
        elif first_dts != self._end_dts:
            self._durations[-1] = _stretch_last(self._durations[-1], first_dts - self._end_dts)
        self._lowest_offset = min(self._lowest_offset, *struct.unpack(f">{len(table.offsets) // 4}i", table.offsets)[1::2], 0)
        self._syncs += [number + self._samples for (number,) in struct.iter_unpack(">I", table.syncs)]
        self._chunks += [(chunk.position + moved, chunk.samples) for chunk in table.chunks if chunk.samples]
        self._durations.append(table.durations)
        self._tables.append(table)
        self._samples += table.samples
        self._end_dts = table.end_dts + shift

    @property
    def samples(self) -> int:
        """How many there are."""
        return self._samples

    def presented_ticks(self, start_pts: int) -> int:
        """How long the track is in a movie that begins at `start_pts`."""
        return self._delay(start_pts) + self._end_dts - self._first_dts

    def trak(self, start_pts: int, mdat_content: int, created: int = 0) -> bytes:
        """The trak of a movie that begins at this presentation time and whose mdat holds its content from this byte on."""
        delay, duration = self._delay(start_pts), self._end_dts - self._first_dts
        edits, stbl = self._edits(delay, duration), self._stbl(mdat_content)
        return trak(self._track_id, self._track, duration, stbl, edits=edits, delay=delay, created=created)

    def _delay(self, start_pts: int) -> int:
        return (start_pts if self.first_pts is None else self.first_pts) - start_pts

    def _edits(self, delay: int, duration: int) -> bytes:
        """An edit list only where the first sample is composed late, or the track begins after the movie (ISO/IEC 14496-12, 8.6.6)."""
        late = (self.first_pts or 0) - self._first_dts - self._lowest_offset
        if not (late or delay):
            return b""
        edits = [struct.pack(">QqI", delay, -1, 0x1_0000)] if delay else []
        edits.append(struct.pack(">QqI", duration, late, 0x1_0000))
        return box(b"edts", full_box(b"elst", 1, 0, struct.pack(">I", len(edits)), *edits))

    def _stbl(self, mdat_content: int) -> bytes:
        places = struct.pack(f">{len(self._chunks)}Q", *(mdat_content + place for place, _ in self._chunks))
        return box(b"stbl", self._but_places, _counted(b"co64", 0, places, 8))

    @cached_property
    def _but_places(self) -> bytes:
        """The boxes of stbl that do not depend on where the content of the mdat begins."""
        sizes = full_box(b"stsz", 0, 0, struct.pack(">II", 0, self._samples), *(table.sizes for table in self._tables))
        syncs = struct.pack(f">{len(self._syncs)}I", *self._syncs)
        return b"".join(
            [
                sample_description(self._track),
                _counted(b"stts", 0, b"".join(self._durations), 8),
                self._composition(),
                _counted(b"stss", 0, syncs, 4) if self._track.is_video else b"",
                _counted(b"stsc", 0, b"".join(self._chunk_runs()), 12),
                sizes,
            ]
        )

    def _composition(self) -> bytes:
        """ctts, where any sample has an offset (8.6.1.3).

        Offsets are raised until none is negative, and the edit list takes that back: libav shows a track with negative ones late.
        """
        if not any(table.offsets for table in self._tables):
            return b""
        runs = b"".join(table.offsets or _RUN.pack(table.samples, 0) for table in self._tables)
        if self._lowest_offset:
            numbers = list(struct.unpack(f">{len(runs) // 4}i", runs))
            numbers[1::2] = [offset - self._lowest_offset for offset in numbers[1::2]]
            runs = struct.pack(f">{len(numbers)}I", *numbers)
        return _counted(b"ctts", 0, runs, 8)

    def _chunk_runs(self) -> Iterator[bytes]:
        """Rows of stsc: from which chunk on a chunk has how many samples (8.7.4)."""
        number = 1
        for samples, same in groupby(samples for _, samples in self._chunks):
            yield struct.pack(">III", number, samples, 1)
            number += sum(1 for _ in same)


def _counted(kind: bytes, version: int, rows: bytes, row_bytes: int) -> bytes:
    """A full box with the number of its rows before them."""
    return full_box(kind, version, 0, struct.pack(">I", len(rows) // row_bytes), rows)


def _stretch_last(durations: bytes, ticks: int) -> bytes:
    """The same (count, duration) pairs with the last sample longer (or shorter) by so many ticks."""
    count, duration = _RUN.unpack(durations[-_RUN.size :])
    if not 0 <= duration + ticks < MAX_LEAP_TICKS:
        raise DataDamaged(f"a track's samples of two pieces lie {duration + ticks} ticks apart")
    before = _RUN.pack(count - 1, duration) if count > 1 else b""
    return durations[: -_RUN.size] + before + _RUN.pack(1, duration + ticks)
