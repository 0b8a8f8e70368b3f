"""What a site has of segments that another one asks about: rows whose objects are there, and what its own rules have deleted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Protocol

from replication.own_digests import marks_of_day
from replication.ports import MOST_DAYS, Has, Named
from segments.damage import known_damaged
from segments.digest import Mark
from segments.errors import BadInput, NotFound
from segments.keys import day_prefix, parse_key
from segments.model import BatchState, RowPosition
from segments.patience import some_at_once
from segments.ports import Batches, BatchRows, ObjectStore, ReadReceipts, ReadRows, Records

HEADS_AT_ONCE = 8
LISTED_FROM = 16
"""So many segments of a camera-day in one pool are looked for in a listing of it, and only what that does not show by itself."""


class HavingIndex(ReadRows, Batches, BatchRows, ReadReceipts, Records, Protocol):
    """What is needed of the index."""


class Having:
    """See `AskFootage.has`."""

    def __init__(self, index: HavingIndex, pools: Mapping[str, ObjectStore]) -> None:
        self._index = index
        self._pools = pools

    async def has(self, camera: str, day: date, named: Sequence[Named]) -> Sequence[Has]:
        """See `AskFootage`. In the order a deletion goes: rows, then the open batch, then receipts; so it is seen in one of them.
        What is known to be damaged is not had: nobody may delete the last good copy for it."""
        if len(named) > MOST_DAYS:
            raise BadInput(f"{len(named)} segments; at most {MOST_DAYS} are asked for at once")
        marks = {mark.position: mark for mark in await marks_of_day(self._index, camera, day)}
        asked = [mark for one in named if (mark := marks.get(one.position)) is not None and mark.sha256 == one.sha256]
        damaged = await known_damaged(self._index, camera) if asked else frozenset()
        asked = [mark for mark in asked if mark.key not in damaged]
        here = {Named(mark.position, mark.sha256) for mark in await self._present(camera, day, asked)}
        gone = {} if here.issuperset(named) else await self._gone(camera, day)
        return [Has.HERE if one in here else gone.get(one, Has.MISSING) for one in named]

    async def _present(self, camera: str, day: date, marks: Sequence[Mark]) -> list[Mark]:
        """Those whose objects answer with their size."""
        by_pool: dict[str, list[Mark]] = defaultdict(list)
        for mark in marks:
            if mark.pool in self._pools:
                by_pool[mark.pool].append(mark)
        found: list[Mark] = []
        for pool, wanted in by_pool.items():
            sizes = await self._listed(pool, day_prefix(camera, day)) if len(wanted) >= LISTED_FROM else {}
            found += [mark for mark in wanted if sizes.get(mark.key) == mark.size]
            found += await self._answering([mark for mark in wanted if mark.key not in sizes])
        return found

    async def _listed(self, pool: str, prefix: str) -> dict[str, int]:
        sizes: dict[str, int] = {}
        after: str | None = ""
        while after is not None:
            page = await self._pools[pool].list(prefix, after=after)
            sizes |= dict(page.items)
            after = page.next
        return sizes

    async def _answering(self, marks: Sequence[Mark]) -> list[Mark]:
        async def answers(mark: Mark) -> bool:
            with suppress(NotFound):
                return (await self._pools[mark.pool].head(mark.key)).size == mark.size
            return False

        found = await some_at_once(answers, marks, HEADS_AT_ONCE)
        return [mark for mark, there in zip(marks, found, strict=True) if there]

    async def _gone(self, camera: str, day: date) -> dict[Named, Has]:
        """What an open batch is about to delete, and what receipts say was deleted. A batch that is taken back deletes nothing."""
        found: dict[Named, Has] = {}
        batch = await self._index.batch(camera, day)
        after: RowPosition | None = RowPosition(-1, "", -1)
        while batch is not None and batch.state is not BatchState.HELD and after is not None:
            page = await self._index.batch_rows(batch, after=after)
            found |= {Named(row.position, row.sha256): Has.EARLY for row in page.items}
            after = page.next
        for receipt in await self._index.receipts(camera, day.replace(day=1)):
            for gone in receipt.segments if receipt.day == day else ():
                key = parse_key(gone.key)
                named = Named(RowPosition(key.start_us, key.run, key.counter), gone.sha256)
                found[named] = Has.GONE if receipt.when_due else found.get(named, Has.EARLY)
        return found
