"""Rows of batches, the way out for rows, and records in Cassandra; receipts are in cassandra_receipts.py."""

from __future__ import annotations

from collections.abc import Sequence

from segments.errors import Conflict, NotFound, Unknown
from segments.model import Batch, Row, RowPosition
from segments.patience import some_at_once
from segments.ports import Page
from segments.record import Record
from segments.stores.cassandra_footage import BATCHES_AT_ONCE
from segments.stores.cassandra_session import CassandraSession, Values
from segments.stores.packed_rows import pack_rows, page_of_packed

DELETES_TOGETHER = 500
"""Rows of a camera-day that are taken out by one request."""
GROUPS_AT_ONCE = 4
"""Groups of a batch's rows under way at a time, of half a MiB each."""

_PUT_BATCH_ROWS = "INSERT INTO batch_rows (camera, day, decided_us, last_us, digest, body) VALUES (?, ?, ?, ?, ?, ?)"
_BATCH_ROWS = "SELECT writetime(body), digest, body FROM batch_rows WHERE camera = ? AND day = ? AND decided_us = ? AND last_us >= ?"
_REMOVE_BATCH_ROWS = "DELETE FROM batch_rows WHERE camera = ? AND day = ? AND decided_us = ?"

_UNPUBLISH_DAY = "DELETE FROM segment_row USING TIMESTAMP ? WHERE camera = ? AND day = ?"
_UNPUBLISH_ROW = f"{_UNPUBLISH_DAY} AND start_us = ? AND run = ? AND counter = ?"

_FIRST_RECORD = "INSERT INTO record (document, revision, kind, id) VALUES (?, ?, ?, ?) IF NOT EXISTS"
_NEXT_RECORD = "UPDATE record SET document = ?, revision = ? WHERE kind = ? AND id = ? IF revision = ?"
_REMOVE_RECORD = "DELETE FROM record WHERE kind = ? AND id = ? IF revision = ?"
_RECORD = "SELECT kind, id, revision, document FROM record WHERE kind = ? AND id = ?"
_RECORDS = "SELECT kind, id, revision, document FROM record WHERE kind = ?"


class CassandraRetention:
    """See `BatchRows`, `Unpublish` and `Records` in segments/ports.py."""

    _session: CassandraSession

    # --- batches

    async def put_batch_rows(self, batch: Batch, rows: Sequence[Row]) -> None:
        """See `BatchRows`; raises BadInput for rows of another camera-day. After an error some may be written."""
        key = _key(batch)
        await some_at_once(lambda packed: self._session.write(_PUT_BATCH_ROWS, (*key, *packed)), pack_rows(batch, rows), GROUPS_AT_ONCE)

    async def batch_rows(self, batch: Batch, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Row, RowPosition]:
        """See `BatchRows`."""
        found = await self._session.read(_BATCH_ROWS, (*_key(batch), after.start_us if after else -1))
        return page_of_packed(batch, [(digest, body) for _, digest, body in sorted(found)], after, limit)

    async def remove_batch_rows(self, batch: Batch) -> None:
        """See `BatchRows`."""
        await self._session.write(_REMOVE_BATCH_ROWS, _key(batch))

    async def unpublish(self, batch: Batch, positions: Sequence[RowPosition] | None) -> None:
        """See `Unpublish`. The deletions carry the time of the listing, so nothing published later is meant by them."""
        day = (batch.listed_us, batch.camera, batch.day)
        if positions is None:
            await self._session.write(_UNPUBLISH_DAY, day)
            return
        deletes: list[tuple[str, Values]] = [(_UNPUBLISH_ROW, (*day, *position)) for position in positions]
        groups = (deletes[first : first + DELETES_TOGETHER] for first in range(0, len(deletes), DELETES_TOGETHER))
        await some_at_once(self._session.write_together, groups, BATCHES_AT_ONCE)

    # --- records

    async def put_record(self, record: Record) -> None:
        """See `Records`. Unknown only where it cannot be told whether it was written or not."""
        lost: Unknown | None = None
        try:
            if await self._follow(record):
                return
        except Unknown as error:
            lost = error
        present = await self._present(record)
        if present == record:
            return
        revision = present.revision if present else 0
        if lost is not None and (revision == record.revision - 1 or revision > record.revision):
            raise lost  # it may come yet, or it was there and is changed by now
        raise Conflict(f"{record.kind} {record.id} is at revision {revision} now; read it again")

    async def remove_record(self, record: Record) -> None:
        """See `Records`."""
        if await self._session.compare_and_set(_REMOVE_RECORD, (record.kind, record.id, record.revision)):
            return
        present = await self._present(record)
        if present is not None:
            raise Conflict(f"{record.kind} {record.id} is at revision {present.revision} now; read it again")

    async def record(self, kind: str, record_id: str) -> Record:
        """See `Records`."""
        found = await self._session.read_serial(_RECORD, (kind, record_id))
        if not found:
            raise NotFound(f"there is no {kind} {record_id}")
        return Record(*found[0])

    async def records(self, kind: str) -> Sequence[Record]:
        """See `Records`."""
        return [Record(*values) for values in await self._session.read_serial(_RECORDS, (kind,))]

    async def _follow(self, record: Record) -> bool:
        values = (record.text, record.revision, record.kind, record.id)
        if record.revision == 1:
            return await self._session.compare_and_set(_FIRST_RECORD, values)
        return await self._session.compare_and_set(_NEXT_RECORD, (*values, record.revision - 1))

    async def _present(self, record: Record) -> Record | None:
        found = await self._session.read_serial(_RECORD, (record.kind, record.id))
        return Record(*found[0]) if found else None


def _key(batch: Batch) -> Values:
    return (batch.camera, batch.day, batch.decided_us)
