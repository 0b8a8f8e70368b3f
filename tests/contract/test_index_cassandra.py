"""The index contract over a real Cassandra."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from segments.ports import Index
from segments.stores.cassandra_index import CassandraIndex, open_cassandra_index
from segments.stores.cassandra_session import CassandraSession
from tests.contract.index_contract import IndexContract
from tests.servers.cassandra import CassandraServer

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]


Doors = tuple[CassandraSession, CassandraSession]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def doors(cassandra: CassandraServer) -> AsyncIterator[Doors]:
    """A keyspace and two sessions of it; connecting anew for each test would take minutes."""
    settings = await cassandra.new_keyspace()
    opened = [await open_cassandra_index(settings) for _ in range(2)]
    yield opened[0]._session, opened[1]._session
    for index in opened:
        await index.close()


class TestCassandraIndex(IndexContract):
    """One keyspace, emptied before each test, and two doors to it."""

    @pytest.fixture
    def index(self, doors: Doors, cassandra: CassandraServer) -> Index:
        """An empty one."""
        cassandra.empty(doors[0].settings.keyspace)
        return CassandraIndex(doors[0])

    @pytest.fixture
    def second(self, doors: Doors) -> Index:
        """Connections of its own."""
        return CassandraIndex(doors[1])

    async def test_this_is_the_adapter(self, index: Index) -> None:
        """The suite ran over Cassandra."""
        assert type(index) is CassandraIndex
