"""Nodes of a live site are lost, hung, or restarted, and the gaps that this leaves are measured from the footage itself (R11, R13)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from segments.clock import US_PER_S
from tests.fleet_site import FleetSite

NOT_YET_DURABLE_US = 4 * US_PER_S
"""What is so young may not be in any answer yet."""
WRITTEN_US = 4 * US_PER_S
CALM_S = 12.0
"""Moves for balance come after ten seconds of calm."""
BEFORE_S = 3.0
AFTER_S = 3.0
UPLOADED_LIMIT_S = 90.0


@dataclass
class Gaps:
    """The longest time without footage of each camera around a fault, in seconds, and the causes that coverage gives for it."""

    seconds: dict[str, float] = field(default_factory=dict)
    causes: set[str] = field(default_factory=set)

    @property
    def worst_s(self) -> float:
        """Of all cameras."""
        return max(self.seconds.values())


def now_us() -> int:
    """This machine's wall time."""
    return time.time_ns() // 1000


def recorded_by(site: FleetSite, name: str, since_us: int | None = None) -> set[str]:
    """The cameras of which a node has written something to its spool since, or in the last seconds: those of a lost node too."""
    return {run.parent.name for run in _written_runs(site, name, since_us)}


def _written_runs(site: FleetSite, name: str, since_us: int | None = None) -> set[Path]:
    """The folders of the runs a node is writing."""
    found = set()
    since_us = now_us() - WRITTEN_US if since_us is None else since_us
    for path in (site.spool / name).glob("*/*/*.part"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime_ns // 1000 > since_us:
                found.add(path.parent)
    return found


async def settled(site: FleetSite) -> None:
    """Waits until no duty has changed hands for longer than the pause before a move for balance."""
    seen, since_s = None, time.monotonic()
    while time.monotonic() - since_s < CALM_S:
        epochs = {duty["duty"]: duty["epoch"] for duty in (await asyncio.to_thread(site.status))["duties"]}
        if epochs != seen:
            seen, since_s = epochs, time.monotonic()
        await asyncio.sleep(1)


async def gaps_since(site: FleetSite, cameras: Sequence[str], since_us: int) -> Gaps:
    """What is missing between the first footage after `since_us` and the newest that is durable everywhere."""
    found = Gaps()
    until_us = now_us() - NOT_YET_DURABLE_US
    for camera in cameras:
        spans = await site.footage(camera, since_us, until_us)
        assert spans, f"{camera} has no footage at all"
        assert spans[-1][1] >= until_us - US_PER_S, f"{camera} is not recorded any more: {spans}"
        found.seconds[camera] = max((max(0, later[0] - earlier[1]) / US_PER_S for earlier, later in pairwise(spans)), default=0.0)
        found.causes |= {gap.cause for gap in await site.gaps(camera, spans[0][0], spans[-1][1])}
    return found


async def lose_node(site: FleetSite, name: str, cameras: Sequence[str], *, hangs: bool = False) -> Gaps:
    """A node is killed whole, or `hangs` for good; when others record its cameras it is started again, and uploads what its disk held.

    The gaps of all these cameras.
    """
    began_us = now_us()
    await asyncio.sleep(BEFORE_S)
    left = _written_runs(site, name)
    lost_us = now_us()
    node = site.nodes[name]
    await asyncio.to_thread(node.pause if hangs else node.kill)
    await site.wait_for(lambda: site.records_since(lost_us + 2 * US_PER_S, *cameras))
    await asyncio.to_thread(node.kill)
    node.start()
    await site.wait_for(lambda: not any(run.exists() for run in left), UPLOADED_LIMIT_S)
    return await gaps_since(site, cameras, began_us)


async def hang_node(site: FleetSite, name: str, cameras: Sequence[str], seconds: float) -> Gaps:
    """All processes of a node stand still for so long, and go on. The gaps of all, once everything it had is uploaded."""
    began_us = now_us()
    await asyncio.sleep(BEFORE_S)
    left = _written_runs(site, name)
    hung_us = now_us()
    await asyncio.to_thread(site.nodes[name].pause)
    await asyncio.sleep(seconds)
    await site.wait_for(lambda: site.records_since(hung_us + 2 * US_PER_S, *cameras))
    site.nodes[name].resume()
    await site.wait_for(lambda: not any(run.exists() for run in left), UPLOADED_LIMIT_S)
    await asyncio.sleep(AFTER_S)
    return await gaps_since(site, cameras, began_us)


async def restart_in_turn(site: FleetSite, cameras: Sequence[str]) -> Gaps:
    """Each node is emptied, shut down, started again and taken in again, one after the other. The gaps of all."""
    began_us = now_us()
    await asyncio.sleep(BEFORE_S)
    for name, node in site.nodes.items():
        await asyncio.to_thread(site.must, "fleet", "drain", name, "--wait")
        await asyncio.to_thread(node.end)
        node.start()
        await site.wait_for(lambda: _is_back(site, name))  # noqa: B023 - asked within this turn
        await asyncio.to_thread(site.must, "fleet", "resume", name)
    await site.wait_for(lambda: site.records_since(now_us() - 6 * US_PER_S, *cameras))
    await asyncio.sleep(NOT_YET_DURABLE_US / US_PER_S)
    return await gaps_since(site, cameras, began_us)


async def _is_back(site: FleetSite, name: str) -> bool:
    place = await asyncio.to_thread(site.place, name)
    return place.get("recorders", 0) > 0
