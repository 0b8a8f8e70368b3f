"""Objects in a dict: the reference of the object ports, for tests and tools. Nothing survives the process.

There are no versions: the only one of an object is ''. Legal holds are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from segments.errors import Conflict, NotFound
from segments.ports import Body, ListedObject, ObjectInfo, ObjectVersion, Page
from segments.stores.object_rules import check_delete, check_key, check_page, check_put, check_range, read_verified

PIECE_BYTES = 4 << 20


class MemoryObjects:
    """An `ObjectStore` of one event loop."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, ObjectInfo]] = {}
        self._held: set[str] = set()

    async def put(self, key: str, body: Body, *, sha256: str, attributes: Mapping[str, str]) -> str:
        """See `PutObject`."""
        kept = check_put(key, sha256, attributes)
        data = await asyncio.to_thread(read_verified, key, body, sha256)
        if key in self._objects:
            raise Conflict(f"{key!r} is taken")
        self._objects[key] = data, ObjectInfo(key, len(data), "", sha256, kept)
        return ""

    async def head(self, key: str) -> ObjectInfo:
        """See `ReadObject`."""
        return self._find(key)[1]

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `ReadObject`."""
        check_range(start, end)
        return self._find(key)[0][start:end]

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See `ReadObject`."""
        data = await self.get(key, start, end)
        for offset in range(0, len(data), PIECE_BYTES):
            yield data[offset : offset + PIECE_BYTES]

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> Page[ListedObject, str]:
        """See `ListObjects`."""
        check_page(after, limit)
        keys = sorted(key for key in self._objects if key.startswith(prefix) and key > after)[:limit]
        return Page([ListedObject(key, len(self._objects[key][0])) for key in keys], keys[-1] if len(keys) == limit else None)

    async def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """See `DeleteObjects`."""
        check_delete(keys)
        for key in keys:
            if key not in self._held:
                self._objects.pop(key, None)
        return dict.fromkeys(self._held.intersection(keys), "held")

    async def versions(self, prefix: str) -> AsyncIterator[ObjectVersion]:
        """See `Versions`."""
        for key, (data, _) in list(self._objects.items()):
            if key.startswith(prefix):
                yield ObjectVersion(key, "", len(data))

    async def delete_versions(self, doomed: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """See `Versions`."""
        refused = await self.delete([key for key, version in doomed if not version])
        return {(key, ""): reason for key, reason in refused.items()}

    async def set_legal_hold(self, key: str, version: str, held: bool) -> None:
        """See `LegalHolds`."""
        await self.legal_hold(key, version)
        (self._held.add if held else self._held.discard)(key)

    async def legal_hold(self, key: str, version: str) -> bool:
        """See `LegalHolds`."""
        self._find(key)
        if version:
            raise NotFound(f"there is no version {version!r} of {key!r}")
        return key in self._held

    async def link(self, key: str, version: str, seconds: int, range_header: str | None = None) -> None:
        """See `SignLinks`."""

    def _find(self, key: str) -> tuple[bytes, ObjectInfo]:
        check_key(key)
        try:
            return self._objects[key]
        except KeyError:
            raise NotFound(f"there is no object {key!r}") from None
