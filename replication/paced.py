"""Reading objects no faster than a budget of bytes a second allows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from segments.ports import ObjectInfo, ReadObject


class Budget(Protocol):
    """So many a second, in the order they are asked for."""

    async def take(self, count: int) -> None:
        """Waits until so many more may be done."""


class PacedReads:
    """A pool's objects to be read: every byte is taken from the budget."""

    def __init__(self, objects: ReadObject, budget: Budget) -> None:
        self._objects = objects
        self._budget = budget

    async def head(self, key: str) -> ObjectInfo:
        """See `ReadObject`."""
        return await self._objects.head(key)

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `ReadObject`."""
        return b"".join([piece async for piece in self.stream(key, start, end)])

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See `ReadObject`."""
        async for piece in self._objects.stream(key, start, end):
            await self._budget.take(len(piece))
            yield piece
