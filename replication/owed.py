"""What a site has not copied yet of what was recorded here in its place: it is asked, segment by segment where the camera-days differ.

What it has deleted by its own rules it has had, and lacks no more. What its rules do not keep it will never have, and is counted too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple, Protocol, TypeVar

from replication.own_digests import IndexDigests
from replication.ports import MOST_DAYS, AskFootage, Has, Named
from segments.clock import day_of
from segments.digest import NOTHING
from segments.errors import BadInput
from segments.keys import parse_run
from segments.model import Partition, Row, RowPosition, Span
from segments.patience import some_at_once
from segments.ports import ReadRows

T = TypeVar("T")

DAYS_AT_ONCE = 100
LISTED_AT_ONCE = 2
"""So many camera-days are gone through by segment at the same time: the other site answers four such questions at once, from all sites."""


class AskHolds(Protocol):
    """See `replication.ports.Keeping`."""

    async def held(self, camera: str, rows: Sequence[Row]) -> Collection[RowPosition]:
        """Those that a hold covers."""


class Lack(NamedTuple):
    """Segments that are lacking, their bytes, and how many of them a hold covers."""

    segments: int = 0
    size_bytes: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded by a site (here) in another's place, in a span: it began within it."""

    by: str
    span: Span

    def days_of(self, cameras: Iterable[str]) -> list[Partition]:
        """The camera-days it may lie in, the newest first."""
        first, last = day_of(self.span.start_us), day_of(self.span.end_us - 1)
        days = [last - timedelta(days=number) for number in range((last - first).days + 1)]
        return [Partition(camera, day) for day in days for camera in cameras]

    def has(self, row: Row) -> bool:
        """Whether a row is of it."""
        try:
            site = parse_run(row.run).site
        except BadInput:
            return False
        return site == self.by and self.span.start_us <= row.start_us < self.span.end_us


class Owed:
    """Asks a site, over our index and holds."""

    def __init__(self, recorded: Recorded, index: ReadRows, peer: AskFootage, holds: AskHolds) -> None:
        self._recorded = recorded
        self._index = index
        self._peer = peer
        self._holds = holds

    async def look(self, days: Sequence[Partition]) -> dict[Partition, Lack]:
        """What is lacking of these camera-days, those of which something is. Raises as the other site and the index do."""
        found: dict[Partition, Lack] = {}
        for some in _parts(days, DAYS_AT_ONCE):
            ours = await IndexDigests(self._index).digests(some)
            full = [day for day, digest in zip(some, ours, strict=True) if digest != NOTHING]
            theirs = dict(zip(full, await self._peer.digests(full), strict=True)) if full else {}
            differing = [day for day, digest in zip(some, ours, strict=True) if day in theirs and digest != theirs[day]]
            lacks = await some_at_once(self._of_day, differing, LISTED_AT_ONCE)
            found |= {day: lack for day, lack in zip(differing, lacks, strict=True) if lack.segments}
        return found

    async def _of_day(self, day: Partition) -> Lack:
        rows = [row for row in await _rows_of(self._index, *day) if self._recorded.has(row)]
        missing: list[Row] = []
        for some in _parts(rows, MOST_DAYS):
            said = await self._peer.has(*day, [Named(row.position, row.sha256) for row in some])
            missing += [row for row, has in zip(some, said, strict=True) if has is Has.MISSING]
        held = await self._holds.held(day.camera, missing) if missing else ()
        return Lack(len(missing), sum(row.size for row in missing), len(held))


def total(lacks: Mapping[Partition, Lack]) -> Lack:
    """Of all camera-days."""
    return Lack(*map(sum, zip(Lack(), *lacks.values(), strict=True)))


def _parts(things: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    return (things[start : start + most] for start in range(0, len(things), most))


async def _rows_of(index: ReadRows, camera: str, day: date) -> list[Row]:
    after: RowPosition | None = RowPosition(-1, "", -1)
    rows: list[Row] = []
    while after is not None:
        page = await index.rows(camera, day, after=after)
        rows += page.items
        after = page.next
    return rows
