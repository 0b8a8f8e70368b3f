"""The index in Cassandra while its servers are killed, stopped, restarted, and lost with their data centre."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from segments.clock import day_of
from segments.duty import Duty
from segments.errors import TryAgain, Unknown
from segments.model import BatchState
from segments.ports import WRITE_LIMIT_S, Index
from segments.stores.cassandra_index import open_cassandra_index
from segments.stores.cassandra_schema import apply_schema
from segments.stores.cassandra_session import ANSWER_LIMIT_S, CassandraSettings
from tests.builders import NOON_US, a_batch, a_row, a_run, some_rows
from tests.servers.cassandra import CassandraServer, Setup, two_data_centres

pytestmark = pytest.mark.server

DAY = day_of(NOON_US)
DUTY = Duty("record-a", 0, 2)
SOON_S = 0.5
COMES_BACK_S = 20.0


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CassandraServer]:
    """A server these tests may kill."""
    with CassandraServer(tmp_path_factory.mktemp("own")) as server:
        yield server


@asynccontextmanager
async def watched_loop(limit_s: float = SOON_S):
    """Fails if anything keeps the loop from its other work for longer."""
    longest_s = 0.0

    async def beat() -> None:
        nonlocal longest_s
        while True:
            began_s = time.monotonic()
            await asyncio.sleep(0.01)
            longest_s = max(longest_s, time.monotonic() - began_s)

    task = asyncio.create_task(beat())
    yield
    task.cancel()
    assert longest_s < limit_s, f"the loop stood still for {longest_s:.2f} s"


async def acknowledged_until_killed(server: CassandraServer, index: Index, camera: str) -> int:
    """Rows published by ten writers until the server is killed in the middle: the number of those that were acknowledged."""
    rows = iter(some_rows(1440, camera=camera, start_us=NOON_US - NOON_US % 86_400_000_000, fragments=()))
    acknowledged = 0
    enough = asyncio.Event()

    async def write() -> None:
        nonlocal acknowledged
        with suppress(TryAgain):
            for row in rows:
                await index.publish(row)
                acknowledged += 1
                if acknowledged == 300:
                    enough.set()

    writers = asyncio.gather(*(write() for _ in range(10)))
    await asyncio.wait_for(enough.wait(), 60)
    await asyncio.to_thread(server.kill)
    await writers
    return acknowledged


async def comes_back(work: Callable[[], Awaitable[object]]) -> object:
    """What work answers once the index answers again."""
    async with asyncio.timeout(COMES_BACK_S):
        while True:
            with suppress(TryAgain):
                return await work()
            await asyncio.sleep(0.2)


async def test_what_was_acknowledged_survives_a_kill(own: CassandraServer) -> None:
    """Rows, a run, a lease and a batch, acknowledged right before the server is killed, are there when it is back.

    Until then all is TryAgain; then the same session goes on by itself.
    """
    settings = await own.new_keyspace()
    index = await open_cassandra_index(settings)
    await index.put_run(a_run())
    lease = await index.acquire(DUTY, "one", seen=None, now_us=1, ttl_us=1)
    await index.put_batch(a_batch(), expect=None)
    acknowledged = await acknowledged_until_killed(own, index, "gate")
    await is_said_to_be_away(index, settings)
    own.start()
    rows = await comes_back(lambda: index.rows("gate", DAY, limit=10_000))
    assert len(rows.items) >= acknowledged >= 300
    assert await index.run("gate", a_run().id) == a_run()
    assert await index.lease(DUTY) == lease
    assert await index.batch("gate", DAY) == a_batch()
    await index.put_batch(a_batch(state=BatchState.HELD), expect=BatchState.PENDING)
    await index.close()


async def is_said_to_be_away(index: Index, settings: CassandraSettings) -> None:
    """While no server runs, every call ends soon as TryAgain, the loop goes on, and a new start says where it looked."""
    async with asyncio.timeout(2 * ANSWER_LIMIT_S), watched_loop():
        for _ in range(20):
            for call in (index.publish(a_row()), index.rows("gate", DAY), index.batch("gate", DAY), index.lease(DUTY), index.places()):
                with pytest.raises(TryAgain):
                    await call
            await asyncio.sleep(0.02)
    with pytest.raises(TryAgain, match=rf"127\.0\.0\.1:{settings.port} could not be reached"):
        await open_cassandra_index(settings)


async def test_without_a_synced_log_it_is_lost(tmp_path: Path) -> None:
    """The negative control: a server that syncs its log every ten seconds loses acknowledged rows, and the same check sees it."""
    with CassandraServer(tmp_path, Setup(commitlog_sync="periodic")) as server:
        settings = await server.new_keyspace()
        server.nodetool("flush")  # the schema itself would be lost, too
        index = await open_cassandra_index(settings)
        acknowledged = await acknowledged_until_killed(server, index, "gate")
        server.start()
        rows = await comes_back(lambda: index.rows("gate", DAY, limit=10_000))
        await index.close()
        assert len(rows.items) < acknowledged


async def test_a_stopped_server_is_waited_for_within_the_limit(own: CassandraServer) -> None:
    """Writes to a server that stands still are Unknown within the limit of writes, reads TryAgain; the loop goes on.

    Back again, the server may do what it was sent before it stood still: a compare-and-set on what is there then settles it.
    """
    settings = await own.new_keyspace()
    index = await open_cassandra_index(settings)
    await index.publish(a_row())
    await index.put_batch(a_batch(), expect=None)
    lease = await index.acquire(DUTY, "one", seen=None, now_us=1, ttl_us=1)
    assert lease is not None
    writes = {
        "row": index.publish(a_row(counter=1)),
        "rows": index.publish_many(some_rows(100, counter=2)),
        "run": index.put_run(a_run()),
        "batch": index.put_batch(a_batch(state=BatchState.DELETING), expect=BatchState.PENDING),
        "lease": index.renew(lease, now_us=2, ttl_us=1),
    }
    reads = [index.rows("gate", DAY), index.batch("yard", DAY), index.lease(DUTY), index.camera_stamps()]
    own.pause()
    try:
        began_s = time.monotonic()
        async with watched_loop():
            results = await asyncio.gather(*writes.values(), *reads, return_exceptions=True)
        assert time.monotonic() - began_s < WRITE_LIMIT_S + 1
    finally:
        own.resume()
    assert [type(result) for result in results[len(writes) :]] == [TryAgain] * len(reads)
    assert {name: isinstance(result, TryAgain) for name, result in zip(writes, results, strict=False)} == dict.fromkeys(writes, True)
    assert isinstance(results[0], Unknown)
    present = await comes_back(lambda: index.lease(DUTY))
    assert present.epoch == lease.epoch
    assert await comes_back(lambda: index.renew(lease, now_us=3, ttl_us=1))
    batch = await index.batch("gate", DAY)
    assert batch is not None
    await index.put_batch(a_batch(state=BatchState.HELD), expect=batch.state)
    await index.close()


async def test_a_site_outlives_another_data_centre(tmp_path: Path) -> None:
    """Two data centres, one lost without warning: rows, runs, leases and batches go on in the other."""
    with two_data_centres(tmp_path) as (east, west):
        settings = east.settings("both")
        await apply_schema(settings, {"east": 1, "west": 1})
        index = await open_cassandra_index(settings)
        await index.publish(a_row())
        lease = await index.acquire(DUTY, "one", seen=None, now_us=1, ttl_us=1)
        assert lease is not None
        there = await open_cassandra_index(west.settings("both"))
        assert await comes_back(lambda: there.row("gate", a_row().position)) == a_row()
        await there.close()
        west.kill()
        async with asyncio.timeout(30), watched_loop():
            for counter in range(1, 100):
                await index.publish(a_row(counter=counter))
            for now_us in range(2, 12):
                lease = await index.renew(lease, now_us=now_us, ttl_us=1)
                assert lease is not None
            await index.put_batch(a_batch(), expect=None)
            await index.put_run(a_run())
        assert len((await index.rows("gate", DAY)).items) == 100
        await index.close()
