"""Sums of camera-days, and the history of usage, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import date

from segments.errors import Conflict
from segments.shards import bucket_of
from segments.stores.sqlite_database import SqliteDatabase
from segments.usage import DayUsage, PackedHistory, UsageSum

_KEY = "month = ? AND bucket = ? AND camera = ? AND day = ?"


class SqliteUsage:
    """See `Usage` and `UsageHistory` in segments/ports.py."""

    _database: SqliteDatabase

    async def row_sums(self, camera: str, day: date) -> Mapping[str, UsageSum]:
        """See `Usage`."""
        query = "SELECT pool, count(*), sum(size_bytes) FROM segment_row WHERE camera = ? AND day = ? GROUP BY pool"
        found = await self._database.read(lambda db: db.execute(query, (camera, day.isoformat())).fetchall())
        return {pool: UsageSum(segments, stored_bytes) for pool, segments, stored_bytes in found}

    async def put_usage(self, camera: str, day: date, sums: Mapping[str, UsageSum]) -> None:
        """See `Usage`."""
        key = (day.replace(day=1).isoformat(), bucket_of(camera), camera, day.isoformat())

        def replace(db: sqlite3.Connection) -> None:
            db.execute(f"DELETE FROM usage_sum WHERE {_KEY}", key)
            db.executemany("INSERT INTO usage_sum VALUES (?, ?, ?, ?, ?, ?, ?)", [(*key, pool, *each) for pool, each in sums.items()])

        await self._database.write(replace)

    async def usage(self, month: date, bucket: int) -> Sequence[DayUsage]:
        """See `Usage`."""
        query = "SELECT camera, day, pool, segments, stored_bytes FROM usage_sum WHERE month = ? AND bucket = ? ORDER BY camera, day, pool"
        found = await self._database.read(lambda db: db.execute(query, (month.isoformat(), bucket)).fetchall())
        return [DayUsage(camera, date.fromisoformat(day), pool, UsageSum(*each)) for camera, day, pool, *each in found]

    async def usage_months(self) -> Sequence[date]:
        """See `Usage`."""
        query = "SELECT DISTINCT month FROM usage_sum ORDER BY month"
        return [date.fromisoformat(month) for (month,) in await self._database.read(lambda db: db.execute(query).fetchall())]

    async def usage_history(self, month: date, bucket: int) -> PackedHistory:
        """See `UsageHistory`."""
        return await self._database.read(lambda db: _find_history(db, month, bucket))

    async def put_usage_history(self, history: PackedHistory) -> None:
        """See `UsageHistory`."""
        await self._database.write(lambda db: _put_history(db, history))

    async def usage_history_months(self) -> Sequence[date]:
        """See `UsageHistory`."""
        query = "SELECT DISTINCT month FROM usage_history ORDER BY month"
        return [date.fromisoformat(month) for (month,) in await self._database.read(lambda db: db.execute(query).fetchall())]


def _find_history(db: sqlite3.Connection, month: date, bucket: int) -> PackedHistory:
    query = "SELECT revision, packed FROM usage_history WHERE month = ? AND bucket = ?"
    found = db.execute(query, (month.isoformat(), bucket)).fetchone()
    return PackedHistory(month, bucket, *found) if found else PackedHistory(month, bucket)


def _put_history(db: sqlite3.Connection, history: PackedHistory) -> None:
    present = _find_history(db, history.month, history.bucket)
    if present == history:
        return
    if history.revision != present.revision + 1:
        raise Conflict(f"the usage of {history.month:%Y-%m} is at revision {present.revision} in bucket {history.bucket}; read it again")
    values = (history.month.isoformat(), history.bucket, history.revision, history.packed)
    db.execute("INSERT OR REPLACE INTO usage_history (month, bucket, revision, packed) VALUES (?, ?, ?, ?)", values)
