"""The digests of what is here, straight from the index: one side of every comparing, and what others are told of ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from segments.digest import Digest, Mark, digest_of_marks, digests_of_hours
from segments.model import Partition, RowPosition
from segments.patience import some_at_once
from segments.ports import ReadRows

DAYS_AT_ONCE = 4
"""So many camera-days of a question are read at the same time."""
MARKS_AT_ONCE = 2000


class IndexDigests:
    """See `replication.walk.OwnDigests`."""

    def __init__(self, index: ReadRows) -> None:
        self._index = index

    async def digests(self, days: Sequence[Partition]) -> Sequence[Digest]:
        """See `AskFootage`."""
        return await some_at_once(self._of_day, days, DAYS_AT_ONCE)

    async def hours(self, camera: str, day: date) -> Sequence[Digest]:
        """See `AskFootage`."""
        return digests_of_hours(await marks_of_day(self._index, camera, day))

    async def _of_day(self, day: Partition) -> Digest:
        return digest_of_marks(await marks_of_day(self._index, *day))


async def marks_of_day(index: ReadRows, camera: str, day: date) -> list[Mark]:
    """The marks of all rows of a camera-day."""
    after: RowPosition | None = RowPosition(-1, "", -1)
    found: list[Mark] = []
    while after is not None:
        page = await index.marks(camera, day, after=after, limit=MARKS_AT_ONCE)
        found += page.items
        after = page.next
    return found
