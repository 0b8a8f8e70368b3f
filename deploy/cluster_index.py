"""The index in Cassandra, by the settings. The driver is imported only here and only when asked for: the embedded form needs none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.settings import CassandraIndexSettings
from deploy.tls import index_tls
from segments.errors import StartRefused
from segments.ports import Index
from segments.secrets import read_secret_file

if TYPE_CHECKING:
    from segments.stores.cassandra_schema import SchemaStatus
    from segments.stores.cassandra_session import CassandraSettings


async def open_cluster_index(index: CassandraIndexSettings) -> Index:
    """Opens it; raises StartRefused (driver, files, login, schema) or TryAgain (no server answers)."""
    settings = cassandra_settings(index)
    from segments.stores.cassandra_index import open_cassandra_index

    return await open_cassandra_index(settings)


async def apply_index_schema(index: CassandraIndexSettings) -> SchemaStatus:
    """Makes the keyspace, or brings its tables up to date; raises as `open_cluster_index` does."""
    settings = cassandra_settings(index)
    from segments.stores.cassandra_schema import apply_schema

    return await apply_schema(settings, index.replication or {index.datacenter: 1})


async def index_schema_status(index: CassandraIndexSettings) -> SchemaStatus:
    """Which schema the keyspace has, and which this program needs; raises as `open_cluster_index` does."""
    settings = cassandra_settings(index)
    from segments.stores.cassandra_schema import schema_status

    return await schema_status(settings)


def cassandra_settings(index: CassandraIndexSettings) -> CassandraSettings:
    """The adapter's settings; reads password and certificates from their files. Raises StartRefused."""
    try:
        from segments.stores.cassandra_session import CassandraSettings
    except ImportError as error:
        raise StartRefused(f"index.kind cassandra needs the extra `cluster`: pip install 'keepsight[cluster]' ({error})") from None
    if index.user and index.password_file is None:
        raise StartRefused("index.user needs index.password_file: name the file that holds its password")
    password = read_secret_file(index.password_file, what="the password of index.user") if index.password_file else ""
    return CassandraSettings(
        hosts=index.hosts,
        datacenter=index.datacenter,
        keyspace=index.keyspace,
        port=index.port,
        user=index.user,
        password=password,
        tls=index_tls(index),
    )
