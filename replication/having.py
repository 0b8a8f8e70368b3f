"""What a site has of segments that another one asks about: rows whose objects are there, and what its own rules have deleted."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Protocol

from replication.ports import MOST_DAYS, Has, Named
from segments.errors import BadInput, NotFound
from segments.keys import day_prefix, parse_key
from segments.model import BatchState, Row, RowPosition, Span
from segments.ports import Batches, BatchRows, ObjectStore, ReadReceipts, ReadRows

HEADS_AT_ONCE = 8
LISTED_FROM = 16
"""So many segments of a camera-day in one pool are looked for in a listing of it, and only what that does not show by itself."""


class HavingIndex(ReadRows, Batches, BatchRows, ReadReceipts, Protocol):
    """What is needed of the index."""


class Having:
    """See `AskFootage.has`."""

    def __init__(self, index: HavingIndex, pools: Mapping[str, ObjectStore]) -> None:
        self._index = index
        self._pools = pools

    async def has(self, camera: str, day: date, named: Sequence[Named]) -> Sequence[Has]:
        """See `AskFootage`. In the order a deletion goes: rows, then the open batch, then receipts; so it is seen in one of them."""
        if len(named) > MOST_DAYS:
            raise BadInput(f"{len(named)} segments; at most {MOST_DAYS} are asked for at once")
        rows = {row.position: row for row in await rows_of_day(self._index, camera, day)}
        asked = [row for one in named if (row := rows.get(one.position)) is not None and row.sha256 == one.sha256]
        here = {Named(row.position, row.sha256) for row in await self._present(camera, day, asked)}
        gone = await self._gone(camera, day) if here.issuperset(named) is False else set()
        return [Has.HERE if one in here else Has.GONE if one in gone else Has.MISSING for one in named]

    async def _present(self, camera: str, day: date, rows: Sequence[Row]) -> list[Row]:
        """Those whose objects answer with their size."""
        by_pool: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if row.pool in self._pools:
                by_pool[row.pool].append(row)
        found: list[Row] = []
        for pool, wanted in by_pool.items():
            sizes = await self._listed(pool, day_prefix(camera, day)) if len(wanted) >= LISTED_FROM else {}
            found += [row for row in wanted if sizes.get(row.key) == row.size]
            found += await self._answering([row for row in wanted if row.key not in sizes])
        return found

    async def _listed(self, pool: str, prefix: str) -> dict[str, int]:
        sizes: dict[str, int] = {}
        after: str | None = ""
        while after is not None:
            page = await self._pools[pool].list(prefix, after=after)
            sizes |= dict(page.items)
            after = page.next
        return sizes

    async def _answering(self, rows: Sequence[Row]) -> list[Row]:
        at_once = asyncio.Semaphore(HEADS_AT_ONCE)

        async def answers(row: Row) -> bool:
            async with at_once:
                with suppress(NotFound):
                    return (await self._pools[row.pool].head(row.key)).size == row.size
                return False

        found = await asyncio.gather(*map(answers, rows))
        return [row for row, there in zip(rows, found, strict=True) if there]

    async def _gone(self, camera: str, day: date) -> set[Named]:
        """What an open batch is about to delete, and what receipts say was deleted. A batch that is taken back deletes nothing."""
        found: set[Named] = set()
        batch = await self._index.batch(camera, day)
        after: RowPosition | None = RowPosition(-1, "", -1)
        while batch is not None and batch.state is not BatchState.HELD and after is not None:
            page = await self._index.batch_rows(batch, after=after)
            found |= {Named(row.position, row.sha256) for row in page.items}
            after = page.next
        for receipt in await self._index.receipts(camera, day.replace(day=1)):
            for gone in receipt.segments if receipt.day == day else ():
                key = parse_key(gone.key)
                found.add(Named(RowPosition(key.start_us, key.run, key.counter), gone.sha256))
        return found


async def rows_of_day(index: ReadRows, camera: str, day: date, reach: Span | None = None) -> list[Row]:
    """The rows of a camera-day, or those of it that start within `reach`."""
    after: RowPosition | None = RowPosition(reach.start_us if reach else -1, "", -1)
    found: list[Row] = []
    while after is not None:
        page = await index.rows(camera, day, after=after)
        found += page.items
        after = None if reach and page.items and page.items[-1].start_us >= reach.end_us else page.next
    return [row for row in found if row.start_us < reach.end_us] if reach else found
