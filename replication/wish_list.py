"""The segments that are wanted now, in memory, and never more than so many: what does not fit is found again by comparing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import replace

from replication.copy_values import Wish, WishKey
from replication.order import in_order
from segments.clock import Clock
from segments.model import Row

LONGEST_LATER = 4096
"""So many segments that failed are remembered for another try."""


class WishList:
    """Each segment once: waiting, taken, or to be tried later."""

    def __init__(self, most: int, clock: Clock) -> None:
        self._most = most
        self._clock = clock
        self._waiting: dict[WishKey, Wish] = {}
        self._line: list[Wish] | None = None
        """Those that wait, the last is the next; None: it is to be put in order again."""
        self._later: list[tuple[int, WishKey, Wish]] = []
        self._known: set[WishKey] = set()
        self._taken: dict[WishKey, Wish] = {}

    def __len__(self) -> int:
        """Those that wait for their turn."""
        return len(self._waiting)

    @property
    def settled(self) -> bool:
        """Nothing waits and nothing is under way; what failed may wait for another try."""
        return not self._waiting and not self._taken

    def knows(self, row: Row) -> bool:
        """Whether the segment is in any of these places."""
        return (row.camera, row.position) in self._known

    def all(self) -> list[Wish]:
        """Those that wait, are taken, or are to be tried later."""
        return [*self._waiting.values(), *self._taken.values(), *(wish for _, _, wish in self._later)]

    def add(self, wishes: Iterable[Wish]) -> list[Wish]:
        """Puts them in their places; returns those that are the least urgent now and find no room."""
        new = {wish.key: wish for wish in wishes if wish.key not in self._known}
        if not new:
            return []
        self._waiting |= new
        self._known |= new.keys()
        self._line = None
        if len(self._waiting) <= self._most:
            return []
        line = in_order(self._waiting.values())
        self._line, dropped = line[: self._most][::-1], line[self._most :]
        for wish in dropped:
            del self._waiting[wish.key]
            self._known.discard(wish.key)
        return dropped

    def take(self) -> Wish | None:
        """The most urgent, None if there is none now; it stays known until `done` or `later`."""
        self._wake()
        if not self._waiting:
            return None
        if self._line is None:
            self._line = in_order(self._waiting.values())[::-1]
        wish = self._line.pop()
        del self._waiting[wish.key]
        self._taken[wish.key] = wish
        return wish

    def done(self, wish: Wish) -> None:
        """It is copied, or not wanted any more."""
        self._taken.pop(wish.key, None)
        self._known.discard(wish.key)

    def later(self, wish: Wish, wait_s: float) -> None:
        """It failed; its turn comes again after this."""
        self._taken.pop(wish.key, None)
        if len(self._later) >= LONGEST_LATER:
            self._known.discard(wish.key)
            return
        at_ns = self._clock.monotonic_ns() + int(wait_s * 1e9)
        heapq.heappush(self._later, (at_ns, wish.key, replace(wish, tries=wish.tries + 1)))

    def _wake(self) -> None:
        now_ns = self._clock.monotonic_ns()
        awake = []
        while self._later and self._later[0][0] <= now_ns:
            awake.append(heapq.heappop(self._later)[2])
        self._known -= {wish.key for wish in awake}
        self.add(awake)
