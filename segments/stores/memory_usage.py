"""Sums of camera-days, and the history of usage, in dicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from segments.errors import Conflict
from segments.model import Row, RowPosition
from segments.shards import bucket_of
from segments.usage import DayUsage, PackedHistory, UsageSum


class MemoryUsage:
    """See `Usage` and `UsageHistory` in segments/ports.py."""

    _rows: Mapping[tuple[str, date], Mapping[RowPosition, Row]]

    def __init__(self) -> None:
        super().__init__()
        self._usage: dict[tuple[str, date], dict[str, UsageSum]] = {}
        self._usage_history: dict[tuple[date, int], PackedHistory] = {}

    async def row_sums(self, camera: str, day: date) -> Mapping[str, UsageSum]:
        """See `Usage`."""
        sums: dict[str, UsageSum] = defaultdict(lambda: UsageSum(0, 0))
        for row in self._rows.get((camera, day), {}).values():
            sums[row.pool] = UsageSum(sums[row.pool].segments + 1, sums[row.pool].stored_bytes + row.size)
        return dict(sums)

    async def put_usage(self, camera: str, day: date, sums: Mapping[str, UsageSum]) -> None:
        """See `Usage`."""
        self._usage[camera, day] = dict(sums)

    async def usage(self, month: date, bucket: int) -> Sequence[DayUsage]:
        """See `Usage`."""
        there = sorted((camera, day, pool, found) for (camera, day), sums in self._usage.items() for pool, found in sums.items())
        return [DayUsage(*each) for each in there if each[1].replace(day=1) == month and bucket_of(each[0]) == bucket]

    async def usage_months(self) -> Sequence[date]:
        """See `Usage`."""
        return sorted({day.replace(day=1) for (_, day), sums in self._usage.items() if sums})

    async def usage_history(self, month: date, bucket: int) -> PackedHistory:
        """See `UsageHistory`."""
        return self._usage_history.get((month, bucket), PackedHistory(month, bucket))

    async def put_usage_history(self, history: PackedHistory) -> None:
        """See `UsageHistory`."""
        present = await self.usage_history(history.month, history.bucket)
        if present == history:
            return
        if history.revision != present.revision + 1:
            raise Conflict(
                f"the usage of {history.month:%Y-%m} is at revision {present.revision} in bucket {history.bucket}; read it again"
            )
        self._usage_history[history.month, history.bucket] = history

    async def usage_history_months(self) -> Sequence[date]:
        """See `UsageHistory`."""
        return sorted({month for month, _ in self._usage_history})
