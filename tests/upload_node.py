"""A spool, a pool, an index, and the uploader between them, all with faults on demand."""

from __future__ import annotations

import hashlib
from pathlib import Path

from recorder.uploader import Uploader, UploadSettings
from segments.commit import CommitRules
from segments.keys import SegmentKey
from segments.pools import PoolRules, PoolState
from tests.builders import NOON_US, a_batch
from tests.clocks import HandClock
from tests.fakes import Sealed, SwitchedIndex, SwitchedObjects, keys_of

ONE_POOL = PoolRules({"main": PoolState.OPEN}, "main")


class Node:
    """A spool, a pool, an index, and the uploader between them."""

    def __init__(self, folder: Path, *, objects: SwitchedObjects | None = None, kind: type[Uploader] = Uploader, at_once: int = 4) -> None:
        self.folder = folder
        self.kind = kind
        self.at_once = at_once
        self.index = SwitchedIndex()
        self.objects = objects or SwitchedObjects()
        self.clock = HandClock(NOON_US + 120_000_000)
        self.rules = CommitRules()
        self.uploader = self.started()

    def started(self) -> Uploader:
        """A new uploader process."""
        self.uploader = self.kind(
            self.folder,
            pools={"main": self.objects},
            rules=ONE_POOL,
            index=self.index,
            clock=self.clock,
            settings=UploadSettings(self.at_once, rules=self.rules),
        )
        return self.uploader

    async def rows(self, camera: str = "gate") -> dict[str, str]:
        """Hash by key."""
        return {row.key: row.sha256 for row in (await self.index.inner.rows(camera, a_batch().day)).items}

    async def stored(self) -> dict[str, str]:
        """Hash of the real bytes by key, without the ends of runs."""
        keys = [key for key in await keys_of(self.objects.inner) if not key.endswith("_end")]
        return {key: hashlib.sha256(await self.objects.inner.get(key)).hexdigest() for key in keys}

    def left(self) -> list[str]:
        """Files in the spool."""
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())


def key_of(made: Sealed) -> str:
    return str(SegmentKey(made.camera, made.run, made.start_us, made.counter))
