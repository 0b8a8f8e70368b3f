"""The index contract over SQLite, its file, and SQLite against the reference model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from segments.ports import Index
from segments.stores.sqlite_index import SqliteIndex, open_sqlite_index
from tests.contract.index_contract import IndexContract


class TestSqliteIndex(IndexContract):
    """One file, and a second connection to it."""

    @pytest.fixture
    async def index(self, tmp_path: Path) -> AsyncIterator[Index]:
        """An empty file."""
        index = await open_sqlite_index(tmp_path / "index.db")
        yield index
        await index.close()

    @pytest.fixture
    async def second(self, index: Index, tmp_path: Path) -> AsyncIterator[Index]:
        """A second connection with its own thread."""
        second = await open_sqlite_index(tmp_path / "index.db")
        yield second
        await second.close()

    def test_this_is_the_adapter(self, index: Index) -> None:
        """The suite ran over SQLite."""
        assert type(index) is SqliteIndex
