"""Sums of camera-days in Cassandra, a partition a day and bucket of cameras; and the history of usage, a partition a month and bucket."""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from segments.errors import Conflict, Unknown
from segments.shards import bucket_of
from segments.stores.cassandra_session import CassandraSession
from segments.usage import DayUsage, PackedHistory, UsageSum

_ROW_SIZES = "SELECT pool, size_bytes FROM segment_row WHERE camera = ? AND day = ?"
_PUT = "INSERT INTO usage_of_day (day, bucket, camera, sums) VALUES (?, ?, ?, ?)"
_REMOVE = "DELETE FROM usage_of_day WHERE day = ? AND bucket = ? AND camera = ?"
_OF_DAYS = "SELECT camera, day, sums FROM usage_of_day WHERE day IN ? AND bucket = ?"
_PUT_MONTH = "INSERT INTO usage_month (site, month) VALUES (0, ?)"
_MONTHS = "SELECT month FROM usage_month WHERE site = 0"
_HISTORY = "SELECT revision, packed FROM usage_history WHERE month = ? AND bucket = ?"
_FIRST_HISTORY = "INSERT INTO usage_history (revision, packed, month, bucket) VALUES (?, ?, ?, ?) IF NOT EXISTS"
_NEXT_HISTORY = "UPDATE usage_history SET revision = ?, packed = ? WHERE month = ? AND bucket = ? IF revision = ?"
_PUT_HISTORY_MONTH = "INSERT INTO usage_history_month (site, month) VALUES (0, ?)"
_HISTORY_MONTHS = "SELECT month FROM usage_history_month WHERE site = 0"


class CassandraUsage:
    """See `Usage` and `UsageHistory` in segments/ports.py."""

    _session: CassandraSession

    async def row_sums(self, camera: str, day: date) -> Mapping[str, UsageSum]:
        """See `Usage`."""
        counts: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for pool, size_bytes in await self._session.read(_ROW_SIZES, (camera, day)):
            counts[pool] += 1
            sizes[pool] += size_bytes
        return {pool: UsageSum(count, sizes[pool]) for pool, count in counts.items()}

    async def put_usage(self, camera: str, day: date, sums: Mapping[str, UsageSum]) -> None:
        """See `Usage`."""
        if not sums:
            await self._session.write(_REMOVE, (day, bucket_of(camera), camera))
            return
        await self._session.write(_PUT_MONTH, (day.replace(day=1),))
        await self._session.write(_PUT, (day, bucket_of(camera), camera, {pool: tuple(each) for pool, each in sums.items()}))

    async def usage(self, month: date, bucket: int) -> Sequence[DayUsage]:
        """See `Usage`."""
        days = [month.replace(day=number + 1) for number in range(monthrange(month.year, month.month)[1])]
        found = await self._session.read(_OF_DAYS, (days, bucket))
        return sorted(DayUsage(camera, day.date(), pool, UsageSum(*each)) for camera, day, sums in found for pool, each in sums.items())

    async def usage_months(self) -> Sequence[date]:
        """See `Usage`."""
        return [month.date() for (month,) in await self._session.read(_MONTHS)]

    async def usage_history(self, month: date, bucket: int) -> PackedHistory:
        """See `UsageHistory`."""
        found = await self._session.read_serial(_HISTORY, (month, bucket))
        return PackedHistory(month, bucket, *found[0]) if found else PackedHistory(month, bucket)

    async def put_usage_history(self, history: PackedHistory) -> None:
        """See `UsageHistory`. Unknown only where it cannot be told whether it was written or not."""
        lost: Unknown | None = None
        try:
            if await self._follow_history(history):
                return
        except Unknown as error:
            lost = error
        present = await self.usage_history(history.month, history.bucket)
        if present == history:
            return
        if lost is not None and (present.revision == history.revision - 1 or present.revision > history.revision):
            raise lost  # it may come yet, or it was there and is changed by now
        raise Conflict(f"the usage of {history.month:%Y-%m} is at revision {present.revision} in bucket {history.bucket}; read it again")

    async def usage_history_months(self) -> Sequence[date]:
        """See `UsageHistory`."""
        return [month.date() for (month,) in await self._session.read(_HISTORY_MONTHS)]

    async def _follow_history(self, history: PackedHistory) -> bool:
        values = (history.revision, history.packed, history.month, history.bucket)
        if history.revision == 1:
            await self._session.write(_PUT_HISTORY_MONTH, (history.month,))
            return await self._session.compare_and_set(_FIRST_HISTORY, values)
        return await self._session.compare_and_set(_NEXT_HISTORY, (*values, history.revision - 1))
