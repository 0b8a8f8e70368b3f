"""The embedded index: footage, archive, duties, retention and register in one SQLite file."""

from __future__ import annotations

from pathlib import Path

from segments.stores.sqlite_archive import SqliteArchive
from segments.stores.sqlite_audit import SqliteAudit
from segments.stores.sqlite_database import SqliteDatabase
from segments.stores.sqlite_duties import SqliteDuties
from segments.stores.sqlite_footage import SqliteFootage
from segments.stores.sqlite_retention import SqliteRetention
from segments.stores.sqlite_usage import SqliteUsage


async def open_sqlite_index(path: Path, *, synced: bool = True) -> SqliteIndex:
    """The index in this file, made if there is none, with its schema brought up to date. Not `synced`: a draft that a power cut may spoil.

    Raises StartRefused for a file that cannot be written, is no index, or is of a newer program; TryAgain if others keep it busy.
    """
    database = SqliteDatabase(path, synced=synced)
    try:
        await database.open()
    except BaseException:
        await database.close()
        raise
    return SqliteIndex(database)


class SqliteIndex(SqliteFootage, SqliteUsage, SqliteRetention, SqliteAudit, SqliteArchive, SqliteDuties):
    """See `segments.ports.Index`. Several processes may have the same file open; use `open_sqlite_index`."""

    async def close(self) -> None:
        """See `Index`."""
        await self._database.close()
