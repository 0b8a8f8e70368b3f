"""Rows of a batch, packed: some hundred of them in one value, so that a camera-day is a few values however many segments it has.

Layout of a body: `_HEAD` (the byte 1, and how long the list is), a JSON list of what each row is and how many bytes its fragment table
takes, and behind it the tables (segments/row_codec.py). It has no camera: that is its batch's.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from segments.errors import BadInput, DataDamaged
from segments.model import Batch, Row, RowPosition
from segments.ports import Page
from segments.row_codec import decode_fragments, encode_fragments
from segments.stores.partitions import cut_page, one_day, page_limit

GROUP_ROWS = 512
GROUP_BYTES = 1 << 19
"""A group ends where its tables take so much; with the longest table a row can have it stays below a MiB and a half."""
_VERSION = 1
_HEAD = struct.Struct("<BI")
_Packed = tuple[list[Any], bytes]
"""What a row is, and its table."""


class PackedRows(NamedTuple):
    """A group of rows. `last_us` is when the last of them starts; `digest` (the SHA-256 of the body) tells it from all other groups."""

    last_us: int
    digest: bytes
    body: bytes


def pack_rows(batch: Batch, rows: Sequence[Row]) -> Iterator[PackedRows]:
    """The rows in groups, in order of position; the same rows make the same groups. Raises BadInput for those of another camera-day."""
    one_day(rows)
    if rows and (rows[0].camera, rows[0].day) != (batch.camera, batch.day):
        raise BadInput(f"rows of {rows[0].camera} {rows[0].day} for the batch of {batch.camera} {batch.day}")
    group: list[_Packed] = []
    size_bytes = 0
    for _, row in sorted({row.position: row for row in rows}.items()):
        packed = _pack(row)
        group.append(packed)
        size_bytes += len(packed[1])
        if len(group) == GROUP_ROWS or size_bytes >= GROUP_BYTES:
            yield _group(group)
            group, size_bytes = [], 0
    if group:
        yield _group(group)


def page_of_packed(batch: Batch, found: Iterable[tuple[bytes, bytes]], after: RowPosition | None, limit: int) -> Page[Row, RowPosition]:
    """The page out of groups (digest and body), those first that were written first: of two rows of one position the later counts.

    Groups may overlap, and only rows of the page are read whole. Raises DataDamaged for a body that is not as it was written.
    """
    rows: dict[RowPosition, _Packed] = {}
    for digest, body in found:
        rows.update(_unpack(batch, digest, body))
    wanted = sorted(position for position in rows if after is None or position > after)
    cut = cut_page(wanted[: page_limit(limit) + 1], limit, lambda position: position)
    return Page([_row(batch.camera, rows[position]) for position in cut.items], cut.next)


def _pack(row: Row) -> _Packed:
    table = encode_fragments(row.fragments)
    stored = (row.size, row.pool, row.key, row.version, row.sha256, row.codecs, row.clock_synced)
    return [*row.position, row.end_us, *stored, len(table)], table


def _row(camera: str, packed: _Packed) -> Row:
    (*fields, clock_synced, _), table = packed
    return Row(*(camera, *fields, decode_fragments(table), clock_synced))


def _group(group: Sequence[_Packed]) -> PackedRows:
    listed = json.dumps([fields for fields, _ in group], separators=(",", ":")).encode()
    body = b"".join((_HEAD.pack(_VERSION, len(listed)), listed, *(table for _, table in group)))
    return PackedRows(group[-1][0][0], hashlib.sha256(body).digest(), body)


def _unpack(batch: Batch, digest: bytes, body: bytes) -> Iterator[tuple[RowPosition, _Packed]]:
    rows = f"rows in the batch of {batch.camera} {batch.day} are"
    if hashlib.sha256(body).digest() != digest:
        raise DataDamaged(f"{rows} not as they were written: bring the index back from a copy")
    version, length = _HEAD.unpack_from(body)
    if version != _VERSION:
        raise DataDamaged(f"{rows} of version {version}; this program reads version {_VERSION}")
    at = _HEAD.size + length
    for fields in json.loads(body[_HEAD.size : at]):
        yield RowPosition(*fields[:3]), (fields, body[at : at + fields[-1]])
        at += fields[-1]
