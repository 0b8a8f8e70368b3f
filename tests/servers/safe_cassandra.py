"""A Cassandra that a service starts on: with a login of the service's own, and without the default superuser.

with safe_cassandra(folder) as index:
    section = await index.new_section()          # the [index] section of a service's configuration: an empty index of its own
    index.server.kill(); index.server.start()
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segments.stores.cassandra_schema import apply_schema
from segments.stores.cassandra_session import CassandraSettings
from tests.servers.cassandra import CassandraServer, Setup

USER, PASSWORD = "keepsight", "password-of-this-test"


class SafeCassandra:
    """See the module."""

    def __init__(self, server: CassandraServer, folder: Path) -> None:
        self.server = server
        self._password_file = folder / "index.password"
        self._keyspaces = 0

    def close_default_login(self) -> None:
        """Makes our superuser and takes its rights from the one every server is shipped with."""
        self.server.session.execute(f"CREATE ROLE {USER} WITH PASSWORD = '{PASSWORD}' AND LOGIN = true AND SUPERUSER = true")
        self.server.log_in_as(USER, PASSWORD)
        self.server.session.execute("ALTER ROLE cassandra WITH LOGIN = false AND SUPERUSER = false")
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(PASSWORD)

    async def new_settings(self) -> CassandraSettings:
        """How to reach an empty index of ours."""
        self._keyspaces += 1
        settings = self.server.settings(f"safe_{self._keyspaces}")
        await apply_schema(settings, {settings.datacenter: 1})
        return settings

    async def new_section(self, *, port: int | None = None) -> dict[str, Any]:
        """The section `index` of a configuration with an empty index of its own; `port`: of a proxy before the server."""
        settings = await self.new_settings()
        return {
            "kind": "cassandra",
            "hosts": list(settings.hosts),
            "port": port or settings.port,
            "datacenter": settings.datacenter,
            "keyspace": settings.keyspace,
            "user": settings.user,
            "password_file": str(self._password_file),
        }


@contextmanager
def safe_cassandra(folder: Path) -> Iterator[SafeCassandra]:
    """Starts one in a folder."""
    with CassandraServer(folder, Setup(login=True)) as server:
        safe = SafeCassandra(server, folder)
        safe.close_default_login()
        yield safe
