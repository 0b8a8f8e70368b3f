"""Fixtures of the fault tests: what they run on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.absent_index import EachIndex
from tests.servers.safe_cassandra import SafeCassandra, safe_cassandra


@pytest.fixture(scope="session")
def cassandra_of_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SafeCassandra]:
    """A Cassandra that a service starts on; take an index of your own, and leave it running."""
    with safe_cassandra(tmp_path_factory.mktemp("cassandra")) as cassandra:
        yield cassandra


@pytest.fixture(params=["sqlite", "cassandra"])
def each_index(request: pytest.FixtureRequest) -> EachIndex:
    """One kind of index after the other."""
    return EachIndex(request.getfixturevalue("cassandra_of_services") if request.param == "cassandra" else None)
