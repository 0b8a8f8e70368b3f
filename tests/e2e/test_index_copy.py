"""`keepsight index copy` between SQLite and a real Cassandra: there and back the same, killed and resumed, and what is lost is found."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from deploy.settings import load_settings
from deploy.wiring import open_index
from segments.clock import US_PER_DAY, SystemClock
from segments.index_compare import Comparison, compare_indexes
from segments.stores.cassandra_session import CassandraSettings
from tests.builders import NOON_US
from tests.command_line import Keepsight
from tests.servers.cassandra import CassandraServer
from tests.service import KEEPSIGHT
from tests.whole_index import CAMERAS, fill

pytestmark = pytest.mark.server

MANY = (*CAMERAS, *(f"cam{n}" for n in range(16)))


def cassandra_section(settings: CassandraSettings) -> str:
    """The section of a configuration."""
    place = f'hosts = ["{settings.hosts[0]}"]\nport = {settings.port}\ndatacenter = "{settings.datacenter}"\n'
    return f'[index]\nkind = "cassandra"\nkeyspace = "{settings.keyspace}"\n{place}'


class Site:
    """One site with three configurations: a filled SQLite index, an empty Cassandra index, and another empty SQLite index."""

    def __init__(self, folder: Path, cassandra: CassandraSettings) -> None:
        self.sqlite = Keepsight(folder / "sqlite")
        self.cassandra = Keepsight(folder / "cassandra")
        self.cassandra.configure(cassandra_section(cassandra))
        self.back = Keepsight(folder / "back")

    def rows(self, side: Keepsight) -> list[tuple[object, ...]]:
        """All rows of a SQLite index, read past our code."""
        with closing(sqlite3.connect(side.folder / "keepsight-data" / "index.sqlite")) as file:
            return file.execute("SELECT * FROM segment_row").fetchall()


@pytest.fixture
def site(tmp_path: Path, cassandra: CassandraServer) -> Site:
    """See `Site`."""
    for name in ("sqlite", "cassandra", "back"):
        (tmp_path / name).mkdir()
    made = Site(tmp_path, asyncio.run(cassandra.new_keyspace()))

    async def write() -> None:
        async with open_index(load_settings(made.sqlite.config, {})) as index:
            await fill(index, cameras=MANY, days=6, rows_a_day=10)

    asyncio.run(write())
    return made


def test_there_and_back_killed_on_the_way(site: Site, cassandra: CassandraServer) -> None:
    """SQLite to Cassandra and back, killed in the middle and begun again: the same rows in both files, and a lost row is named."""
    there = site.sqlite.json("index", "copy", "--to", str(site.cassandra.config))
    assert there["compared"]["differing"] == 0

    kill_in_the_middle(site.cassandra, site.back)
    assert 0 < len(site.rows(site.back)) < len(site.rows(site.sqlite))
    back = site.cassandra.json("index", "copy", "--to", str(site.back.config))
    assert back["compared"]["differing"] == 0
    assert back["partitions"] < there["partitions"]
    assert site.rows(site.back) == site.rows(site.sqlite)

    keyspace = load_settings(site.cassandra.config, {}).index.keyspace  # type: ignore[union-attr]
    first = f"camera = 'yard' AND day = '2026-03-15' AND start_us = {NOON_US + US_PER_DAY}"
    cassandra.session.execute(f"DELETE FROM {keyspace}.segment_row WHERE {first}")
    found = asyncio.run(compared(site.sqlite, site.cassandra))
    assert [(one.kind, one.where, one.source.items, one.target.items) for one in found.examples] == [("rows", "yard 2026-03-15", 10, 9)]


async def compared(one: Keepsight, other: Keepsight) -> Comparison:
    """Both indexes beside each other, without a copy before."""
    async with open_index(load_settings(one.config, {})) as source, open_index(load_settings(other.config, {})) as target:
        return await compare_indexes(source, target, SystemClock())


def kill_in_the_middle(source: Keepsight, target: Keepsight) -> None:
    """kill -9 when the copy has written its first rows."""
    copy = subprocess.Popen([*KEEPSIGHT, "index", "copy", "--to", str(target.config), "--config", str(source.config)])
    try:
        progress = source.folder / "keepsight-data" / "index-copy.json"
        deadline_s = time.monotonic() + 60
        while not _is_among_rows(progress):
            assert copy.poll() is None, "the copy ended before it could be killed"
            assert time.monotonic() < deadline_s
            time.sleep(0.002)
    finally:
        copy.kill()
        copy.wait()


def _is_among_rows(progress: Path) -> bool:
    try:
        done = json.loads(progress.read_text())
    except FileNotFoundError:
        return False
    return done["kind"] == "rows" and done["after"] != ""
