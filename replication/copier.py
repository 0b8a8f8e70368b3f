"""The copier: brings here what another site has and the rules here keep. One shard of one site; round after round.

It hears news of what was just committed there, and walks over all camera-days comparing digests, so that nothing is missed, whoever died
and whatever came late. What is wanted waits in memory only. Two copiers of one shard do no harm: they do some work twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol

from replication.bandwidth import Bandwidth, Flying
from replication.copied_runs import CopiedRuns, RunsIndex
from replication.copy import SegmentCopy
from replication.copy_values import CopyEvent, CopyKind, CopySettings, CopyShard, HeldDays, Wish, WishKey
from replication.ports import AskFootage, Keeping
from replication.walk import OwnDigests, Walk, WalkIndex, no_held_days
from replication.wish_list import WishList
from replication.wishing import Wishing, WishingIndex
from segments.clock import Clock, day_of
from segments.commit import CommitIndex, CommitObjects
from segments.errors import KeepsightError, NotFound, TryAgain
from segments.model import Camera

log = logging.getLogger(__name__)

NEWS_S = 2.0
ROUND_S = 60.0
"""A round that has enough to copy ends after so long, and when what was begun is done."""
STALE_S = 3600
"""What was found to be wanted longer ago is found out again: it may have been deleted, here or there."""
LONGEST_WAIT_S = 60.0
LONGEST_AWAY_S = 5.0
"""A site whose news do not come is asked for them at least so often, and for nothing else: it costs next to nothing."""
MISSING_S = 600.0
FIRST_REFUSED_S, LONGEST_REFUSED_S = 60.0, 3600.0
MOST_REFUSED = 1000
"""So many segments that were refused are named."""


class CopierIndex(WalkIndex, WishingIndex, RunsIndex, CommitIndex, Protocol):
    """What a copier needs of the index."""


@dataclass(frozen=True, slots=True)
class CopierParts:
    """What a copier is made of. `here` tells our own digests; `folder` is its own, for large segments; `seen` is told of each segment."""

    shard: CopyShard
    peer: AskFootage
    here: OwnDigests
    keeping: Keeping
    index: CopierIndex
    pools: Mapping[str, CommitObjects]
    pool_for: Callable[[Camera], str]
    bandwidth: Bandwidth
    folder: Path
    clock: Clock
    settings: CopySettings = field(default_factory=CopySettings)
    held_days: HeldDays = no_held_days
    seen: Callable[[CopyEvent], None] = lambda _: None


class Copier:
    """Copies one shard of one site's footage."""

    def __init__(self, parts: CopierParts) -> None:
        self._parts = parts
        self._site, self._clock, self._settings = parts.shard.site, parts.clock, parts.settings
        self._wishes = WishList(parts.settings.wanted, parts.clock)
        asked: dict[str, Any] = {"peer": parts.peer, "index": parts.index, "clock": parts.clock}
        self._walk = Walk(parts.shard, here=parts.here, held_days=parts.held_days, **asked)
        self._wishing = Wishing(parts.shard, here=parts.here, keeping=parts.keeping, walk=self._walk, wishes=self._wishes, **asked)
        self._runs = CopiedRuns(keeping=parts.keeping, pools=parts.pools, **asked)
        self._copying = SegmentCopy(
            pools=parts.pools,
            pool_for=parts.pool_for,
            runs=self._runs,
            bandwidth=parts.bandwidth,
            folder=parts.folder,
            memory_bytes=parts.settings.memory_bytes,
            **asked,
        )
        self._flying = Flying(parts.settings.flying_bytes)
        self._failed_rounds = self._failed = 0
        """Rounds, and segments of this one, that failed in a row: who does not answer is asked seldom."""
        self._heard = True
        """Whether the news came the last time."""
        self.refused: dict[WishKey, str] = {}
        """Segments that could not be taken as they are, and why, until they are copied; the last `MOST_REFUSED`."""

    def wanted(self) -> list[Wish]:
        """All that is known to be wanted now, what is under way included. What differs and was not looked at yet is not among it."""
        return self._wishes.all()

    @property
    def differing(self) -> int:
        """Camera-days that are known to differ, and were not looked at yet."""
        return self._walk.differing

    async def round(self) -> float:
        """Looks what is wanted and copies it; the seconds until the next round. What fails is told, and tried again later."""
        self._failed = 0
        looked = await self._look(self._settings.at_once)
        if self._heard:
            await self._copy()
        if not looked or self._gives_up:
            self._failed_rounds += 1
            return min(2.0 ** min(self._failed_rounds, 10), LONGEST_WAIT_S if self._heard else LONGEST_AWAY_S)
        self._failed_rounds = 0
        return NEWS_S if self._walk.over and not self._wishes else 0.0

    async def _look(self, enough: int) -> bool:
        """News, what else differs until there are enough wishes, and runs that have ended; whether all that were asked have answered."""
        try:
            await self._hear()
            await self._wishing.descend(enough)
            await self._runs.look(self._walk.cameras, self._months())
            if self._wishes.settled:
                await self._walk.save()
        except KeepsightError as error:
            if not self._failed_rounds:
                log.warning("copy.waits: from site %s: %s", self._site, error)
            self._parts.seen(CopyEvent(CopyKind.WAITS, self._site, text=str(error)))
            return False
        return True

    async def _hear(self) -> None:
        try:
            await self._wishing.hear()
        except KeepsightError:
            self._heard = False
            raise
        self._heard = True

    def _months(self) -> list[date]:
        """Whose runs may be open: those of today and yesterday, and of the day the walk has come to."""
        today = day_of(self._clock.now_us())
        days = [today, today - timedelta(days=1), self._walk.cursor.day if self._walk.cursor else None]
        return [day.replace(day=1) for day in days if day is not None]

    async def _copy(self) -> None:
        """Copies what is wanted, and looks on meanwhile."""
        end_ns = self._clock.monotonic_ns() + int(ROUND_S * 1e9)
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(self._look_on())
            workers = [tasks.create_task(self._work(end_ns)) for _ in range(self._settings.at_once)]
            await asyncio.wait(workers)
            looking.cancel()

    async def _look_on(self) -> None:
        await self._clock.sleep(NEWS_S)
        while await self._look(self._settings.wanted // 2):
            await self._clock.sleep(NEWS_S)

    @property
    def _gives_up(self) -> bool:
        return self._failed >= self._settings.at_once

    async def _work(self, end_ns: int) -> None:
        while self._clock.monotonic_ns() < end_ns and not self._gives_up:
            wish = self._wishes.take()
            if wish is None:
                return
            await self._one(wish)

    async def _one(self, wish: Wish) -> None:
        """A fault of one segment is no fault of the others."""
        began_ns = self._clock.monotonic_ns()
        if began_ns - wish.asked_ns > STALE_S * 1_000_000_000:
            self._wishes.done(wish)
            self._walk.again(wish.day)
            return
        try:
            async with self._flying.room(wish.row.size):
                await self._copying.copy(wish)
        except asyncio.CancelledError:
            self._wishes.later(wish, 0.0)
            raise
        except NotFound as error:
            self._wishes.later(replace(wish, asked_ns=began_ns - STALE_S * 1_000_000_000), MISSING_S)
            self._tell(CopyKind.MISSING, wish, began_ns, str(error))
        except TryAgain as error:
            self._failed += 1
            self._wishes.later(wish, min(2.0 ** min(wish.tries, 10), LONGEST_WAIT_S))
            self._tell(CopyKind.RETRIED, wish, began_ns, str(error))
        except KeepsightError as error:
            log.error("copy.refused: %s from site %s: %s", wish.row.key, self._site, error)
            self._refuse(wish, began_ns, str(error))
        except Exception as error:
            log.exception("copy.unexpected: %s from site %s", wish.row.key, self._site)
            self._refuse(wish, began_ns, f"{wish.row.key}: {type(error).__name__}")
        else:
            self._failed = 0
            self._wishes.done(wish)
            self.refused.pop(wish.key, None)
            self._tell(CopyKind.COPIED, wish, began_ns)

    def _refuse(self, wish: Wish, began_ns: int, text: str) -> None:
        self._wishes.later(wish, min(FIRST_REFUSED_S * 4.0 ** min(wish.tries, 10), LONGEST_REFUSED_S))
        self.refused[wish.key] = text
        if len(self.refused) > MOST_REFUSED:
            del self.refused[next(iter(self.refused))]
        self._tell(CopyKind.REFUSED, wish, began_ns, text)

    def _tell(self, kind: CopyKind, wish: Wish, began_ns: int, text: str = "") -> None:
        took_s = (self._clock.monotonic_ns() - began_ns) / 1e9
        row, camera_class = wish.row, wish.camera.camera_class
        about = (row.camera, row.position, row.size, wish.committed_us, took_s, text, row.end_us, camera_class)
        self._parts.seen(CopyEvent(kind, self._site, *about))
