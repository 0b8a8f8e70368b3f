"""A node's place among the site's: the duties it does, the leases they stand on, and its recorders; put together from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from deploy.fleet.duty_holder import DutyHolder
from deploy.fleet.placer import Placer
from deploy.placed_duties import placed_duties
from deploy.settings import Settings
from deploy.wiring import camera_sealer
from recorder.live import LiveEdge
from recorder.mend import end_runs_before
from recorder.shards import ShardServer, ShardSettings, Surroundings
from segments.clock import Clock
from segments.duty import RECORD, SUPERVISE
from segments.ports import Index


@dataclass(frozen=True, slots=True)
class NodePlace:
    """What an uploader does beside uploading."""

    shards: ShardServer
    placer: Placer
    holder: DutyHolder

    async def run(self) -> None:
        """Does its duties until cancelled; then they are handed over, or given back."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.shards.run())
            tasks.create_task(self.holder.run())
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await asyncio.shield(self._leave())

    async def _leave(self) -> None:
        await self.holder.leave()
        await self.shards.settle()


def node_place(settings: Settings, index: Index, *, live: LiveEdge, sealed: Callable[[], None], clock: Clock) -> NodePlace:
    """The place of this node. `live` is what its spool holds, `sealed` is called when a segment is."""
    of_node = ShardSettings(
        site=settings.site.name,
        place=settings.node_name,
        url=settings.place_url,
        shards=settings.shards,
        recorders=settings.fleet.recorders,
        cameras_per_recorder=settings.fleet.cameras_per_recorder,
        several_sites=bool(settings.sites),
    )
    around = Surroundings(
        open_credential=camera_sealer(settings).open,
        sealed=sealed,
        end_runs=lambda lease, cameras, months: end_runs_before(settings.spool_folder, lease, cameras, months, index),
        fresh_epoch=lambda duty: holder.fresh_epoch(duty),
    )
    shards = ShardServer(of_node, around, index=index, live=live, clock=clock)
    placer = Placer(
        settings.node_name,
        index=index,
        shards=settings.shards,
        others=placed_duties(settings),
        hint=lambda: holder.hint(),
        clock=clock,
        ttl_s=settings.lease_s,
    )
    holder = DutyHolder(
        settings.node_name,
        index=index,
        handlers={RECORD["a"]: shards, RECORD["b"]: shards, SUPERVISE: placer},
        report=shards.report,
        clock=clock,
        ttl_s=settings.lease_s,
    )
    return NodePlace(shards, placer, holder)
