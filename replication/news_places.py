"""What is committed at this site, gathered from its places and told to other sites: see `replication.source.NewsFeed`.

News are a shortcut, so they are forgotten with the process; who asked before is then told that some may be lost, and compares. A token
names this process, a number of its own, and a time: another program of this site goes on from that time, some of it told twice.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from replication.news_client import PlaceNews, PlaceTold
from replication.ports import Commit, News
from segments.clock import US_PER_S, Clock
from segments.duty import Place
from segments.errors import BadInput, KeepsightError, TryAgain
from segments.ports import Places

log = logging.getLogger(__name__)

MOST = 65_536
"""So many commits are remembered."""
MOST_TOLD = 5000
"""So many are told at once."""
GATHERED_S = 1.0
"""So long what was gathered is told: all who ask within it share one round."""
PLACE_S = 1.0
"""How long a place may take."""
REST_S = 5.0
"""So long a place that did not answer is not asked again."""
OVERLAP_US = 10 * US_PER_S
"""Clocks of a site's nodes are no further apart than this, where news of one program are gone on with at another."""


@dataclass(slots=True)
class _Known:
    """A place: its process, the number it is asked for next, and until when it rests."""

    client: PlaceNews
    boot: str = ""
    after: int = 0
    rests_until_ns: int = 0


class NewsOfPlaces:
    """See `NewsFeed`. `connect` makes the client of a place by the address of its internal routes."""

    def __init__(self, index: Places, connect: Callable[[str], PlaceNews], clock: Clock, most: int = MOST) -> None:
        self._index = index
        self._connect = connect
        self._clock = clock
        self._boot = secrets.token_hex(4)
        self._ring: deque[Commit | None] = deque(maxlen=most)
        """None: here some may be missing."""
        self._next = 0
        self._since_us = 0
        """From here on none is missing, as far as the places know."""
        self._places: dict[str, _Known] = {}
        self._gathered_ns: int | None = None
        self._gathering = asyncio.Lock()

    async def news(self, after: str) -> News:
        """See `AskFootage`. Raises BadInput if that is no token."""
        token = _token(after) if after else None
        await self._gather()
        if token is None:
            return News((), self._say(self._next, self._clock.now_us()))
        boot, number, at_us = token
        return self._since(number) if boot == self._boot else self._from_time(at_us)

    async def close(self) -> None:
        """Closes all connections."""
        for known in self._places.values():
            await known.client.close()

    # --- telling

    def _since(self, number: int) -> News:
        oldest = self._next - len(self._ring)
        first = min(max(number, oldest), self._next)
        some = list(islice(self._ring, first - oldest, first - oldest + MOST_TOLD))
        return self._news(some, first, lost=number != first or None in some)

    def _from_time(self, at_us: int) -> News:
        """For who was told by another program of this site, or by this one before it was started again."""
        from_us, oldest = at_us - OVERLAP_US, self._next - len(self._ring)
        skipped = next((place for place, one in enumerate(self._ring) if one is not None and one.committed_us >= from_us), len(self._ring))
        return self._news(list(islice(self._ring, skipped, skipped + MOST_TOLD)), oldest + skipped, lost=from_us < self._since_us)

    def _news(self, some: list[Commit | None], first: int, *, lost: bool) -> News:
        commits = [one for one in some if one is not None]
        following = first + len(some)
        reached_us = self._clock.now_us() if following == self._next or not commits else commits[-1].committed_us
        return News(commits, self._say(following, reached_us), lost=lost)

    def _say(self, number: int, at_us: int) -> str:
        return f"{self._boot}.{number}.{at_us}"

    # --- gathering

    async def _gather(self) -> None:
        async with self._gathering:
            now_ns = self._clock.monotonic_ns()
            if self._gathered_ns is not None and now_ns - self._gathered_ns < GATHERED_S * 1e9:
                return
            places = await self._read_places()
            await self._forget_gone({place.url for place in places})
            await asyncio.gather(*(self._ask(place) for place in places))
            self._gathered_ns = now_ns

    async def _read_places(self) -> list[Place]:
        """As they were last while the index does not answer: no news then."""
        try:
            return [place for place in await self._index.places() if place.url]
        except TryAgain:
            if self._gathered_ns is None:
                raise
            return []

    async def _forget_gone(self, urls: set[str]) -> None:
        for url in self._places.keys() - urls if urls else ():
            await self._places.pop(url).client.close()
            self._add(None)

    async def _ask(self, place: Place) -> None:
        known = self._places.get(place.url)
        if known is None:
            known = self._places[place.url] = _Known(self._connect(place.url))
        if known.rests_until_ns > self._clock.monotonic_ns():
            return
        try:
            async with asyncio.timeout(PLACE_S):
                told = await known.client.told(known.boot, known.after)
        except (KeepsightError, TimeoutError) as error:
            known.rests_until_ns = self._clock.monotonic_ns() + int(REST_S * 1e9)
            log.warning("news.unanswered: %s does not tell its news: %s", place.name, error or f"no answer within {PLACE_S:g} s")
            return
        self._take(known, told)

    def _take(self, known: _Known, told: PlaceTold) -> None:
        if not known.boot:
            self._since_us = max(self._since_us, told.since_us)
        elif (told.boot, told.first) != (known.boot, known.after):
            self._add(None)
        for commit in told.commits:
            self._add(commit)
        known.boot, known.after = told.boot, told.first + len(told.commits)

    def _add(self, one: Commit | None) -> None:
        if len(self._ring) == self._ring.maxlen and (oldest := self._ring[0]) is not None:
            self._since_us = max(self._since_us, oldest.committed_us + 1)
        if one is None:
            self._since_us = max(self._since_us, self._clock.now_us())
        self._ring.append(one)
        self._next += 1


def _token(text: str) -> tuple[str, int, int]:
    boot, _, rest = text.partition(".")
    number, _, at_us = rest.partition(".")
    if not (boot.isalnum() and number.isdecimal() and at_us.isdecimal()):
        raise BadInput(f"{text[:40]!r} is no place in the news of this site")
    return boot, int(number), int(at_us)
