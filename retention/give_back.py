"""Leads a camera-day that a hold has taken back out of deletion: its rows are published again, and then its batch is forgotten.

Whoever finds a HELD batch does this: who places the hold, and the sweep, also after a stop halfway. Each step may be repeated. A row is
published again before the batch lets go of it, so that it is always in the index or in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from segments.clock import Clock, SystemClock
from segments.errors import Conflict
from segments.model import Batch, BatchState, Row
from segments.ports import Batches, BatchRows, WriteRows

SYSTEM_CLOCK = SystemClock()
FRESH_S = 30
"""So old is an answer about a batch at most, when it is acted on. A next batch of the day takes twice as long to list its rows."""


class GivingBack(Batches, BatchRows, WriteRows, Protocol):
    """What it needs of an index."""


async def give_back(batch: Batch, *, index: GivingBack, clock: Clock = SYSTEM_CLOCK) -> Sequence[Row]:
    """Publishes the rows of a HELD batch again, removes them from it, and forgets it; returns those it published.

    Fine if another has done it, or does it at the same time: what is left of it is done, and no later batch of the day is touched.
    """
    published: list[Row] = []
    after = None
    while True:
        page = await index.batch_rows(batch, after=after)
        if not await _is_held(batch, index, clock):
            return published
        if page.items:
            await index.publish_many(page.items)
            published += page.items
        after = page.next
        if after is None:
            break
    await index.remove_batch_rows(batch)
    if await _is_held(batch, index, clock):
        await _forget(batch, index)
    return published


async def fresh_batch(camera: str, day: date, *, index: Batches, clock: Clock = SYSTEM_CLOCK) -> Batch | None:
    """The batch of a camera-day, for who acts on it at once: what a stopped process asked long ago is asked again."""
    while True:
        asked_ns = clock.monotonic_ns()
        batch = await index.batch(camera, day)
        if clock.monotonic_ns() - asked_ns < FRESH_S * 1_000_000_000:
            return batch


async def _forget(batch: Batch, index: Batches) -> None:
    try:
        await index.forget_batch(batch.camera, batch.day, expect=BatchState.HELD)
    except Conflict:
        return


async def _is_held(batch: Batch, index: Batches, clock: Clock) -> bool:
    present = await fresh_batch(batch.camera, batch.day, index=index, clock=clock)
    return present is not None and (present.state, present.decided_us) == (BatchState.HELD, batch.decided_us)
