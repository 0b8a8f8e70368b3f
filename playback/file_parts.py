"""Which stored bytes make which file: segments of a span cut to whole fragments, and gathered into parts that one mp4 can carry. Pure.

It takes rows alone, so that the ETag of a file is known before a byte of its segments is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from segments.clock import US_PER_S
from segments.errors import DataDamaged
from segments.media import TIMESCALE
from segments.model import Row, Span

LAYOUT_VERSION = 2
"""Part of every ETag: raised whenever the same segments would be laid out in other bytes."""


class ByteRange(NamedTuple):
    """Bytes of a stored segment from `start` to `end` (excluded)."""

    row: Row
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The fragments `first` to `end` (excluded) of a segment, and the init segment of its run."""

    row: Row
    init: bytes
    first: int
    end: int

    @property
    def range(self) -> ByteRange:
        """Where they lie."""
        last = self.row.fragments[self.end - 1]
        return ByteRange(self.row, self.row.fragments[self.first].offset, last.offset + last.length)

    @property
    def start_pts(self) -> int:
        """Media time of the first picture."""
        return self.row.fragments[self.first].pts

    @property
    def wall(self) -> Span:
        """When they were."""
        last = self.row.fragments[self.end - 1]
        return Span(_wall_us(self.row, self.row.fragments[self.first].pts), _wall_us(self.row, last.pts + last.duration))

    def goes_on_from(self, before: Cut) -> bool:
        """Whether nothing is missing between the two, so that the run's media time holds over both."""
        follows = (self.row.camera, self.row.run, self.row.counter) == (before.row.camera, before.row.run, before.row.counter + 1)
        return follows and self.first == 0 and before.end == len(before.row.fragments)


def _wall_us(row: Row, pts: int) -> int:
    """Wall time of a media time: the row's start is the first presentation time of the segment."""
    return row.start_us + (pts - row.fragments[0].pts) * US_PER_S // TIMESCALE


def cut(row: Row, init: bytes, wanted: Span) -> Cut:
    """The fragments from the last one that starts with a key frame at or before the wanted span, to the one its end lies in.

    Raises DataDamaged where the row tells of fragments that are not within its object.
    """
    if not row.fragments or row.fragments[-1].offset + row.fragments[-1].length > row.size:
        raise DataDamaged(f"{row.key}: its row tells of {len(row.fragments)} fragments that are not within its {row.size} bytes")
    if wanted.start_us <= row.start_us and wanted.end_us >= row.end_us:
        return Cut(row, init, 0, len(row.fragments))
    seekable = any(fragment.key_length for fragment in row.fragments)
    first, end = 0, 1
    for index, fragment in enumerate(row.fragments):
        at_us = _wall_us(row, fragment.pts)
        if at_us <= wanted.start_us and (fragment.key_length or not seekable):
            first = index
        if at_us < wanted.end_us:
            end = index + 1
    return Cut(row, init, first, max(end, first + 1))


@dataclass(frozen=True)
class Part:
    """What one file is made of, in order of time; all of one init segment (codec configuration).

    `hold`: where there was nothing, the last picture stands as long as that lasted; else such a time is left out of the file.
    """

    cuts: tuple[Cut, ...]
    hold: bool = False

    @cached_property
    def etag(self) -> str:
        """The same exactly as long as all bytes of the file are."""
        digest = hashlib.sha256(f"{LAYOUT_VERSION} {self.hold:d}\n".encode() + self.cuts[0].init)
        for each in self.cuts:
            row = each.row
            digest.update(f"{row.camera} {row.run} {row.counter} {row.start_us} {row.sha256} {each.first} {each.end}\n".encode())
        return digest.hexdigest()

    @property
    def wall(self) -> Span:
        """From its first picture to the end of its last."""
        return Span(self.cuts[0].wall.start_us, max(each.wall.end_us for each in self.cuts))

    @property
    def content_bytes(self) -> int:
        """How many stored bytes it holds."""
        return sum(each.range.end - each.range.start for each in self.cuts)


def parts_of(cuts: Iterable[Cut], *, hold: bool = False) -> list[Part]:
    """One part for each stretch of equal init segments."""
    return [Part(tuple(same), hold) for _, same in groupby(cuts, key=lambda each: each.init)]
