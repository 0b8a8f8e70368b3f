"""Sums of camera-days in a dict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from segments.model import Row, RowPosition
from segments.shards import bucket_of
from segments.usage import DayUsage, UsageSum


class MemoryUsage:
    """See `Usage` in segments/ports.py."""

    _rows: Mapping[tuple[str, date], Mapping[RowPosition, Row]]

    def __init__(self) -> None:
        super().__init__()
        self._usage: dict[tuple[str, date], dict[str, UsageSum]] = {}

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
