"""The contract of `Peer` over a source directly, and over a client and its routes by TLS; and what asking costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from replication.having import Having
from replication.peer_client import PeerClient
from replication.ports import Has, Named
from replication.source import Source
from segments.errors import NotFound
from segments.stores.s3_objects import S3Objects
from tests.asked_site import ATTRIBUTES, AskedSite, a_client, a_small_row, all_of, served
from tests.builders import NOON_US
from tests.contract.peer_contract import MINUTE_US, PeerContract
from tests.fakes import Life, SwitchedIndex, SwitchedObjects
from tests.servers.s3 import S3Server


@pytest.fixture
def site() -> AskedSite:
    """The site that is asked."""
    return AskedSite()


class TestSource(PeerContract):
    """Directly."""

    @pytest.fixture
    def peer(self, site: AskedSite) -> Source:
        """The source itself."""
        return site.source


class SourceOfNow:
    """The source of the site that is asked in the test of now: one server serves them all."""

    now: Source

    def __getattr__(self, name: str) -> Any:
        return getattr(self.now, name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[SourceOfNow, str, Path]]:
    """What it serves, its address and its authority."""
    site, source = AskedSite(), SourceOfNow()
    site.source = cast("Any", source)
    async with served(site, tmp_path_factory.mktemp("server")) as (url, ca_file):
        yield source, url, ca_file


@pytest.mark.asyncio(loop_scope="module")
class TestPeerClient(PeerContract):
    """By TLS on loopback."""

    @pytest_asyncio.fixture(loop_scope="module")
    async def peer(self, site: AskedSite, server: tuple[SourceOfNow, str, Path]) -> AsyncIterator[PeerClient]:
        """A client that has just begun."""
        source, url, ca_file = server
        source.now = site.source
        client = a_client(url, ca_file)
        yield client
        await client.close()


async def test_having_a_whole_day_takes_few_requests(site: AskedSite) -> None:
    """Whether 1,000 segments are here is found out by reading rows, damage and one listing; receipts are listed if one is not."""
    rows = [(await site.keep(100, start_us=NOON_US + n * MINUTE_US // 2, counter=n))[0] for n in range(1000)]
    life = Life()
    index, objects = SwitchedIndex(site.index, life), SwitchedObjects(site.objects, life)
    having = Having(cast("Any", index), {"main": cast("Any", objects)})
    named = [Named(row.position, row.sha256) for row in rows]

    assert set(await having.has("gate", date(2026, 3, 14), named)) == {Has.HERE}
    assert Counter(life.calls) == {"marks": 1, "list": 2}

    await site.objects.delete([rows[0].key])
    life.calls.clear()
    assert Counter(await having.has("gate", date(2026, 3, 14), named)) == {Has.HERE: 999, Has.MISSING: 1}
    assert Counter(life.calls) == {"marks": 1, "list": 1, "batch": 1, "receipts": 1}


class LinksOnly(S3Objects):
    """A bucket whose bytes do not come through the site."""

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Never."""
        raise AssertionError(key)
        yield b""


@pytest.mark.server
async def test_bytes_come_by_links_of_a_real_store(site: AskedSite, each_s3_server: S3Server, tmp_path: Path) -> None:
    """Where its origin is accepted, a store's signed link gives bytes, ranges and attributes; nothing of them goes through the site."""
    store = LinksOnly(each_s3_server.settings(each_s3_server.make_bucket()))
    site.source = Source(site.index, {"main": cast("Any", store)}, site.voice)
    row, data = a_small_row()
    await store.put(row.key, data, sha256=row.sha256, attributes=ATTRIBUTES)
    await site.index.publish(row)
    origin = f"http://127.0.0.1:{each_s3_server.port}"
    async with served(site, tmp_path) as (url, ca_file):
        client = a_client(url, ca_file, links=frozenset({origin}))
        whole = await client.read(row)
        assert (whole.size, whole.attributes, await all_of(whole.pieces)) == (len(data), ATTRIBUTES, data)
        assert await all_of((await client.read(row, 10, 99)).pieces) == data[10:99]
        await store.delete([row.key])
        with pytest.raises(NotFound):
            await client.read(row)
        await client.close()
    store.close()


async def test_control_a_source_that_believes_rows_fails_the_contract(site: AskedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite goes red over a source that says here without looking for the object."""

    async def all_of_them(_: Having, __: str, ___: date, rows: list[Any]) -> list[Any]:
        return rows

    monkeypatch.setattr(Having, "_present", all_of_them)
    with pytest.raises(AssertionError):
        await PeerContract().test_has_says_what_is_here(site, site.source, 3)
