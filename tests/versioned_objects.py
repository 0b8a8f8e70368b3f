"""A store with versions in memory: deletes by key leave marks, deletes by version are for good; some versions refuse to go."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence

from segments.errors import NotFound
from segments.ports import ObjectInfo, ObjectVersion


class VersionedObjects:
    """What a sweep needs of a bucket with versions. `stuck`: keys whose versions are refused, with the reason."""

    def __init__(self) -> None:
        self.kept: list[ObjectVersion] = []
        self.stuck: dict[str, str] = {}
        self.deaf = False
        """Deletes are answered well and do nothing."""

    def add(self, key: str, version: str, size: int = 8) -> None:
        """A version, or with size 0 a mark; the newest of its key."""
        self.kept.append(ObjectVersion(key, version, size))

    async def put(self, key: str, body: bytes, *, sha256: str, attributes: Mapping[str, str]) -> str:
        """Every key once, as version v1."""
        self.add(key, "v1", len(body))
        return "v1"

    async def head(self, key: str) -> ObjectInfo:
        """See `ReadObject`: of the newest version, if that is no mark."""
        found = [each for each in self.kept if each.key == key]
        if not found or found[-1].version.startswith("mark"):
            raise NotFound(f"there is no object {key!r}")
        return ObjectInfo(key, found[-1].size, found[-1].version, hashlib.sha256(key.encode()).hexdigest(), {})

    async def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """See `DeleteObjects`."""
        for key in keys if not self.deaf else ():
            self.add(key, f"mark{len(self.kept)}", 0)
        return {}

    async def versions(self, prefix: str) -> AsyncIterator[ObjectVersion]:
        """See `Versions`."""
        for each in list(self.kept):
            if each.key.startswith(prefix):
                yield each

    async def delete_versions(self, doomed: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """See `Versions`."""
        refused = {each: self.stuck[each[0]] for each in doomed if each[0] in self.stuck}
        gone = set(doomed) - set(refused)
        self.kept = [each for each in self.kept if self.deaf or (each.key, each.version) not in gone]
        return refused
