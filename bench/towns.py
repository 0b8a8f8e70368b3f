"""The site that promises about nodes are measured on: two nodes without Ray, Cassandra, a folder pool, and third-party cameras."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segments.clock import US_PER_S
from tests.faults.fleet_trials import now_us, recorded_by
from tests.fleet_site import FleetSite
from tests.media import Clips
from tests.servers.rtsp import RtspServer
from tests.servers.safe_cassandra import safe_cassandra

TWICE = "twice"


@dataclass(frozen=True, slots=True)
class Town:
    """A running site. `once` are its cameras that are recorded by one node, `twice` those that are recorded by both."""

    site: FleetSite
    once: tuple[str, ...]
    twice: tuple[str, ...]

    @property
    def cameras(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.once, *self.twice)

    async def settled(self) -> None:
        """Waits until all cameras are recorded, by both nodes where that is wanted, and both carry some of the others."""
        since_us = now_us()
        await self.site.wait_for(lambda: self.site.records_since(now_us() - 6 * US_PER_S, *self.cameras), 120)
        await self.site.wait_for(lambda: all(recorded_by(self.site, name, since_us) >= set(self.twice) for name in self.site.nodes), 120)

    def busiest(self) -> str:
        """The node that records most."""
        return max(self.site.nodes, key=lambda name: len(recorded_by(self.site, name)))


@asynccontextmanager
async def town(cameras: int, *, twice: bool = True, **settings: Mapping[str, Any]) -> AsyncIterator[Town]:
    """A site with so many cameras and one that is recorded twice if that is wanted, all of them recorded."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "clips").mkdir()
        clip = Clips(folder / "clips").get()
        server = stack.enter_context(RtspServer({"h264": clip, "load+": clip}))
        cassandra = stack.enter_context(safe_cassandra(folder))
        once = tuple(f"camera-{n}" for n in range(cameras))
        async with FleetSite(folder / "site", cassandra, **settings) as site:
            added = {name: {"url": server.url(f"h264/{name}"), "twice": "false"} for name in once}
            if twice:
                added[TWICE] = {"url": server.url("load/twice"), "twice": "true"}
            await asyncio.to_thread(site.add, added)
            made = Town(site, once, (TWICE,) if twice else ())
            await made.settled()
            yield made
