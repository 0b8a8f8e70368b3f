"""The SQLite index is read beside its writes."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from segments.clock import day_of
from segments.errors import Refused
from segments.stores.sqlite_index import open_sqlite_index
from tests.builders import NOON_US, a_row

DAY = day_of(NOON_US)


async def test_reading_does_not_wait_for_writing(tmp_path: Path) -> None:
    """While a write is under way what was written before it is read; what it wrote is read as soon as it has returned."""
    index = await open_sqlite_index(tmp_path / "index.sqlite")
    await index.publish(a_row())
    may_end = threading.Event()
    long = asyncio.create_task(index._database.write(lambda _: may_end.wait(60)))
    await asyncio.sleep(0)
    second = asyncio.create_task(index.publish(a_row(counter=2, start_us=a_row().end_us)))
    assert [row.counter for row in (await index.rows("gate", DAY)).items] == [a_row().counter]
    assert not long.done()
    may_end.set()
    await second
    assert [row.counter for row in (await index.rows("gate", DAY)).items] == [a_row().counter, 2]
    await index.close()


async def test_what_reads_cannot_write(tmp_path: Path) -> None:
    """A write in the place of a read is refused: it would not be durable, nor in order with others."""
    index = await open_sqlite_index(tmp_path / "index.sqlite")
    with pytest.raises(Refused):
        await index._database.read(lambda db: db.execute("DELETE FROM segment_row"))
    await index.close()
