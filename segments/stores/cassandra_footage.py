"""Rows, state changes, deletion batches and the listing of partitions in Cassandra; runs are in cassandra_runs.py.

Rows and states are plain writes with the writer's time: of two writes of one key the newest counts, as far as clocks agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from uuid import uuid4

from segments.clock import day_of
from segments.digest import Mark
from segments.errors import Conflict, NotFound, Unknown
from segments.model import Batch, BatchState, CameraState, Cause, Footage, Partition, PartitionKind, Row, RowPosition, StateChange
from segments.patience import some_at_once
from segments.ports import Page
from segments.row_codec import decode_fragments, encode_fragments
from segments.stores.cassandra_session import CassandraSession, Found, Values
from segments.stores.partitions import cut_page, footage_page, month_of, one_day, page_limit, parse_partition, partition_cursor

BATCH_ROWS = 40
"""Rows of one camera-day that travel together; more bring nothing (measured), and a server works on them as one."""
BATCH_BYTES = 64 << 10
BATCHES_AT_ONCE = 8

ROW_COLUMNS = (
    "camera, start_us, run, counter, end_us, size_bytes, pool, object_key, object_version, sha256, codecs, fragments, clock_synced"
)
"""Of a row without its day; `row_of` reads them."""
PUT_ROW = f"INSERT INTO segment_row ({ROW_COLUMNS}, day) VALUES ({'?, ' * 13}?)"
"""Writes a row; its values are those of `row_values`."""
_ROWS = f"SELECT {ROW_COLUMNS} FROM segment_row WHERE camera = ? AND day = ? AND (start_us, run, counter) > (?, ?, ?) LIMIT ?"
_FOOTAGE = (
    "SELECT start_us, run, counter, end_us, codecs FROM segment_row "
    "WHERE camera = ? AND day = ? AND (start_us, run, counter) > (?, ?, ?) LIMIT ?"
)
_MARKS = (
    "SELECT camera, start_us, run, counter, end_us, size_bytes, sha256, pool FROM segment_row "
    "WHERE camera = ? AND day = ? AND (start_us, run, counter) > (?, ?, ?) LIMIT ?"
)
_ONE_ROW = f"SELECT {ROW_COLUMNS} FROM segment_row WHERE camera = ? AND day = ? AND start_us = ? AND run = ? AND counter = ?"
_ROW_BYTES, _FRAGMENT_BYTES = 500, 9
"""Of a row without its fragments, and of each of them, about."""

_STATE = "camera, at_us, state, cause, detail"
_PUT_STATE = f"INSERT INTO state_change ({_STATE}, month) VALUES (?, ?, ?, ?, ?, ?)"
_PUT_STATE_MONTH = "INSERT INTO state_month (camera, month) VALUES (?, ?)"
_STATES = f"SELECT {_STATE} FROM state_change WHERE camera = ? AND month = ? AND at_us > ? LIMIT ?"
_STATE_BEFORE = f"SELECT {_STATE} FROM state_change WHERE camera = ? AND month = ? AND at_us <= ? ORDER BY at_us DESC LIMIT 1"
_MONTHS_BEFORE = "SELECT month FROM state_month WHERE camera = ? AND month < ?"

_BATCH_COLUMNS = "state, decided_us, since_us, listed_us, whole, policy, finding, writer"
_BATCH = f"SELECT {_BATCH_COLUMNS} FROM deletion_batch WHERE camera = ? AND day = ?"
_FIRST_BATCH = f"INSERT INTO deletion_batch ({_BATCH_COLUMNS}, camera, day) VALUES ({'?, ' * 9}?) IF NOT EXISTS"
_NEXT_BATCH = f"UPDATE deletion_batch SET {_BATCH_COLUMNS.replace(',', ' = ?,')} = ? WHERE camera = ? AND day = ? IF state = ?"
_FORGET_BATCH = "DELETE FROM deletion_batch WHERE camera = ? AND day = ? IF state = ?"

_PARTITIONS = {
    kind: (
        f"SELECT DISTINCT camera, {unit} FROM {table} LIMIT ?",
        f"SELECT DISTINCT camera, {unit} FROM {table} WHERE token(camera, {unit}) > token(?, ?) LIMIT ?",
    )
    for kind, table, unit in (
        (PartitionKind.ROWS, "segment_row", "day"),
        (PartitionKind.RUNS, "run_in_month", "month"),
        (PartitionKind.STATES, "state_change", "month"),
        (PartitionKind.BATCHES, "deletion_batch", "day"),
    )
}


class CassandraFootage:
    """See `WriteRows`, `ReadRows`, `States`, `Batches` and `Partitions` in segments/ports.py."""

    _session: CassandraSession

    # --- rows

    async def publish(self, row: Row) -> None:
        """See `WriteRows`."""
        await self._session.write(PUT_ROW, row_values(row))

    async def publish_many(self, rows: Sequence[Row]) -> None:
        """See `WriteRows`; raises BadInput for rows of several camera-days. After an error some may be written."""
        one_day(rows)
        await some_at_once(self._session.write_together, _row_groups(rows), BATCHES_AT_ONCE)

    async def rows(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Row, RowPosition]:
        """See `ReadRows`."""
        first = after or RowPosition(-1, "", -1)
        found = await self._session.read(_ROWS, (camera, day, *first, page_limit(limit) + 1))
        return cut_page([row_of(values) for values in found], limit, lambda row: row.position)

    async def row(self, camera: str, position: RowPosition) -> Row:
        """See `ReadRows`."""
        found = await self._session.read(_ONE_ROW, (camera, day_of(position.start_us), *position))
        if not found:
            raise NotFound(f"camera {camera} has no row at {position}")
        return row_of(found[0])

    async def footage(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Footage, RowPosition]:
        """See `ReadRows`."""
        first = after or RowPosition(-1, "", -1)
        return footage_page(await self._session.read(_FOOTAGE, (camera, day, *first, page_limit(limit) + 1)), limit)

    async def marks(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Mark, RowPosition]:
        """See `ReadRows`."""
        first = after or RowPosition(-1, "", -1)
        found = await self._session.read(_MARKS, (camera, day, *first, page_limit(limit) + 1))
        return cut_page([Mark(*(*fields, sha256.hex(), pool)) for *fields, sha256, pool in found], limit, lambda mark: mark.position)

    # --- states

    async def put_state(self, change: StateChange) -> None:
        """See `States`; the month is listed first, so that no change in it is passed over."""
        month = month_of(change.at_us)
        await self._session.write(_PUT_STATE_MONTH, (change.camera, month))
        values = (change.camera, change.at_us, change.state, change.cause or "", change.detail, month)
        await self._session.write(_PUT_STATE, values)

    async def states(self, camera: str, month: date, *, after_us: int = -1, limit: int = 1000) -> Page[StateChange, int]:
        """See `States`."""
        found = await self._session.read(_STATES, (camera, month, after_us, page_limit(limit) + 1))
        return cut_page([_change(values) for values in found], limit, lambda change: change.at_us)

    async def state_before(self, camera: str, at_us: int) -> StateChange | None:
        """See `States`; looks into the month itself, then into those listed before it, the last first."""
        month = month_of(at_us)
        found = await self._session.read(_STATE_BEFORE, (camera, month, at_us))
        if found:
            return _change(found[0])
        for (earlier,) in await self._session.read(_MONTHS_BEFORE, (camera, month)):
            found = await self._session.read(_STATE_BEFORE, (camera, earlier.date(), at_us))
            if found:
                return _change(found[0])
        return None

    # --- batches

    async def batch(self, camera: str, day: date) -> Batch | None:
        """See `Batches`."""
        found = await self._session.read_serial(_BATCH, (camera, day))
        return _batch(camera, day, found[0]) if found else None

    async def put_batch(self, batch: Batch, *, expect: BatchState | None) -> None:
        """See `Batches`. Unknown only where it cannot be told whether it was written or not."""
        writer = uuid4()
        moments = (batch.decided_us, batch.since_us, batch.listed_us)
        values = (batch.state, *moments, batch.whole, batch.policy, batch.finding, writer, batch.camera, batch.day)
        cql = _FIRST_BATCH if expect is None else _NEXT_BATCH
        try:
            if await self._session.compare_and_set(cql, values if expect is None else (*values, expect)):
                return
        except Unknown:
            found = await self._session.read_serial(_BATCH, (batch.camera, batch.day))
            if found and found[0][-1] == writer:
                return
            if (found[0][0] if found else None) == expect:
                raise
        raise Conflict(await self._unexpected(batch.camera, batch.day, expect))

    async def forget_batch(self, camera: str, day: date, *, expect: BatchState) -> None:
        """See `Batches`."""
        if not await self._session.compare_and_set(_FORGET_BATCH, (camera, day, expect)):
            raise Conflict(await self._unexpected(camera, day, expect))

    async def _unexpected(self, camera: str, day: date, expect: BatchState | None) -> str:
        present = await self.batch(camera, day)
        return f"the batch of {camera} {day} is {present.state if present else None}, not {expect}"

    # --- partitions

    async def partitions(self, kind: PartitionKind, *, after: str = "", limit: int = 1000) -> Page[Partition, str]:
        """See `Partitions`; in the order of the ring."""
        behind, size = parse_partition(after), page_limit(limit) + 1
        first_page, next_page = _PARTITIONS[kind]
        found = await (self._session.scan(next_page, (*behind, size)) if after else self._session.scan(first_page, (size,)))
        return cut_page([Partition(camera, unit.date()) for camera, unit in found], limit, partition_cursor)


def _row_groups(rows: Sequence[Row]) -> Iterator[list[tuple[str, Values]]]:
    """The writes of rows in groups of bounded number and size."""
    group: list[tuple[str, Values]] = []
    size_bytes = 0
    for row in rows:
        group.append((PUT_ROW, row_values(row)))
        size_bytes += _ROW_BYTES + _FRAGMENT_BYTES * len(row.fragments)
        if len(group) == BATCH_ROWS or size_bytes >= BATCH_BYTES:
            yield group
            group, size_bytes = [], 0
    if group:
        yield group


def row_values(row: Row) -> tuple[object, ...]:
    """The columns of a row, in the order of `PUT_ROW`."""
    place = (row.camera, row.start_us, row.run, row.counter, row.end_us)
    stored = (row.size, row.pool, row.key, row.version, bytes.fromhex(row.sha256))
    return (*place, *stored, row.codecs, encode_fragments(row.fragments), row.clock_synced, row.day)


def row_of(values: Found) -> Row:
    """The row with these `ROW_COLUMNS`."""
    *fields, sha256, codecs, fragments, clock_synced = values
    return Row(*(*fields, sha256.hex(), codecs, decode_fragments(fragments), clock_synced))


def _batch(camera: str, day: date, values: Found) -> Batch:
    """A batch of before there were more columns has only the first two."""
    state, decided_us, since_us, listed_us, whole, policy, finding, _ = values
    return Batch(camera, day, BatchState(state), decided_us, since_us or 0, listed_us or 0, bool(whole), policy or 0, finding or "")


def _change(values: Sequence[Any]) -> StateChange:
    camera, at_us, state, cause, detail = values
    return StateChange(camera, at_us, CameraState(state), Cause(cause) if cause else None, detail)
