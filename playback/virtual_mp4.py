"""Virtual mp4: a playable file of any span, laid out from the tails of segments alone.

Progressive: ftyp and moov, then one mdat that holds, verbatim, a byte range of each segment. The moofs inside are dead bytes; every
stored byte stays as it was hashed. The wall clock is in its times of creation and in its chapters; the manifest says it for each segment.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from playback.chapters import Anchor, chapters
from playback.file_parts import LAYOUT_VERSION, ByteRange, Cut, Part
from playback.joined_table import JoinedTable, cut
from segments.box_reader import read_init
from segments.boxes import box, codecs, file_type, movie_header
from segments.clock import US_PER_DAY, US_PER_HOUR, US_PER_S, iso
from segments.errors import BadInput, DataDamaged
from segments.media import TIMESCALE
from segments.sample_table import TrackTable
from segments.segment_tail import SegmentTail

MAX_FILE_US = US_PER_DAY
"""Longest span of one layout; its head takes about 26 MB with sound."""

MAX_HELD_US = 6 * US_PER_HOUR
"""Longest time a picture is held: durations have 31 bits."""

_EDGES_US = 20 * 60 * US_PER_S
"""What the whole fragments and GOPs at both ends may add."""
_MDAT_BYTES = 16
_FROM_1904_S = 2_082_844_800
"""Times of creation count from 1904 (ISO/IEC 14496-12, 8.2.2)."""


@dataclass(frozen=True, slots=True)
class VirtualMp4:
    """A file that exists as a plan: `head`, then the bytes of `ranges`, `size` bytes in all.

    `etag` is the same exactly as long as all its bytes are. `pictures` is how many there are, `segments` says for each range which second
    of the file begins at which wall time.
    """

    head: bytes
    ranges: tuple[ByteRange, ...]
    size: int
    etag: str
    codecs: str
    pictures: int
    segments: tuple[Placed, ...]


class Placed(NamedTuple):
    """A segment in a file: `ticks` from the beginning of the file it begins at, the moment it shows there, and when it ends."""

    ticks: int
    at_us: int
    end_us: int
    bytes: ByteRange


@dataclass(frozen=True, slots=True)
class _Piece:
    """The fragments of a cut, with their sample tables."""

    cut: Cut
    tables: tuple[TrackTable, ...]


def lay_out(part: Part, tails: Sequence[SegmentTail]) -> VirtualMp4:
    """Lays a part out, given the tail of each of its segments.

    Raises BadInput if it spans over 24 h, or is to hold a picture for over 6 h; DataDamaged where a tail contradicts its row or its init
    segment.
    """
    wall = part.wall
    if wall.end_us - wall.start_us > MAX_FILE_US + _EDGES_US:
        raise BadInput(f"a virtual mp4 spans at most {MAX_FILE_US // US_PER_S // 3600} h: split the span by day")
    pieces = [_piece(each, tail) for each, tail in zip(part.cuts, tails, strict=True)]
    tracks, _ = read_init(part.cuts[0].init)
    joined = [JoinedTable(track_id, track) for track_id, track in enumerate(tracks, start=1)]
    shifts, leaps = _shifts(pieces, hold=part.hold)
    content_bytes = _join(joined, pieces, shifts)
    start_pts = min(join.first_pts for join in joined if join.first_pts is not None)
    segments = tuple(
        Placed(each.start_pts + shift - start_pts, each.wall.start_us, each.wall.end_us, _without_fragments(each.range))
        for each, shift in zip(part.cuts, shifts, strict=True)
    )
    clock = chapters([Anchor(placed.ticks, placed.at_us, leap) for placed, leap in zip(segments, leaps, strict=True)])
    head = _head(joined, content_bytes, start_pts, wall.start_us, clock)
    return VirtualMp4(
        head,
        tuple(placed.bytes for placed in segments),
        len(head) + content_bytes,
        part.etag,
        codecs(tracks),
        sum(join.samples for join, track in zip(joined, tracks, strict=True) if track.is_video),
        segments,
    )


def _without_fragments(part: ByteRange) -> ByteRange:
    """Layouts are kept for a while, and of 24 h the fragments of all rows would take as much memory as the head."""
    return part._replace(row=replace(part.row, fragments=()))


def _piece(cut_: Cut, tail: SegmentTail) -> _Piece:
    row = cut_.row
    if tail.fragments != row.fragments:
        raise DataDamaged(f"{row.key}: its tail tells of other fragments than its row")
    tables = tuple(cut(table, cut_.first, cut_.end) for table in tail.tracks)
    places = [chunk.position for table in tables for chunk in table.chunks if chunk.samples]
    if not places or min(places) < cut_.range.start or max(places) >= cut_.range.end:
        raise DataDamaged(f"{row.key}: its tail tells of samples outside its fragments")
    return _Piece(cut_, tables)


def _join(joined: Sequence[JoinedTable], pieces: Sequence[_Piece], shifts: Sequence[int]) -> int:
    """Puts the tables of all pieces together; how many bytes these are."""
    content_bytes = 0
    for piece, shift in zip(pieces, shifts, strict=True):
        if len(piece.tables) != len(joined):
            raise DataDamaged(f"{piece.cut.row.key}: its tail tells of {len(piece.tables)} tracks, its init segment of {len(joined)}")
        start, end = piece.cut.range[1:]
        for table, join in zip(piece.tables, joined, strict=True):
            join.append(table, shift=shift, moved=content_bytes - start)
        content_bytes += end - start
    return content_bytes


def _shifts(pieces: Sequence[_Piece], *, hold: bool) -> tuple[list[int], list[bool]]:
    """What is added to each piece's media times, and which pieces do not simply go on from the one before.

    Pieces without a gap between them share it. Others begin as soon as all tracks allow, or, to hold, when the wall clock says.
    """
    groups: list[list[_Piece]] = [[pieces[0]]]
    for before, piece in pairwise(pieces):
        if piece.cut.goes_on_from(before.cut):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    shifts: list[int] = []
    ends: dict[int, int] = {}
    for number, group in enumerate(groups):
        firsts, lasts = _times(group)
        latest = max(ends.values(), default=0)
        shift = max(ends.get(track, latest) - first for track, first in firsts.items())
        if hold and number:
            shift = max(shift, shifts[0] + _held_ticks(groups, number))
        shifts += [shift] * len(group)
        ends |= {track: last + shift for track, last in lasts.items()}
    return shifts, [n == 0 for group in groups for n in range(len(group))]


def _times(group: Sequence[_Piece]) -> tuple[dict[int, int], dict[int, int]]:
    """The first decode time of each track that has samples in these pieces, and the end of its last."""
    tables = [(track, table) for piece in group for track, table in enumerate(piece.tables) if table.samples]
    firsts = {track: table.first_dts for track, table in reversed(tables)}
    return firsts, {track: table.end_dts for track, table in tables}


def _held_ticks(groups: Sequence[Sequence[_Piece]], number: int) -> int:
    """What lies between the media times of this group and of the first, if the file is to run as the wall clock does."""
    first, before, after = groups[0][0].cut, groups[number - 1][-1].cut, groups[number][0].cut
    gap_us = after.wall.start_us - before.wall.end_us
    if gap_us >= MAX_HELD_US:
        since = iso(before.wall.end_us)
        raise BadInput(f"from {since} there is nothing for {gap_us // US_PER_S} s, too long to hold a picture: leave gaps out")
    since_us = after.wall.start_us - first.wall.start_us
    return since_us * TIMESCALE // US_PER_S + first.start_pts - after.start_pts


def _head(joined: Sequence[JoinedTable], content_bytes: int, start_pts: int, start_us: int, clock: bytes) -> bytes:
    """ftyp, moov and the head of a 64-bit mdat. All sizes are known before the places of the chunks are, so it is laid out twice."""
    present = [join for join in joined if join.first_pts is not None]
    created = start_us // US_PER_S + _FROM_1904_S
    header = movie_header(max(join.presented_ticks(start_pts) for join in present), len(joined) + 1, created=created)

    def before_content(at: int) -> bytes:
        movie = box(b"moov", header, *(join.trak(start_pts, at, created) for join in present), clock)
        return file_type() + movie + struct.pack(">I4sQ", 1, b"mdat", _MDAT_BYTES + content_bytes)

    return before_content(len(before_content(0)))


# --- the manifest ----------------------------------------------------------------------------------------------------


class Gap(NamedTuple):
    """A span without footage, and its cause, for the manifest."""

    start_us: int
    end_us: int
    cause: str


def manifest(file: VirtualMp4, gaps: Sequence[Gap] = ()) -> dict[str, Any]:
    """What goes beside the file, as plain JSON values: what it is made of, and which second of it shows which moment."""
    return {
        "layout_version": LAYOUT_VERSION,
        "etag": file.etag,
        "codecs": file.codecs,
        "size": file.size,
        "frames": file.pictures,
        "from": iso(file.segments[0].at_us),
        "to": iso(max(placed.end_us for placed in file.segments)),
        "runs": _runs(file.segments),
        "gaps": [{"from": iso(gap.start_us), "to": iso(gap.end_us), "cause": gap.cause} for gap in gaps],
    }


def _runs(segments: Sequence[Placed]) -> list[dict[str, object]]:
    """For each run its wall time, and for each segment of it which second of the file begins at which wall time."""
    runs: list[dict[str, object]] = []
    for (camera, run), same in groupby(segments, key=lambda placed: (placed.bytes.row.camera, placed.bytes.row.run)):
        members = list(same)
        anchors = [
            {
                "file_s": placed.ticks / TIMESCALE,
                "at": iso(placed.at_us),
                "at_us": placed.at_us,
                "key": placed.bytes.row.key,
                "sha256": placed.bytes.row.sha256,
                "bytes": list(placed.bytes[1:]),
            }
            for placed in members
        ]
        runs.append({"camera": camera, "run": run, "from": anchors[0]["at"], "to": iso(members[-1].end_us), "segments": anchors})
    return runs
