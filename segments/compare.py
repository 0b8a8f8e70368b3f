"""A camera-day of the index beside the same camera-day of a pool: what differs, as values. Pure; segments/verify.py reads both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from segments.errors import BadInput
from segments.keys import SegmentKey, parse_key
from segments.model import Row


class Level(StrEnum):
    """How deep a check goes; each contains those before it. Only the last reads footage."""

    PRESENCE = "presence"
    SIZE = "size"
    HASH = "hash"


class Kind(StrEnum):
    """What may be wrong."""

    GHOST = "row without object"
    ORPHAN = "object without row"
    SIZE = "size differs"
    HASH = "hash differs"
    STRANGER = "not of the recording layout"


LOSSES = (Kind.GHOST, Kind.SIZE, Kind.HASH)
"""Footage that was promised and is not there: alarms. An orphan is adopted or removed; a stranger is none of ours and is left alone."""


class CameraDay(NamedTuple):
    """The partition that is compared."""

    camera: str
    day: date


class Finding(NamedTuple):
    """One thing that is wrong, and a sentence on it."""

    kind: Kind
    key: str
    detail: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What two listings of a camera-day have not in common, still to be confirmed: listings are eventual, and footage comes and goes."""

    ghosts: tuple[Row, ...]
    orphans: tuple[tuple[str, SegmentKey], ...]
    sizes: tuple[Row, ...]
    strangers: tuple[str, ...]
    same: tuple[Row, ...]
    """Rows with an object of their size."""


def compare(rows: Sequence[Row], sizes: Mapping[str, int]) -> Difference:
    """Compares the rows of a camera-day in one pool with the sizes of its objects there by key.

    The empty object that ends a run has no row: it is in its place if the run has rows here, else it is listed as an orphan.
    """
    rows_by_key = {row.key: row for row in rows}
    runs = {row.run for row in rows}
    orphans: list[tuple[str, SegmentKey]] = []
    strangers: list[str] = []
    for key in sorted(sizes.keys() - rows_by_key.keys()):
        try:
            segment = parse_key(key)
        except BadInput:
            strangers.append(key)
            continue
        if not (segment.is_end and segment.run in runs):
            orphans.append((key, segment))
    return Difference(
        ghosts=tuple(row for row in rows if row.key not in sizes),
        orphans=tuple(orphans),
        sizes=tuple(row for row in rows if sizes.get(row.key, row.size) != row.size),
        strangers=tuple(strangers),
        same=tuple(row for row in rows if sizes.get(row.key) == row.size),
    )
