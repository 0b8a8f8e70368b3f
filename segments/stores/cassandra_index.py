"""The index in Cassandra 5, for a site of several nodes: its parts joined into one."""

from __future__ import annotations

from segments.stores.cassandra_archive import CassandraArchive
from segments.stores.cassandra_audit import CassandraAudit
from segments.stores.cassandra_duties import CassandraDuties, Epochs
from segments.stores.cassandra_footage import CassandraFootage
from segments.stores.cassandra_receipts import CassandraReceipts
from segments.stores.cassandra_retention import CassandraRetention
from segments.stores.cassandra_runs import CassandraRuns
from segments.stores.cassandra_schema import refuse_unfit, status_of
from segments.stores.cassandra_session import CassandraSession, CassandraSettings, open_session
from segments.stores.cassandra_usage import CassandraUsage


async def open_cassandra_index(settings: CassandraSettings) -> CassandraIndex:
    """The index in this keyspace, for this process and event loop.

    Raises StartRefused if it lets us not in, or has no schema, an older or a newer one; TryAgain if no server answers.
    """
    session = await open_session(settings)
    try:
        refuse_unfit(await status_of(session), settings)
    except BaseException:
        await session.close()
        raise
    return CassandraIndex(session)


class CassandraIndex(
    CassandraRuns,
    CassandraFootage,
    CassandraRetention,
    CassandraReceipts,
    CassandraAudit,
    CassandraUsage,
    CassandraArchive,
    CassandraDuties,
):
    """See `segments.ports.Index`; use `open_cassandra_index`."""

    def __init__(self, session: CassandraSession) -> None:
        super().__init__(session)
        self._epochs = Epochs(session)
        self._listed_pages = set()
        self._listed_audit = set()

    async def close(self) -> None:
        """See `Index`."""
        await self._session.close()
