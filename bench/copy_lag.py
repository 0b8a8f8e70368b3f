"""How soon a new segment is at another site that is busy with a backlog: from its commit to its row there.

The backlog lies in one bucket of a real S3 server and is copied to another at a bounded rate, so that it lasts. Meanwhile segments are
committed at the source, one after the other, and told as news. What is newest goes first, so that they do not wait behind the old ones.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from bench.copying_site import NowClock, an_index, copier_to
from bench.due_site import Amount, body_of, keep, rows_of
from replication.bandwidth import Schedule
from replication.copier import Copier
from replication.copy_values import CopyEvent, CopyKind, WishKey
from replication.ports import Commit
from replication.source import Source
from segments.clock import US_PER_S
from segments.model import Camera, Row
from segments.ports import Index
from segments.stores.s3_objects import S3Objects
from tests.builders import a_row, a_run
from tests.copy_sites import ToldNews
from tests.servers.s3 import S3Server

LAG_GATE_S = 60.0
EVERY_S = 0.5
LONGEST_S = 120.0
MBIT_PER_S = 160.0
"""Of the link: below what this machine copies, so that it is the link that is full."""


@dataclass(frozen=True, slots=True)
class LagAmount:
    """The old segments, and how many new ones."""

    backlog: Amount
    new: int


SHORT_LAG = LagAmount(Amount(4, 1, 30, 4_000_000), 20)
FULL_LAG = LagAmount(Amount(4, 1, 200, 4_000_000), 200)


@dataclass
class Arrivals:
    """When what was committed has arrived, and how much of the backlog."""

    wanted: int
    all_here: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when so many new segments as are wanted are here."""
    committed_s: dict[WishKey, float] = field(default_factory=dict)
    lags_s: list[float] = field(default_factory=list)
    old: int = 0
    wrong: list[str] = field(default_factory=list)

    def saw(self, event: CopyEvent) -> None:
        """See `CopierParts.seen`."""
        if event.kind is not CopyKind.COPIED or event.position is None:
            self.wrong.append(event.text)
        elif (began_s := self.committed_s.get((event.camera, event.position))) is not None:
            self.lags_s.append(time.monotonic() - began_s)
            if len(self.lags_s) == self.wanted:
                self.all_here.set()
        else:
            self.old += 1


async def measure_lags(amount: LagAmount, folder: Path, server: S3Server) -> list[float]:
    """Seconds of each new segment; raises RuntimeError if the backlog was copied before they were, or one does not come."""
    north, south = (S3Objects(server.settings(server.make_bucket())) for _ in range(2))
    told, arrivals = ToldNews(), Arrivals(amount.new)
    async with an_index(folder / "backlog.sqlite") as there, an_index(folder / "lag.sqlite") as here:
        rows = await keep(rows_of(amount.backlog), there, north)
        new = _rows_after(rows, amount.new)
        for camera in sorted({row.camera for row in rows}):
            await here.add_camera(Camera(camera, name=camera, url="", home="north"))
        source = Source(there, {"main": north}, cast("Any", None), news=told)
        pace = Schedule(MBIT_PER_S)
        copier = copier_to(here, south, source, folder, clock=NowClock([*rows, *new]), seen=arrivals.saw, schedule=pace)
        copying = asyncio.create_task(_copy(copier))
        for row in new:
            await asyncio.sleep(EVERY_S)
            await _commit(row, there, north, told=told, arrivals=arrivals)
        left = len(rows) - arrivals.old
        async with asyncio.timeout(LONGEST_S):
            await arrivals.all_here.wait()
        copying.cancel()
        await asyncio.wait([copying])
    north.close(), south.close()
    if left <= 0 or arrivals.wrong:
        raise RuntimeError(f"{left} of {len(rows)} old segments were left when the last new one was committed; {arrivals.wrong[:3]}")
    return arrivals.lags_s


def p99(values: Sequence[float]) -> float:
    """The value that 99 % of them do not exceed, by the nearest rank."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


async def _copy(copier: Copier) -> None:
    while True:
        wait_s = await copier.round()
        await asyncio.sleep(wait_s)


async def _commit(row: Row, index: Index, objects: S3Objects, *, told: ToldNews, arrivals: Arrivals) -> None:
    """As the source's own uploader does it: object, run, row, news."""
    body = body_of(row)
    digest = hashlib.sha256(body).hexdigest()
    version = await objects.put(row.key, body, sha256=digest, attributes={})
    await index.put_run(a_run(camera=row.camera, id=row.run, start_us=row.start_us, last_us=row.end_us))
    arrivals.committed_s[row.camera, row.position] = time.monotonic()
    await index.publish(replace(row, sha256=digest, version=version))
    told.commits.append(Commit(row.camera, row.position, row.end_us))


def _rows_after(rows: Sequence[Row], count: int) -> list[Row]:
    """Segments that follow the last of these, the cameras in turn."""
    cameras = sorted({row.camera for row in rows})
    start_us = max(row.end_us for row in rows)
    return [
        replace(
            a_row(camera=cameras[n % len(cameras)], run="home-a-99-1", counter=n, start_us=start_us + n * US_PER_S),
            size=rows[0].size,
            pool="main",
            version="",
        )
        for n in range(count)
    ]
