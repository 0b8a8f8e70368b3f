"""Finding what is wanted: from news and from camera-days that differ down to rows, past the rules of here, into the list of wishes."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from replication.compare import check_row, to_descend, wanted
from replication.copy_values import CopyShard, Wish, WishKey
from replication.ports import AskFootage, Keeping, News
from replication.walk import OwnDigests, Walk
from replication.wish_list import WishList
from segments.clock import US_PER_HOUR, Clock, day_of, day_start_us
from segments.digest import hour_of
from segments.errors import BadInput, DataDamaged, KeepsightError, NotFound, Refused, TryAgain
from segments.model import Camera, Partition, Row, RowPosition
from segments.patience import some_at_once
from segments.ports import Cameras, ReadRows

log = logging.getLogger(__name__)

AT_ONCE = 4
LOOKED_AT = 32
"""Camera-days, or steps of the walk, in one look, so that it ends soon."""
HOURS_AT_ONCE = 2
"""Of a camera-day that differs, so many hours are read before others have their turn; the newest first."""


class WishingIndex(Cameras, ReadRows, Protocol):
    """What finding needs of the index."""


class Wishing:
    """Fills the list of wishes of one shard."""

    def __init__(
        self,
        shard: CopyShard,
        *,
        peer: AskFootage,
        here: OwnDigests,
        keeping: Keeping,
        index: WishingIndex,
        walk: Walk,
        wishes: WishList,
        clock: Clock,
    ) -> None:
        self._shard = shard
        self._peer = peer
        self._here = here
        self._keeping = keeping
        self._index = index
        self._walk = walk
        self._wishes = wishes
        self._clock = clock

    async def hear(self) -> None:
        """Wishes for what was committed at the source since it was last asked. Raises TryAgain; then the same news come again."""
        news = await self._news((await self._walk.begin()).news)
        hours: dict[Partition, set[int]] = defaultdict(set)
        committed: dict[WishKey, int] = {}
        for commit in news.commits:
            if self._shard.has(commit.camera):
                start_us = commit.position.start_us
                hours[Partition(commit.camera, day_of(start_us))].add(start_us // US_PER_HOUR % 24)
                committed[commit.camera, commit.position] = commit.committed_us

        async def one(day: Partition) -> None:
            await self._guarded(day, self._wish(day, hours[day], committed))

        await some_at_once(one, hours, AT_ONCE)
        if news.lost:
            self._walk.compare_recent()
        self._walk.heard(news.next)

    async def _news(self, after: str) -> News:
        """What makes no sense is passed over: news are a shortcut, and comparing finds the same. After Refused they begin anew."""
        try:
            return await self._peer.news(after)
        except (DataDamaged, Refused) as error:
            if after:
                self._walk.heard("")
                self._walk.compare_recent()
                log.error("copy.unheard: news of site %s cannot be gone on with, and are found by comparing: %s", self._shard.site, error)
            if isinstance(error, Refused):
                raise
            return News((), "")

    async def descend(self, enough: int) -> None:
        """Wishes for more of what differs, until there are enough wishes, for now. Raises TryAgain."""
        for _ in range(LOOKED_AT // AT_ONCE):
            if len(self._wishes) >= enough or self._walk.over:
                return
            await self._descend()

    async def _descend(self) -> None:
        """Into some camera-days; their turn comes again where there is more of them, or whatever ends this before they are done."""
        left: dict[Partition, None] = {}

        async def one(day: Partition) -> None:
            if not await self._guarded(day, self._newest_of(day)):
                del left[day]

        try:
            for _ in range(AT_ONCE):
                if (day := await self._walk.next()) is not None:
                    left[day] = None
            await some_at_once(one, list(left), AT_ONCE)
        finally:
            for day in left:
                self._walk.again(day)

    async def _guarded(self, day: Partition, work: Awaitable[bool]) -> bool:
        """A camera-day that cannot be read is told, and stands in no other's way."""
        try:
            return await work
        except TryAgain:
            raise
        except KeepsightError as error:
            self._unread(day, error)
            return False

    def _unread(self, day: Partition, error: KeepsightError) -> None:
        log.error("copy.unread: %s %s of site %s: %s", day.camera, day.date, self._shard.site, error)

    def _sound(self, day: Partition, rows: Sequence[Row]) -> list[Row]:
        """Without those that make no sense."""
        found = []
        for row in rows:
            try:
                check_row(row, day)
            except DataDamaged as error:
                self._unread(day, error)
            else:
                found.append(row)
        return found

    async def _newest_of(self, day: Partition) -> bool:
        """Wishes for the newest hours of a camera-day of which something is wanted; whether there is more of it to look at."""
        if not await self._may_keep(day):
            return False
        ours, theirs = await asyncio.gather(self._here.hours(*day), self._peer.hours(*day))
        hours = to_descend(ours, theirs)[::-1]
        for start in range(0, len(hours), HOURS_AT_ONCE):
            if await self._wish(day, hours[start : start + HOURS_AT_ONCE], {}):
                return start + HOURS_AT_ONCE < len(hours)
        return False

    async def _wish(self, day: Partition, hours: Collection[int], committed: Mapping[WishKey, int]) -> bool:
        """Wishes for what is wanted of some hours; whether there was something new."""
        asked_ns = self._clock.monotonic_ns()
        theirs = self._sound(day, await self._peer.rows(day.camera, day.date, hours))
        new = [row for row in wanted(await self._ours(day, hours), theirs) if not self._wishes.knows(row)]
        if not new:
            return False
        kept, held = await self._ask_rules(day, new)
        if not kept:
            return False
        camera = await self._camera(day.camera)
        dropped = self._wishes.add(
            Wish(row, camera, asked_ns, row.position in held, committed.get((row.camera, row.position), 0))
            for row in new
            if row.position in kept
        )
        for wish in dropped:
            self._walk.again(wish.day)
        return True

    async def _may_keep(self, day: Partition) -> bool:
        """What is past its term here and not there differs for ever; none of its rows are asked for, day after day."""
        with _rules_are_known():
            return await self._keeping.may_keep(*day)

    async def _ask_rules(self, day: Partition, rows: Sequence[Row]) -> tuple[Collection[RowPosition], Collection[RowPosition]]:
        with _rules_are_known():
            kept = await self._keeping.kept(day.camera, day.date, rows)
            return kept, await self._keeping.held(day.camera, rows) if kept else ()

    async def _ours(self, day: Partition, hours: Collection[int]) -> list[Row]:
        """Our rows that start in these hours."""
        first_us, end_us = (day_start_us(day.date) + hour * US_PER_HOUR for hour in (min(hours), max(hours) + 1))
        after: RowPosition | None = RowPosition(first_us, "", -1)
        found: list[Row] = []
        while after is not None:
            page = await self._index.rows(day.camera, day.date, after=after)
            found += [row for row in page.items if hour_of(row) in hours]
            after = page.next if page.items and page.items[-1].start_us < end_us else None
        return found

    async def _camera(self, camera: str) -> Camera:
        """As our archive has it, or only its name."""
        try:
            return await self._index.camera(camera)
        except NotFound:
            return Camera(camera, name=camera, url="")


@contextmanager
def _rules_are_known() -> Iterator[None]:
    """Around questions to the rules of here; raises TryAgain where they do not say anything."""
    try:
        yield
    except BadInput as error:
        raise TryAgain(f"nothing is copied, since what is to be kept here is not known: {error}") from error
