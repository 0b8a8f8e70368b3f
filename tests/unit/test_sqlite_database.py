"""The file of the embedded index: private, durable, of a known schema, shared by processes, and its faults in our words."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from segments.clock import day_of
from segments.duty import Duty
from segments.errors import DataDamaged, Refused, StartRefused, TryAgain
from segments.model import Batch, BatchState, Camera
from segments.ports import CameraFilter
from segments.shards import bucket_of
from segments.stores import sqlite_database
from segments.stores.sqlite_database import schema_steps
from segments.stores.sqlite_index import SqliteIndex, open_sqlite_index
from tests.builders import NOON_US, a_batch, a_camera, a_change, a_row, a_run, some_rows
from tests.retention_builders import a_receipt, a_record

DAY = day_of(NOON_US)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the index lies."""
    return tmp_path / "index.db"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_file_and_its_logs_are_private(path: Path) -> None:
    """Nobody else may read the database or its log, and a file left readable is closed at the next start."""
    index = await open_sqlite_index(path)
    await index.publish(a_row())
    assert {name.name: _mode(name) for name in path.parent.iterdir()} == {"index.db": 0o600, "index.db-wal": 0o600, "index.db-shm": 0o600}
    await index.close()
    path.chmod(0o644)
    await (await open_sqlite_index(path)).close()
    assert _mode(path) == 0o600


async def test_every_commit_is_synced(path: Path) -> None:
    """The write-ahead log is on and synced at each commit (2 is FULL)."""
    index = await open_sqlite_index(path)
    found = await index._database.read(lambda db: [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")])
    await index.close()
    assert found == ["wal", 2]


async def test_what_was_written_is_there_after_a_new_start(path: Path) -> None:
    """Closing and opening again keeps everything; so does opening a second time without a change of schema."""
    index = await open_sqlite_index(path)
    await index.publish(a_row())
    await index.close()
    again = await open_sqlite_index(path)
    assert (await again.rows("gate", DAY)).items == [a_row()]
    await again.close()
    steps = sqlite3.connect(path).execute("SELECT number FROM schema_step").fetchall()
    assert steps == [(number,) for number, _ in schema_steps()]


async def test_a_schema_from_the_future_is_refused(path: Path) -> None:
    """An index of a newer program is not touched: the start is refused with what to do."""
    await (await open_sqlite_index(path)).close()
    with sqlite3.connect(path) as newer:
        newer.execute("INSERT INTO schema_step VALUES (999)")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(StartRefused, match=r"newer program \(schema 999; this one knows \d+\): start the newer program"):
        await open_sqlite_index(path)
    assert path.read_bytes() == before


async def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    """A file of something else, a folder, and a folder that is not there stop the start with the path in the sentence."""
    text = tmp_path / "notes.txt"
    text.write_text("this is not a database, and it is long enough to be told from an empty one" * 20)
    for path in (text, tmp_path, tmp_path / "missing" / "index.db"):
        with pytest.raises(StartRefused, match=str(path)):
            await open_sqlite_index(path)
    assert text.read_text().startswith("this is not")


async def test_a_step_that_fails_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema step is taken whole or not at all."""
    broken = [*schema_steps(), (998, "CREATE TABLE half (a INTEGER);\nCREATE TABLE half (b INTEGER);\n")]
    monkeypatch.setattr(sqlite_database, "schema_steps", lambda: broken)
    with pytest.raises(sqlite3.OperationalError):
        await open_sqlite_index(path)
    monkeypatch.undo()
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    db.close()


async def test_an_index_of_the_first_schema_is_brought_up(path: Path) -> None:
    """Its cameras and credentials lie in their buckets with a stamp, epochs go on, and its leases of shards are over."""
    with closing(sqlite3.connect(path)) as old:
        old.executescript(schema_steps()[0][1])
        old.executescript("CREATE TABLE schema_step (number INTEGER NOT NULL PRIMARY KEY) STRICT; INSERT INTO schema_step VALUES (1)")
        named = "id, name, url, camera_class, area, owner, tier, tags, enabled, sound, transport, trust_clock, pool, added_us"
        camera = "'gate', 'Gate', 'rtsp://h/', 1, '', '', '', '[]', 1, 'aac', 'auto', 0, 'main', 5"
        old.execute(f"INSERT INTO camera ({named}) VALUES ({camera})")
        old.execute("INSERT INTO credential VALUES ('yard', x'00')")
        old.execute("INSERT INTO lease VALUES (0, 'recorder-1', 41, 1, 0)")
        old.execute("UPDATE epoch SET highest = 41")
        old.commit()
    index = await open_sqlite_index(path)
    assert list(await index.cameras_in(bucket_of("gate"))) == [Camera("gate", "Gate", "rtsp://h/", 1, pool="main", added_us=5)]
    assert await index.credentials_in(bucket_of("yard")) == {"yard": b"\0"}
    assert set(await index.camera_stamps()) == {bucket_of("gate"), bucket_of("yard")}
    lease = await index.acquire(Duty("record-a"), "node-1", seen=None, now_us=0, ttl_us=10)
    await index.close()
    assert lease is not None
    assert lease.epoch == 42


async def test_a_batch_of_the_third_schema_is_brought_up(path: Path) -> None:
    """A batch that lay there goes on with nothing known of what came later, and its states are those of today."""
    with closing(sqlite3.connect(path)) as old:
        old.create_function("bucket_of", 1, bucket_of, deterministic=True)
        old.executescript("CREATE TABLE schema_step (number INTEGER NOT NULL PRIMARY KEY) STRICT")
        for number, step in schema_steps()[:3]:
            old.executescript(step)
            old.execute("INSERT INTO schema_step VALUES (?)", (number,))
        old.execute(f"INSERT INTO batch (camera, day, state, decided_us) VALUES ('gate', '{DAY}', 'held', 5)")
        old.commit()
    index = await open_sqlite_index(path)
    former = Batch("gate", DAY, BatchState.HELD, 5)
    assert await index.batch("gate", DAY) == former
    assert (await index.batch_rows(former)).items == []
    listed = replace(former, state=BatchState.LISTED, since_us=7, listed_us=6, whole=True, policy=1, finding="x")
    await index.put_batch(listed, expect=BatchState.HELD)
    assert await index.batch("gate", DAY) == listed
    await index.close()


async def test_a_receipt_that_was_changed_in_the_file_is_data_damaged(path: Path) -> None:
    """Another text, a cut one and noise in a receipt's place are named by chain and number; the other receipts are read as before."""
    index = await open_sqlite_index(path)
    whole = a_receipt(chain="b")
    for receipt in (a_receipt(chain="a"), whole):
        await index.put_receipt(receipt)
    for text in (b"noise", zlib.compress(whole.text.encode())[:-20], zlib.compress(whole.text.encode() + b" "), zlib.compress(b"\xff")):
        with closing(sqlite3.connect(path)) as file:
            file.execute("UPDATE receipt SET text = ? WHERE chain = 'a'", (text,))
            file.commit()
        with pytest.raises(DataDamaged, match="receipt 1 of chain a"):
            await index.last_receipt("a")
        assert await index.last_receipt("b") == whole
    await index.close()


async def test_the_time_of_deleted_footage_is_told_without_the_receipts(path: Path) -> None:
    """It comes from a column before their long texts, which may even be unreadable."""
    index = await open_sqlite_index(path)
    receipt = a_receipt()
    await index.put_receipt(receipt)
    await index._database.write(lambda db: db.execute("UPDATE receipt SET text = x'00'"))
    assert list(await index.deleted("gate", DAY.replace(day=1))) == receipt.spans
    await index.close()


async def test_a_busy_file_is_try_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that is kept waiting too long by another process may try again later; readers are not kept waiting."""
    monkeypatch.setattr(sqlite_database, "BUSY_TIMEOUT_S", 0.05)
    index = await open_sqlite_index(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TryAgain):
        await index.publish(a_row())
    assert (await index.rows("gate", DAY)).items == []
    other.execute("ROLLBACK")
    await index.publish(a_row())
    other.close()
    await index.close()


async def test_a_busy_file_is_waited_for_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a file that others keep the first write waits its time and the others hardly, until one succeeds; then all is as before."""
    monkeypatch.setattr(sqlite_database, "BUSY_TIMEOUT_S", 0.5)
    monkeypatch.setattr(sqlite_database, "BUSY_AGAIN_S", 0.01)
    index = await open_sqlite_index(path)
    other = sqlite3.connect(path, isolation_level=None)
    for _ in range(2):
        other.execute("BEGIN IMMEDIATE")
        waits_s = [await _refused_after_s(index) for _ in range(6)]
        assert waits_s[0] > 0.4
        assert sum(waits_s[1:]) < 0.4
        other.execute("ROLLBACK")
        await index.publish(a_row())
    other.close()
    await index.close()


async def _refused_after_s(index: SqliteIndex) -> float:
    began_s = time.monotonic()
    with pytest.raises(TryAgain):
        await index.publish(a_row())
    return time.monotonic() - began_s


async def test_a_write_that_waited_too_long_is_not_done(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not begin in time is given up, so that no row appears later than the write limit after its call."""
    monkeypatch.setattr(sqlite_database, "QUEUE_LIMIT_S", 0.2)
    index = await open_sqlite_index(path)
    long = asyncio.create_task(index._database.write(lambda _: time.sleep(0.4)))
    await asyncio.sleep(0)
    with pytest.raises(TryAgain, match="given up"):
        await index.publish(a_row())
    await long
    assert (await index.rows("gate", DAY)).items == []
    await index.publish(a_row())
    assert (await index.rows("gate", DAY)).items == [a_row()]
    await index.close()


async def test_a_full_disk_is_try_again_and_writes_nothing(path: Path) -> None:
    """Where no page can be added, a write of many rows is refused whole, and works when there is room again."""
    index = await open_sqlite_index(path)
    await index._database.read(lambda db: db.execute("PRAGMA max_page_count = 40").fetchone())
    rows = some_rows(400)
    with pytest.raises(TryAgain, match="full"):
        await index.publish_many(rows)
    assert (await index.rows("gate", DAY)).items == []
    await index._database.read(lambda db: db.execute("PRAGMA max_page_count = 100000").fetchone())
    await index.publish_many(rows)
    assert len((await index.rows("gate", DAY)).items) == 400
    await index.close()


async def test_a_damaged_file_is_data_damaged(path: Path) -> None:
    """Pages overwritten with noise are reported as damage with what to do, never read as footage."""
    index = await open_sqlite_index(path)
    await index.publish_many(some_rows(400))
    await index.close()
    noise = bytearray(path.read_bytes())
    half = len(noise) // 8192 * 4096
    noise[half:] = b"\xa5" * (len(noise) - half)
    path.write_bytes(noise)
    index = await open_sqlite_index(path)
    with pytest.raises(DataDamaged, match="rebuild the index from the pool"):
        await index.rows("gate", DAY)
    await index.close()


async def test_no_cursor_outlives_its_work(path: Path) -> None:
    """A cursor that a write gives back is closed: ended in the event loop's thread, it would reset a statement that runs in the index's."""
    index = await open_sqlite_index(path)
    cursor = await index._database.write(lambda db: db.execute("DELETE FROM batch"))
    with pytest.raises(sqlite3.ProgrammingError, match="closed cursor"):
        cursor.fetchone()
    await index.close()


async def test_a_closed_index_says_so(path: Path) -> None:
    """A call after the end is refused; closing twice is fine."""
    index = await open_sqlite_index(path)
    await index.close()
    await index.close()
    with pytest.raises(Refused, match="closed"):
        await index.rows("gate", DAY)


# --- several processes -------------------------------------------------------------------------------------------------

_WRITER = """
import asyncio, sys
from pathlib import Path
from segments.duty import Duty
from segments.stores.sqlite_index import open_sqlite_index
from tests.builders import a_row

async def main(path, name):
    index = await open_sqlite_index(path)
    for n in range(10**6 if name == "endless" else 25):
        lease = await index.acquire(Duty("record-a", n % 3, 3), name, seen=None, now_us=0, ttl_us=10**9)
        await index.publish(a_row(run=f"{name}-a-1-1", counter=n))
        print(n, lease.epoch if lease else "-", flush=True)
    await index.close()

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


def _start_writer(path: Path, name: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", _WRITER, path, name], stdout=subprocess.PIPE, text=True, cwd=root)


async def test_processes_share_one_file(path: Path) -> None:
    """Three processes make the file and write at once: no row is lost, each epoch is given once, a duty one holder."""
    writers = [_start_writer(path, name) for name in ("one", "two", "three")]
    outputs = [writer.communicate(timeout=60)[0].splitlines() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    epochs = [line.split()[1] for lines in outputs for line in lines]
    given = sorted(int(epoch) for epoch in epochs if epoch != "-")
    assert given == list(range(1, len(given) + 1))
    holders = [{n % 3 for n, line in enumerate(lines) if not line.endswith("-")} for lines in outputs]
    assert sorted(shard for shards in holders for shard in shards) == [0, 1, 2]
    index = await open_sqlite_index(path)
    assert len((await index.rows("gate", DAY)).items) == 75
    await index.close()


async def test_what_was_answered_survives_a_kill(path: Path) -> None:
    """A writer killed at once after an answer has its row there; the file opens as if nothing had happened."""
    writer = _start_writer(path, "endless")
    assert writer.stdout is not None
    answered = [writer.stdout.readline() for _ in range(20)]
    os.kill(writer.pid, signal.SIGKILL)
    answered += writer.communicate(timeout=60)[0].splitlines()
    index = await open_sqlite_index(path)
    counters = [row.counter for row in (await index.rows("gate", DAY, limit=10_000)).items]
    await index.close()
    assert len(answered) >= 20
    assert counters[: len(answered)] == list(range(len(answered)))
    assert len(counters) <= len(answered) + 1


# --- cost --------------------------------------------------------------------------------------------------------------


async def _scans(index: SqliteIndex, path: Path) -> list[str]:
    asked: list[str] = []
    await index._database.read(lambda db: db.set_trace_callback(asked.append))
    for only in (CameraFilter(), CameraFilter(1), CameraFilter(area="fujian"), CameraFilter(1, "fujian")):
        await index.cameras(only, after="a", limit=10)
    await index.rows("gate", DAY, after=a_row().position)
    await index.row("gate", a_row().position)
    await index.runs("gate", DAY.replace(day=1), after="1/a")
    await index.states("gate", DAY.replace(day=1), after_us=5)
    await index.state_before("gate", NOON_US)
    await index.batch("gate", DAY)
    await index.batch_rows(a_batch(), after=a_row().position)
    await index.last_receipt("sweep.0-of-1")
    await index.receipts("gate", DAY.replace(day=1))
    await index.receipt_chain("sweep.0-of-1", after=1)
    await index.receipt_chains()
    await index.deleted("gate", DAY.replace(day=1))
    await index.records("note")
    await index.cameras_in(7)
    await index.credentials_in(7)
    await index.lease(Duty("record-a"))
    await index.placings("node-1")
    await index._database.read(lambda db: db.set_trace_callback(None))
    assert len(asked) == 21
    with closing(sqlite3.connect(path)) as db:
        lines = [line for query in asked for *_, line in db.execute(f"EXPLAIN QUERY PLAN {query}")]
    return [line for line in lines if line.startswith("SCAN")]


async def test_no_reading_scans_a_table(path: Path) -> None:
    """Every listing and look-up goes by a key: SQLite's own plan has no scan; without the area table's key it would have one."""
    index = await open_sqlite_index(path)
    await index.add_camera(a_camera())
    await index.put_run(a_run())
    await index.put_state(a_change())
    await index.put_batch(a_batch(), expect=None)
    await index.publish(a_row())
    await index.put_batch_rows(a_batch(), [a_row()])
    await index.put_record(a_record())
    assert await _scans(index, path) == []
    await index._database.write(lambda db: db.execute("ALTER TABLE camera_in_area RENAME TO listed"))
    await index._database.write(lambda db: db.execute("CREATE TABLE camera_in_area AS SELECT * FROM listed"))
    assert await _scans(index, path) != []
    await index.close()
