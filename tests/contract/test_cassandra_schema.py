"""The schema of the index in Cassandra: made once, whoever makes it and however often it is interrupted; and who is let in."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from segments.errors import Refused, StartRefused, TryAgain
from segments.model import BatchState
from segments.stores.cassandra_index import open_cassandra_index
from segments.stores.cassandra_schema import SchemaStatus, apply_schema, schema_status, schema_steps, statements
from segments.stores.cassandra_session import CassandraSettings
from tests.builders import NOON_US, a_batch, a_row
from tests.certificates import Authority
from tests.servers.cassandra import CassandraServer, Setup

pytestmark = pytest.mark.server

WANT = schema_steps()[-1][0]


def tables(server: CassandraServer, keyspace: str) -> set[str]:
    """What the server itself says."""
    found = server.session.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", (keyspace,))
    return {row.table_name for row in found}


async def test_a_schema_is_made_once(cassandra: CassandraServer) -> None:
    """None, then ours, with the copies that were asked for; a second time, and by three at once, changes nothing."""
    settings = cassandra.settings("made_once")
    assert await schema_status(settings) == SchemaStatus(0, WANT)
    with pytest.raises(StartRefused, match="has no schema yet: run `keepsight schema apply`"):
        await open_cassandra_index(settings)
    copies = {cassandra.site.datacenter: 1}
    made = await asyncio.gather(*(apply_schema(settings, copies) for _ in range(3)))
    assert made == [SchemaStatus(WANT, WANT)] * 3
    found = tables(cassandra, "made_once")
    assert {"segment_row", "lease", "schema_step"} <= found
    assert await apply_schema(settings, copies) == await schema_status(settings) == SchemaStatus(WANT, WANT)
    assert tables(cassandra, "made_once") == found
    replication = cassandra.session.execute("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'made_once'").one()[0]
    assert replication == {"class": "org.apache.cassandra.locator.NetworkTopologyStrategy", **dict.fromkeys(copies, "1")}
    await (await open_cassandra_index(settings)).close()


async def test_every_table_is_compacted_as_one_of_5_and_keeps_no_time_to_live(cassandra: CassandraServer) -> None:
    """UnifiedCompactionStrategy everywhere, no TTL, no views and no indexes."""
    settings = await cassandra.new_keyspace()
    cassandra.session.cluster.refresh_schema_metadata()
    keyspace = cassandra.session.cluster.metadata.keyspaces[settings.keyspace]
    ours = {name: table for name, table in keyspace.tables.items() if name != "schema_step"}
    assert len(ours) >= 15
    assert {table.options["compaction"]["class"].rsplit(".")[-1] for table in ours.values()} == {"UnifiedCompactionStrategy"}
    assert {table.options["default_time_to_live"] for table in ours.values()} == {0}
    assert (keyspace.views, keyspace.indexes) == ({}, {})


STEP_1 = "CREATE TABLE IF NOT EXISTS one (id int PRIMARY KEY);"
STEP_2 = "CREATE TABLE IF NOT EXISTS two (id int PRIMARY KEY); ALTER TABLE one ADD IF NOT EXISTS more int;"


async def test_an_interrupted_step_is_run_again(cassandra: CassandraServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the statements of a step, it is not done; the next to come waits until the claim has run out and ends it."""
    monkeypatch.setattr("segments.stores.cassandra_schema.CLAIM_S", 3)
    settings, copies = cassandra.settings("interrupted"), {cassandra.site.datacenter: 1}
    broken = "CREATE TABLE IF NOT EXISTS two (id int PRIMARY KEY); CREATE NONSENSE;"
    with pytest.raises(Refused):
        await apply_schema(settings, copies, [(1, STEP_1), (2, broken)])
    assert tables(cassandra, "interrupted") == {"schema_step", "one", "two"}
    assert (await apply_schema(settings, copies, [(1, STEP_1), (2, STEP_2)])).have == 2
    columns = cassandra.session.execute(
        "SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'interrupted' AND table_name = 'one'"
    )
    assert {row.column_name for row in columns} == {"id", "more"}


async def test_an_index_of_the_first_schema_is_brought_up_to_date(cassandra: CassandraServer) -> None:
    """It is refused until the newer steps are applied; then its rows are there, and a batch of then is read and led on."""
    settings, copies = cassandra.settings("first_schema"), {cassandra.site.datacenter: 1}
    await apply_schema(settings, copies, schema_steps()[:1])
    with pytest.raises(StartRefused, match=f"has schema 1, and this program needs {WANT}: run `keepsight schema apply`"):
        await open_cassandra_index(settings)
    values = f"('gate', '{a_batch().day}', 'pending', {NOON_US}) IF NOT EXISTS"
    cassandra.session.execute(f"INSERT INTO first_schema.deletion_batch (camera, day, state, decided_us) VALUES {values}")
    assert await apply_schema(settings, copies) == SchemaStatus(WANT, WANT)
    index = await open_cassandra_index(settings)
    assert await index.batch("gate", a_batch().day) == a_batch()
    later = a_batch(state=BatchState.LISTED, since_us=5, listed_us=4, whole=True, policy=3, finding="the pool is away")
    await index.put_batch(later, expect=BatchState.PENDING)
    assert await index.batch("gate", later.day) == later
    await index.close()


async def test_a_schema_of_another_program_is_refused(cassandra: CassandraServer) -> None:
    """A newer one by start and apply alike, an older one by the start, each saying what to do."""
    settings = await cassandra.new_keyspace()
    steps = f"{settings.keyspace}.schema_step"
    cassandra.session.execute(f"INSERT INTO {steps} (site, number, done) VALUES (0, {WANT + 1}, true) IF NOT EXISTS")
    with pytest.raises(StartRefused, match="is of a newer program"):
        await open_cassandra_index(settings)
    with pytest.raises(StartRefused, match="is of a newer program"):
        await apply_schema(settings, {})
    cassandra.session.execute(f"DELETE FROM {steps} WHERE site = 0 AND number = {WANT + 1} IF EXISTS")
    await (await open_cassandra_index(settings)).close()
    cassandra.session.execute(f"UPDATE {steps} SET done = false WHERE site = 0 AND number = {WANT} IF done = true")
    with pytest.raises(StartRefused, match="run `keepsight schema apply`"):
        await open_cassandra_index(settings)


async def test_a_wrong_data_centre_is_named(cassandra: CassandraServer) -> None:
    """The start says which there are; so does a keyspace that is to have copies in one that is not there."""
    settings = await cassandra.new_keyspace()
    with pytest.raises(StartRefused, match=f"set index.datacenter to {cassandra.site.datacenter}"):
        await open_cassandra_index(replace(settings, datacenter="nowhere"))
    with pytest.raises(StartRefused, match=r"index\.replication names nowhere"):
        await apply_schema(cassandra.settings("elsewhere"), {"nowhere": 3})


def test_every_statement_of_every_step_may_be_run_again() -> None:
    """Each says IF NOT EXISTS or IF EXISTS."""
    found = [statement for _, text in schema_steps() for statement in statements(text)]
    assert len(found) > 10
    assert [statement for statement in found if "IF NOT EXISTS" not in statement and "IF EXISTS" not in statement] == []


# --- who is let in -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CassandraServer, Path]]:
    """A server that asks for a login, by TLS; and the file of an authority that did not sign its certificate."""
    folder = tmp_path_factory.mktemp("guarded")
    authority = Authority(folder)
    certificate, key = authority.certify("server", "127.0.0.1")
    pem = folder / "both.pem"
    pem.write_bytes(key.read_bytes() + certificate.read_bytes())
    with CassandraServer(folder, Setup(login=True, pem=pem, ca=authority.ca_file)) as server:
        yield server, Authority(folder, "stranger").ca_file


async def refused(settings: CassandraSettings) -> str:
    """The sentence an opening is refused with."""
    with pytest.raises((StartRefused, TryAgain)) as caught:
        await open_cassandra_index(settings)
    assert "canary" not in "".join((str(caught.value), repr(caught.value), repr(settings)))
    return f"{type(caught.value).__name__}: {caught.value}"


async def test_login_and_tls_are_used(guarded: tuple[CassandraServer, Path]) -> None:
    """With the right login and authority all goes its way."""
    server, _ = guarded
    index = await open_cassandra_index(await server.new_keyspace())
    await index.publish(a_row())
    assert await index.row("gate", a_row().position) == a_row()
    await index.close()


async def test_wrong_logins_and_certificates_are_refused(guarded: tuple[CassandraServer, Path]) -> None:
    """A wrong password, none, another authority, no TLS: each is one sentence that names the setting and not the password."""
    server, stranger = guarded
    good = server.settings("any")
    assert "StartRefused" in (said := await refused(replace(good, password="a canary of a password")))
    assert "index.password_file" in said
    assert "index.password_file" in await refused(replace(good, user="", password=""))
    said = await refused(replace(good, tls=ssl.create_default_context(cafile=str(stranger))))
    assert "StartRefused" in said
    assert "index.ca_file" in said
    assert "could not be reached" in await refused(replace(good, tls=None))
