"""One SQLite file behind asyncio: a thread of its own, durable transactions, schema steps, and our errors for SQLite's.

Several processes may have the file open. Write-ahead log with a sync at every commit: what a write answered survives a power cut.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import TypeVar

from segments.errors import DataDamaged, KeepsightError, Refused, StartRefused, TryAgain, Unknown
from segments.shards import bucket_of

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

BUSY_TIMEOUT_S = 5.0
"""How long a write waits for those of other processes before it raises TryAgain."""
BUSY_AGAIN_S = 0.1
"""The same for those after it, until one succeeds: behind a file that others keep, writes would else stand in line for minutes."""
QUEUE_LIMIT_S = 4.0
"""A write that could not begin within so long of its call is not done at all: with the wait above it keeps `WRITE_LIMIT_S`."""
LOG_LIMIT_BYTES = 64 << 20
"""The write-ahead log is cut back to this once its content is in the database."""

_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_REFUSED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_CANTOPEN}


class SqliteDatabase:
    """The file and the one thread in which all work on it is done, in the order it was asked for."""

    def __init__(self, path: Path, *, synced: bool = True) -> None:
        self._path = path
        self._synced = synced
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-index")
        self._connection: sqlite3.Connection | None = None
        self._busy_timeout_s = BUSY_TIMEOUT_S

    async def open(self) -> None:
        """Opens or makes the file (mode 0600) and applies missing schema steps; raises StartRefused where it cannot be used."""
        try:
            await self._in_thread(self._open)
        except (DataDamaged, Refused) as error:
            raise StartRefused(f"the index cannot be used: {error}") from None

    async def read(self, work: Work[T]) -> T:
        """What `work` read. Raises TryAgain, Unknown, Refused or DataDamaged, as `write` does."""
        connection = self._opened()
        return await self._in_thread(lambda: work(connection))

    async def write(self, work: Work[T]) -> T:
        """Does `work` in one transaction against all other writers; all of it is durable when this returns, none of it if it raises.

        A busy file, a full disk and want of memory are TryAgain; a failed disk is Unknown; a damaged file is DataDamaged; want of
        rights is Refused.
        """
        connection = self._opened()
        asked_s = time.monotonic()
        return await self._in_thread(lambda: self._write(connection, work, asked_s))

    async def close(self) -> None:
        """Closes the file and ends the thread; fine if done twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._in_thread(connection.close)
        self._thread.shutdown(wait=False)

    def _write(self, connection: sqlite3.Connection, work: Work[T], asked_s: float) -> T:
        waited_s = time.monotonic() - asked_s
        if waited_s > QUEUE_LIMIT_S:
            raise TryAgain(f"{self._path}: the index is busy; a write was not begun within {waited_s:.0f} s and is given up")
        try:
            result = _in_transaction(connection, work)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                self._wait_for_others(connection, BUSY_AGAIN_S)
            raise
        self._wait_for_others(connection, BUSY_TIMEOUT_S)
        return result

    def _wait_for_others(self, connection: sqlite3.Connection, seconds: float) -> None:
        if self._busy_timeout_s != seconds:
            connection.execute(f"PRAGMA busy_timeout = {round(1000 * seconds)}")
            self._busy_timeout_s = seconds

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Refused(f"{self._path}: the index is closed")
        return self._connection

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._with_our_errors, work)

    def _with_our_errors(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.DatabaseError as error:
            raise _ours(error, self._path) from None

    def _open(self) -> None:
        _make_private(self._path)
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={'FULL' if self._synced else 'OFF'}")
            connection.execute(f"PRAGMA journal_size_limit={LOG_LIMIT_BYTES}")
            connection.create_function("bucket_of", 1, bucket_of, deterministic=True)
            _in_transaction(connection, lambda _: _apply_steps(connection, self._path))
        except BaseException:
            connection.close()
            raise
        self._connection = connection


def _make_private(path: Path) -> None:
    """The file, with mode 0600 (SQLite gives its log the same). By name: closing a descriptor of an open database drops its locks."""
    if path.is_dir():
        raise StartRefused(f"the index {path} is a folder; name a file")
    try:
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError as error:
        raise StartRefused(
            f"the index {path} cannot be written: {error.strerror}; give its folder to the service or name another"
        ) from None


def _in_transaction(connection: sqlite3.Connection, work: Work[T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        if isinstance(result, sqlite3.Cursor):
            result.close()  # its end in another thread would reset a statement that is used again here
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _ours(error: sqlite3.DatabaseError, path: Path) -> KeepsightError | sqlite3.DatabaseError:
    """Our error for SQLite's result code (its low byte; the rest says more); a fault of this program stays what it is."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _PASSING:
        return TryAgain(f"{path}: {error}")
    if code == sqlite3.SQLITE_IOERR:
        return Unknown(f"{path}: {error}")
    if code in _DAMAGED:
        return DataDamaged(f"{path}: {error}; move it away and rebuild the index from the pool")
    if code in _REFUSED:
        return Refused(f"{path}: {error}")
    return error


# --- schema steps ------------------------------------------------------------------------------------------------------


def schema_steps() -> list[tuple[int, str]]:
    """The schema steps of this program: number and SQL, in order. A step is a file that is never edited after its release."""
    folder = resources.files("segments.stores") / "sqlite"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [(int(file.name.split("_")[0]), file.read_text(encoding="utf-8")) for file in files]


def _apply_steps(connection: sqlite3.Connection, path: Path) -> None:
    steps = schema_steps()
    connection.execute("CREATE TABLE IF NOT EXISTS schema_step (number INTEGER NOT NULL PRIMARY KEY) STRICT")
    (present,) = connection.execute("SELECT coalesce(max(number), 0) FROM schema_step").fetchone()
    newest = steps[-1][0]
    if present > newest:
        raise StartRefused(
            f"the index {path} is of a newer program (schema {present}; this one knows {newest}): start the newer program again, "
            f"or name another file and rebuild the index from the pool"
        )
    for number, text in steps:
        if number > present:
            for statement in _statements(text):
                connection.execute(statement)
            connection.execute("INSERT INTO schema_step (number) VALUES (?)", (number,))


def _statements(text: str) -> Iterator[str]:
    """The statements of a step one by one (`executescript` would end the transaction first)."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
