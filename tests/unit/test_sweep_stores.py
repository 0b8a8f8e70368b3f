"""The sweep over a real index and a real pool: SQLite and a folder, looked at on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from segments.clock import SystemClock
from segments.keys import day_prefix
from segments.model import PartitionKind
from segments.stores.file_objects import FileObjects
from segments.stores.sqlite_index import open_sqlite_index
from tests.fakes import Died, Life
from tests.sweep_site import DAY, Site, a_site, footage


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Three segments that are due, of which a hold keeps the second."""
    rows = footage()
    index = await open_sqlite_index(tmp_path / "index.db")
    site = await a_site(rows, index=index, objects=FileObjects(tmp_path / "pool", clock=SystemClock()))
    await site.hold(rows[1:2])
    yield site
    await index.close()


async def test_nothing_is_left_on_disk(site: Site, tmp_path: Path) -> None:
    """Of what went there is no file; what is held is byte for byte what it was, and the index shows just that."""
    await site.run(site.sweep())

    files = [path for path in (tmp_path / "pool" / day_prefix("gate", DAY)).rglob("*.mp4*") if path.is_file()]
    assert [path.read_bytes() for path in files if not path.name.startswith(".") and path.name.endswith(".mp4")] == [b"footage!"]
    assert await site.rows() == footage()[1:2]
    assert [len(receipt.segments) for receipt in await site.receipts()] == [2]


@pytest.mark.parametrize("writes", range(1, 9))
async def test_a_sweep_may_die_behind_any_write(site: Site, writes: int) -> None:
    """The next one comes to the same end."""
    site.life = DiesBehindWrite(writes)
    with pytest.raises(Died):
        await site.run(site.sweep())
    site.life = Life()
    await site.run(site.sweep())

    assert await site.rows() == footage()[1:2]
    assert (await site.index.partitions(PartitionKind.BATCHES)).items == []
    assert [len(receipt.segments) for receipt in await site.receipts()] == [2]


class DiesBehindWrite(Life):
    """Dies when so many calls of the way out have taken effect."""

    WRITES = ("put_batch", "put_batch_rows", "unpublish", "delete", "put_receipt", "remove_batch_rows")

    def __init__(self, writes: int) -> None:
        super().__init__()
        self._left = writes

    def called(self, name: str) -> None:
        super().called(name)
        self._left -= name in self.WRITES
        if not self._left:
            raise Died
