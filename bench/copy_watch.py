"""How long footage of two whole sites takes from its commit to the other site: what each tells of its commits, and the other's index file.

The index is read past our code. A delay ends when a look that has found the row is over, so it is told too long by up to `EVERY_S`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass, replace
from typing import Self

from replication.news_client import NewsClient
from segments.clock import US_PER_S, SystemClock, day_of
from segments.errors import KeepsightError
from segments.model import RowPosition
from tests.servers.two_sites import NAMES, PROMISED_S, TwoSites

EVERY_S = 0.25
_IS_THERE = "SELECT 1 FROM segment_row WHERE (camera, day, start_us, run, counter) = (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class _Way:
    """A segment and where it goes."""

    target: str
    camera: str
    position: RowPosition


@dataclass(frozen=True, slots=True)
class _Begun:
    committed_us: int
    counts: bool


@dataclass(slots=True)
class _Site:
    """A site as it is asked: its news, from where on, and where they go."""

    news: NewsClient
    target: str
    boot: str = ""
    after: int = 0


class CopyWatch:
    """Looks while the context lasts. `counts`: whether what is committed now is part of the promise: both sites and their link are up."""

    def __init__(self, sites: TwoSites) -> None:
        self._sites = sites
        self._asked: list[_Site] = []
        self._under_way: dict[_Way, _Begun] = {}
        self._stack = AsyncExitStack()
        self.counts = False
        self.delays_s: list[float] = []
        """Of what counts; infinite where something is not there after all."""

    async def __aenter__(self) -> Self:
        for name, other in zip(NAMES, NAMES[::-1], strict=True):
            site = self._sites.site(name)
            key = (site.data / "keys" / "internal.key").read_text().strip()
            news = NewsClient(f"http://127.0.0.1:{site.internal_port}", key)
            self._stack.push_async_callback(news.close)
            self._asked.append(_Site(news, other))
        looking = asyncio.create_task(self._look_on())
        self._stack.callback(looking.cancel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def interrupt(self) -> None:
        """A fault comes now: what is under way within its time does not count, nor what is committed from now on."""
        self.counts = False
        now_us = SystemClock().now_us()
        for way, begun in self._under_way.items():
            if now_us - begun.committed_us <= PROMISED_S * US_PER_S:
                self._under_way[way] = replace(begun, counts=False)

    async def caught_up(self, limit_s: float) -> float:
        """Waits until all that was committed before now is there; the seconds it took. Raises TimeoutError."""
        clock = SystemClock()
        now_us = clock.now_us()
        async with asyncio.timeout(limit_s):
            await asyncio.sleep(2 * EVERY_S)
            while any(begun.committed_us <= now_us for begun in self._under_way.values()):  # noqa: ASYNC110 - a file tells no event
                await asyncio.sleep(EVERY_S)
        return (clock.now_us() - now_us) / US_PER_S

    def end(self) -> Sequence[float]:
        """All delays; of what counts and is not there yet, an infinite one."""
        return [*self.delays_s, *(float("inf") for begun in self._under_way.values() if begun.counts)]

    # --- parts

    async def _look_on(self) -> None:
        while True:
            for site in self._asked:
                with suppress(KeepsightError):  # it is lost just now
                    await self._hear(site)
            await asyncio.to_thread(self._look)
            await asyncio.sleep(EVERY_S)

    async def _hear(self, site: _Site) -> None:
        told = await site.news.told(site.boot, site.after)
        for camera, position, committed_us in told.commits:
            self._under_way[_Way(site.target, camera, position)] = _Begun(committed_us, self.counts)
        site.boot, site.after = told.boot, told.first + len(told.commits)

    def _look(self) -> None:
        for target in NAMES:
            ways = [way for way in list(self._under_way) if way.target == target]
            path = self._sites.site(target).data / "index.sqlite"
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as index:
                there = [way for way in ways if index.execute(_IS_THERE, _values(way)).fetchone()]
            now_us = SystemClock().now_us()
            for way in there:
                begun = self._under_way.pop(way)
                if begun.counts:
                    self.delays_s.append((now_us - begun.committed_us) / US_PER_S)


def _values(way: _Way) -> tuple[str, str, int, str, int]:
    start_us, run, counter = way.position
    return way.camera, day_of(start_us).isoformat(), start_us, run, counter
