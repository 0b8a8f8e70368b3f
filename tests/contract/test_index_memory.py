"""The index contract over the index in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from segments.ports import Index
from segments.stores.memory_index import MemoryIndex
from tests.contract.index_contract import IndexContract


class TestMemoryIndex(IndexContract):
    """The reference model."""

    @pytest.fixture
    async def index(self) -> AsyncIterator[Index]:
        """An empty one."""
        index = MemoryIndex()
        yield index
        await index.close()

    @pytest.fixture
    def second(self, index: Index) -> Index:
        """It has one door only."""
        return index

    def test_this_is_the_adapter(self, index: Index) -> None:
        """The suite ran over the index in memory."""
        assert type(index) is MemoryIndex
