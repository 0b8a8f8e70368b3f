"""What a deletion here has to know of other sites: which holds they have, and whether they have copies (`retention.copies.Copies`).

Holds are pulled before the rules are read that a deletion goes by; who asks at the same time shares one pull. Copies are asked for by their
hashes, a camera-day at a time. Both waits together are shorter than a look at the holds is good for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import date

from replication.holds import HOLDS_LIMIT_S, Merge, asked_holds
from replication.ports import MOST_DAYS, Has, Named, Peer
from segments.clock import Clock, iso
from segments.errors import KeepsightError, TryAgain
from segments.model import Row, RowPosition

log = logging.getLogger(__name__)

HAS_LIMIT_S = 5.0
"""A site that has not answered for all rows of a camera-day within this counts as having none of them."""
_COUNTS_EARLY = frozenset({Has.HERE, Has.GONE})
_COUNTS = _COUNTS_EARLY | {Has.EARLY}


class CopiesAtPeers:
    """The other sites by name; `merge` makes their holds ours."""

    def __init__(self, peers: Mapping[str, Peer], merge: Merge, clock: Clock, holds_limit_s: float = HOLDS_LIMIT_S) -> None:
        self._peers = peers
        self._merge = merge
        self._clock = clock
        self._holds_limit_s = holds_limit_s
        self._hearing = asyncio.Lock()
        self._began_ns: int | None = None
        self._unheard: Mapping[str, str] = {}
        self._heard_us: dict[str, int] = {}

    async def hear(self, within_s: float = 0.0) -> Mapping[str, str]:
        """Has every other site say which holds it has; those bind here when this returns. By site, a sentence on each that did not say so.

        Where they were asked no longer ago than this, that answer stands. Raises TryAgain if our own index does not take them.
        """
        asked_ns = self._clock.monotonic_ns() - int(within_s * 1e9)
        async with self._hearing:
            if self._began_ns is None or self._began_ns <= asked_ns:
                began_ns = self._clock.monotonic_ns()
                said = await asyncio.gather(*(self._hear(name, peer) for name, peer in self._peers.items()))
                self._unheard = {name: why for name, why in zip(self._peers, said, strict=True) if why}
                self._began_ns = began_ns
            return self._unheard

    async def short(self, camera: str, day: date, rows: Sequence[Row], copies: int, *, early: bool = False) -> Mapping[RowPosition, str]:
        """See `Copies`."""
        if copies <= 1:
            return {}
        counts = _COUNTS_EARLY if early else _COUNTS
        answers = await asyncio.gather(*(self._has(name, peer, camera, day, rows) for name, peer in self._peers.items()))
        found: dict[RowPosition, str] = {}
        for place, row in enumerate(rows):
            without = [name for name, has in zip(self._peers, answers, strict=True) if has is None or has[place] not in counts]
            if 1 + len(self._peers) - len(without) < copies:
                silent = [name for name, has in zip(self._peers, answers, strict=True) if has is None]
                found[row.position] = _waits_for(without, silent, copies, 1 + len(self._peers))
        return found

    async def _hear(self, name: str, peer: Peer) -> str:
        """'' if it was heard, else a sentence. What our own index does not take is raised."""
        asked_us = self._clock.now_us()
        try:
            theirs = await asked_holds(name, peer, self._holds_limit_s)
        except TryAgain as error:
            since = f" since {iso(self._heard_us[name])}" if name in self._heard_us else ""
            if name not in self._unheard:
                log.warning("copies.unheard: %s", error)
            return f"{name} has not said which holds it has{since} ({error})"
        await self._merge(theirs)
        self._heard_us[name] = asked_us
        return ""

    async def _has(self, name: str, peer: Peer, camera: str, day: date, rows: Sequence[Row]) -> Sequence[Has] | None:
        """What a site has of these rows, in their order; None if it does not say so."""
        found: list[Has] = []
        try:
            async with asyncio.timeout(HAS_LIMIT_S):
                for place in range(0, len(rows), MOST_DAYS):
                    some = rows[place : place + MOST_DAYS]
                    found += await peer.has(camera, day, [Named(row.position, row.sha256) for row in some])
        except (TimeoutError, KeepsightError) as error:
            log.warning("copies.unanswered: %s: %s %s: %s", name, camera, day, str(error) or f"no answer within {HAS_LIMIT_S:g} s")
            return None
        return found if len(found) == len(rows) else None


def _waits_for(without: Sequence[str], silent: Sequence[str], copies: int, sites: int) -> str:
    if copies > sites:
        return f"its tier asks for copies at {copies} sites, and there are {sites}"
    unanswered = f" ({', '.join(silent)} did not answer)" if silent else ""
    return f"it waits for its copy at {' or '.join(without)}{unanswered}"
