"""Deletion batches with their rows, the way out for rows, receipts and records in SQLite."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from segments.errors import BadInput, Conflict, DataDamaged, NotFound
from segments.model import Batch, BatchState, Row, RowPosition, Span
from segments.ports import Page
from segments.receipt import Receipt, joined_spans, parse_receipt
from segments.record import Record
from segments.stores.packed_rows import pack_rows, page_of_packed
from segments.stores.partitions import cut_page, page_limit
from segments.stores.sqlite_database import SqliteDatabase

_BATCH = "camera, day, state, decided_us, since_us, listed_us, whole, policy, finding"
_ONE_BATCH = "camera = ? AND day = ? AND decided_us = ?"
_PUT_BATCH_ROWS = "INSERT OR REPLACE INTO batch_rows (camera, day, decided_us, last_us, digest, body) VALUES (?, ?, ?, ?, ?, ?)"
_BATCH_ROWS = f"SELECT digest, body FROM batch_rows WHERE {_ONE_BATCH} AND last_us >= ? ORDER BY rowid"
_RECEIPT = "SELECT chain, number, text FROM receipt"


class SqliteRetention:
    """See `Batches`, `BatchRows`, `Unpublish`, `WriteReceipts`, `ReadReceipts` and `Records` in segments/ports.py."""

    _database: SqliteDatabase

    # --- batches

    async def batch(self, camera: str, day: date) -> Batch | None:
        """See `Batches`."""
        return await self._database.read(lambda db: _find_batch(db, camera, day))

    async def put_batch(self, batch: Batch, *, expect: BatchState | None) -> None:
        """See `Batches`."""
        await self._database.write(lambda db: _put_batch(db, batch, expect))

    async def forget_batch(self, camera: str, day: date, *, expect: BatchState) -> None:
        """See `Batches`."""
        await self._database.write(lambda db: _forget_batch(db, camera, day, expect))

    async def put_batch_rows(self, batch: Batch, rows: Sequence[Row]) -> None:
        """See `BatchRows`; all of them or none. Raises BadInput for rows of another camera-day."""
        groups = [(*_key(batch), *packed) for packed in pack_rows(batch, rows)]
        await self._database.write(lambda db: db.executemany(_PUT_BATCH_ROWS, groups))

    async def batch_rows(self, batch: Batch, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Row, RowPosition]:
        """See `BatchRows`."""
        parameters = (*_key(batch), after.start_us if after else -1)
        return await self._database.read(lambda db: page_of_packed(batch, db.execute(_BATCH_ROWS, parameters), after, limit))

    async def remove_batch_rows(self, batch: Batch) -> None:
        """See `BatchRows`."""
        await self._database.write(lambda db: db.execute(f"DELETE FROM batch_rows WHERE {_ONE_BATCH}", _key(batch)))

    async def unpublish(self, batch: Batch, positions: Sequence[RowPosition] | None) -> None:
        """See `Unpublish`: commits stay away while there is a batch, so what is there while it is LISTED was there when it was listed."""
        await self._database.write(lambda db: _unpublish(db, batch, positions))

    # --- receipts

    async def put_receipt(self, receipt: Receipt) -> None:
        """See `WriteReceipts`."""
        await self._database.write(lambda db: _put_receipt(db, receipt))

    async def last_receipt(self, chain: str) -> Receipt | None:
        """See `WriteReceipts`."""
        found = await self._receipts(f"{_RECEIPT} WHERE chain = ? ORDER BY number DESC LIMIT 1", chain)
        return found[0] if found else None

    async def receipts(self, camera: str, month: date) -> Sequence[Receipt]:
        """See `ReadReceipts`."""
        return await self._receipts(f"{_RECEIPT} WHERE camera = ? AND month = ? ORDER BY day, chain, number", camera, month.isoformat())

    async def receipt_chain(self, chain: str, *, after: int = 0, limit: int = 100) -> Page[Receipt, int]:
        """See `ReadReceipts`."""
        query = f"{_RECEIPT} WHERE chain = ? AND number > ? ORDER BY number LIMIT ?"
        found = await self._receipts(query, chain, after, page_limit(limit) + 1)
        return cut_page(found, limit, lambda receipt: receipt.number)

    async def receipt_chains(self) -> Sequence[str]:
        """See `ReadReceipts`."""
        return await self._database.read(lambda db: list(_chains(db)))

    async def deleted(self, camera: str, month: date) -> Sequence[Span]:
        """See `ReadReceipts`."""
        query, parameters = "SELECT spans FROM receipt WHERE camera = ? AND month = ?", (camera, month.isoformat())
        found = await self._database.read(lambda db: db.execute(query, parameters).fetchall())
        return joined_spans(Span(*span) for (spans,) in found for span in json.loads(spans))

    async def _receipts(self, query: str, *parameters: object) -> list[Receipt]:
        return await self._database.read(lambda db: [_receipt(*values) for values in db.execute(query, parameters)])

    # --- records

    async def put_record(self, record: Record) -> None:
        """See `Records`."""
        await self._database.write(lambda db: _put_record(db, record))

    async def remove_record(self, record: Record) -> None:
        """See `Records`."""
        await self._database.write(lambda db: _remove_record(db, record))

    async def record(self, kind: str, record_id: str) -> Record:
        """See `Records`."""
        found = await self._database.read(lambda db: _find_record(db, kind, record_id))
        if found is None:
            raise NotFound(f"there is no {kind} {record_id}")
        return found

    async def records(self, kind: str) -> Sequence[Record]:
        """See `Records`."""
        query = "SELECT kind, id, revision, text FROM record WHERE kind = ? ORDER BY id"
        return await self._database.read(lambda db: [Record(*values) for values in db.execute(query, (kind,))])


def _key(batch: Batch) -> tuple[str, str, int]:
    return batch.camera, batch.day.isoformat(), batch.decided_us


def _find_batch(db: sqlite3.Connection, camera: str, day: date) -> Batch | None:
    values = db.execute(f"SELECT {_BATCH} FROM batch WHERE camera = ? AND day = ?", (camera, day.isoformat())).fetchone()
    return _batch(values) if values else None


def _batch(values: Sequence[Any]) -> Batch:
    camera, day, state, decided_us, since_us, listed_us, whole, policy, finding = values
    return Batch(camera, date.fromisoformat(day), BatchState(state), decided_us, since_us, listed_us, bool(whole), policy, finding)


def _expect(db: sqlite3.Connection, camera: str, day: date, expect: BatchState | None) -> None:
    present = _find_batch(db, camera, day)
    state = present.state if present else None
    if state != expect:
        raise Conflict(f"the batch of {camera} {day} is {state}, not {expect}")


def _put_batch(db: sqlite3.Connection, batch: Batch, expect: BatchState | None) -> None:
    _expect(db, batch.camera, batch.day, expect)
    place = (batch.camera, batch.day.isoformat(), batch.state, batch.decided_us)
    values = (*place, batch.since_us, batch.listed_us, batch.whole, batch.policy, batch.finding)
    db.execute(f"INSERT OR REPLACE INTO batch ({_BATCH}) VALUES ({'?, ' * 8}?)", values)


def _forget_batch(db: sqlite3.Connection, camera: str, day: date, expect: BatchState) -> None:
    _expect(db, camera, day, expect)
    db.execute("DELETE FROM batch WHERE camera = ? AND day = ?", (camera, day.isoformat()))


def _unpublish(db: sqlite3.Connection, batch: Batch, positions: Sequence[RowPosition] | None) -> None:
    present = _find_batch(db, batch.camera, batch.day)
    if present is None or (present.state, present.decided_us) != (BatchState.LISTED, batch.decided_us):
        return
    partition, day = "DELETE FROM segment_row WHERE camera = ? AND day = ?", (batch.camera, batch.day.isoformat())
    if positions is None:
        db.execute(partition, day)
    else:
        db.executemany(f"{partition} AND start_us = ? AND run = ? AND counter = ?", [(*day, *position) for position in positions])


def _put_receipt(db: sqlite3.Connection, receipt: Receipt) -> None:
    present = db.execute(f"{_RECEIPT} WHERE chain = ? AND number = ?", (receipt.chain, receipt.number)).fetchone()
    if present is None:
        place = (receipt.chain, receipt.number, receipt.camera, receipt.day.replace(day=1).isoformat(), receipt.day.isoformat())
        values = (*place, json.dumps(receipt.spans), zlib.compress(receipt.text.encode()))
        db.execute("INSERT INTO receipt (chain, number, camera, month, day, spans, text) VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    elif _receipt(*present) != receipt:
        raise Conflict(f"chain {receipt.chain} has another receipt {receipt.number}")


def _receipt(chain: str, number: int, compressed: bytes) -> Receipt:
    try:
        return parse_receipt(zlib.decompress(compressed).decode())
    except (zlib.error, ValueError, BadInput) as error:
        raise DataDamaged(f"receipt {number} of chain {chain} in the index is not as it was written: {error}") from None


def _chains(db: sqlite3.Connection) -> Iterator[str]:
    """Chain by chain, each found by the name of the one before it: no receipt of a chain is passed but its first."""
    query, behind = "SELECT chain FROM receipt WHERE chain > ? ORDER BY chain LIMIT 1", ("",)
    while values := db.execute(query, behind).fetchone():
        behind = values
        yield values[0]


def _find_record(db: sqlite3.Connection, kind: str, record_id: str) -> Record | None:
    values = db.execute("SELECT kind, id, revision, text FROM record WHERE kind = ? AND id = ?", (kind, record_id)).fetchone()
    return Record(*values) if values else None


def _put_record(db: sqlite3.Connection, record: Record) -> None:
    present = _find_record(db, record.kind, record.id)
    if present == record:
        return
    revision = present.revision if present else 0
    if record.revision != revision + 1:
        raise Conflict(f"{record.kind} {record.id} is at revision {revision} now; read it again")
    db.execute("INSERT OR REPLACE INTO record (kind, id, revision, text) VALUES (?, ?, ?, ?)", record)


def _remove_record(db: sqlite3.Connection, record: Record) -> None:
    present = _find_record(db, record.kind, record.id)
    if present is not None and present.revision != record.revision:
        raise Conflict(f"{record.kind} {record.id} is at revision {present.revision} now; read it again")
    db.execute("DELETE FROM record WHERE kind = ? AND id = ?", (record.kind, record.id))
