"""R16: a hold beats the deletion, whatever the order of their calls, and binds at once.

The real `place` races the real deletion of what it covers. In memory all orders of their calls are gone through in which the turn changes
so many times at most; on real stores (SQLite, and a node of Cassandra, each with SeaweedFS with Object Lock) each goes up to each of its
calls, then the other to its end, and the deletion dies before each of its calls. Forbidden: footage that is lost though the hold's record
was there before the batch was claimed, that is lost and not named to who placed the hold, or that is in the index or the pool alone. Then
holds are placed on Cassandra one after the other, by camera and by area, and the time to the acknowledged record is taken. Control: a
deletion that does not look again at the holds after its claim.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.promise import read_form, report
from retention.holds import HoldOrder, place
from segments.ports import Index
from segments.record import Record
from segments.stores.cassandra_index import CassandraIndex, open_cassandra_index
from segments.stores.s3_objects import S3Objects
from segments.stores.sqlite_index import open_sqlite_index
from tests.builders import a_camera
from tests.fakes import SteppedClock
from tests.hold_orders import cuts, deaths, every_interleaving
from tests.hold_races import DUE_US, Race, Schedule, SecondLookLeftOut, goes_by
from tests.servers.cassandra import CassandraServer
from tests.servers.seaweedfs import SeaweedFs

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


async def binding_times(server: CassandraServer, holds: int) -> list[float]:
    """Seconds from the order to the acknowledged record, of holds on a camera and on an area in turn, in order of length."""
    index = await open_cassandra_index(await server.new_keyspace())
    for number in range(IN_AREA):
        await index.add_camera(a_camera(f"quay-{number}", area="harbour/east"))
    taken = []
    for number in range(holds):
        now_us = time.time_ns() // 1000
        where: dict[str, Any] = {"areas": ("harbour",)} if number % 2 else {"cameras": (f"quay-{number % IN_AREA}",)}
        noting: Any = Binding(index)
        began_s = time.monotonic()
        await place(HoldOrder("c", "r", "Li", now_us - 1_000_000, **where), index=noting, now_us=now_us)
        taken.append(noting.bound_s - began_s)
    await index.close()
    return sorted(taken)


async def main() -> bool:
    """Measures and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    every, turns = (1, TURNS_FULL) if form.full else (6, TURNS_SHORT)
    print(f"R16: all orders in memory with up to {turns} changes of turn", flush=True)
    states, found = await every_interleaving(most_turns=turns)
    _, control = await every_interleaving(deleting=SecondLookLeftOut, most_turns=TURNS_CONTROL)
    print(f"  {states} states: {found or 'nothing forbidden'}; control: {list(control)}", flush=True)
    races, faults = 0, list(found)
    with tempfile.TemporaryDirectory() as folder, SeaweedFs(Path(folder)) as store, CassandraServer(Path(folder)) as server:
        async with both_indexes(Path(folder), server) as indexes:
            for name, index in indexes:
                objects = S3Objects(store.settings(store.make_bucket(locks=True)))
                schedules = itertools.chain(cuts(every), deaths(4 * every if not form.full else 2))
                done, forbidden = await raced(index, objects, schedules, name)
                races, faults = races + done, faults + forbidden
                objects.close()
        times = await binding_times(server, HOLDS_FULL if form.full else HOLDS_SHORT)
    p99_s = times[int(len(times) * 0.99)]
    print(f"  {len(times)} holds bound in {times[len(times) // 2] * 1000:.0f} ms (median), {p99_s * 1000:.0f} ms (p99)", flush=True)
    result = report(
        promise="R16",
        form=form.name,
        n=states + races,
        value=len(faults),
        unit=f"orders that lose held footage or do not name it; a hold binds in {p99_s * 1000:.0f} ms (p99)",
        gate="0, and bound within 2 s",
        control="red" if control else "green",
        met=not faults and p99_s <= BINDS_S,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
