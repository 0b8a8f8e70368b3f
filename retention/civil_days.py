"""Whole civil days of a site, and what a camera's time was in each of them. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from segments.clock import from_datetime, to_datetime
from segments.coverage import Gap
from segments.model import Cause, Footage, Span


class Part(StrEnum):
    """What a moment is to a report, beside the causes of an absence; it parts `Cause.DELETED` in two."""

    FOOTAGE = "footage"
    DELETED_WHEN_DUE = "deleted-when-due"
    """There was footage, and it went when its rule said so."""
    DELETED_EARLY = "deleted-early"
    """There was footage, and it went before it was due: its pool needed the room, or a decision that it stays came too late."""


What = Part | Cause
DaySum = Counter[What]
"""Microseconds of a day by what they were; nothing that is zero."""


class Told(NamedTuple):
    """A stretch of a camera's time, and what it was."""

    start_us: int
    end_us: int
    what: What


@dataclass(frozen=True, slots=True)
class Days:
    """Civil days that follow each other: `first` to the one before `end`. Raises ValueError if `end` comes before `first`."""

    first: date
    end: date
    zone: tzinfo

    def __post_init__(self) -> None:
        """See the class."""
        if self.end < self.first:
            raise ValueError(f"{self.end} is before {self.first}")

    def __len__(self) -> int:
        return (self.end - self.first).days

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(number) for number in range(len(self)))

    @property
    def span(self) -> Span:
        """From the first midnight to the last."""
        return Span(civil_start_us(self.first, self.zone), civil_start_us(self.end, self.zone))

    @property
    def edges_us(self) -> list[int]:
        """All midnights, one more than days; a day has 23 or 25 hours where the zone says so."""
        return [civil_start_us(self.first + timedelta(number), self.zone) for number in range(len(self) + 1)]


def civil_day(at_us: int, zone: tzinfo) -> date:
    """The civil day of a moment."""
    return to_datetime(at_us).astimezone(zone).date()


def civil_start_us(day: date, zone: tzinfo) -> int:
    """Its midnight."""
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))


def told(pieces: Iterable[Footage | Gap], early: Sequence[Span], added_us: int) -> Iterator[Told]:
    """What coverage says, as a report takes it. `early`: what was deleted before it was due, in order, without overlaps.

    Nothing counts that was before the camera was added: it may have been another one.
    """
    for piece in pieces:
        if piece.start_us < added_us:
            yield Told(piece.start_us, min(piece.end_us, added_us), Cause.NOT_COMMISSIONED)
        start_us = max(piece.start_us, added_us)
        if start_us >= piece.end_us:
            continue
        if not isinstance(piece, Gap):
            yield Told(start_us, piece.end_us, Part.FOOTAGE)
        elif piece.cause is Cause.DELETED:
            yield from _deleted(Span(start_us, piece.end_us), early)
        else:
            yield Told(start_us, piece.end_us, piece.cause)


def _deleted(gone: Span, early: Sequence[Span]) -> Iterator[Told]:
    at_us = gone.start_us
    for span in early:
        start_us, end_us = max(span.start_us, at_us), min(span.end_us, gone.end_us)
        if start_us >= end_us:
            continue
        if at_us < start_us:
            yield Told(at_us, start_us, Part.DELETED_WHEN_DUE)
        yield Told(start_us, end_us, Part.DELETED_EARLY)
        at_us = end_us
    if at_us < gone.end_us:
        yield Told(at_us, gone.end_us, Part.DELETED_WHEN_DUE)


def day_sums(days: Days, parts: Iterable[Told]) -> list[DaySum]:
    """Each day's microseconds by what they were; stretches outside of the days are left out."""
    edges_us = days.edges_us
    sums = [DaySum() for _ in pairwise(edges_us)]
    for part in parts:
        place = max(bisect_right(edges_us, part.start_us) - 1, 0)
        while place < len(sums) and edges_us[place] < part.end_us:
            length_us = min(part.end_us, edges_us[place + 1]) - max(part.start_us, edges_us[place])
            if length_us > 0:
                sums[place][part.what] += length_us
            place += 1
    return sums
