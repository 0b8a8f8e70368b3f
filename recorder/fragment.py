"""Laying out fragments: samples of all tracks in, one moof + mdat out; and the writer of a whole segment around it.

Pure, and the hottest code of the recorder: columns instead of objects, one struct for all samples of a track, one join a fragment.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from operator import sub
from typing import NamedTuple

from segments.box_reader import TrackFragment
from segments.boxes import OTHER_SAMPLE, SYNC_SAMPLE, init_segment
from segments.errors import DataDamaged
from segments.media import Track
from segments.model import Fragment
from segments.sample_table import MAX_FRAGMENT_BYTES, MAX_LEAP_TICKS, SegmentTables
from segments.segment_tail import write_tail

_MOOF = struct.Struct(">I4s I4sII")
"""moof with its mfhd (ISO/IEC 14496-12, 8.8.4 and 8.8.5)."""
_TRAF = struct.Struct(">I4s I4sII I4sIQ I4sIIi")
"""traf with tfhd (8.8.7), tfdt (8.8.12) and the head of its trun (8.8.8)."""
_MFHD_BYTES, _TFHD_BYTES, _TFDT_BYTES, _TRUN_BYTES, _MDAT_BYTES = 16, 16, 20, 20, 8
_BASE_IS_MOOF = 0x2_0000
_VERSION_1 = 1 << 24
_ALWAYS, _WITH_FLAGS, _WITH_OFFSETS = 0x301, 0x400, 0x800
"""Flags of a trun: data offset, durations and sizes; sample flags; composition offsets."""


class Sample(NamedTuple):
    """One access unit with its repaired times, in ticks.

    It lasts until the `dts` of the next sample in its fragment; `duration` is how long the last one of a fragment lasts.
    """

    dts: int
    pts: int
    duration: int
    key: bool
    data: bytes | bytearray


class LaidOut(NamedTuple):
    """A fragment as bytes, and its samples by track, with positions counted from its start."""

    data: bytes
    parts: tuple[TrackFragment, ...]


def lay_out(sequence: int, tracks: Sequence[Track], samples: Sequence[Sequence[Sample]]) -> LaidOut:
    """One moof + mdat of these samples: one sequence a track, in order of decoding; those of the first track stand first in the mdat.

    `sequence` is its sequence number, which rises from fragment to fragment. Raises DataDamaged if times of a track run back, leap
    or are negative, or the fragment would be longer than `MAX_FRAGMENT_BYTES`; ValueError if there is no sample at all.
    """
    parts = [_part(index, each) for index, each in enumerate(samples) if each]
    if not parts:
        raise ValueError("a fragment needs at least one sample")
    truns = [_trun_entries(part, is_video=tracks[part.track].is_video) for part in parts]
    moof_bytes = _MOOF.size + sum(_TRAF.size + len(entries) for _, entries in truns)
    mdat_bytes = _MDAT_BYTES + sum(sum(part.sizes) for part in parts)
    if moof_bytes + mdat_bytes > MAX_FRAGMENT_BYTES:
        raise DataDamaged(f"a fragment of {moof_bytes + mdat_bytes} bytes, over the limit of {MAX_FRAGMENT_BYTES}")
    pieces: list[bytes | bytearray] = [_MOOF.pack(moof_bytes, b"moof", _MFHD_BYTES, b"mfhd", 0, sequence)]
    position = moof_bytes + _MDAT_BYTES
    for at, (flags, entries) in enumerate(truns):
        parts[at] = part = parts[at]._replace(position=position)
        pieces += (_traf_head(part, flags, len(entries)), entries)
        position += sum(part.sizes)
    pieces.append(struct.pack(">I4s", mdat_bytes, b"mdat"))
    pieces += [sample[4] for each in samples for sample in each]
    return LaidOut(b"".join(pieces), tuple(parts))


def _part(index: int, samples: Sequence[Sample]) -> TrackFragment:
    """The samples of a track by column, the position still open."""
    dts, pts, durations, keys, data = zip(*samples, strict=True)
    lasting, offsets = (*map(sub, dts[1:], dts), durations[-1]), tuple(map(sub, pts, dts))
    if min(lasting) < 0 or max(lasting) >= MAX_LEAP_TICKS:
        raise DataDamaged(f"track {index}: decode times from {dts[0]} run back or leap")
    if dts[0] < 0 or min(offsets) <= -MAX_LEAP_TICKS or max(offsets) >= MAX_LEAP_TICKS:
        raise DataDamaged(f"track {index}: times from {dts[0]} are negative, or composed hours away from their decoding")
    return TrackFragment(index, dts[0], 0, lasting, tuple(map(len, data)), keys, offsets)


def _trun_entries(part: TrackFragment, *, is_video: bool) -> tuple[int, bytes]:
    """Flags of the trun and its rows. Sound needs no sample flags: those of trex say that all its samples are sync samples."""
    flags, columns = _ALWAYS, [part.durations, part.sizes]
    if is_video:
        flags |= _WITH_FLAGS
        columns.append(tuple([SYNC_SAMPLE if key else OTHER_SAMPLE for key in part.keys]))
    if any(part.offsets):
        flags |= _WITH_OFFSETS
        columns.append(part.offsets)
    width = len(columns)
    rows = [0] * (width * len(part.sizes))
    for at, column in enumerate(columns):
        rows[at::width] = column
    return flags, struct.pack(f">{len(rows)}i", *rows)


def _traf_head(part: TrackFragment, trun_flags: int, entries_bytes: int) -> bytes:
    return _TRAF.pack(
        *(_TRAF.size + entries_bytes, b"traf"),
        *(_TFHD_BYTES, b"tfhd", _BASE_IS_MOOF, part.track + 1),
        *(_TFDT_BYTES, b"tfdt", _VERSION_1, part.dts),
        *(_TRUN_BYTES + entries_bytes, b"trun", _VERSION_1 | trun_flags, len(part.sizes), part.position),
    )


class SegmentWriter:
    """Makes the bytes of the segments of a run, one after another: `begin`, `add` for each fragment, `finish`.

    All bytes, appended to one file in this order, are the segment. Sequence numbers of fragments rise over the whole run.
    """

    def __init__(self) -> None:
        self._sequence = 0
        self._tracks: Sequence[Track] = ()
        self._tables = SegmentTables(())
        self._size_bytes = 0

    def begin(self, tracks: Sequence[Track]) -> bytes:
        """Starts a segment of these tracks; gives its header. Raises DataDamaged where parameter sets cannot be read."""
        header = init_segment(tracks)
        self._tracks, self._tables, self._size_bytes = tuple(tracks), SegmentTables(tracks), len(header)
        return header

    def add(self, samples: Sequence[Sequence[Sample]]) -> bytes:
        """The next fragment; see `lay_out` for samples and errors. After an error the segment stands as before."""
        data, parts = lay_out(self._sequence + 1, self._tracks, samples)
        start = self._size_bytes
        self._tables.add(start, len(data), [part._replace(position=start + part.position) for part in parts])
        self._sequence += 1
        self._size_bytes += len(data)
        return data

    def finish(self, facts: Mapping[str, object]) -> bytes:
        """The tail, with these facts of the segment (plain JSON values)."""
        return write_tail(self._tables, facts)

    @property
    def fragments(self) -> tuple[Fragment, ...]:
        """The fragments added since `begin`, offsets counted from the start of the file."""
        return tuple(self._tables.fragments)

    @property
    def size_bytes(self) -> int:
        """Bytes of header and fragments so far."""
        return self._size_bytes
