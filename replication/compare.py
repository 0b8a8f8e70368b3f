"""What another site has that is not here, found from the coarse to the fine: camera-days, hours, rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segments.digest import Digest
from segments.errors import DataDamaged
from segments.keys import SegmentKey
from segments.model import Partition, Row


def to_descend(ours: Sequence[Digest], theirs: Sequence[Digest]) -> list[int]:
    """Where theirs may have what ours has not, by number: they differ, and theirs is not empty. Ours may have more; that is their wish."""
    return [number for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)) if other.rows and mine != other]


def wanted(ours: Iterable[Row], theirs: Iterable[Row]) -> list[Row]:
    """Their rows that are not ours, in their order. What has the same place and other bytes is wanted: it cannot be had, but is told."""
    here = {(row.position, row.sha256) for row in ours}
    return [row for row in theirs if (row.position, row.sha256) not in here]


def check_row(row: Row, asked: Partition) -> None:
    """Raises DataDamaged unless a row of another site is what was asked for, and its object lies where such an object lies.

    So whoever answers there can place nothing under any other key here.
    """
    key = str(SegmentKey(row.camera, row.run, row.start_us, row.counter))
    if (row.camera, row.day, row.key) != (*asked, key):
        raise DataDamaged(f"the row of {row.key!r} is none of {asked.camera} {asked.date} with its key")
    if row.size <= 0 or row.end_us <= row.start_us:
        raise DataDamaged(f"the row of {row.key!r} says that it has {row.size} bytes and lasts {row.end_us - row.start_us} us")
