"""What retention is given of the other sites: whether they have copies and holds, and who tells them of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from deploy.peers import open_peers
from deploy.settings import Settings
from replication.copies_here import CopiesAtPeers
from replication.holds import HoldsAtPeers
from replication.ports import Peer
from retention.copies import NO_COPIES, Copies
from retention.hold_sites import NO_OTHERS, HoldSites
from retention.holds import HoldIndex
from retention.merged_holds import MergedHolds
from segments.clock import Clock


@dataclass(frozen=True, slots=True)
class OtherSites:
    """For one process. `copies` sees to it that holds of other sites bind here before it answers; `sites` tells them of ours."""

    copies: Copies = NO_COPIES
    sites: HoldSites = NO_OTHERS


@asynccontextmanager
async def other_sites(settings: Settings, index: HoldIndex, clock: Clock) -> AsyncIterator[OtherSites]:
    """With connections of its own; raises StartRefused naming a key that cannot be used."""
    async with open_peers(settings, clock) as peers, sites_of(peers, index, clock) as sites:
        yield sites


@asynccontextmanager
async def sites_of(peers: Mapping[str, Peer], index: HoldIndex, clock: Clock) -> AsyncIterator[OtherSites]:
    """Over peers that are open; where there are none, this site is alone."""
    if not peers:
        yield OtherSites()
        return
    merged = MergedHolds(index, clock.now_us)
    try:
        yield OtherSites(CopiesAtPeers(peers, merged, clock), HoldsAtPeers(peers))
    finally:
        await merged.close()
