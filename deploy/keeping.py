"""What of another site's footage is kept here: `Keeping` of replication, answered by retention's rules, batches and receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Protocol

from retention.look import Look, PlanIndex, Pressed, batch_rows_of, known_camera, look, none_pressed, plan
from retention.plan import Why
from segments.clock import US_PER_DAY, Clock, day_of, day_start_us
from segments.hold import holding
from segments.model import Partition, Row, RowPosition, Span
from segments.ports import Batches, BatchRows, ReadReceipts

KEEPS = frozenset({Why.HELD, Why.FLOOR, Why.KEPT})
"""Footage that falls under one of these is brought here."""
LOOK_S = 10
"""So old may a look at the rules be: what is copied by it falls under the sweep's own look soon."""
MOST_HELD_DAYS = 2000
"""Camera-days that are named as evidence; more are found by the ordinary comparing."""


class KeepingIndex(PlanIndex, Batches, BatchRows, ReadReceipts, Protocol):
    """What it needs of the index."""


class RetentionKeeping:
    """See `replication.ports.Keeping`."""

    def __init__(self, index: KeepingIndex, clock: Clock, pressed: Pressed = none_pressed) -> None:
        self._index = index
        self._clock = clock
        self._pressed = pressed
        self._looked: Look | None = None
        self._looking = asyncio.Lock()

    async def kept(self, camera: str, day: date, rows: Sequence[Row]) -> Collection[RowPosition]:
        """See `Keeping`. What a batch has or a receipt names was here: it does not come back."""
        gone = await self._gone(camera, day, rows)
        looked = await self._look()
        if not looked.rules.any_binds(looked.now_us):
            return {row.position for row in rows} - gone
        planned = await plan(self._index, looked, camera, day, rows)
        return {row.position for row, verdict in planned.verdicts if verdict.why in KEEPS and row.position not in gone}

    async def may_keep(self, camera: str, day: date) -> bool:
        """See `Keeping`: by what would be kept longest, and fall under most holds."""
        start_us = day_start_us(day)
        longest = Row(camera, start_us, "", 0, start_us + 2 * US_PER_DAY, 0, "", "", "", "", "", ())
        looked = await self._look()
        if not looked.rules.any_binds(looked.now_us):
            return True
        planned = await plan(self._index, looked, camera, day, [longest])
        return planned.verdicts[0][1].why in KEEPS

    async def held(self, camera: str, rows: Sequence[Row]) -> Collection[RowPosition]:
        """See `Keeping`."""
        looked = await self._look()
        known, _ = await known_camera(self._index, looked, camera)
        holds = [hold for hold in looked.rules.holds if hold.covers(known)]
        return {row.position for row in rows if holding(holds, known, Span(row.start_us, row.end_us))}

    async def held_days(self) -> Sequence[Partition]:
        """See `HeldDays`: of the cameras that holds name, or that lay in their areas when they were placed; the newest first."""
        today = day_of(self._clock.now_us())
        found: dict[Partition, None] = {}
        for hold in (await self._look()).rules.holds:
            first, last = day_of(max(hold.start_us, 0)), min(today, day_of(min(hold.end_us, self._clock.now_us()) - 1))
            for number in range((last - first).days + 1):
                found |= {Partition(camera, last - timedelta(days=number)): None for camera in (*hold.cameras, *hold.seen)}
                if len(found) >= MOST_HELD_DAYS:
                    return list(found)
        return list(found)

    async def _gone(self, camera: str, day: date, rows: Sequence[Row]) -> set[RowPosition]:
        """The batch is read before the receipts: what leaves it while this reads is in a receipt by then."""
        batch = await self._index.batch(camera, day)
        going = {row.position for row in await batch_rows_of(self._index, batch)} if batch is not None else set()
        month = day.replace(day=1)
        spans = await self._index.deleted(camera, month)
        if not any(span.start_us < row.end_us and row.start_us < span.end_us for span in spans for row in rows):
            return going
        keys = {segment.key for receipt in await self._index.receipts(camera, month) if receipt.day == day for segment in receipt.segments}
        return going | {row.position for row in rows if row.key in keys}

    async def _look(self) -> Look:
        async with self._looking:
            if self._looked is None or self._clock.monotonic_ns() - self._looked.asked_ns > LOOK_S * 1_000_000_000:
                self._looked = await look(self._index, self._clock, self._pressed)
            return self._looked
