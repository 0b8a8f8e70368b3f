"""S4: the timeline of a camera-day and of 90 days out of an index of many rows, against the bare prepared query of the same partitions.

The timeline is what playback does: read through segments/timeline.py, joined so that each moment counts once. The bare side is the driver's
own `execute`, one query a partition, same columns, and counts what comes. Both take the same random camera-days (or cameras) in turns, who
begins changes. A day is measured again each time the table has grown, from 10^4 rows on: it must not grow with it. Control: a timeline that
reads whole rows, as playing them needs.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cassandra.cluster import Session

from bench.many_rows import DAY_ROWS, camera_name, load_rows, midnight_us
from bench.promise import read_form, report
from segments.clock import US_PER_DAY, US_PER_S, day_of
from segments.model import Span
from segments.ports import Index
from segments.stores.cassandra_index import open_cassandra_index
from segments.timeline import (
    LONGEST_SEGMENT_US,
    footage_between,
    footage_of_rows,
    footage_of_runs,
    joined,
    months,
    rows_between,
    runs_between,
    states_between,
)
from tests.builders import INIT, a_change, a_loss, a_run
from tests.servers.cassandra import CassandraServer, Setup

GATE, GATE_FLAT = 1.3, 1.3
DAYS = 90
SPAN_CAMERAS = 40
"""So many of the cameras have runs and states."""
INIT_BYTES = 1_500
STATES_A_DAY = 4
CONTROL = 5
"""How often the control reads a day of each of these."""

_DAY = "SELECT start_us, run, counter, end_us, codecs FROM {}.segment_row WHERE camera = ? AND day = ? AND start_us > ?"
_RUNS = "SELECT run, start_us, last_us, top_us, init, codecs, width, height, ended, end_cause, notes FROM {}.run_in_month {}"
_STATES = "SELECT at_us, state, cause, detail FROM {}.state_change {}"
_MONTH = "WHERE camera = ? AND month = ?"


@dataclass(frozen=True, slots=True)
class Plan:
    """How many cameras with 90 days of rows are added in each step after the first 10^4 rows, and how often each side reads."""

    steps: Sequence[int]
    reads: int


SHORT, FULL = Plan(steps=(8,), reads=300), Plan(steps=(8, 764), reads=2_000)
"""10^4 and 10^6 rows; and 10^8."""


@dataclass
class Times:
    """Seconds of each read of both sides."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    @property
    def ratio_p99(self) -> float:
        """Ours by the bare query's."""
        return p99(self.ours) / p99(self.bare)

    @property
    def median(self) -> float:
        """Of ours."""
        return statistics.median(self.ours)

    def __str__(self) -> str:
        sides = [f"{name} p50 {1e3 * statistics.median(side):.1f} p99 {1e3 * p99(side):.1f} ms" for name, side in vars(self).items()]
        return f"{'; '.join(sides)}; p99 {self.ratio_p99:.2f} times"


def p99(seconds: Sequence[float]) -> float:
    """What 99 of 100 took at most."""
    return sorted(seconds)[int(0.99 * (len(seconds) - 1) + 0.5)]


class Bare:
    """The driver alone, one query after the other."""

    def __init__(self, session: Session, keyspace: str) -> None:
        self._session = session
        self._day = session.prepare(_DAY.format(keyspace))
        self._runs = session.prepare(_RUNS.format(keyspace, _MONTH))
        self._states = session.prepare(_STATES.format(keyspace, _MONTH))
        self._before = session.prepare(_STATES.format(keyspace, f"{_MONTH} AND at_us <= ? ORDER BY at_us DESC LIMIT 1"))

    def day(self, camera: str, span: Span) -> int:
        """The rows of a day, and of the minutes before it."""
        reach_us = span.start_us - LONGEST_SEGMENT_US
        days = [day_of(reach_us), day_of(span.start_us)]
        return sum(len(self._session.execute(self._day, (camera, day, reach_us)).all()) for day in days)

    def long(self, camera: str, span: Span) -> int:
        """Runs and states of all months, and the state before."""
        found = len(self._session.execute(self._before, (camera, day_of(span.start_us).replace(day=1), span.start_us)).all())
        for month in months(span):
            for query in (self._runs, self._states):
                found += len(self._session.execute(query, (camera, month)).all())
        return found


async def our_day(index: Index, camera: str, span: Span) -> int:
    """The pieces of a day's timeline."""
    return len(joined(await footage_between(index, camera, span)))


async def careless_day(index: Index, camera: str, span: Span) -> int:
    """The control."""
    return len(joined(footage_of_rows(await rows_between(index, camera, span))))


async def our_long(index: Index, camera: str, span: Span) -> int:
    """The pieces of a long timeline, and its states."""
    runs, states = await asyncio.gather(runs_between(index, camera, span), states_between(index, camera, span))
    return len(joined(footage_of_runs(runs))) + len(states)


async def in_turns(
    ours: Callable[[str, Span], Awaitable[int]], bare: Callable[[str, Span], int], asked: Iterator[tuple[str, Span]], least: int
) -> Times:
    """Reads each of what is asked on both sides; raises AssertionError if the bare side finds less than there must be."""
    times = Times()
    for turn, (camera, span) in enumerate(asked):
        for side in (0, 1) if turn % 2 else (1, 0):
            began_s = time.perf_counter()
            found = bare(camera, span) if side else await ours(camera, span)
            (times.bare if side else times.ours).append(time.perf_counter() - began_s)
            assert found >= (least if side else 1), (camera, span, found)
    return times


async def fill_spans(index: Index, cameras: Sequence[str]) -> None:
    """Runs of a day each, and states, for 90 days of these cameras."""
    at_once = asyncio.Semaphore(64)

    async def fill(camera: str, day: int) -> None:
        start_us = midnight_us(day)
        last_us = start_us + US_PER_DAY - 60 * US_PER_S
        run = a_run(camera=camera, id=f"home-a-{day + 1}-1", start_us=start_us, last_us=last_us, init=INIT.ljust(INIT_BYTES, b"\0"))
        async with at_once:
            await index.put_run(run)
            for n in range(STATES_A_DAY):
                change = (a_change if n % 2 else a_loss)(camera=camera, at_us=start_us + n * US_PER_S)
                await index.put_state(change)

    await asyncio.gather(*(fill(camera, day) for camera in cameras for day in range(DAYS)))


async def measure(server: CassandraServer, plan: Plan) -> tuple[list[Times], Times, Times]:
    """Days at each size of the table, 90 days at the last, and the control."""
    settings = await server.new_keyspace()
    index = await open_cassandra_index(settings)
    try:
        bare, dice = Bare(server.session, settings.keyspace), random.Random(4)
        rows = await asyncio.to_thread(load_rows, server, settings.keyspace, cameras=range(1), days=7)
        days = [await measure_days(index, bare, [(camera_name(0), day) for day in range(1, 7)], plan.reads, rows)]
        first = 1
        for step in plan.steps:
            rows += await asyncio.to_thread(load_rows, server, settings.keyspace, cameras=range(first, first + step), days=DAYS)
            first += step
            present = [(camera_name(n), day) for n in range(1, first) for day in range(1, DAYS)]
            days.append(await measure_days(index, bare, [dice.choice(present) for _ in range(plan.reads)], plan.reads, rows))
        cameras = [camera_name(n) for n in range(1, first)][:SPAN_CAMERAS]
        await fill_spans(index, cameras)
        whole = Span(midnight_us(0), midnight_us(DAYS))
        asked = ((dice.choice(cameras), whole) for _ in range(plan.reads))
        long = await in_turns(lambda *one: our_long(index, *one), bare.long, asked, DAYS * (1 + STATES_A_DAY))
        print(f"90 days, {rows:,} rows: {long}", flush=True)
        asked = ((camera, Span(midnight_us(1), midnight_us(2))) for camera in cameras * CONTROL)
        control = await in_turns(lambda *one: careless_day(index, *one), bare.day, asked, DAY_ROWS)
        print(f"control, a day by whole rows: {control}", flush=True)
        return days, long, control
    finally:
        await index.close()


async def measure_days(index: Index, bare: Bare, places: Sequence[tuple[str, int]], reads: int, rows: int) -> Times:
    """Reads each of these camera-days at the table's present size, some of them first without counting."""
    spans = [(camera, Span(midnight_us(day), midnight_us(day + 1))) for camera, day in places]
    await in_turns(lambda *one: our_day(index, *one), bare.day, iter(spans[:20]), DAY_ROWS)
    asked = (spans[n % len(spans)] for n in range(reads))
    times = await in_turns(lambda *one: our_day(index, *one), bare.day, asked, DAY_ROWS)
    print(f"a day, {rows:,} rows: {times}", flush=True)
    return times


def main() -> bool:
    """Runs the promise; returns whether it is met."""
    form = read_form(__doc__)
    plan = FULL if form.full else SHORT
    setup = Setup(commitlog_sync="periodic", heap_mb=1024, quick_start=False)
    with tempfile.TemporaryDirectory() as folder, CassandraServer(Path(folder), setup) as server:
        days, long, control = asyncio.run(measure(server, plan))
    growth = days[-1].median / days[0].median
    result = report(
        promise="S4",
        form=form.name,
        n=plan.reads,
        value=round(1e3 * p99(days[-1].ours), 1),
        unit=f"ms p99 a day ({days[-1].ratio_p99:.2f} times); 90 days {1e3 * p99(long.ours):.1f} ms ({long.ratio_p99:.2f} times); "
        f"a day's median grew {growth:.2f} times from 10^4 rows on",
        peer=round(1e3 * p99(days[-1].bare), 1),
        ratio=round(max(days[-1].ratio_p99, long.ratio_p99), 3),
        gate="p99 <= 1.3 times, a day flat from 10^4 rows on",
        control="red" if control.ratio_p99 > GATE else "green",
        met=max(days[-1].ratio_p99, long.ratio_p99) <= GATE and growth <= GATE_FLAT,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
