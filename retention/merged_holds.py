"""Holds of other sites become ours: their records are merged into ours and bind, and then what they cover is taken back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from retention.held import covered_cameras
from retention.holds import TRIES, HoldIndex
from retention.rules import read_rules
from retention.taking_back import take_back
from segments.errors import Conflict, KeepsightError, NotFound, TryAgain
from segments.hold import HOLDS, Hold, Stretch, hold_of, hold_values
from segments.hold_merge import merged
from segments.ports import Records
from segments.record import Record, new_record

log = logging.getLogger(__name__)

TAKEN_BACK_S = 1.0
"""So long who tells us of holds waits to hear what they came too late for; binding is before that."""


async def merge_holds(told: Sequence[Hold], index: Records) -> list[Hold]:
    """Writes what is new of these holds; they bind when this returns. Returns those that changed here. Raises TryAgain."""
    ours = {record.id: hold_of(record) for record in await index.records(HOLDS)} if told else {}
    news = [hold for hold in told if hold.id not in ours or merged(ours[hold.id], hold) != ours[hold.id]]
    return [found for hold in news if (found := await _merge(hold, index)) is not None]


async def take_back_merged(holds: Sequence[Hold], index: HoldIndex, now_us: int) -> list[Stretch]:
    """Takes back what those of them that stand cover; what they came too late for.

    Nothing is lost if this fails or never ends: every claim looks at the records.
    """
    gone: list[Stretch] = []
    for hold in holds:
        if not hold.stands:
            continue
        back = await take_back(hold, await covered_cameras(hold, await read_rules(index), index), index=index, now_us=now_us)
        if back.too_late or back.deleted:
            log.warning("holds.came-too-late: %s: %d stretches are gone here", hold.id, len(back.too_late) + len(back.deleted))
        gone += [*back.too_late, *back.deleted]
    return gone


class MergedHolds:
    """Merges holds of other sites into ours (called with them); what they cover is taken back meanwhile, until `close`."""

    def __init__(self, index: HoldIndex, now_us: Callable[[], int]) -> None:
        self._index = index
        self._now_us = now_us
        self._tasks: set[asyncio.Task[Sequence[Stretch] | None]] = set()

    async def __call__(self, told: Sequence[Hold]) -> Sequence[Stretch] | None:
        """They bind when this returns; what they came too late for here, None if that is not known within `TAKEN_BACK_S`.

        Raises TryAgain if they may not bind.
        """
        changed = await merge_holds(told, self._index)
        if not any(hold.stands for hold in changed):
            return ()
        task = asyncio.create_task(self._take_back(changed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait({task}, timeout=TAKEN_BACK_S)
        return task.result() if done else None

    async def close(self) -> None:
        """Ends what is under way; the sweep takes back the rest when it comes to it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def finished(self) -> None:
        """Returns when all that was begun is taken back."""
        await asyncio.gather(*self._tasks)

    async def _take_back(self, changed: Sequence[Hold]) -> Sequence[Stretch] | None:
        try:
            return await take_back_merged(changed, self._index, self._now_us())
        except KeepsightError as error:
            log.warning("holds.taken-back-later: %s", error)
            return None


async def _merge(hold: Hold, index: Records) -> Hold | None:
    """What is of it here now; None if it was here so already. Again if somebody was faster."""
    for _ in range(TRIES):
        try:
            record: Record | None = await index.record(HOLDS, hold.id)
        except NotFound:
            record = None
        found = hold if record is None else merged(hold_of(record), hold)
        if record is not None and found == hold_of(record):
            return None
        values = hold_values(found)
        try:
            await index.put_record(record.changed(values) if record else new_record(HOLDS, hold.id, values))
        except Conflict:
            continue
        return found
    raise TryAgain(f"hold {hold.id} is being changed by others")
