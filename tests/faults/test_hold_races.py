"""A hold beats the deletion, whatever the order of their calls: every order in memory, those around each call on real stores."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest

from segments.stores.cassandra_index import open_cassandra_index
from segments.stores.memory_objects import MemoryObjects
from segments.stores.s3_objects import S3Objects
from segments.stores.sqlite_index import open_sqlite_index
from tests.fakes import SteppedClock
from tests.hold_orders import ASKING_CALLS, cuts, deaths, every_interleaving
from tests.hold_races import DELETION, DUE_US, HOLD, Race, Schedule, SecondLookLeftOut, Turn, goes_by, memory_race
from tests.servers.cassandra import CassandraServer
from tests.servers.seaweedfs import SeaweedFs
from tests.site_races import site_race

TURNS = 2
"""Changes of turn in the tests; the long form of R16 has no limit."""


async def faults_of(race: Race, schedule: Schedule) -> Counter[str]:
    """What is not as promised after a race."""
    await race.prepare()
    return Counter(await race.run(schedule))


@pytest.mark.slow
async def test_no_order_in_memory_loses_what_is_held() -> None:
    """All orders of all calls in which the turn changes twice at most: what is lost was claimed before the hold bound, and is named."""
    states, found = await every_interleaving(most_turns=TURNS)
    assert found == {}
    assert states > 2_000


@pytest.mark.slow
async def test_without_the_second_look_the_search_finds_a_loss() -> None:
    """The negative control: where the look from before the claim counts after it, a hold that bound in between loses."""
    _, found = await every_interleaving(deleting=SecondLookLeftOut, most_turns=1)
    _, twice = await every_interleaving(deleting=SecondLookLeftOut, most_turns=2)
    assert "lost, though the hold bound before the claim" in found | twice


async def test_a_death_at_any_call_loses_nothing() -> None:
    """Of the deletion's process, which another follows, and of the hold's, which none follows."""
    for schedule in deaths(every=2):
        assert await faults_of(memory_race(), schedule) == {}, schedule


async def test_what_is_lost_is_named_and_nothing_else_is_lost() -> None:
    """A hold that comes before the claim keeps all of its time; one that comes after the end finds it in the receipts."""
    early, late = memory_race(), memory_race()
    assert await faults_of(early, [Turn(HOLD), Turn(DELETION)]) == {}
    assert early.placed is not None
    assert (early.placed.back.too_late, early.placed.back.deleted) == ([], [])
    assert await faults_of(late, [Turn(DELETION), Turn(HOLD)]) == {}
    assert late.placed is not None
    assert [each.camera for each in late.placed.back.deleted] == ["gate"]


async def test_a_list_that_leaves_something_out_is_seen() -> None:
    """The negative control: a loss that was not named goes red."""
    race = memory_race()
    await race.prepare()
    await race.run([Turn(DELETION)])
    assert race.placed is not None
    race.placed.back.deleted.clear()  # type: ignore[attr-defined]
    assert "lost, and not named" in await race.faults()


@pytest.mark.parametrize("told", [True, False])
async def test_no_order_between_two_sites_loses_what_is_held(told: bool) -> None:
    """The hold is placed at another site, which tells this one, or cannot and is asked by it: around each call, and dying."""
    for schedule in itertools.chain(cuts(deletion_calls=ASKING_CALLS), deaths(every=6)):
        assert await faults_of(site_race(told=told), schedule) == {}, schedule


async def test_where_the_other_site_is_not_asked_the_search_finds_a_loss() -> None:
    """The negative control: a hold that bound there before the claim, and could not be told, loses."""
    found: Counter[str] = Counter()
    for schedule in cuts(every=4):
        found += await faults_of(site_race(told=False, asks=False), schedule)
    assert found["lost, though the hold bound before the claim"]


@pytest.mark.server
async def test_no_order_on_sqlite_and_a_bucket_loses_what_is_held(tmp_path: Path, s3_server: SeaweedFs) -> None:
    """A file and SeaweedFS with Object Lock, where each object has a version: around every second call, and dying."""
    objects = S3Objects(s3_server.settings(s3_server.make_bucket(locks=True)))
    index = await open_sqlite_index(tmp_path / "index.sqlite")
    try:
        for number, schedule in enumerate(itertools.chain(cuts(every=2), deaths(every=12))):
            race = Race(index, objects, SteppedClock(DUE_US), camera=f"gate-{number}")
            assert await faults_of(race, schedule) == {}, schedule
    finally:
        objects.close()
        await index.close()


@pytest.mark.server
async def test_no_order_on_cassandra_loses_what_is_held(cassandra: CassandraServer) -> None:
    """A real node, with its own conditional writes, tombstones and times: around every fourth call, and dying."""
    index = await open_cassandra_index(await cassandra.new_keyspace())
    try:
        for number, schedule in enumerate(itertools.chain(cuts(every=4), deaths(every=24))):
            race = Race(index, MemoryObjects(), SteppedClock(DUE_US), camera=f"gate-{number}")
            goes_by(index, race.clock)
            assert await faults_of(race, schedule) == {}, schedule
    finally:
        await index.close()
