"""Virtual mp4: a playable file of any span, laid out from the tails of segments alone.

Progressive: ftyp and moov, then one mdat that holds, verbatim, a byte range of each segment. The moofs inside are dead bytes; every
stored byte stays as it was hashed. Gaps are left out; the manifest says which wall time each part of the file shows.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import NamedTuple

from playback.joined_table import JoinedTable, cut
from segments.box_reader import read_init
from segments.boxes import box, codecs, file_type, movie_header
from segments.clock import US_PER_DAY, US_PER_S, iso
from segments.errors import BadInput, DataDamaged
from segments.media import TIMESCALE
from segments.model import Row, Span
from segments.sample_table import TrackTable
from segments.segment_tail import SegmentTail

LAYOUT_VERSION = 1
"""Part of every ETag: raised whenever the same segments would be laid out in other bytes."""
MAX_FILE_US = US_PER_DAY
"""Longest span of one layout; its head takes about 26 MB with sound."""

_MDAT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Footage:
    """A segment to be laid out: its row, its tail, the init segment of its run, and the part of it that is wanted."""

    row: Row
    tail: SegmentTail
    init: bytes
    wanted: Span


class Gap(NamedTuple):
    """A span without footage, and its cause, for the manifest."""

    start_us: int
    end_us: int
    cause: str


class ByteRange(NamedTuple):
    """Bytes of a stored segment from `start` to `end` (excluded)."""

    row: Row
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class VirtualMp4:
    """A file that exists as a plan: `head`, then the bytes of `ranges`, `size` bytes in all.

    `etag` is the same exactly as long as all its bytes are. `manifest` holds plain JSON values.
    """

    head: bytes
    ranges: tuple[ByteRange, ...]
    size: int
    etag: str
    manifest: dict[str, object]


def lay_out(footage: Sequence[Footage], gaps: Sequence[Gap] = ()) -> list[VirtualMp4]:
    """Lays out segments that follow one another in time: one file for each stretch of equal init segments (codec configuration).

    Each wanted part begins with the last fragment that starts with a key frame at or before it, and ends with the fragment its end lies in.
    Raises BadInput if there is nothing to lay out or it spans over 24 h, DataDamaged where a tail contradicts its row or init segment.
    """
    if not footage:
        raise BadInput("there is no footage in the span: nothing to lay out")
    if footage[-1].wanted.end_us - footage[0].wanted.start_us > MAX_FILE_US:
        raise BadInput(f"a virtual mp4 spans at most {MAX_FILE_US // US_PER_S // 3600} h: split the span by day")
    return [_file([_piece(each) for each in same], init, gaps) for init, same in groupby(footage, key=lambda each: each.init)]


# --- cutting ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Piece:
    """The fragments `first` to `end` (excluded) of a segment, with their tables and bytes."""

    row: Row
    tail: SegmentTail
    first: int
    end: int
    tables: tuple[TrackTable, ...]

    @property
    def range(self) -> ByteRange:
        last = self.tail.fragments[self.end - 1]
        return ByteRange(self.row, self.tail.fragments[self.first].offset, last.offset + last.length)

    @property
    def wall(self) -> Span:
        last = self.tail.fragments[self.end - 1]
        start_us = _wall_us(self.row, self.tail, self.tail.fragments[self.first].pts)
        return Span(start_us, _wall_us(self.row, self.tail, last.pts + last.duration))

    def goes_on_from(self, before: _Piece) -> bool:
        """Whether nothing is missing between the two, so that the run's media time holds over both."""
        follows = (self.row.camera, self.row.run, self.row.counter) == (before.row.camera, before.row.run, before.row.counter + 1)
        return follows and self.first == 0 and before.end == len(before.tail.fragments)


def _wall_us(row: Row, tail: SegmentTail, pts: int) -> int:
    """Wall time of a media time: the row's start is the first presentation time of the segment."""
    return row.start_us + (pts - tail.fragments[0].pts) * US_PER_S // TIMESCALE


def _piece(footage: Footage) -> _Piece:
    row, tail, wanted = footage.row, footage.tail, footage.wanted
    if not tail.fragments or tail.fragments[-1].offset + tail.fragments[-1].length > row.size:
        raise DataDamaged(f"{row.key}: its tail tells of {len(tail.fragments)} fragments that are not within its {row.size} bytes")
    seekable = any(fragment.key_length for fragment in tail.fragments)
    first, end = 0, 1
    for index, fragment in enumerate(tail.fragments):
        at_us = _wall_us(row, tail, fragment.pts)
        if at_us <= wanted.start_us and (fragment.key_length or not seekable):
            first = index
        if at_us < wanted.end_us:
            end = index + 1
    end = max(end, first + 1)
    piece = _Piece(row, tail, first, end, tuple(cut(table, first, end) for table in tail.tracks))
    places = [chunk.position for table in piece.tables for chunk in table.chunks if chunk.samples]
    if not places or min(places) < piece.range.start or max(places) >= piece.range.end:
        raise DataDamaged(f"{row.key}: its tail tells of samples outside its fragments")
    return piece


# --- the file --------------------------------------------------------------------------------------------------------


def _file(pieces: Sequence[_Piece], init: bytes, gaps: Sequence[Gap]) -> VirtualMp4:
    tracks, _ = read_init(init)
    joined = [JoinedTable(track_id, track) for track_id, track in enumerate(tracks, start=1)]
    shifts = _shifts(pieces)
    content_bytes = 0
    for piece, shift in zip(pieces, shifts, strict=True):
        if len(piece.tables) != len(tracks):
            raise DataDamaged(f"{piece.row.key}: its tail tells of {len(piece.tables)} tracks, its init segment of {len(tracks)}")
        for table, join in zip(piece.tables, joined, strict=True):
            join.append(table, shift=shift, moved=content_bytes - piece.range.start)
        content_bytes += piece.range.end - piece.range.start
    head = _head(joined, content_bytes)
    etag = _etag(pieces, init)
    manifest = {
        "layout_version": LAYOUT_VERSION,
        "etag": etag,
        "codecs": codecs(tracks),
        "size": len(head) + content_bytes,
        "runs": _runs(pieces, shifts, min(join.first_pts for join in joined if join.first_pts is not None)),
        "gaps": [{"from": iso(gap.start_us), "to": iso(gap.end_us), "cause": gap.cause} for gap in gaps],
    }
    return VirtualMp4(head, tuple(piece.range for piece in pieces), len(head) + content_bytes, etag, manifest)


def _shifts(pieces: Sequence[_Piece]) -> list[int]:
    """What is added to each piece's media times: pieces without a gap between them share it, others begin where all before has ended."""
    groups: list[list[_Piece]] = [[pieces[0]]]
    for before, piece in pairwise(pieces):
        if piece.goes_on_from(before):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    shifts: list[int] = []
    file_time = 0
    for group in groups:
        tables = [table for piece in group for table in piece.tables if table.samples]
        start = min(table.first_dts for table in tables)
        shifts += [file_time - start] * len(group)
        file_time += max(table.end_dts for table in tables) - start
    return shifts


def _head(joined: Sequence[JoinedTable], content_bytes: int) -> bytes:
    """ftyp, moov and the head of a 64-bit mdat. All sizes are known before the places of the chunks are, so it is laid out twice."""
    present = [join for join in joined if join.first_pts is not None]
    start_pts = min(join.first_pts for join in present if join.first_pts is not None)
    header = movie_header(max(join.presented_ticks(start_pts) for join in present), len(joined) + 1)

    def before_content(at: int) -> bytes:
        movie = box(b"moov", header, *(join.trak(start_pts, at) for join in present))
        return file_type() + movie + struct.pack(">I4sQ", 1, b"mdat", _MDAT_BYTES + content_bytes)

    return before_content(len(before_content(0)))


def _etag(pieces: Sequence[_Piece], init: bytes) -> str:
    digest = hashlib.sha256(f"{LAYOUT_VERSION}\n".encode() + init)
    for piece in pieces:
        digest.update(f"{piece.row.sha256} {piece.first} {piece.end}\n".encode())
    return digest.hexdigest()


def _runs(pieces: Sequence[_Piece], shifts: Sequence[int], start_pts: int) -> list[dict[str, object]]:
    """For each run its wall time, and for each segment of it which second of the file begins at which wall time."""
    runs: list[dict[str, object]] = []
    for (camera, run), same in groupby(zip(pieces, shifts, strict=True), key=lambda pair: (pair[0].row.camera, pair[0].row.run)):
        members = list(same)
        anchors = [
            {
                "file_s": (piece.tail.fragments[piece.first].pts + shift - start_pts) / TIMESCALE,
                "at": iso(piece.wall.start_us),
                "at_us": piece.wall.start_us,
                "key": piece.row.key,
                "sha256": piece.row.sha256,
                "bytes": list(piece.range[1:]),
            }
            for piece, shift in members
        ]
        ends = iso(members[-1][0].wall.end_us)
        runs.append({"camera": camera, "run": run, "from": anchors[0]["at"], "to": ends, "segments": anchors})
    return runs
