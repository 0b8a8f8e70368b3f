"""A site whose footage is due, over real stores, and sweeps of it by a clock that is moved: what R18 and S7 measure on."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from retention.removal import DoomedObjects
from retention.sweep import Round, Sweep
from retention.sweep_values import SweepSettings, SweepShard
from segments.clock import US_PER_DAY, US_PER_S
from segments.keys import SegmentKey
from segments.model import Row
from segments.ports import Index, ObjectStore
from tests.builders import NOON_US, a_camera, a_row, a_run
from tests.clocks import HandClock
from tests.retention_builders import write_policy

DUE_US = NOON_US + 45 * US_PER_DAY
"""Footage of the days before, from noon's on, has been due for a while."""
EVERY_S = 61
PUTS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Amount:
    """How much footage: so many cameras, days of each, and segments of each day; each of so many bytes."""

    cameras: int
    days: int
    segments: int
    segment_bytes: int = 1024

    @property
    def all_segments(self) -> int:
        """Of all cameras."""
        return self.cameras * self.days * self.segments


def rows_of(amount: Amount, *, first_us: int = NOON_US - US_PER_DAY // 2, pool: str = "main", name: str = "c") -> list[Row]:
    """Rows from midnight on, evenly spread over each day; one run a camera-day."""
    step_us = US_PER_DAY // amount.segments
    return [
        replace(
            a_row(camera=f"{name}{camera}", run=f"home-a-{day + 1}-1", counter=n, start_us=first_us + day * US_PER_DAY + n * step_us),
            pool=pool,
            size=amount.segment_bytes,
            version="",
        )
        for camera in range(amount.cameras)
        for day in range(amount.days)
        for n in range(amount.segments)
    ]


def body_of(row: Row) -> bytes:
    """Its bytes: the same each time."""
    return random.Random(row.key).randbytes(row.size)


async def keep(rows: Sequence[Row], index: Index, objects: ObjectStore) -> list[Row]:
    """Stores and indexes footage as commits leave it, with its runs ended and the objects that close them; the rows with their versions."""
    at_once = asyncio.Semaphore(PUTS_AT_ONCE)

    async def put(row: Row) -> Row:
        body = body_of(row)
        digest = hashlib.sha256(body).hexdigest()
        async with at_once:
            return replace(row, sha256=digest, version=await objects.put(row.key, body, sha256=digest, attributes={}))

    kept = list(await asyncio.gather(*map(put, rows)))
    for (camera, day), some in _by_day(kept).items():
        last = some[-1]
        await objects.put(closing_of(last), b"", sha256=hashlib.sha256(b"").hexdigest(), attributes={})
        await index.put_run(a_run(camera=camera, id=last.run, start_us=some[0].start_us, last_us=last.end_us, ended=True))
        await index.publish_many(some)
        await index.put_usage(camera, day, await index.row_sums(camera, day))
    for camera in sorted({row.camera for row in kept}):
        await index.add_camera(a_camera(camera, tier=""))
    return kept


def closing_of(last: Row) -> str:
    """The key of the empty object that closes a run whose last segment this is."""
    return str(SegmentKey(last.camera, last.run, last.end_us, last.counter + 1, is_end=True))


async def sweep_all(index: Index, pools: Mapping[str, DoomedObjects], *, days: float = 1) -> list[Round]:
    """Rounds of a sweep about a minute apart, until one finds nothing left to do; commit deadline and grace pass by the clock alone.

    Gives up after so many days by that clock.
    """
    clock = HandClock(DUE_US)
    settings = SweepSettings(objects_per_s=1e9)
    sweep = Sweep(SweepShard(place="bench", boot="boot"), index=index, pools=pools, clock=clock, settings=settings)
    rounds = []
    while clock.monotonic_ns() < days * 86_400e9:
        rounds.append(await sweep.round())
        if len(rounds) > 1 and not rounds[-1].open_batches and not rounds[-1].steps:
            break
        clock.move(EVERY_S if rounds[-1].next_us > clock.now_us() + US_PER_S else 1)
    return rounds


async def begin_retention(index: Index) -> None:
    """The shipped policy, bound since long ago."""
    await write_policy(index)


def _by_day(rows: Iterable[Row]) -> dict[tuple[str, object], list[Row]]:
    found: dict[tuple[str, object], list[Row]] = {}
    for row in rows:
        found.setdefault((row.camera, row.day), []).append(row)
    return found
