"""Digests of camera-days: whether two sites have the same rows, told by a few bytes. Pure.

A digest is the number of rows and the sum, modulo 2^128, of a hash of each: so it can be added up in any order, and that of a day is the
sum of those of its hours. It tells honest sites what differs; it proves nothing against one that lies (sums can be forged).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from segments.clock import US_PER_HOUR
from segments.errors import BadInput
from segments.keys import SegmentKey
from segments.model import Row, RowPosition

HOURS = 24
_MODULUS = 1 << 128
_HASHED = 7


class Mark(NamedTuple):
    """What comparing needs of a row: what is hashed (the first seven, separated by spaces, as UTF-8), and where its object lies."""

    camera: str
    start_us: int
    run: str
    counter: int
    end_us: int
    size: int
    sha256: str
    pool: str

    @property
    def position(self) -> RowPosition:
        """Its place in its camera-day."""
        return RowPosition(self.start_us, self.run, self.counter)

    @property
    def key(self) -> str:
        """Of its object."""
        return str(SegmentKey(self.camera, self.run, self.start_us, self.counter))


def mark_of(row: Row) -> Mark:
    """The mark of a row."""
    return Mark(row.camera, row.start_us, row.run, row.counter, row.end_us, row.size, row.sha256, row.pool)


class Digest(NamedTuple):
    """Of some rows: how many, and the sum of their hashes."""

    rows: int
    sum: int

    def __str__(self) -> str:
        return f"{self.rows}:{self.sum:032x}"

    def plus(self, other: Digest) -> Digest:
        """Of these rows and those, which are others."""
        return Digest(self.rows + other.rows, (self.sum + other.sum) % _MODULUS)


NOTHING = Digest(0, 0)


def parse_digest(text: str) -> Digest:
    """A digest from its text; raises BadInput."""
    rows, colon, total = text.partition(":")
    if not colon or len(total) != 32:
        raise BadInput(f"{text[:64]!r} is no digest")
    try:
        return Digest(int(rows), int(total, 16))
    except ValueError:
        raise BadInput(f"{text[:64]!r} is no digest") from None


def digest_of_rows(rows: Iterable[Row]) -> Digest:
    """Of these rows. What differs from site to site (pool, version) and what follows from the bytes (fragments) is not part of it."""
    return digest_of_marks(map(mark_of, rows))


def digest_of_marks(marks: Iterable[Mark]) -> Digest:
    """Of the rows that have these marks."""
    hashes = list(map(_hash, marks))
    return Digest(len(hashes), sum(hashes) % _MODULUS)


def digests_of_hours(marks: Iterable[Mark]) -> list[Digest]:
    """Of the rows of a camera-day that have these marks, by the UTC hour of their start."""
    by_hour: list[list[Mark]] = [[] for _ in range(HOURS)]
    for mark in marks:
        by_hour[hour_of(mark)].append(mark)
    return [digest_of_marks(each) for each in by_hour]


def hour_of(row: Row | Mark) -> int:
    """The UTC hour a row starts in."""
    return row.start_us // US_PER_HOUR % HOURS


def _hash(mark: Mark) -> int:
    text = " ".join(map(str, mark[:_HASHED]))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
