"""Takes camera-days that a hold covers back out of deletion, and says for which footage the hold came too late.

Nothing is lost if this stops halfway: whoever deletes looks at the holds after claiming a batch, and gives back what is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

from retention.give_back import GivingBack, fresh_batch, give_back
from retention.held import Covered, days_of, months_of
from retention.look import batch_rows_of
from segments.clock import US_PER_DAY, day_start_us
from segments.errors import Conflict
from segments.hold import Hold, Stretch
from segments.model import BatchState, Partition, Span
from segments.ports import ReadReceipts, Usage
from segments.receipt import joined_spans

AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What came of it. `too_late`: footage of batches that were claimed already; what is given back all the same may be named, too.

    `deleted`: footage that receipts name.
    """

    camera_days: Sequence[Partition] = ()
    too_late: Sequence[Stretch] = ()
    deleted: Sequence[Stretch] = ()


class TakingBack(GivingBack, ReadReceipts, Usage, Protocol):
    """What it needs of an index."""


async def take_back(hold: Hold, cameras: Sequence[Covered], *, index: TakingBack, now_us: int) -> TakenBack:
    """Looks at each camera-day of a hold that may have a batch. Its record must have been written before.

    What is neither kept, nor named here, nor held by this hold's record, does not exist: receipts are read after batches, and are written
    before these are forgotten.
    """
    oldest_us = await oldest_kept_us(index, now_us)
    spans = {covered.camera.id: deletable(hold, covered, oldest_us, now_us) for covered in cameras}
    days = (Partition(camera, day) for camera, span in spans.items() for day in days_of(span))
    found: list[tuple[Partition, bool, list[Stretch]]] = []
    while some := list(islice(days, AT_ONCE)):
        found += await asyncio.gather(*(_one_day(place, hold.span, index, now_us) for place in some))
    deleted = await deleted_of(hold, spans, index)
    late = [stretch for _, _, stretches in found for stretch in stretches]
    return TakenBack([place for place, taken, _ in found if taken], late, deleted)


async def deleted_of(hold: Hold, spans: Mapping[str, Span], index: ReadReceipts) -> list[Stretch]:
    """What receipts name of a hold's time; `spans`: where to look, by camera."""
    found: list[Stretch] = []
    asked = ((camera, month) for camera, span in spans.items() for month in months_of(span))
    while some := list(islice(asked, AT_ONCE)):
        answers = await asyncio.gather(*(index.deleted(camera, month) for camera, month in some))
        for (camera, _), answer in zip(some, answers, strict=True):
            found += _stretches(camera, hold.span, answer)
    return found


async def oldest_kept_us(index: Usage, now_us: int) -> int:
    """No footage that the counts of usage know is older."""
    months = await index.usage_months()
    return day_start_us(months[0]) if months else now_us


def deletable(hold: Hold, covered: Covered, oldest_us: int, now_us: int) -> Span:
    """The part of a hold's time in which a camera may have batches or receipts: a floor is a day at least.

    A camera has footage from when it was added; older one, of an archive that was entered anew, the counts know.
    """
    since_us = min(oldest_us, covered.camera.added_us) if covered.archived else hold.start_us
    return Span(max(hold.start_us, since_us), min(hold.end_us, now_us - US_PER_DAY))


async def _one_day(place: Partition, span: Span, index: TakingBack, now_us: int) -> tuple[Partition, bool, list[Stretch]]:
    while True:
        batch = await fresh_batch(*place, index=index)
        if batch is None:
            return place, False, []
        if batch.state is BatchState.DELETING:
            rows = await batch_rows_of(index, batch)
            if await index.batch(*place) == batch:
                return place, False, list(_stretches(place.camera, span, [Span(row.start_us, row.end_us) for row in rows]))
            continue  # it was finished or given back meanwhile, and with it its rows
        if batch.state is not BatchState.HELD:
            held = replace(batch, state=BatchState.HELD, since_us=now_us)
            try:
                await index.put_batch(held, expect=batch.state)
            except Conflict:
                continue
            batch = held
        await give_back(batch, index=index)
        return place, True, []


def _stretches(camera: str, span: Span, spans: Sequence[Span]) -> Iterator[Stretch]:
    for start_us, end_us in joined_spans(spans):
        if start_us < span.end_us and span.start_us < end_us:
            yield Stretch(camera, start_us, end_us)
