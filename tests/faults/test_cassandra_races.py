"""What the index in Cassandra keeps although writers race, answers get lost and clocks differ."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from segments.clock import US_PER_S, day_of
from segments.duty import Duty
from segments.errors import Conflict, Refused, TryAgain, Unknown
from segments.model import BatchState, Lease, Run
from segments.shards import bucket_of
from segments.stores import cassandra_footage, cassandra_runs, cassandra_session
from segments.stores.cassandra_index import CassandraIndex, open_cassandra_index
from segments.stores.cassandra_session import CassandraSession
from tests.builders import NOON_US, a_batch, a_camera, a_change, a_row, a_run, some_rows
from tests.faults.lost_answers import LosingSession
from tests.servers.cassandra import CassandraServer

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]

DAY = day_of(NOON_US)
MONTH = DAY.replace(day=1)
DUTY = Duty("record-a", 3, 8)
Doors = tuple[CassandraSession, CassandraSession]
_names = (f"camera-{n}" for n in itertools.count())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def doors(cassandra: CassandraServer) -> AsyncIterator[Doors]:
    """Two sessions of one keyspace."""
    settings = await cassandra.new_keyspace()
    opened = [await open_cassandra_index(settings) for _ in range(2)]
    yield opened[0]._session, opened[1]._session
    for index in opened:
        await index.close()


@pytest.fixture
def index(doors: Doors, cassandra: CassandraServer) -> CassandraIndex:
    """An empty index."""
    cassandra.empty(doors[0].settings.keyspace)
    return CassandraIndex(doors[0])


@pytest.fixture
def second(doors: Doors) -> CassandraIndex:
    """Another process of it."""
    return CassandraIndex(doors[1])


@pytest.fixture
def losing(doors: Doors, index: CassandraIndex) -> tuple[CassandraIndex, LosingSession]:
    """A third, whose answers get lost."""
    session: Any = LosingSession(doors[0])
    return CassandraIndex(session), session


# --- runs --------------------------------------------------------------------------------------------------------------


async def put_at_random(doors: Doors, seed: int) -> Run:
    """Sixty writes of one run by two processes, in any order, the end somewhere among them; what is kept of it."""
    dice, camera = random.Random(seed), next(_names)
    lasts = [NOON_US + n * US_PER_S for n in range(1, 61)]
    runs = [a_run(camera=camera, last_us=last_us) for last_us in lasts]
    runs[30] = replace(runs[30], ended=True, end_cause="camera-away")
    dice.shuffle(runs)
    indexes = [CassandraIndex(door) for door in doors]
    for first in range(0, len(runs), 12):
        await asyncio.gather(*(dice.choice(indexes).put_run(run) for run in runs[first : first + 12]))
    return await indexes[0].run(camera, runs[0].id)


@pytest.mark.parametrize("seed", range(3))
async def test_a_run_never_moves_back(index: CassandraIndex, doors: Doors, seed: int) -> None:
    """Whatever the order and whoever writes: its last moment is the greatest, and it stays ended."""
    found = await put_at_random(doors, seed)
    assert (found.last_us, found.ended, found.end_cause) == (NOON_US + 60 * US_PER_S, True, "camera-away")


async def test_without_the_rule_a_run_moves_back(index: CassandraIndex, doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: where the last moment is written with the time of the write, the newest write counts and the check goes red."""
    monkeypatch.setattr(cassandra_runs, "_PUT_TOP", cassandra_runs._PUT_TOP.replace("top_us = ?", "last_us = ?"))
    monkeypatch.setattr(cassandra_runs, "_run", lambda values: _as_last_written(values))
    lasts = {(await put_at_random(doors, seed)).last_us for seed in range(8)}
    assert lasts != {NOON_US + 60 * US_PER_S}


def _as_last_written(values: tuple[Any, ...]) -> Run:
    camera, run, start_us, last_us, *_ = values
    return a_run(camera=camera, id=run, start_us=start_us, last_us=last_us)


async def test_a_deleted_run_can_be_adopted_again(index: CassandraIndex, doors: Doors, cassandra: CassandraServer) -> None:
    """After its partitions were deleted a run is gone, and a later write brings it back whole, its last moment too."""
    run = a_run(ended=True, notes=("adopted",))
    await index.put_run(run)
    keyspace = doors[0].settings.keyspace
    cassandra.session.execute(f"DELETE FROM {keyspace}.run_in_month WHERE camera = 'gate' AND month = '{MONTH}'")
    assert (await index.runs("gate", MONTH)).items == []
    again = CassandraIndex(doors[1])
    await again.put_run(run)
    assert (await again.runs("gate", MONTH)).items == [run]
    assert await again.run("gate", run.id) == run


async def test_facts_of_a_run_are_not_written_with_each_commit(index: CassandraIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """The init segment goes over once, again where it differs, and again after ten minutes."""
    written = []
    original = index._session.write_together
    monkeypatch.setattr(
        index._session, "write_together", lambda writes: (written.append(a_run().init in writes[0][1]), original(writes))[1]
    )
    for last_us in range(NOON_US + 1, NOON_US + 4):
        await index.put_run(a_run(last_us=last_us))
    await index.put_run(a_run(notes=("clock not synchronised",)))
    now_s = index._session.now_s()
    monkeypatch.setattr(index._session, "now_s", lambda: now_s + cassandra_runs.FACTS_AGAIN_S + 1)
    await index.put_run(a_run(notes=("clock not synchronised",)))
    assert written == [True, False, False, True, True]
    assert (await index.run("gate", a_run().id)).notes == ("clock not synchronised",)


# --- answers that get lost -----------------------------------------------------------------------------------------------


async def test_a_batch_that_was_written_is_ours(losing: tuple[CassandraIndex, LosingSession]) -> None:
    """No answer, but the batch is there with our mark: the write is done."""
    index, session = losing
    session.lose("deletion_batch", done=True)
    await index.put_batch(a_batch(), expect=None)
    session.lose("deletion_batch", done=True)
    await index.put_batch(a_batch(state=BatchState.DELETING), expect=BatchState.PENDING)
    assert await index.batch("gate", DAY) == a_batch(state=BatchState.DELETING)


async def test_an_equal_batch_of_another_is_not_ours(losing: tuple[CassandraIndex, LosingSession], second: CassandraIndex) -> None:
    """No answer, and another wrote the very same meanwhile: a Conflict, since one of the two was first."""
    index, session = losing
    session.lose("deletion_batch", done=False, meanwhile=lambda: second.put_batch(a_batch(), expect=None))
    with pytest.raises(Conflict):
        await index.put_batch(a_batch(), expect=None)


async def test_a_batch_that_may_come_yet_is_unknown(losing: tuple[CassandraIndex, LosingSession]) -> None:
    """No answer, and all is as before: nobody can tell, so nobody says."""
    index, session = losing
    session.lose("deletion_batch", done=False)
    with pytest.raises(Unknown):
        await index.put_batch(a_batch(), expect=None)
    assert await index.batch("gate", DAY) is None


async def _taken(index: CassandraIndex) -> Lease:
    lease = await index.acquire(DUTY, "one", seen=await index.lease(DUTY), now_us=100, ttl_us=50)
    assert lease is not None
    return lease


@pytest.mark.parametrize("kept", [False, True])
async def test_a_lease_that_was_taken_is_ours(losing: tuple[CassandraIndex, LosingSession], kept: bool) -> None:
    """No answer, but the duty is in our epoch: it is ours."""
    index, session = losing
    seen = await _taken(index) if kept else None
    session.lose("lease", done=True)
    lease = await index.acquire(DUTY, "two", seen=seen, now_us=200, ttl_us=50)
    assert lease is not None
    assert lease == await index.lease(DUTY)
    session.lose("lease", done=True)
    assert await index.renew(lease, now_us=210, ttl_us=50) == replace(lease, expires_us=260, renewals=1)
    session.lose("lease", done=True)
    await index.release(replace(lease, renewals=1), now_us=220)
    assert (await index.lease(DUTY) or lease).free


async def test_a_lease_another_took_is_lost(losing: tuple[CassandraIndex, LosingSession], second: CassandraIndex) -> None:
    """No answer, and another holds the duty: None, and the same for the renewal of what was lost so."""
    index, session = losing
    session.lose("lease", done=False, meanwhile=lambda: _taken(second))
    assert await index.acquire(DUTY, "two", seen=None, now_us=200, ttl_us=50) is None
    mine = await _taken(index)
    session.lose("lease", done=False, meanwhile=lambda: _taken(second))
    assert await index.renew(mine, now_us=210, ttl_us=50) is None


async def test_a_lease_that_may_come_yet_is_unknown(losing: tuple[CassandraIndex, LosingSession]) -> None:
    """No answer, and the duty is as it was seen: Unknown, for the taker, the holder and who gives it back."""
    index, session = losing
    session.lose("lease", done=False)
    with pytest.raises(Unknown):
        await index.acquire(DUTY, "one", seen=None, now_us=100, ttl_us=50)
    lease = await _taken(index)
    calls: list[Callable[[], Any]] = [
        lambda: index.renew(lease, now_us=110, ttl_us=50),
        lambda: index.release(lease, now_us=110),
    ]
    for call in calls:
        session.lose("lease", done=False)
        with pytest.raises(Unknown):
            await call()


@pytest.mark.parametrize("done", [False, True])
async def test_an_epoch_is_never_given_twice(losing: tuple[CassandraIndex, LosingSession], second: CassandraIndex, done: bool) -> None:
    """Where the answer about the count of epochs is lost, some are spent, and those given still rise."""
    index, session = losing
    first = await _taken(index)
    session.lose("epoch", done=done)
    lease = await _taken(index)
    later = await _taken(second)
    assert first.epoch < lease.epoch < later.epoch


async def test_sixty_racing_for_epochs_are_quick(index: CassandraIndex, second: CassandraIndex) -> None:
    """A whole site that takes its duties at once has them within seconds, each in an epoch of its own."""
    began_s = index._session.now_s()
    tries = [(index, second)[n % 2].acquire(Duty("record-a", n, 60), "x", seen=None, now_us=1, ttl_us=1) for n in range(60)]
    epochs = {lease.epoch for lease in await asyncio.gather(*tries) if lease is not None}
    assert len(epochs) == 60
    assert index._session.now_s() - began_s < 5


# --- clocks and limits ---------------------------------------------------------------------------------------------------


async def test_a_stamp_changes_whatever_the_clock_says(index: CassandraIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change by a node whose clock is an hour behind is seen as well, after one by a node whose clock is an hour ahead."""
    now_us = index._session.now_us()
    seen = set()
    for n, wrong_us in enumerate((3600 * US_PER_S, -3600 * US_PER_S, 0)):
        monkeypatch.setattr(index._session, "now_us", lambda wrong_us=wrong_us: now_us + wrong_us)
        await index.put_credential("gate", b"%d" % n)
        seen.add((await index.camera_stamps())[bucket_of("gate")])
        assert await index.credential("gate") == b"%d" % n
    assert len(seen) == 3


async def test_what_is_committed_later_survives_a_deletion(index: CassandraIndex, doors: Doors, cassandra: CassandraServer) -> None:
    """A camera-day deleted with the time of its listing loses what was published before it, however late it arrives, and nothing else."""
    keyspace = doors[0].settings.keyspace
    early, late, arriving = some_rows(3)
    await index.publish(early)
    listed_us = doors[0].now_us()
    await index.publish(late)
    cassandra.session.execute(f"DELETE FROM {keyspace}.segment_row USING TIMESTAMP {listed_us} WHERE camera = 'gate' AND day = '{DAY}'")
    insert = cassandra_footage.PUT_ROW.replace("INTO ", f"INTO {keyspace}.") + f" USING TIMESTAMP {listed_us - 1}"
    cassandra.session.execute(cassandra.session.prepare(insert), cassandra_footage.row_values(arriving))
    assert (await index.rows("gate", DAY)).items == [late]


async def test_nothing_is_written_as_a_deletion(index: CassandraIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ordinary write holds a null: each would be a mark that readers pass over for ten days."""
    seen: list[object] = []
    original = cassandra_session.CassandraSession.write

    async def write(session: CassandraSession, cql: str, values: Any) -> None:
        seen.extend(values)
        await original(session, cql, values)

    together = index._session.write_together
    monkeypatch.setattr(cassandra_session.CassandraSession, "write", write)
    monkeypatch.setattr(
        index._session, "write_together", lambda writes: (seen.extend(v for _, vs in writes for v in vs), together(writes))[1]
    )
    await index.publish(a_row())
    await index.publish_many(some_rows(3))
    await index.put_run(a_run())
    await index.put_state(a_change())
    await index.put_run(a_run(last_us=NOON_US + 1))
    assert len(seen) > 100
    assert None not in seen


async def test_there_is_a_limit_to_what_is_under_way(index: CassandraIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request more than the limit is told to come back, and all others are done."""
    monkeypatch.setattr(cassandra_session, "MAX_UNDER_WAY", 50)
    await index.publish(a_row())
    results = await asyncio.gather(*(index.publish(row) for row in some_rows(80)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None)] * 50 + [TryAgain] * 30
    await index.publish(a_row())


async def test_a_forked_process_is_refused(index: CassandraIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver would hang in it for ever."""
    monkeypatch.setattr(index._session, "_pid", -1)
    with pytest.raises(Refused, match="forked"):
        await index.publish(a_row())


async def test_a_cancelled_call_disturbs_nobody(index: CassandraIndex) -> None:
    """Who stops waiting for an answer leaves the others theirs."""
    row = a_row()
    async with asyncio.timeout(10):
        tasks = [asyncio.create_task(index.publish(row)) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results[1::2] == [None] * 10
        assert await index.row("gate", row.position) == row


async def test_a_camera_added_by_two_is_given_once(index: CassandraIndex, second: CassandraIndex) -> None:
    """Of many who add one id at once, one is told that it did."""
    tries = [(index, second)[n % 2].add_camera(a_camera(name=f"n{n}")) for n in range(8)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    (winner,) = [n for n, result in enumerate(results) if result is None]
    assert all(isinstance(result, Conflict) for n, result in enumerate(results) if n != winner)
    assert (await index.camera("gate")).name == f"n{winner}"
