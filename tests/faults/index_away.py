"""A live service whose index goes away for a time, and the index made anew from its pool beside the old one (promise R8)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.settings import load_settings
from deploy.wiring import open_index
from segments.clock import US_PER_S
from segments.model import PartitionKind, Row, Run
from segments.ports import Index
from tests.builders import at
from tests.faults.absent_index import Absence
from tests.faults.witness import Judgement, Witness, judge, objects_of
from tests.service import Service

SEGMENT_S = 3
BEFORE_S = 5.0
LOOK_S = 1.0


@dataclass(frozen=True)
class Away:
    """What a time without the index came to."""

    judgement: Judgement
    rows: int
    """In the old index."""
    differing: int
    """Rows and runs that are not the same in the index made anew."""
    stubs: int
    """Most of them at once while the index was away."""
    stored: int
    """Objects that came into the pool meanwhile."""
    indexed_s: float
    """From the index's return until nothing of before waited any more."""
    missing_s: float
    """Seconds of the timelines, over all cameras, that are no footage."""
    causes: frozenset[str]


async def index_away(service: Service, cameras: Sequence[str], absence: Absence, away_s: float) -> Away:
    """Records while the index is away for so long; waits until the backlog is gone, stops, judges, and makes the index anew."""
    async with service:
        await service.wait_for(lambda: service.is_recording(*cameras))
        began_us = time.time_ns() // 1000
        async with Witness(service, cameras) as witness:
            await asyncio.sleep(BEFORE_S)
            before = len(objects_of(service.pool))
            leave = absence()
            await asyncio.to_thread(leave.__enter__)
            stubs = await _most_stubs(service, away_s)
            stored = len(objects_of(service.pool)) - before
            await asyncio.to_thread(leave.__exit__, None, None, None)
            back_us = time.time_ns() // 1000
            indexed_s = await service.wait_for(lambda: _indexed(service, cameras, back_us), 120)
            await asyncio.sleep(SEGMENT_S)
        until_us = time.time_ns() // 1000 - 4 * US_PER_S  # what came later may not be durable yet
        gaps = [span for camera in cameras for span in await service.timeline(camera, began_us, until_us) if span["kind"] == "gap"]
        await service.stop()
    judgement = await asyncio.to_thread(judge, witness, objects_of(service.pool))
    rows, differing = await rebuilt(service)
    missing_us = sum(at(gap["to"]) - at(gap["from"]) for gap in gaps)
    return Away(judgement, rows, differing, stubs, stored, indexed_s, missing_us / US_PER_S, frozenset(gap["cause"] for gap in gaps))


async def _most_stubs(service: Service, away_s: float) -> int:
    most, end_s = 0, time.monotonic() + away_s
    while time.monotonic() < end_s:
        await asyncio.sleep(LOOK_S)
        most = max(most, len(list(service.spool.rglob("*.stub"))))
    return most


async def _indexed(service: Service, cameras: Sequence[str], until_us: int) -> bool:
    """Whether everything that began before a moment has left the spool."""
    for camera in cameras:
        if any(segment["row"]["start_us"] < until_us for segment in await service.live(camera)):
            return False
    return True


async def rebuilt(service: Service) -> tuple[int, int]:
    """How many rows the index of a stopped service has, and how many rows and runs are other ones in an index made from its pool alone."""
    other = service.folder / "rebuilt.toml"
    other.write_text(_configuration(service))
    done = await asyncio.to_thread(service.keepsight, "index", "rebuild", "--json", config=other)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)[0]["left_out"] == 0, done.stdout
    async with open_index(load_settings(service.config, {})) as old, open_index(load_settings(other, {})) as new:
        kept, made = await rows_and_runs(old), await rows_and_runs(new)
    return sum(isinstance(one, Row) for one in kept.values()), sum(kept.get(key) != made.get(key) for key in kept.keys() | made.keys())


async def rows_and_runs(index: Index) -> Mapping[tuple[Any, ...], Row | Run]:
    """All that a pool tells of, by what it is known by."""
    found: dict[tuple[Any, ...], Row | Run] = {}
    for camera, day in (await index.partitions(PartitionKind.ROWS, limit=10_000)).items:
        found |= {(camera, *row.position): row for row in (await index.rows(camera, day, limit=10_000)).items}
    for camera, month in (await index.partitions(PartitionKind.RUNS, limit=10_000)).items:
        found |= {(camera, run.id): run for run in (await index.runs(camera, month, limit=10_000)).items}
    return found


def _configuration(service: Service) -> str:
    """The same site and pool, and an empty index."""
    path = Path("rebuilt") / "index.sqlite"
    return f'[site]\nname = "home"\nfolder = "rebuilt"\n[index]\npath = "{path}"\n[pools.main]\nkind = "files"\nfolder = "{service.pool}"\n'
