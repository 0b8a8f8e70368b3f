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
from segments.model import Row

HOURS = 24
_MODULUS = 1 << 128


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
    count = total = 0
    for row in rows:
        count += 1
        total += _hash(row)
    return Digest(count, total % _MODULUS)


def digests_of_hours(rows: Iterable[Row]) -> list[Digest]:
    """Of the rows of a camera-day, by the UTC hour of their start."""
    by_hour: list[list[Row]] = [[] for _ in range(HOURS)]
    for row in rows:
        by_hour[hour_of(row)].append(row)
    return [digest_of_rows(each) for each in by_hour]


def hour_of(row: Row) -> int:
    """The UTC hour a row starts in."""
    return row.start_us // US_PER_HOUR % HOURS


def _hash(row: Row) -> int:
    text = f"{row.camera} {row.start_us} {row.run} {row.counter} {row.end_us} {row.size} {row.sha256}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
