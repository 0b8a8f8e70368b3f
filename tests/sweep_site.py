"""A site whose footage falls due: an index, a pool and a clock in memory, and sweeps over them, which may die at any call."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from retention.deletion import Deletion
from retention.sweep import Round, Sweep
from retention.sweep_values import Step, SweepEvent, SweepSettings, SweepShard
from segments.clock import US_PER_DAY
from segments.keys import SegmentKey
from segments.model import Batch, PartitionKind, Row, Run, Span
from segments.receipt import Receipt, checked
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.builders import NOON_US, a_camera, a_row, a_run, some_rows
from tests.fakes import Life, SteppedClock, SwitchedIndex, SwitchedObjects
from tests.retention_builders import a_hold, write_hold, write_policy

SHARD = SweepShard(place="node-1", boot="boot-1")
SETTINGS = SweepSettings(grace_s=3600, objects_per_s=1e9)
DUE_US = NOON_US + 40 * US_PER_DAY
"""Footage of noon has been due for some days."""
DAY = a_row().day
MONTH = DAY.replace(day=1)
EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass
class Site:
    """One site. `life` counts the calls of the sweeps that `sweep` gives."""

    index: MemoryIndex = field(default_factory=MemoryIndex)
    objects: Any = field(default_factory=MemoryObjects)
    clock: SteppedClock = field(default_factory=lambda: SteppedClock(DUE_US))
    life: Life = field(default_factory=Life)
    events: list[SweepEvent] = field(default_factory=list)
    settings: SweepSettings = SETTINGS

    async def keep(self, rows: Sequence[Row], *, ended: bool = False) -> None:
        """Footage that was committed, with its runs; `ended`: they are closed."""
        for row in rows:
            await self.objects.put(row.key, b"footage!", sha256=hashlib.sha256(b"footage!").hexdigest(), attributes={})
            await self.index.put_run(_run_of(row))
            await self.index.publish(row)
        for last in {row.run: row for row in rows}.values() if ended else ():
            await self.objects.put(closing_of(last), b"", sha256=EMPTY, attributes={})
            await self.index.put_run(replace(_run_of(last), ended=True))
        for camera, day in {(row.camera, row.day) for row in rows}:
            await self.index.put_usage(camera, day, await self.index.row_sums(camera, day))

    async def hold(self, rows: Sequence[Row] = (), **fields: Any) -> None:
        """The record of a hold over the time of these rows (none: over all)."""
        span = Span(rows[0].start_us, rows[-1].end_us) if rows else Span(0, 1 << 62)
        await write_hold(self.index, a_hold(start_us=span.start_us, end_us=span.end_us, **fields))

    def sweep(self, **more: Any) -> Sweep:
        """A sweep that has just begun."""
        return Sweep(SHARD, **self._parts(), **more)

    def deletion(self) -> Deletion:
        """The steps of its batches by themselves."""
        return Deletion(SHARD, **self._parts())

    def _parts(self) -> dict[str, Any]:
        pools = {"main": SwitchedObjects(self.objects, self.life)}
        index = SwitchedIndex(self.index, self.life)
        return {"index": index, "pools": pools, "clock": self.clock, "settings": self.settings, "seen": self.events.append}

    async def run(self, sweep: Sweep, hours: float = 3, every_s: float = 61) -> Round:
        """Its rounds for some hours, a minute apart; the last of them."""
        for _ in range(int(hours * 3600 / every_s)):
            done = await sweep.round()
            self.clock.stand_still(every_s)
        return done

    async def keys(self) -> set[str]:
        """Of all objects, in whatever version."""
        return {each.key async for each in self.objects.versions("")}

    async def rows(self, day: date = DAY) -> list[Row]:
        """What the index shows of a camera-day."""
        return list((await self.index.rows("gate", day)).items)

    async def batches(self) -> list[Batch | None]:
        """All that are open."""
        return [await self.index.batch(*each) for each in (await self.index.partitions(PartitionKind.BATCHES)).items]

    async def receipts(self) -> list[Receipt]:
        """All of them, and each chain holds."""
        found = [each for chain in await self.index.receipt_chains() for each in (await self.index.receipt_chain(chain)).items]
        assert list(checked([each.text for each in found])) == found
        return found

    def steps(self) -> list[Step]:
        """What happened, in order."""
        return [event.step for event in self.events]


def closing_of(last: Row) -> str:
    """The key of the empty object that closes a run whose last segment this is."""
    return str(SegmentKey(last.camera, last.run, last.end_us, last.counter + 1, is_end=True))


def footage(count: int = 3, **fields: Any) -> list[Row]:
    """Segments that follow each other from noon on, in a store without versions."""
    return some_rows(count, **{"version": "", **fields})


async def a_site(rows: Sequence[Row] = (), *, ended: bool = True, **fields: Any) -> Site:
    """A site with a camera, the shipped policy, and this footage, which is due."""
    site = Site(**fields)
    await write_policy(site.index)
    await site.index.add_camera(a_camera(tier=""))
    await site.keep(rows or footage(), ended=ended)
    return site


def _run_of(row: Row) -> Run:
    return a_run(camera=row.camera, id=row.run, start_us=row.start_us, last_us=row.end_us)
