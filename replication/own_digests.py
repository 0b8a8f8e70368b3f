"""The digests of what is here, straight from the index: the other side of every comparing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from segments.digest import Digest, digest_of_rows, digests_of_hours
from segments.model import Partition, Row, RowPosition
from segments.patience import some_at_once
from segments.ports import ReadRows

DAYS_AT_ONCE = 4
ROWS_AT_ONCE = 2000


class IndexDigests:
    """See `replication.walk.OwnDigests`."""

    def __init__(self, index: ReadRows) -> None:
        self._index = index

    async def digests(self, days: Sequence[Partition]) -> Sequence[Digest]:
        """See `AskFootage`."""
        return await some_at_once(self._of_day, days, DAYS_AT_ONCE)

    async def hours(self, camera: str, day: date) -> Sequence[Digest]:
        """See `AskFootage`."""
        return digests_of_hours(await self._rows(camera, day))

    async def _of_day(self, day: Partition) -> Digest:
        return digest_of_rows(await self._rows(*day))

    async def _rows(self, camera: str, day: date) -> list[Row]:
        after: RowPosition | None = RowPosition(-1, "", -1)
        found: list[Row] = []
        while after is not None:
            page = await self._index.rows(camera, day, after=after, limit=ROWS_AT_ONCE)
            found += page.items
            after = page.next
        return found
