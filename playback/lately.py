"""What was read lately and may be a moment old: so that what is asked at each request is read once a second."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from segments.clock import Clock

K = TypeVar("K")
V = TypeVar("V")

MOST = 10_000


class Lately(Generic[K, V]):
    """Answers of `read`, each kept for `keep_s`. An error is not kept."""

    def __init__(self, read: Callable[[K], Awaitable[V]], clock: Clock, keep_s: float = 1.0) -> None:
        self._read = read
        self._clock = clock
        self._keep_ns = round(keep_s * 1e9)
        self._known: OrderedDict[K, tuple[int, V]] = OrderedDict()

    async def __call__(self, key: K) -> V:
        """What is known of a key; its age counts from before it was read."""
        now_ns = self._clock.monotonic_ns()
        found = self._known.get(key)
        if found is not None and now_ns - found[0] < self._keep_ns:
            return found[1]
        value = await self._read(key)
        self._known[key] = now_ns, value
        self._known.move_to_end(key)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return value
