"""The register in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from segments.audit_line import AuditPlace, Line, StoredLine, parse_line
from segments.clock import US_PER_DAY, day_start_us
from segments.errors import BadInput, Conflict, DataDamaged
from segments.ports import Page
from segments.stores.partitions import cut_page, one_chain, page_limit
from segments.stores.sqlite_database import SqliteDatabase

_BEFORE_ALL = AuditPlace(-1, "", 0)
_LINE = "SELECT chain, number, text FROM audit_line"
_BEHIND = "(at_us, chain, number) > (?, ?, ?) ORDER BY at_us, chain, number LIMIT ?"
_OF_TIME = f"{_LINE} WHERE act = 1 AND at_us >= ? AND at_us < ? AND {_BEHIND}"
_OF_CAMERA = f"""SELECT l.chain, l.number, l.text FROM (
    SELECT at_us, chain, number FROM audit_of_camera WHERE camera = ? AND at_us >= ? AND at_us < ? AND {_BEHIND}
) AS c JOIN audit_line AS l ON l.chain = c.chain AND l.number = c.number ORDER BY c.at_us, c.chain, c.number"""


class SqliteAudit:
    """See `WriteAudit` and `ReadAudit` in segments/ports.py."""

    _database: SqliteDatabase

    async def put_audit(self, lines: Sequence[Line]) -> None:
        """See `WriteAudit`; raises BadInput for lines that do not follow each other."""
        one_chain(lines)
        texts = [line.text for line in lines]
        await self._database.write(lambda db: _put(db, lines, texts))

    async def last_audit(self, chain: str) -> Line | None:
        """See `WriteAudit`."""
        found = await self._lines(f"{_LINE} WHERE chain = ? ORDER BY number DESC LIMIT 1", chain)
        return found[0] if found else None

    async def audit_chain(self, chain: str, *, after: int = 0, limit: int = 100) -> Page[StoredLine, int]:
        """See `ReadAudit`."""
        query, values = "SELECT number, text FROM audit_line WHERE chain = ? AND number > ? ORDER BY number LIMIT ?", (chain, after)
        found = await self._database.read(lambda db: db.execute(query, (*values, page_limit(limit) + 1)).fetchall())
        return cut_page([StoredLine(*each) for each in found], limit, lambda line: line.number)

    async def audit_chains(self) -> Sequence[str]:
        """See `ReadAudit`."""
        return await self._database.read(lambda db: list(_chains(db)))

    async def audit_of_day(self, day: date, *, after: AuditPlace | None = None, limit: int = 100) -> Page[Line, AuditPlace]:
        """See `ReadAudit`."""
        start_us = day_start_us(day)
        found = await self._lines(_OF_TIME, start_us, start_us + US_PER_DAY, *(after or _BEFORE_ALL), page_limit(limit) + 1)
        return cut_page(found, limit, lambda line: line.place)

    async def audit_of_camera(
        self, camera: str, month: date, *, after: AuditPlace | None = None, limit: int = 100
    ) -> Page[Line, AuditPlace]:
        """See `ReadAudit`."""
        start_us, end_us = day_start_us(month), day_start_us((month + timedelta(days=31)).replace(day=1))
        found = await self._lines(_OF_CAMERA, camera, start_us, end_us, *(after or _BEFORE_ALL), page_limit(limit) + 1)
        return cut_page(found, limit, lambda line: line.place)

    async def _lines(self, query: str, *parameters: object) -> list[Line]:
        return [_line(*values) for values in await self._database.read(lambda db: db.execute(query, parameters).fetchall())]


def _put(db: sqlite3.Connection, lines: Sequence[Line], texts: Sequence[str]) -> None:
    for line, text in zip(lines, texts, strict=True):
        present = db.execute("SELECT text FROM audit_line WHERE chain = ? AND number = ?", (line.chain, line.number)).fetchone()
        if present is not None and present[0] != text:
            raise Conflict(f"chain {line.chain} has another line {line.number}")
        if present is None:
            values = (line.chain, line.number, line.at_us, int(line.act is not None), text)
            db.execute("INSERT INTO audit_line (chain, number, at_us, act, text) VALUES (?, ?, ?, ?, ?)", values)
            db.executemany("INSERT INTO audit_of_camera VALUES (?, ?, ?, ?)", [(camera, *line.place) for camera in line.cameras])


def _line(chain: str, number: int, text: str) -> Line:
    try:
        line = parse_line(text)
    except BadInput as error:
        raise DataDamaged(f"line {number} of chain {chain} in the index is not as it was written: {error}") from None
    if (line.chain, line.number) != (chain, number):
        raise DataDamaged(f"line {number} of chain {chain} in the index is not as it was written: it says {line.chain} {line.number}")
    return line


def _chains(db: sqlite3.Connection) -> Iterator[str]:
    """Chain by chain, each found by the name of the one before it."""
    query, behind = "SELECT chain FROM audit_line WHERE chain > ? ORDER BY chain LIMIT 1", ("",)
    while values := db.execute(query, behind).fetchone():
        behind = values
        yield values[0]
