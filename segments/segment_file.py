"""Reading a whole segment file from its start: which fragments are whole, and what a torn one needs to be whole again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segments.box_reader import BoxAt, Data, TrackFragment, box_at, read_init, read_moof
from segments.errors import DataDamaged, KeepsightError
from segments.media import Track
from segments.model import Fragment
from segments.sample_table import SegmentTables
from segments.segment_tail import MAX_TAIL_BYTES, SegmentTail, read_tail, write_tail


@dataclass(frozen=True, slots=True)
class Scan:
    """What is whole in a segment file.

    `header` is its ftyp + moov, empty if these are not whole. The file is good up to `good_bytes`: the end of the last whole fragment,
    or of the header, or 0. `tail` is there if what follows is the whole tail that belongs to these fragments.
    """

    header: bytes
    tracks: tuple[Track, ...]
    tables: SegmentTables
    good_bytes: int
    tail: SegmentTail | None

    @property
    def fragments(self) -> tuple[Fragment, ...]:
        """The whole fragments in order, offsets counted from the start of the file."""
        return tuple(self.tables.fragments)

    @property
    def complete(self) -> bool:
        """Whether the file is a sealed segment, tail and all."""
        return self.tail is not None


def scan(data: Data) -> Scan:
    """Walks a segment file from its start to the first box that is torn or damaged; never raises for what the file holds."""
    try:
        tracks, header_bytes = read_init(data)
    except DataDamaged:
        return Scan(b"", (), SegmentTables(()), 0, None)
    tables = SegmentTables(tracks)
    good = header_bytes
    try:
        while good < len(data):
            good = _take_fragment(data, good, tables)
    except DataDamaged:
        pass
    return Scan(bytes(data[:header_bytes]), tracks, tables, good, _whole_tail(data, good, tables))


def rebuild_tail(found: Scan, facts: Mapping[str, object]) -> bytes:
    """The tail that makes the scanned file, cut back to its `good_bytes`, a whole segment."""
    return write_tail(found.tables, facts)


def _take_fragment(data: Data, start: int, tables: SegmentTables) -> int:
    """Takes the moof + mdat at `start` into the tables; gives where they end."""
    moof = box_at(data, start, len(data))
    mdat = box_at(data, moof.end, len(data))
    if (moof.kind, mdat.kind) != (b"moof", b"mdat"):
        raise DataDamaged(f"byte {start}: {moof.kind!r}, {mdat.kind!r}, expected moof, mdat")
    parts = read_moof(data, moof)
    _check_places(mdat, parts)
    tables.add(start, mdat.end - start, parts)
    return mdat.end


def _check_places(mdat: BoxAt, parts: Sequence[TrackFragment]) -> None:
    """The samples of the tracks lie back to back and fill the mdat."""
    at = mdat.content
    for part in parts:
        if part.position != at:
            raise DataDamaged(f"track {part.track}: samples at byte {part.position}, expected {at}")
        at += sum(part.sizes)
    if at != mdat.end:
        raise DataDamaged(f"mdat at byte {mdat.start} ends at {mdat.end}, its samples at {at}")


def _whole_tail(data: Data, start: int, tables: SegmentTables) -> SegmentTail | None:
    """The tail, if uuid and mfra are all that follows and tell of these fragments."""
    try:
        uuid = box_at(data, start, len(data))
        mfra = box_at(data, uuid.end, len(data))
        if mfra.end != len(data) or len(data) - start > MAX_TAIL_BYTES:
            return None
        tail = read_tail(bytes(data[start:]), len(data) - start)
    except KeepsightError:
        return None
    return tail if (tail.fragments, tail.tracks) == (tuple(tables.fragments), tables.tracks()) else None
