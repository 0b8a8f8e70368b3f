"""Holds between sites: told to all at once when they change, and asked for from time to time, so that each site ends with the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from replication.ports import Peer
from segments.errors import KeepsightError, TryAgain
from segments.hold import Hold, HoldAtSite, Stretch
from segments.hold_merge import merged

HOLDS_LIMIT_S = 2.0
"""A site that does not answer within this is named to who waits for it."""

Merge = Callable[[Sequence[Hold]], Awaitable[Sequence[Stretch] | None]]
"""Makes holds of another site ours, as `AskSite.tell_holds` says. Retention's, through the wiring."""


class HoldsAtPeers:
    """See `retention.hold_sites.HoldSites`: what the other sites know of our holds."""

    def __init__(self, peers: Mapping[str, Peer], limit_s: float = HOLDS_LIMIT_S) -> None:
        self._peers = peers
        self._limit_s = limit_s

    async def tell(self, hold: Hold) -> Mapping[str, HoldAtSite]:
        """Has all of them merge it into theirs, all at the same time; by site what came of it."""
        return await self._of_all(lambda peer: self._told(peer, hold))

    async def bound(self, hold: Hold) -> Mapping[str, HoldAtSite]:
        """Whether they have it as it is here, by site."""
        return await self._of_all(lambda peer: self._known(peer, hold))

    async def _of_all(self, ask: Callable[[Peer], Awaitable[HoldAtSite]]) -> Mapping[str, HoldAtSite]:
        answers = await asyncio.gather(*(self._within_limit(ask(peer)) for peer in self._peers.values()))
        return dict(zip(self._peers, answers, strict=True))

    async def _within_limit(self, answer: Awaitable[HoldAtSite]) -> HoldAtSite:
        try:
            async with asyncio.timeout(self._limit_s):
                return await answer
        except TimeoutError:
            return HoldAtSite(f"it did not answer within {self._limit_s:g} s")
        except KeepsightError as error:
            return HoldAtSite(str(error))

    async def _told(self, peer: Peer, hold: Hold) -> HoldAtSite:
        gone = await peer.tell_holds([hold])
        return HoldAtSite(gone=gone or (), looking=gone is None)

    async def _known(self, peer: Peer, hold: Hold) -> HoldAtSite:
        theirs = next((each for each in await peer.holds() if each.id == hold.id), None)
        if theirs is None:
            return HoldAtSite("it does not know it")
        return HoldAtSite("" if merged(theirs, hold) == theirs else "it knows an older state of it")


async def pull_holds(name: str, peer: Peer, merge: Merge) -> None:
    """Makes all holds that a site knows ours. Raises TryAgain with a sentence that names it if it does not answer in time, or wrongly."""
    await merge(await asked_holds(name, peer))


async def asked_holds(name: str, peer: Peer, limit_s: float = HOLDS_LIMIT_S) -> Sequence[Hold]:
    """All holds that a site knows; raises TryAgain with a sentence that names it if it does not answer in time, or wrongly."""
    try:
        async with asyncio.timeout(limit_s):
            return await peer.holds()
    except TimeoutError:
        raise TryAgain(f"{name} did not answer within {limit_s:g} s") from None
    except KeepsightError as error:
        raise TryAgain(f"{name}: {error}") from error
