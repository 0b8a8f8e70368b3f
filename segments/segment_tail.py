"""The tail of a segment: one `uuid` box of ours, then mfra as the last box (ONVIF Recording Control 26.06, annex).

The uuid box holds, big-endian: version; the facts of the segment as JSON; the fragment table; for each track its samples as `TrackTable`
says. Its last four bytes repeat its size, and mfro, the end of the file, gives the size of mfra: so the box is found from the end.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from segments.box_reader import MAX_TRACKS
from segments.boxes import box, full_box
from segments.errors import DataDamaged, KeepsightError
from segments.model import Fragment
from segments.sample_table import Chunk, SegmentTables, TrackTable

TAIL_TYPE = bytes.fromhex("6b65657073696768742d7461696c0001")
"""Extended type of our uuid box (ISO/IEC 14496-12, 4.2)."""
TAIL_GUESS_BYTES = 64 * 1024
"""How many last bytes hold the whole tail of nearly any segment of a minute: 20 to 25 kB."""
MAX_TAIL_BYTES = 16 * 1024 * 1024
"""Longest tail that is believed; five minutes at 60 pictures a second take 0.4 MB."""

_VERSION = 1
_LEAST_BYTES = 8 + len(TAIL_TYPE) + 4
_MFRO_BYTES = 16
_FRAGMENT = struct.Struct(">QIIqI")
_CHUNK = struct.Struct(">QIQ?")


class TailIsLonger(KeepsightError):
    """The piece given to `read_tail` is too short: read the object's last `tail_bytes` bytes and ask again."""

    def __init__(self, tail_bytes: int) -> None:
        super().__init__(f"the segment's tail takes its last {tail_bytes} bytes")
        self.tail_bytes = tail_bytes


@dataclass(frozen=True, slots=True)
class SegmentTail:
    """What a segment says of itself at its end."""

    facts: Mapping[str, object]
    fragments: tuple[Fragment, ...]
    tracks: tuple[TrackTable, ...]


# --- writing ---------------------------------------------------------------------------------------------------------


def write_tail(tables: SegmentTables, facts: Mapping[str, object]) -> bytes:
    """The tail of a segment of these tables: the uuid box with these facts (plain JSON values), then mfra."""
    text = json.dumps(facts, separators=(",", ":"), ensure_ascii=False).encode()
    tracks = tables.tracks()
    parts = [struct.pack(">II", _VERSION, len(text)), text, struct.pack(">I", len(tables.fragments))]
    parts += [_FRAGMENT.pack(*fragment) for fragment in tables.fragments]
    parts += [struct.pack(">I", len(tracks)), *map(_table_bytes, tracks)]
    size = _LEAST_BYTES + sum(map(len, parts))
    return box(b"uuid", TAIL_TYPE, *parts, struct.pack(">I", size)) + _random_access(tables.fragments, tracks)


def _table_bytes(table: TrackTable) -> bytes:
    header = struct.pack(">IQQ", table.samples, table.first_dts, table.end_dts)
    blocks = [struct.pack(">I", len(block)) + block for block in (table.sizes, table.durations, table.offsets, table.syncs)]
    return b"".join([header, *blocks, *(_CHUNK.pack(*chunk) for chunk in table.chunks)])


def _random_access(fragments: Sequence[Fragment], tracks: Sequence[TrackTable]) -> bytes:
    """mfra: for each track one entry a fragment that begins with a sync sample of it, at its time of presentation (8.8.9 to 8.8.11)."""
    ordinals = [0] * len(fragments)
    tables = []
    for track_id, table in enumerate(tracks, start=1):
        ordinals = [n + (chunk.samples > 0) for n, chunk in zip(ordinals, table.chunks, strict=True)]
        rows = zip(table.chunks, fragments, ordinals, strict=True)
        entries = [struct.pack(">QQBBB", chunk.pts, fragment.offset, n, 1, 1) for chunk, fragment, n in rows if chunk.key]
        tables.append(full_box(b"tfra", 1, 0, struct.pack(">III", track_id, 0, len(entries)), *entries))
    size = 8 + sum(map(len, tables)) + _MFRO_BYTES
    return box(b"mfra", *tables, full_box(b"mfro", 0, 0, struct.pack(">I", size)))


# --- reading ---------------------------------------------------------------------------------------------------------


def read_tail(last_bytes: bytes, object_size: int) -> SegmentTail:
    """The tail of an object of which these are the last bytes (`TAIL_GUESS_BYTES` are mostly enough).

    Raises TailIsLonger, which says how many last bytes it takes, or DataDamaged if the object does not end in a tail of ours.
    """
    mfra_bytes = _mfra_bytes(last_bytes, object_size)
    _need(last_bytes, mfra_bytes + 4, object_size)
    (size,) = struct.unpack_from(">I", last_bytes, len(last_bytes) - mfra_bytes - 4)
    _need(last_bytes, mfra_bytes + size, object_size)
    tail = last_bytes[len(last_bytes) - mfra_bytes - size : len(last_bytes) - mfra_bytes]
    if size < _LEAST_BYTES or not tail.startswith(struct.pack(">I4s", size, b"uuid") + TAIL_TYPE):
        raise DataDamaged("no tail of ours stands before mfra")
    return _read_content(_Cursor(tail[_LEAST_BYTES - 4 : -4]))


def _mfra_bytes(last_bytes: bytes, object_size: int) -> int:
    """Size of the mfra that ends the object, by its mfro (8.8.11)."""
    _need(last_bytes, _MFRO_BYTES, object_size)
    size, kind, flags, mfra_bytes = struct.unpack(">I4sII", last_bytes[-_MFRO_BYTES:])
    if (size, kind, flags) != (_MFRO_BYTES, b"mfro", 0):
        raise DataDamaged("the object does not end in mfro")
    _need(last_bytes, mfra_bytes, object_size)
    if not last_bytes[-mfra_bytes:].startswith(struct.pack(">I4s", mfra_bytes, b"mfra")):
        raise DataDamaged("mfro does not lead to mfra")
    return int(mfra_bytes)


def _need(last_bytes: bytes, size: int, object_size: int) -> None:
    if size > min(object_size, MAX_TAIL_BYTES):
        raise DataDamaged(f"a tail of {size} bytes in an object of {object_size}")
    if size > len(last_bytes):
        raise TailIsLonger(size)


def _read_content(cursor: _Cursor) -> SegmentTail:
    version, facts_bytes = cursor.numbers(">II")
    if version != _VERSION:
        raise DataDamaged(f"a segment tail of version {version}, expected {_VERSION}")
    facts = _read_facts(cursor.block(facts_bytes))
    (count,) = cursor.numbers(">I")
    fragments = tuple(Fragment(*row) for row in cursor.rows(_FRAGMENT, count))
    (tracks,) = cursor.numbers(">I")
    if tracks > MAX_TRACKS:
        raise DataDamaged(f"the segment's tail tells of {tracks} tracks, at most {MAX_TRACKS}")
    tables = tuple(_read_table(cursor, count) for _ in range(tracks))
    if not cursor.at_end():
        raise DataDamaged("the segment's tail has bytes left over")
    return SegmentTail(facts, fragments, tables)


def _read_facts(text: bytes) -> dict[str, object]:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        raise DataDamaged("the facts of the segment's tail are not JSON") from None
    if not isinstance(facts, dict):
        raise DataDamaged("the facts of the segment's tail are not a JSON object")
    return facts


def _read_table(cursor: _Cursor, fragments: int) -> TrackTable:
    samples, first_dts, end_dts = cursor.numbers(">IQQ")
    sizes, durations, offsets, syncs = (cursor.block(*cursor.numbers(">I")) for _ in range(4))
    rows = cursor.rows(_CHUNK, fragments)
    chunks = tuple(Chunk(position, count, pts, bool(key)) for position, count, pts, key in rows)
    counts = (len(sizes) / 4, _counted(durations), _counted(offsets) if offsets else samples, sum(chunk.samples for chunk in chunks))
    if set(counts) != {samples} or len(syncs) % 4:
        raise DataDamaged(f"a table of the segment's tail tells of {samples} samples and has {counts}")
    return TrackTable(samples, first_dts, end_dts, sizes, durations, offsets, syncs, chunks)


def _counted(runs: bytes) -> int:
    """How many samples the (count, value) pairs stand for; -1 if they are no whole pairs."""
    return sum(count for count, _ in struct.iter_unpack(">Ii", runs)) if len(runs) % 8 == 0 else -1


class _Cursor:
    """Takes fields off a byte string; past its end it raises DataDamaged."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def block(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise DataDamaged(f"the segment's tail ends at byte {len(self._data)}, in the middle of a field")
        return self._data[start : self._at]

    def numbers(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.block(struct.calcsize(layout)))

    def rows(self, layout: struct.Struct, count: int) -> Iterable[tuple[int, ...]]:
        return layout.iter_unpack(self.block(layout.size * count))

    def at_end(self) -> bool:
        return self._at == len(self._data)
