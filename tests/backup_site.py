"""A site in memory that makes backups of itself, and puts them elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy.backup import make_backup
from deploy.backup_objects import BackupCard
from deploy.restore import lay_out, planned, restore
from deploy.settings import Settings
from deploy.wiring import Stores
from segments.index_compare import IndexDifference, compare_indexes
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests import whole_index
from tests.clocks import HandClock

SITE = "home"
FOOTAGE = {"rows", "runs", "states"}
OF_A_RESTORE = {"backup last", "backup restored", "sweep-clock sweep.0-of-1"}
"""What differs after one, beside footage and what was on its way out (it is found due again)."""


def settings_in(folder: Path, **replication: Any) -> Settings:
    """Settings of a site in a folder, whose backups go to its only pool."""
    return Settings.model_validate({"site": {"folder": folder}, "replication": {"backup_pool": "main", **replication}})


class Site:
    """A filled index, a pool for its backups, and settings."""

    def __init__(self, folder: Path, index: MemoryIndex) -> None:
        self.settings = settings_in(folder / "site")
        self.index = index
        self.objects = MemoryObjects()
        self.stores = Stores(index, {"main": self.objects})
        self.clock = HandClock()
        self.folder = folder

    async def backup(self) -> BackupCard:
        """Makes one, a minute after the one before."""
        self.clock.move(60)
        return await make_backup(self.settings, self.stores, self.clock)

    async def laid_out(self, name: str = "latest") -> Path:
        """A backup as a file."""
        file = self.folder / f"{name}.sqlite"
        await lay_out(name, self.objects, file, self.settings, self.clock)
        return file

    async def restored(self, target: MemoryIndex, file: Path | None = None) -> None:
        """Puts the newest backup, or this one, into an index."""
        file = file or await self.laid_out()
        await restore(file, await planned(file, target, self.settings, self.clock), target, self.settings, self.clock)

    async def differing(self, target: MemoryIndex) -> list[IndexDifference]:
        """What is not in both indexes alike, but for footage."""
        compared = await compare_indexes(self.index, target, self.clock)
        return [one for one in compared.examples if one.kind not in FOOTAGE]


async def a_site(folder: Path) -> Site:
    """With something of everything."""
    index = MemoryIndex()
    await whole_index.fill(index)
    return Site(folder, index)
