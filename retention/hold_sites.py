"""What other sites know of our holds: a port, answered by replication through the wiring, and the answer of a site that is alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from segments.hold import Hold, HoldAtSite


class HoldSites(Protocol):
    """The other sites. What they answer is by site."""

    async def tell(self, hold: Hold) -> Mapping[str, HoldAtSite]:
        """Has all of them merge it into theirs, at once; gives up on each after 2 s. Raises nothing."""

    async def bound(self, hold: Hold) -> Mapping[str, HoldAtSite]:
        """Asks all of them whether they have it so; gives up on each after 2 s. Raises nothing."""


class NoOthers:
    """There is no other site."""

    async def tell(self, _: Hold) -> Mapping[str, HoldAtSite]:
        """Nobody is told."""
        return {}

    async def bound(self, _: Hold) -> Mapping[str, HoldAtSite]:
        """Nobody is asked."""
        return {}


NO_OTHERS = NoOthers()
