"""Slows down who guesses passwords: after so many failures for one name, or from one address, no more are looked at for a while."""

from __future__ import annotations

from collections import OrderedDict, deque

from starlette.exceptions import HTTPException

from segments.clock import US_PER_S, Clock

WINDOW_S = 900
OF_ONE_NAME, OF_ONE_ADDRESS = 10, 30
"""Failures within the window. Counted by each process of the API for itself."""
MOST_KEPT = 10_000
"""Names and addresses; one more forgets the one that failed the longest ago."""


class Throttle:
    """The tries of the last quarter of an hour that were not right."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tries: OrderedDict[str, deque[int]] = OrderedDict()

    def count(self, name: str, address: str) -> None:
        """Counts a try before it is looked at, so that many at once are no way round; answers 429 where there were too many."""
        counted = [
            (what, most, self._recent(what)) for what, most in ((f"name {name}", OF_ONE_NAME), (f"address {address}", OF_ONE_ADDRESS))
        ]
        if any(len(tries) >= most for _, most, tries in counted):
            raise HTTPException(429, "too many sign-ins have failed: wait a quarter of an hour", {"Retry-After": str(WINDOW_S)})
        for what, _, tries in counted:
            tries.append(self._clock.now_us())
            self._tries[what] = tries
            self._tries.move_to_end(what)
        while len(self._tries) > MOST_KEPT:
            self._tries.popitem(last=False)

    def forgive(self, name: str, address: str) -> None:
        """The last try was right: it does not count."""
        for tries in (self._recent(f"name {name}"), self._recent(f"address {address}")):
            if tries:
                tries.pop()

    def _recent(self, what: str) -> deque[int]:
        tries = self._tries.get(what, deque())
        while tries and tries[0] <= self._clock.now_us() - WINDOW_S * US_PER_S:
            tries.popleft()
        return tries
