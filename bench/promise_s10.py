"""S10: cold start to recording and to serving: the local fleet by itself, and the Ray fleet over a bare start of Ray.

Each has one camera in its archive. Recording begins with the first picture that is kept, as the timeline has it (durable it is when its
fragment is whole, up to 2 s later: that is the format's, not the start's); serving, with the first answer of the API. A start has taken
what the later of both took. The bare start of Ray is head, one node, and an actor on it that answers; the Ray fleet is head, node,
`keepsight fleet start` and `keepsight api`. They are taken in turn, and medians are compared.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.promise import read_form, report
from segments.clock import US_PER_S
from tests.builders import at
from tests.faults.fleet_trials import now_us
from tests.fleet_site import FleetSite
from tests.media import Clips
from tests.servers.ray_cluster import Machine, RayCluster
from tests.servers.rtsp import RtspServer
from tests.servers.safe_cassandra import SafeCassandra, safe_cassandra
from tests.service import Service

SHORT, FULL = 2, 15
LOCAL_S, RAY_S = 2.0, 1.5
LIMIT_S = 60.0
Timeline = Callable[[int, int], Awaitable[Sequence[Mapping[str, Any]]]]
"""The spans between two moments."""
_ACTOR = """
import ray, sys
ray.init(address=sys.argv[1], log_to_driver=False)
@ray.remote(num_cpus=0.001, resources={"keepsight": 0.001})
class Bare:
    def answer(self):
        return 1
assert ray.get(Bare.remote().answer.remote()) == 1
"""


@dataclass
class Starts:
    """Seconds of each start."""

    bare: list[float] = field(default_factory=list)
    fleet: list[float] = field(default_factory=list)
    local: list[float] = field(default_factory=list)


async def local_start(folder: Path, url: str) -> float:
    """`keepsight serve`, on a machine that has recorded before."""
    async with Service(folder, {"gate": url}) as service:
        await service.wait_for(lambda: service.is_recording("gate"))
        await service.stop()
        began_us = now_us()
        await service.start()
        return await started_s(began_us, service.wait_for, partial(service.timeline, "gate"))


async def started_s(began_us: int, wait_for: Callable[..., Awaitable[None]], timeline: Timeline) -> float:
    """Called when the API answers for the first time: the seconds of the start."""
    served_us, first_us = now_us(), 0

    async def recorded() -> bool:
        nonlocal first_us
        spans = await timeline(began_us, now_us())
        first_us = next((at(span["from"]) for span in spans if span["kind"] == "footage"), 0)
        return bool(first_us)

    await wait_for(recorded)
    return (max(served_us, first_us) - began_us) / US_PER_S


def bare_start(folder: Path) -> float:
    """Ray alone: head, node, actor."""
    began_s = time.monotonic()
    with RayCluster() as cluster:
        node = Machine(cluster.node_command("bare"), folder, {**os.environ, **cluster.environment})
        node.start()
        try:
            while not node.started and time.monotonic() < began_s + LIMIT_S:
                time.sleep(0.05)
            environment = {**os.environ, **cluster.environment}
            subprocess.run([sys.executable, "-c", _ACTOR, cluster.address], env=environment, check=True, capture_output=True)
            return time.monotonic() - began_s
        finally:
            node.kill()


async def fleet_start(folder: Path, cassandra: SafeCassandra, url: str) -> float:
    """The same Ray, and the fleet on it."""
    cluster = RayCluster()
    site = FleetSite(folder, cassandra, names=("north",), ray=cluster)
    await site.prepare()
    await asyncio.to_thread(site.add, {"gate": url})
    began_us = now_us()
    with cluster:
        try:
            await asyncio.to_thread(site.start)
            await site.wait_for(lambda: site.api("/cameras"))
            return await started_s(began_us, site.wait_for, partial(site.spans, "gate"))
        finally:
            await site.__aexit__()


async def measure(count: int) -> Starts:
    """All starts, in turn."""
    starts = Starts()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "clips").mkdir()
        server = stack.enter_context(RtspServer({"h264": Clips(folder / "clips").get()}))
        cassandra = stack.enter_context(safe_cassandra(folder))
        for number in range(count):
            starts.local.append(await local_start(folder / f"local-{number}", server.url("h264/local")))
            starts.bare.append(await asyncio.to_thread(bare_start, folder / f"bare-{number}"))
            starts.fleet.append(await fleet_start(folder / f"fleet-{number}", cassandra, server.url("h264/fleet")))
            local_s, bare_s, fleet_s = starts.local[-1], starts.bare[-1], starts.fleet[-1]
            print(f"  {number + 1}: local {local_s:.2f} s, bare Ray {bare_s:.2f} s, Ray fleet {fleet_s:.2f} s", flush=True)
    return starts


def main() -> bool:
    """Runs the promise; returns whether it is met."""
    form = read_form(__doc__)
    starts = asyncio.run(measure(FULL if form.full else SHORT))
    local_s, bare_s, fleet_s = (statistics.median(each) for each in (starts.local, starts.bare, starts.fleet))
    result = report(
        promise="S10",
        form=form.name,
        n=len(starts.local),
        value=round(fleet_s - bare_s, 2),
        unit=f"s over bare Ray (Ray fleet); local fleet {local_s:.2f} s",
        peer=round(bare_s, 2),
        ratio=round(fleet_s / bare_s, 2),
        gate="<= 1.5 s over bare Ray; local fleet <= 2 s",
        met=fleet_s - bare_s <= RAY_S and local_s <= LOCAL_S,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
