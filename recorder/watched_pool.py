"""A pool that tells when its store does not answer, so that one that is away, or hangs, does not hold up the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from segments.errors import Refused, TryAgain
from segments.ports import Body, ObjectInfo, ObjectStore


class WatchedPool:
    """The puts and looks of a commit at one pool; it tells when the store fails or refuses one, and when it answers one."""

    def __init__(self, objects: ObjectStore, *, failed: Callable[[], None], answered: Callable[[], None]) -> None:
        self._objects = objects
        self._failed = failed
        self._answered = answered

    async def put(self, key: str, body: Body, *, sha256: str, attributes: Mapping[str, str]) -> str:
        """See `PutObject`."""
        with self._watched():
            return await self._objects.put(key, body, sha256=sha256, attributes=attributes)

    async def head(self, key: str) -> ObjectInfo:
        """See `ReadObject`."""
        with self._watched():
            return await self._objects.head(key)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except (TryAgain, Refused):
            self._failed()
            raise
        else:
            self._answered()
