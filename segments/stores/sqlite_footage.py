"""Rows, runs and states in SQLite: the ports of footage, by camera-day and camera-month."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any

from segments.clock import day_of
from segments.digest import Mark
from segments.errors import NotFound
from segments.model import CameraState, Cause, Footage, Partition, PartitionKind, Row, RowPosition, Run, StateChange
from segments.ports import Page
from segments.row_codec import decode_fragments, encode_fragments
from segments.stores.partitions import (
    cut_page,
    footage_page,
    merge_run,
    month_of,
    months_of_run,
    one_day,
    page_limit,
    parse_partition,
    partition_cursor,
    run_cursor,
)
from segments.stores.sqlite_database import SqliteDatabase

ROW = "camera, start_us, run, counter, end_us, size_bytes, pool, object_key, object_version, sha256, codecs, fragments, clock_synced"
"""The columns of a row, in the order `row_of` takes them."""
_FOOTAGE = (
    "SELECT start_us, run, counter, end_us, codecs FROM segment_row WHERE camera = ? AND day = ? AND (start_us, run, counter) > (?, ?, ?) "
    "ORDER BY start_us, run, counter LIMIT ?"
)
_MARKS = (
    "SELECT camera, start_us, run, counter, end_us, size_bytes, sha256, pool FROM segment_row "
    "WHERE camera = ? AND day = ? AND (start_us, run, counter) > (?, ?, ?) ORDER BY start_us, run, counter LIMIT ?"
)
_RUN = "camera, id, start_us, last_us, init, codecs, width, height, ended, end_cause, notes"
_STATE = "camera, at_us, state, cause, detail"
_PARTITIONS = {
    kind: f"SELECT camera, {unit} FROM {table} WHERE (camera, {unit}) > (?, ?) ORDER BY camera, {unit} LIMIT 1"
    for kind, table, unit in (
        (PartitionKind.ROWS, "segment_row", "day"),
        (PartitionKind.RUNS, "run_in_month", "month"),
        (PartitionKind.STATES, "state_change", "month"),
        (PartitionKind.BATCHES, "batch", "day"),
    )
}


class SqliteFootage:
    """See `WriteRows`, `ReadRows`, `Runs`, `States` and `Partitions` in segments/ports.py."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    # --- rows

    async def publish(self, row: Row) -> None:
        """See `WriteRows`."""
        await self.publish_many((row,))

    async def publish_many(self, rows: Sequence[Row]) -> None:
        """See `WriteRows`; all of them or none. Raises BadInput for rows of several camera-days."""
        one_day(rows)
        values = [row_values(row) for row in rows]
        await self._database.write(
            lambda db: db.executemany(f"INSERT OR REPLACE INTO segment_row ({ROW}, day) VALUES ({'?, ' * 13}?)", values)
        )

    async def rows(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Row, RowPosition]:
        """See `ReadRows`."""
        query = (
            f"SELECT {ROW} FROM segment_row WHERE camera = ? AND day = ? AND (start_us, run, counter) > (?, ?, ?) "
            "ORDER BY start_us, run, counter LIMIT ?"
        )
        first = after or RowPosition(-1, "", -1)
        parameters = (camera, day.isoformat(), *first, page_limit(limit) + 1)
        found = await self._database.read(lambda db: [row_of(values) for values in db.execute(query, parameters)])
        return cut_page(found, limit, lambda row: row.position)

    async def row(self, camera: str, position: RowPosition) -> Row:
        """See `ReadRows`."""
        query = f"SELECT {ROW} FROM segment_row WHERE camera = ? AND day = ? AND start_us = ? AND run = ? AND counter = ?"
        parameters = (camera, day_of(position.start_us).isoformat(), *position)
        values = await self._database.read(lambda db: db.execute(query, parameters).fetchone())
        if values is None:
            raise NotFound(f"camera {camera} has no row at {position}")
        return row_of(values)

    async def footage(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Footage, RowPosition]:
        """See `ReadRows`."""
        first = after or RowPosition(-1, "", -1)
        parameters = (camera, day.isoformat(), *first, page_limit(limit) + 1)
        found = await self._database.read(lambda db: db.execute(_FOOTAGE, parameters).fetchall())
        return footage_page(found, limit)

    async def marks(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Mark, RowPosition]:
        """See `ReadRows`."""
        first = after or RowPosition(-1, "", -1)
        parameters = (camera, day.isoformat(), *first, page_limit(limit) + 1)
        found = await self._database.read(lambda db: [Mark(*values) for values in db.execute(_MARKS, parameters)])
        return cut_page(found, limit, lambda mark: mark.position)

    # --- runs

    async def put_run(self, run: Run) -> None:
        """See `Runs`."""
        await self._database.write(lambda db: _put_run(db, run))

    async def run(self, camera: str, run_id: str) -> Run:
        """See `Runs`."""
        found = await self._database.read(lambda db: _find_run(db, camera, run_id))
        if found is None:
            raise NotFound(f"camera {camera} has no run {run_id}")
        return found

    async def runs(self, camera: str, month: date, *, after: str = "", limit: int = 1000) -> Page[Run, str]:
        """See `Runs`."""
        query = (
            f"SELECT {_RUN} FROM run WHERE (camera, id) IN (SELECT camera, run FROM run_in_month "
            "WHERE camera = ? AND month = ? AND (start_us, run) > (?, ?) ORDER BY start_us, run LIMIT ?) ORDER BY start_us, id"
        )
        start_us, _, run_id = after.partition("/")
        parameters = (camera, month.isoformat(), int(start_us or -1), run_id, page_limit(limit) + 1)
        found = await self._database.read(lambda db: [_run(values) for values in db.execute(query, parameters)])
        return cut_page(found, limit, run_cursor)

    # --- states

    async def put_state(self, change: StateChange) -> None:
        """See `States`."""
        values = (change.camera, change.at_us, change.state, change.cause, change.detail, month_of(change.at_us).isoformat())
        await self._database.write(
            lambda db: db.execute(f"INSERT OR REPLACE INTO state_change ({_STATE}, month) VALUES (?, ?, ?, ?, ?, ?)", values)
        )

    async def states(self, camera: str, month: date, *, after_us: int = -1, limit: int = 1000) -> Page[StateChange, int]:
        """See `States`."""
        query = f"SELECT {_STATE} FROM state_change WHERE camera = ? AND month = ? AND at_us > ? ORDER BY at_us LIMIT ?"
        parameters = (camera, month.isoformat(), after_us, page_limit(limit) + 1)
        found = await self._database.read(lambda db: [_change(values) for values in db.execute(query, parameters)])
        return cut_page(found, limit, lambda change: change.at_us)

    async def state_before(self, camera: str, at_us: int) -> StateChange | None:
        """See `States`."""
        query = f"SELECT {_STATE} FROM state_change WHERE camera = ? AND (month, at_us) <= (?, ?) ORDER BY month DESC, at_us DESC LIMIT 1"
        parameters = (camera, month_of(at_us).isoformat(), at_us)
        values = await self._database.read(lambda db: db.execute(query, parameters).fetchone())
        return _change(values) if values else None

    # --- partitions

    async def partitions(self, kind: PartitionKind, *, after: str = "", limit: int = 1000) -> Page[Partition, str]:
        """See `Partitions`; in order of camera and date."""
        first, size = parse_partition(after), page_limit(limit) + 1
        found = await self._database.read(lambda db: list(islice(_partitions_behind(db, _PARTITIONS[kind], first), size)))
        return cut_page(found, limit, partition_cursor)


def row_values(row: Row) -> tuple[object, ...]:
    """The values of a row's columns, its day behind them."""
    fragments = encode_fragments(row.fragments)
    place = (row.camera, row.start_us, row.run, row.counter, row.end_us)
    stored = (row.size, row.pool, row.key, row.version, row.sha256)
    return (*place, *stored, row.codecs, fragments, row.clock_synced, row.day.isoformat())


def row_of(values: Sequence[Any]) -> Row:
    """The row out of its columns."""
    *fields, fragments, clock_synced = values
    return Row(*(*fields, decode_fragments(fragments), bool(clock_synced)))


def _run(values: Sequence[Any]) -> Run:
    *fields, ended, end_cause, notes = values
    return Run(*(*fields, bool(ended), end_cause, tuple(json.loads(notes))))


def _change(values: Sequence[Any]) -> StateChange:
    camera, at_us, state, cause, detail = values
    return StateChange(camera, at_us, CameraState(state), None if cause is None else Cause(cause), detail)


def _find_run(db: sqlite3.Connection, camera: str, run_id: str) -> Run | None:
    values = db.execute(f"SELECT {_RUN} FROM run WHERE camera = ? AND id = ?", (camera, run_id)).fetchone()
    return _run(values) if values else None


def _put_run(db: sqlite3.Connection, written: Run) -> None:
    run = merge_run(_find_run(db, written.camera, written.id), written)
    place = (run.camera, run.id, run.start_us, run.last_us, run.init, run.codecs, run.width, run.height)
    values = (*place, run.ended, run.end_cause, json.dumps(run.notes, ensure_ascii=False))
    db.execute(f"INSERT OR REPLACE INTO run ({_RUN}) VALUES ({'?, ' * 10}?)", values)
    listed = [(run.camera, month.isoformat(), run.start_us, run.id) for month in months_of_run(run)]
    db.executemany("INSERT OR IGNORE INTO run_in_month (camera, month, start_us, run) VALUES (?, ?, ?, ?)", listed)


def _partitions_behind(db: sqlite3.Connection, query: str, first: Partition) -> Iterator[Partition]:
    """Partition by partition, each found by the key of the one before it: no row of a partition is read but its first."""
    behind = (first.camera, first.date.isoformat())
    while values := db.execute(query, behind).fetchone():
        behind = values
        yield Partition(values[0], date.fromisoformat(values[1]))
