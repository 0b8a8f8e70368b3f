"""Whether pools do what is needed of them: each is probed before it is used, and what it passed is remembered for a day.

A store that was probed before and does not answer now does not stop a start: footage waits in the spool.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from deploy.settings import FilePool, Pool, Settings
from deploy.wiring import pool_folder, s3_settings
from segments.clock import US_PER_DAY, SystemClock
from segments.errors import KeepsightError, StartRefused, TryAgain
from segments.pools import PoolState
from segments.ports import ObjectStore
from segments.stores.probe import BUCKET_NEEDS, POOL_NEEDS, PROBE_FOLDER, QUICK_RACES, RACES, Ability, Finding, ObjectsProbe

log = logging.getLogger(__name__)

REMEMBERED_US = US_PER_DAY


def needs_of(pool: Pool) -> frozenset[Ability]:
    """What its store must be able to: what every pool needs, what every bucket needs, and what its settings name."""
    return POOL_NEEDS if isinstance(pool, FilePool) else BUCKET_NEEDS.union(pool.needs)


async def probe_pool(
    pool: Pool, objects: ObjectStore, abilities: Collection[Ability] = tuple(Ability), *, quick: bool = False
) -> list[Finding]:
    """What the store of a pool really does; see `segments.stores.probe`. Raises TryAgain, Refused."""
    if isinstance(pool, FilePool):
        return await ObjectsProbe(objects, uuid4().hex, QUICK_RACES if quick else RACES).run()
    from segments.stores.s3_probe import probe_bucket

    return await probe_bucket(s3_settings(pool), abilities, quick=quick)


async def check_pools(settings: Settings, pools: Mapping[str, ObjectStore]) -> None:
    """Raises StartRefused for a pool that cannot be used, or whose store does not do what is needed of it."""
    memory = _Memory(settings.site.folder / "probed.json")
    await asyncio.gather(*(_check(name, settings, pools[name], memory) for name in settings.pools))


async def _check(name: str, settings: Settings, objects: ObjectStore, memory: _Memory) -> None:
    pool = settings.pools[name]
    asked = _asked(name, pool, settings)
    try:
        if pool.state is PoolState.OPEN and not memory.passed(name, asked):
            _refuse_missing(name, pool, await probe_pool(pool, objects, needs_of(pool), quick=True))
            memory.remember(name, asked)
        else:
            await objects.list(f"{PROBE_FOLDER}/", limit=1)
    except TryAgain as error:
        if pool.state is PoolState.OPEN and not memory.knows(name, asked):
            raise StartRefused(f"pool {name} cannot be used: {error}") from None
        log.warning("pool.away: pool %s does not answer; what belongs to it waits in the spool: %s", name, error)
    except StartRefused:
        raise
    except KeepsightError as error:
        raise StartRefused(f"pool {name} cannot be used: {error}") from None


def _refuse_missing(name: str, pool: Pool, findings: list[Finding]) -> None:
    missing = [f"{found.ability} ({found.said})" for found in findings if not found.passed and found.ability in needs_of(pool)]
    if missing:
        raise StartRefused(
            f"pool {name}: its store does not do what this configuration needs: {'; '.join(missing)}. "
            f"Use a store that does; 'keepsight pools probe {name}' shows all that it does"
        )


def _asked(name: str, pool: Pool, settings: Settings) -> str:
    """A text that differs whenever another store, or another right at it, might be met."""
    where = pool_folder(name, pool, settings) if isinstance(pool, FilePool) else pool.secret_file
    about = where.stat()
    since = about.st_dev if isinstance(pool, FilePool) else about.st_mtime_ns
    return hashlib.sha256(f"{pool!r} {where.resolve()} {about.st_ino} {since} {sorted(needs_of(pool))}".encode()).hexdigest()


class _Memory:
    """Which pools have passed, and when, in a file of this machine. A file that cannot be read remembers nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._now_us = SystemClock().now_us()
        self._known: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            self._known = dict(json.loads(path.read_text()))

    def knows(self, name: str, asked: str) -> bool:
        """Whether this very pool has ever passed."""
        return bool(self._known.get(name, {}).get("asked") == asked)

    def passed(self, name: str, asked: str) -> bool:
        """Whether it passed within the last day."""
        age_us = self._now_us - self._known.get(name, {}).get("at_us", 0)
        return self.knows(name, asked) and 0 <= age_us < REMEMBERED_US

    def remember(self, name: str, asked: str) -> None:
        """It has passed just now."""
        self._known[name] = {"asked": asked, "at_us": self._now_us}
        draft = self._path.with_name(f".{self._path.name}.{uuid4().hex}")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(self._known))
        draft.replace(self._path)
