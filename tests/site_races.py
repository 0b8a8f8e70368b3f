"""A hold that is placed at another site races the deletion here: told to this site at once, or found by it when it asks.

The other site has its own index, and both directions are cut between any two calls as those of a race at one site are.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from replication.copies_here import CopiesAtPeers
from replication.holds import HoldsAtPeers
from retention.copies import NO_COPIES, Copies
from retention.holds import HoldOrder, place
from retention.look import look
from retention.merged_holds import merge_holds
from segments.errors import Conflict, TryAgain
from segments.model import Row
from segments.ports import Index
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.builders import a_camera
from tests.fakes import SteppedClock
from tests.hold_races import DELETION, DUE_US, HOLD, KEPT_US, MOST_ROUNDS, PATIENCE_S, SETTINGS, SHARD, Race, Stopping
from tests.peer_over import PeerOver, as_peers
from tests.retention_builders import write_policy

NO_LIMIT_S = 600.0
"""Actors stand still for as long as a schedule wants."""


@dataclass
class SiteRace(Race):
    """`told`: the hold is told to here as it is placed; if not, the way there is cut. `asks`: the deletion asks the other site."""

    other: Index = field(default_factory=MemoryIndex)
    told: bool = True
    asks: bool = True

    async def prepare(self) -> None:
        """The other site has the same rules, and knows the camera."""
        await write_policy(self.other)
        await self.other.add_camera(a_camera(self.camera, tier="", added_us=self.clock.now_us() - KEPT_US))
        await super().prepare()

    async def _hold(self, index: Any) -> None:
        held = self.rows[0]
        order = HoldOrder("2026-17", "collision", "Li", held.start_us, held.end_us, (self.camera,))
        there: Any = Stopping(self.other, self.actors[HOLD], self._seen)
        sites = HoldsAtPeers(as_peers(a=PeerOver(index, away=not self.told)), limit_s=NO_LIMIT_S)
        with suppress(TryAgain):
            self.placed = await place(order, index=there, now_us=self.clock.now_us(), sites=sites)

    async def _delete(self, index: Any, pools: Any) -> None:
        there: Any = Stopping(self.other, self.actors[DELETION], lambda *_: None)

        async def merge(holds: Any) -> None:
            await merge_holds(holds, index)

        asked = CopiesAtPeers(as_peers(b=PeerOver(there)), merge, self.clock, holds_limit_s=NO_LIMIT_S)
        copies: Copies = asked if self.asks else NO_COPIES
        deletion = self.deleting(SHARD, index=index, pools=pools, clock=self.clock, settings=SETTINGS, copies=copies)
        day = self.rows[0].day
        for _ in range(MOST_ROUNDS):
            with suppress(Conflict, TryAgain):
                batch = await index.batch(self.camera, day)
                if batch is None:
                    if not (await deletion.begin(await look(index, self.clock, copies=copies), self.camera, day)).going:
                        return
                elif await deletion.advance(batch) == batch:
                    self.clock.stand_still(PATIENCE_S)
        raise AssertionError("the deletion does not come to its end")

    def _lost(self, held: Row) -> Iterable[str]:
        """What is gone here is named in this site's log and receipts; who placed the hold elsewhere is only told whether it binds."""
        return (fault for fault in super()._lost(held) if fault != "lost, and not named")


def site_race(**fields: Any) -> SiteRace:
    """A race of two sites in memory, not yet prepared."""
    return SiteRace(MemoryIndex(), MemoryObjects(), SteppedClock(DUE_US), **fields)
