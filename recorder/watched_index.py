"""An index that is not asked again for a moment after it gave no answer: one that hangs does not hold up what pools can take."""

from __future__ import annotations

import functools
from typing import Any

from segments.clock import Clock
from segments.errors import TryAgain

AGAIN_S = 1.0
"""So long an index that gave no answer is left alone; then one call tries, and the others are not held up by it."""


class WatchedIndex:
    """The calls of an index, answered with TryAgain at once while it is silent."""

    def __init__(self, index: object, clock: Clock) -> None:
        self._index = index
        self._clock = clock
        self._again_ns = 0
        self._failing = False
        self._trying = False

    @property
    def silent(self) -> bool:
        """Whether a call now would be answered without asking."""
        return self._failing and (self._trying or self._clock.monotonic_ns() < self._again_ns)

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._index, name)

        @functools.wraps(call)
        async def watched(*arguments: Any, **named: Any) -> Any:
            if self.silent:
                raise TryAgain("the index gave no answer a moment ago")
            tries = self._trying = self._failing
            try:
                answer = await call(*arguments, **named)
            except TryAgain:
                self._failing, self._again_ns = True, self._clock.monotonic_ns() + int(AGAIN_S * 1e9)
                raise
            finally:
                if tries:
                    self._trying = False
            self._failing = False
            return answer

        return watched
