"""A session of the index whose answers to conditional writes get lost on purpose, before or after they took effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from segments.errors import Unknown
from segments.stores.cassandra_session import CassandraSession, Values

Meanwhile = Callable[[], Awaitable[object]]


class LosingSession:
    """Everything goes to the real session; the next conditional writes of a table are answered with Unknown."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session
        self._lost: list[tuple[str, bool, Meanwhile | None]] = []

    def lose(self, table: str, *, done: bool, meanwhile: Meanwhile | None = None) -> None:
        """The next answer about this table is lost; `done`: the write took effect. `meanwhile` is what others do before anyone looks."""
        self._lost.append((table, done, meanwhile))

    async def compare_and_set(self, cql: str, values: Values) -> bool:
        """See `CassandraSession`."""
        for lost in self._lost:
            table, done, meanwhile = lost
            if f" {table} " in cql:
                self._lost.remove(lost)
                if done:
                    await self._session.compare_and_set(cql, values)
                if meanwhile is not None:
                    await meanwhile()
                raise Unknown("no answer")
        return await self._session.compare_and_set(cql, values)

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)
