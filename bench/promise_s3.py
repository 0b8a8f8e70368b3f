"""S3: index writes through our port, rows a second into Cassandra, against the driver's own execute_concurrent_with_args.

(a) live: single rows of many cameras, 100 in flight on either side. (b) in bulk: whole camera-days, as a rebuild or a copy writes them.
Both sides begin with the same rows as values, use the same prepared statement, the same way to a server (by token, quorum of the data
centre), and write in turns to a server of their own that is compiled as in service (log synced periodically: with a sync for each write the
disk, not the client, would be measured). At the end the table must hold every row of both.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy

from bench.promise import read_form, report
from segments.clock import US_PER_S
from segments.model import Row
from segments.stores.cassandra_footage import PUT_ROW, row_values
from segments.stores.cassandra_index import CassandraIndex, open_cassandra_index
from tests.builders import NOON_US, a_row, some_fragments, some_rows
from tests.servers.cassandra import CassandraServer, Setup

IN_FLIGHT = 100
DAY_ROWS = 1440
WARM_UP = 2
"""Turns that do not count: the server is compiled as it goes."""
GATE_LIVE, GATE_BULK = 0.9, 2.5
FRAGMENTS = some_fragments()
"""30 of them, as a segment of a minute has."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many turns each side has, and how many rows one has."""

    turns: int
    live_rows: int
    bulk_days: int


SHORT, FULL = Plan(turns=5, live_rows=6_000, bulk_days=6), Plan(turns=20, live_rows=20_000, bulk_days=20)


@dataclass
class Rates:
    """Rows a second, turn by turn."""

    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Ours by the peer's: the middle of the turns' ratios, since what else the machine does meets both of a turn."""
        return statistics.median(ours / peer for ours, peer in zip(self.ours, self.peer, strict=True))

    def __str__(self) -> str:
        ours, peer = statistics.median(self.ours), statistics.median(self.peer)
        return f"ours {ours:,.0f} rows/s, driver {peer:,.0f}, {self.ratio:.2f} times (turns {_ratios(self)})"


def _ratios(rates: Rates) -> str:
    return " ".join(f"{ours / peer:.2f}" for ours, peer in zip(rates.ours, rates.peer, strict=True))


class Sides:
    """Both ways of writing, and how many rows there must be."""

    def __init__(self, index: CassandraIndex, session: Session, keyspace: str) -> None:
        self._index = index
        self._session = session
        self._prepared = session.prepare(PUT_ROW.replace("INTO ", f"INTO {keyspace}."))
        self.written = 0

    async def ours_live(self, rows: list[Row]) -> float:
        """Rows a second of so many writers that share the rows."""
        waiting = iter(rows)

        async def write() -> None:
            for row in waiting:
                await self._index.publish(row)

        began_s = time.perf_counter()
        await asyncio.gather(*(write() for _ in range(IN_FLIGHT)))
        return self._rate(rows, began_s)

    async def ours_bulk(self, rows: list[Row]) -> float:
        """Rows a second, one camera-day after the other."""
        began_s = time.perf_counter()
        for first in range(0, len(rows), DAY_ROWS):
            await self._index.publish_many(rows[first : first + DAY_ROWS])
        return self._rate(rows, began_s)

    async def peer(self, rows: list[Row]) -> float:
        """Rows a second of the driver's own way."""
        began_s = time.perf_counter()
        values = map(row_values, rows)
        await asyncio.to_thread(execute_concurrent_with_args, self._session, self._prepared, values, concurrency=IN_FLIGHT)
        return self._rate(rows, began_s)

    def _rate(self, rows: list[Row], began_s: float) -> float:
        self.written += len(rows)
        return len(rows) / (time.perf_counter() - began_s)


def live_rows(turn: int, count: int) -> list[Row]:
    """One row each of so many cameras."""
    return [a_row(camera=f"live{n}", start_us=NOON_US + turn * 60 * US_PER_S, counter=turn, fragments=FRAGMENTS) for n in range(count)]


def bulk_rows(turn: int, days: int) -> list[Row]:
    """Whole days of so many cameras."""
    midnight_us = NOON_US - NOON_US % (86_400 * US_PER_S)
    return [row for n in range(days) for row in some_rows(DAY_ROWS, camera=f"bulk{turn}-{n}", start_us=midnight_us, fragments=FRAGMENTS)]


async def in_turns(ours: Callable, peer: Callable, make_rows: Callable[[int], list[Row]], turns: int) -> Rates:
    """Each side writes rows of its own, one after the other; who begins changes."""
    rates = Rates()
    for turn in range(-WARM_UP, turns):
        sides: Iterable[tuple[Callable, list[float]]] = [(ours, rates.ours), (peer, rates.peer)]
        for number, (write, kept) in enumerate(sides if turn % 2 else reversed(list(sides))):
            rate = await write(make_rows(2 * (turn + WARM_UP) + number))
            if turn >= 0:
                kept.append(rate)
    return rates


async def measure(server: CassandraServer, plan: Plan) -> tuple[Rates, Rates]:
    """Live, then in bulk; raises AssertionError if a row is missing."""
    settings = await server.new_keyspace()
    index = await open_cassandra_index(settings)
    policy = TokenAwarePolicy(DCAwareRoundRobinPolicy(settings.datacenter))
    profile = ExecutionProfile(policy, consistency_level=ConsistencyLevel.LOCAL_QUORUM)
    peer = Cluster(settings.hosts, port=settings.port, protocol_version=5, execution_profiles={EXEC_PROFILE_DEFAULT: profile})
    try:
        sides = Sides(index, await asyncio.to_thread(peer.connect), settings.keyspace)
        live = await in_turns(sides.ours_live, sides.peer, lambda turn: live_rows(turn, plan.live_rows), plan.turns)
        print(f"(a) live: {live}", flush=True)
        bulk = await in_turns(sides.ours_bulk, sides.peer, lambda turn: bulk_rows(turn, plan.bulk_days), plan.turns)
        print(f"(b) in bulk: {bulk}", flush=True)
    finally:
        await asyncio.to_thread(peer.shutdown)
        await index.close()
    found = sum(1 for _ in _all_rows(server.session, settings.keyspace))
    assert found == sides.written, f"{found} rows of {sides.written} are there"
    return live, bulk


def _all_rows(session: Session, keyspace: str) -> Iterator[object]:
    return iter(session.execute(f"SELECT counter FROM {keyspace}.segment_row"))


def main() -> bool:
    """Runs the promise; returns whether it is met."""
    form = read_form(__doc__)
    plan = FULL if form.full else SHORT
    setup = Setup(commitlog_sync="periodic", heap_mb=1024, quick_start=False)
    with tempfile.TemporaryDirectory() as folder, CassandraServer(Path(folder), setup) as server:
        live, bulk = asyncio.run(measure(server, plan))
    result = report(
        promise="S3",
        form=form.name,
        n=2 * plan.turns * (plan.live_rows + plan.bulk_days * DAY_ROWS),
        value=round(statistics.median(live.ours)),
        unit=f"rows/s live; {statistics.median(bulk.ours):,.0f} rows/s in bulk, {bulk.ratio:.2f} times",
        peer=round(statistics.median(live.peer)),
        ratio=round(live.ratio, 3),
        gate="live >= 0.9, in bulk >= 2.5 times",
        met=live.ratio >= GATE_LIVE and bulk.ratio >= GATE_BULK,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
