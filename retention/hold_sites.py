"""What other sites know of our holds: a port, answered by replication through the wiring, and the answer of a site that is alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from segments.hold import Hold


class HoldSites(Protocol):
    """The other sites. What they answer is by site: '' where the hold binds there as it is given, else a sentence on what is wrong."""

    async def tell(self, hold: Hold) -> Mapping[str, str]:
        """Has all of them merge it into theirs, at once; gives up on each after 2 s. Raises nothing."""

    async def bound(self, hold: Hold) -> Mapping[str, str]:
        """Asks all of them whether they have it so; gives up on each after 2 s. Raises nothing."""


class NoOthers:
    """There is no other site."""

    async def tell(self, _: Hold) -> Mapping[str, str]:
        """Nobody is told."""
        return {}

    async def bound(self, _: Hold) -> Mapping[str, str]:
        """Nobody is asked."""
        return {}


NO_OTHERS = NoOthers()


def sites_json(sites: Mapping[str, str]) -> list[dict[str, Any]]:
    """For programs."""
    return [{"site": site, "bound": not why, "why": why} for site, why in sorted(sites.items())]
