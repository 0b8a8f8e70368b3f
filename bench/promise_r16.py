"""R16: a hold beats the deletion, whatever the order of their calls, and binds at once.

The real `place` races the real deletion of what it covers. In memory all orders of their calls are gone through in which the turn changes
so many times at most; on real stores (SQLite, and a node of Cassandra, each with SeaweedFS with Object Lock) each goes up to each of its
calls, then the other to its end, and the deletion dies before each of its calls. Forbidden: footage that is lost though the hold's record
was there before the batch was claimed, that is lost and not named to who placed the hold, or that is in the index or the pool alone. The
same, in memory, with a hold that is placed at another site: told to this one as it is placed, or cut off and found when this one asks. Then
holds are placed on Cassandra one after the other, by camera and by area, and told to another site (another keyspace, by TLS on loopback);
the time to the acknowledged record is taken here and there. Controls: a deletion that does not look again at the holds after its claim, and
one that does not ask the other site.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.promise import read_form, report
from replication.holds import HoldsAtPeers
from retention.holds import HoldOrder, place
from retention.merged_holds import MergedHolds
from segments.ports import Index
from segments.record import Record
from segments.stores.cassandra_index import CassandraIndex, open_cassandra_index
from segments.stores.s3_objects import S3Objects
from segments.stores.sqlite_index import open_sqlite_index
from tests.asked_site import AskedSite, a_client, served
from tests.builders import a_camera
from tests.fakes import SteppedClock
from tests.hold_orders import ASKING_CALLS, cuts, deaths, every_interleaving
from tests.hold_races import DUE_US, Race, Schedule, SecondLookLeftOut, goes_by
from tests.servers.cassandra import CassandraServer
from tests.servers.seaweedfs import SeaweedFs
from tests.site_races import site_race

TURNS_SHORT, TURNS_FULL, TURNS_CONTROL = 2, 4, 2
HOLDS_SHORT, HOLDS_FULL = 100, 1_000
IN_AREA = 200
"""Cameras of the area that every second hold is on."""
BINDS_S = 2.0


async def raced(index: Index, objects: S3Objects, schedules: Iterable[Schedule], name: str) -> tuple[int, list[str]]:
    """Runs a race for each order; how many, and what was not as promised."""
    found: list[str] = []
    number = 0
    for schedule in schedules:
        race = Race(index, objects, SteppedClock(DUE_US), camera=f"gate-{number}")
        if isinstance(index, CassandraIndex):
            goes_by(index, race.clock)
        await race.prepare()
        found += [f"{fault} after {schedule}" for fault in await race.run(schedule)]
        number += 1
    print(f"  {number} races on {name}: {found[:3] or 'nothing forbidden'}", flush=True)
    return number, found


@asynccontextmanager
async def both_indexes(folder: Path, server: CassandraServer) -> AsyncIterator[list[tuple[str, Index]]]:
    """An empty one of each make."""
    indexes: list[tuple[str, Index]] = [
        ("SQLite", await open_sqlite_index(folder / "index.sqlite")),
        ("Cassandra", await open_cassandra_index(await server.new_keyspace())),
    ]
    yield indexes
    for _, index in indexes:
        await index.close()


async def raced_between_sites(every: int) -> tuple[int, list[str], bool]:
    """The races of two sites; how many, what was not as promised, and whether the control sees a loss."""
    found: list[str] = []
    number = 0
    for told in (True, False):
        for schedule in itertools.chain(cuts(every, deletion_calls=ASKING_CALLS), deaths(2 * every)):
            race = site_race(told=told)
            await race.prepare()
            found += [f"{fault} after {schedule}, told: {told}" for fault in await race.run(schedule)]
            number += 1
    losses: list[str] = []
    for schedule in cuts(4):
        ignoring = site_race(told=False, asks=False)
        await ignoring.prepare()
        losses += await ignoring.run(schedule)
    lost = "lost, though the hold bound before the claim" in losses
    print(f"  {number} races of two sites: {found[:3] or 'nothing forbidden'}; control: {'red' if lost else 'green'}", flush=True)
    return number, found, lost


class Binding:
    """An index that notes when a record is acknowledged."""

    def __init__(self, inner: Index) -> None:
        self._inner = inner
        self.bound_s = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def put_record(self, record: Record) -> None:
        """See `Records`."""
        await self._inner.put_record(record)
        self.bound_s = time.monotonic()


@asynccontextmanager
async def another_site(server: CassandraServer, folder: Path) -> AsyncIterator[tuple[Binding, HoldsAtPeers]]:
    """Its index, and who tells it of holds, by its routes."""
    index = await open_cassandra_index(await server.new_keyspace())
    noting: Any = Binding(index)
    merge = MergedHolds(noting, lambda: time.time_ns() // 1000)
    site: Any = AskedSite()
    site.voice.merge_holds = merge
    async with served(site, folder) as (url, ca_file):
        client = a_client(url, ca_file)
        yield noting, HoldsAtPeers({"north": client})
        await client.close()
    await merge.close()
    await index.close()


async def binding_times(server: CassandraServer, folder: Path, holds: int) -> tuple[list[float], list[float]]:
    """Seconds from the order to the acknowledged record, here and at another site, of holds on a camera and on an area in turn, sorted."""
    index = await open_cassandra_index(await server.new_keyspace())
    for number in range(IN_AREA):
        await index.add_camera(a_camera(f"quay-{number}", area="harbour/east"))
    here, there = [], []
    async with another_site(server, folder) as (other, sites):
        for number in range(holds):
            now_us = time.time_ns() // 1000
            where: dict[str, Any] = {"areas": ("harbour",)} if number % 2 else {"cameras": (f"quay-{number % IN_AREA}",)}
            noting: Any = Binding(index)
            other.bound_s = float("inf")
            began_s = time.monotonic()
            placed = await place(HoldOrder("c", "r", "Li", now_us - 1_000_000, **where), index=noting, now_us=now_us, sites=sites)
            here.append(noting.bound_s - began_s)
            there.append(other.bound_s - began_s if not placed.sites["north"].why else float("inf"))
    await index.close()
    return sorted(here), sorted(there)


def p99(times: Sequence[float]) -> float:
    """Of sorted times."""
    return times[int(len(times) * 0.99)]


async def main() -> bool:
    """Measures and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    every, turns = (1, TURNS_FULL) if form.full else (6, TURNS_SHORT)
    print(f"R16: all orders in memory with up to {turns} changes of turn", flush=True)
    states, found = await every_interleaving(most_turns=turns)
    _, control = await every_interleaving(deleting=SecondLookLeftOut, most_turns=TURNS_CONTROL)
    print(f"  {states} states: {found or 'nothing forbidden'}; control: {list(control)}", flush=True)
    races, between, sites_control = await raced_between_sites(1 if form.full else 2)
    faults = [*found, *between]
    with tempfile.TemporaryDirectory() as folder, SeaweedFs(Path(folder)) as store, CassandraServer(Path(folder)) as server:
        async with both_indexes(Path(folder), server) as indexes:
            for name, index in indexes:
                objects = S3Objects(store.settings(store.make_bucket(locks=True)))
                schedules = itertools.chain(cuts(every), deaths(4 * every if not form.full else 2))
                done, forbidden = await raced(index, objects, schedules, name)
                races, faults = races + done, faults + forbidden
                objects.close()
        here, there = await binding_times(server, Path(folder), HOLDS_FULL if form.full else HOLDS_SHORT)
    for where, times in (("here", here), ("at another site", there)):
        median_ms, p99_ms = times[len(times) // 2] * 1000, p99(times) * 1000
        print(f"  {len(times)} holds bound {where} in {median_ms:.0f} ms (median), {p99_ms:.0f} ms (p99)", flush=True)
    slowest_s = max(p99(here), p99(there))
    result = report(
        promise="R16",
        form=form.name,
        n=states + races,
        value=len(faults),
        unit="orders that lose held footage or do not name it; "
        f"a hold binds in {p99(here) * 1000:.0f} ms here, {p99(there) * 1000:.0f} ms there (p99)",
        gate="0, and bound within 2 s at every site that answers",
        control="red" if control and sites_control else "green",
        met=not faults and slowest_s <= BINDS_S,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
