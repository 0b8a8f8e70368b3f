"""Backup and restore with real servers: an index in Cassandra that is lost, and backups in a bucket that keeps versions."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.backup import make_backup
from deploy.settings import load_settings
from deploy.wiring import open_index, open_stores
from segments.clock import US_PER_S, SystemClock
from segments.index_compare import compare_indexes
from segments.index_copy import one_more_epoch
from segments.stores.cassandra_session import CassandraSettings
from tests.backup_site import OF_A_RESTORE
from tests.clocks import HandClock
from tests.command_line import PASSWORD, URL, Keepsight
from tests.e2e.test_index_copy import cassandra_section
from tests.media import Clips
from tests.servers.cassandra import CassandraServer
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.whole_index import fill_retention

pytestmark = pytest.mark.server

START = datetime(2026, 3, 14, 12, tzinfo=UTC)
RECORDS = {*(f"record {where}" for where in OF_A_RESTORE), "batches yard 2026-03-14"}


def configure(keepsight: Keepsight, cassandra: CassandraSettings, bucket: S3Server, name: str) -> None:
    """Index in this keyspace, footage in a folder, backups in this bucket; two of them are kept."""
    secret = keepsight.folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET_KEY)
    keepsight.configure(
        f'[pools.main]\nkind = "files"\n[pools.away]\nkind = "s3"\nendpoint = "http://127.0.0.1:{bucket.port}"\nbucket = "{name}"\n'
        f'access_key_id = "{ACCESS_KEY}"\nsecret_file = "secret"\n[replication]\nbackup_pool = "away"\nbackup_keep = 2\n'
        + cassandra_section(cassandra)
    )


def test_a_lost_keyspace_comes_back(tmp_path: Path, cassandra: CassandraServer, s3_server: S3Server, clips: Clips) -> None:
    """Footage, password, policy, holds and receipts in Cassandra; backups to a bucket; the keyspace is dropped; all is back."""
    first, second = (asyncio.run(cassandra.new_keyspace()) for _ in range(2))
    bucket = s3_server.make_bucket()
    s3_server.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    keepsight, lost = Keepsight(tmp_path), Keepsight(tmp_path)
    configure(keepsight, first, s3_server, bucket)
    keepsight("camera", "add", "gate", URL)
    keepsight.fill(clips, START)
    epoch = asyncio.run(fill(keepsight))
    asyncio.run(backups_of_before(keepsight))
    made = keepsight.json("backup", "make")
    listed = keepsight.json("backup", "list")
    assert len(listed) == 2
    assert listed[-1]["name"] == made["name"]
    versions = s3_server.client.list_object_versions(Bucket=bucket)
    assert {each["Key"].rpartition("/")[2].partition(".")[0] for each in versions["Versions"]} == {card["name"] for card in listed}
    assert "DeleteMarkers" not in versions, "old backups go for good"

    lost.config = tmp_path / "lost.toml"
    configure(lost, first, s3_server, bucket)
    configure(keepsight, second, s3_server, bucket)
    assert "index rebuild" in keepsight("restore", "--from", "latest", "--yes").stdout
    keepsight("index", "rebuild", "--pool", "main")
    assert asyncio.run(compared(lost, keepsight)) == RECORDS
    assert keepsight.credential("gate") == PASSWORD
    assert asyncio.run(next_epoch(keepsight)) > epoch + 1_000_000
    cassandra.session.execute(f"DROP KEYSPACE {first.keyspace}")


async def backups_of_before(keepsight: Keepsight) -> None:
    """Two, of long ago: names are seconds, and two of one second would be refused."""
    settings = load_settings(keepsight.config, {})
    async with open_stores(settings) as stores:
        for minute in (1, 2):
            await make_backup(settings, stores, HandClock(minute * 60 * US_PER_S))


async def fill(keepsight: Keepsight) -> int:
    """What retention keeps; returns an epoch that was given."""
    async with open_stores(load_settings(keepsight.config, {})) as stores:
        await fill_retention(stores.index, "yard")
        return await one_more_epoch(stores.index, SystemClock())


async def next_epoch(keepsight: Keepsight) -> int:
    """The next one."""
    async with open_index(load_settings(keepsight.config, {})) as index:
        return await one_more_epoch(index, SystemClock())


async def compared(one: Keepsight, other: Keepsight) -> set[str]:
    """What differs, but for the end of the run, which nobody closed."""
    async with open_index(load_settings(one.config, {})) as source, open_index(load_settings(other.config, {})) as target:
        found = (await compare_indexes(source, target, SystemClock())).examples
        return {f"{each.kind} {each.where}" for each in found if each.kind != "runs"}
