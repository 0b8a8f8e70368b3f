"""Ways in which the index of a live service goes away and comes back, each of which a service must outlast."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from tests.servers.safe_cassandra import SafeCassandra
from tests.servers.toxiproxy import Proxy
from tests.service import Service

Absence = Callable[[], AbstractContextManager[None]]
"""The index is away as long as the context lasts."""


class EachIndex:
    """One of the kinds of index that a fault test runs on, by its name: SQLite, or Cassandra."""

    def __init__(self, cassandra: SafeCassandra | None) -> None:
        self._cassandra = cassandra
        self.name = "cassandra" if cassandra else "sqlite"

    async def section(self) -> dict[str, Any]:
        """The section `index` of a service's configuration: an empty one."""
        return await self._cassandra.new_section() if self._cassandra else {}

    def absence(self, service: Service) -> Absence:
        """How it goes away."""
        return stopped(self._cassandra) if self._cassandra else locked(service.data / "index.sqlite")


def locked(index: Path) -> Absence:
    """Another process keeps SQLite's file for itself: nothing can be written, and what was is still read."""

    @contextmanager
    def away() -> Iterator[None]:
        database = sqlite3.connect(index, isolation_level=None, timeout=20, check_same_thread=False)
        try:
            database.execute("BEGIN EXCLUSIVE")
            yield
            database.execute("ROLLBACK")
        finally:
            database.close()

    return away


def stopped(cassandra: SafeCassandra) -> Absence:
    """Cassandra hangs: connections stay open, and no answer comes (SIGSTOP)."""

    @contextmanager
    def away() -> Iterator[None]:
        cassandra.server.pause()
        try:
            yield
        finally:
            cassandra.server.resume()

    return away


def killed(cassandra: SafeCassandra) -> Absence:
    """Cassandra dies (SIGKILL) and is started again on its folder."""

    @contextmanager
    def away() -> Iterator[None]:
        cassandra.server.kill()
        try:
            yield
        finally:
            cassandra.server.start()

    return away


def cut_off(proxy: Proxy) -> Absence:
    """Requests arrive, and their answers are lost on the way."""

    @contextmanager
    def away() -> Iterator[None]:
        with proxy.lost_answers():
            yield
        proxy.down()
        proxy.up()

    return away
