"""The sweep: the one door out. Round after round it leads batches on, and begins new ones for what is due. It belongs to one shard.

All that must be known lies in the index: a sweep that dies is followed by another that goes on from there, and two at once do no harm.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from retention.clock_notes import note_clock
from retention.copies import NO_COPIES, Copies
from retention.deletion import Deletion, DeletionIndex
from retention.due_days import DueDays, DueIndex
from retention.look import Look, Pressed, look, none_pressed
from retention.plan import Why
from retention.removal import Pools
from retention.sweep_clock import Reading
from retention.sweep_values import LOOK_GOOD_S, Step, SweepEvent, SweepSettings, SweepShard
from retention.whole_day import again_us, begins
from segments.clock import US_PER_S, Clock
from segments.errors import BadInput, Conflict, KeepsightError, TryAgain
from segments.model import Batch, BatchState, Partition, PartitionKind
from segments.patience import some_at_once

log = logging.getLogger(__name__)

CLAIMED_TOGETHER = 64
"""So many batches are claimed before the holds are looked at for all of them. Few, since what is claimed cannot be taken back at once."""
AT_ONCE = 8
"""Batches that wait for index or pool at the same time."""
BEGUN_A_ROUND = 256
"""Camera-days that are planned in a round, so that it ends soon."""
ROUND_US = 60 * US_PER_S
"""The next round comes no later than this."""
_ENDS = frozenset({Step.DELETED, Step.LET_GO, Step.GIVEN_BACK})
SEARCH_S = 3600
"""How often all batches of the index are looked through for those of this shard that this process did not begin itself."""


class SweepIndex(DeletionIndex, DueIndex, Protocol):
    """What a sweep needs of the index."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round did: camera-days by step, and the segments and bytes that were deleted.

    `open_batches` are on their way now; `next_us`: when there is more to do; `idle`: why nothing was begun (no policy, or the clock).
    """

    steps: Mapping[Step, int] = field(default_factory=dict)
    segments: int = 0
    stored_bytes: int = 0
    open_batches: int = 0
    next_us: int = 0
    idle: str = ""


class Sweep:
    """The sweep of one shard. `seen` is told of every step, `pressed` says what may go early; `synchronised`: is there a time source?

    `waits`: since when camera-days that it has planned have been due and wait for copies, or for a site that may hold them.
    """

    def __init__(
        self,
        shard: SweepShard,
        *,
        index: SweepIndex,
        pools: Pools,
        clock: Clock,
        settings: SweepSettings,
        seen: Callable[[SweepEvent], None] = lambda _: None,
        pressed: Pressed = none_pressed,
        copies: Copies = NO_COPIES,
        synchronised: Callable[[], bool] = lambda: True,
    ) -> None:
        self._shard = shard
        self._index = index
        self._clock = clock
        self._settings = settings
        self._seen = seen
        self._pressed = pressed
        self._copies = copies
        self._synchronised = synchronised
        self._due = DueDays(shard, index)
        self._deletion = Deletion(
            shard, index=index, pools=pools, clock=clock, settings=settings, pressed=pressed, copies=copies, seen=self._count
        )
        self.waits: dict[Partition, int] = {}
        self._steps: Counter[Step] = Counter()
        self._deleted: Counter[str] = Counter()
        self._open: dict[Partition, None] = {}
        """Camera-days on their way, as far as this process knows."""
        self._searched_ns: int | None = None

    async def round(self) -> Round:
        """Does what may be done now, and says when to come again. What fails for one camera-day is logged and tried in the next round.

        Raises TryAgain if the index does not answer.
        """
        self._steps, self._deleted = Counter(), Counter()
        idle = await self._held_by_clock()
        await self._search()
        awake = [each for each in self._open if not self._deletion.waits.asleep(*each)]
        await self._lead_on(sorted(awake, key=lambda each: (each.date, each.camera)), only_back=bool(idle))
        if not idle:
            idle = await self._begin()
        still_open = len(self._open)
        if self._steps:
            log.info("sweep.round: %s: %s", self._shard.name, ", ".join(f"{step.value} {n}" for step, n in sorted(self._steps.items())))
        return Round(dict(self._steps), self._deleted["segments"], self._deleted["bytes"], still_open, self._next_us(still_open), idle)

    # --- batches

    async def _search(self) -> None:
        """Finds what a former process has left. Seldom: all other batches of the shard are this one's, and are read by key."""
        now_ns = self._clock.monotonic_ns()
        if self._searched_ns is not None and now_ns - self._searched_ns < SEARCH_S * 1_000_000_000:
            return
        after: str | None = ""
        while after is not None:
            page = await self._index.partitions(PartitionKind.BATCHES, after=after)
            self._open |= dict.fromkeys(each for each in page.items if self._shard.has(each.camera))
            after = page.next
        self._searched_ns = now_ns

    async def _lead_on(self, awake: Sequence[Partition], *, only_back: bool) -> None:
        """A group at a time: all are claimed that may be, then those that are claimed are deleted. `only_back`: just what is HELD."""
        for start in range(0, len(awake), CLAIMED_TOGETHER):
            group = awake[start : start + CLAIMED_TOGETHER]
            prepared = await self._for_each(group, partial(self._prepare, only_back=only_back))
            claimed = {Partition(each.camera, each.day): each for each in prepared if each and each.state is BatchState.DELETING}
            if not only_back:
                await self._for_each(claimed, partial(self._delete, claimed))

    async def _prepare(self, each: Partition, *, only_back: bool) -> Batch | None:
        batch = await self._index.batch(*each)
        if batch is None:
            self._deletion.waits.forget(*each)
            self._open.pop(each, None)
            return None
        if only_back and batch.state is not BatchState.HELD:
            return batch
        return await self._deletion.prepare(batch)

    async def _delete(self, claimed: Mapping[Partition, Batch], each: Partition) -> Batch | None:
        return await self._deletion.delete(claimed[each])

    # --- camera-days

    async def _begin(self) -> str:
        room = min(self._settings.open_batches - len(self._open), BEGUN_A_ROUND)
        if room <= 0:
            return ""
        looked = await look(self._index, self._clock, self._pressed, self._copies, heard_within_s=LOOK_GOOD_S)
        try:
            found = await self._due.some(looked, room, without=self._open)
        except BadInput as error:
            return str(error)
        await self._for_each(found, partial(self._plan, looked))
        return ""

    async def _plan(self, looked: Look, each: Partition) -> None:
        self._open[each] = None  # also where the answer is lost: it may be there
        planned = await self._deletion.begin(looked, each.camera, each.date)
        self.waits.pop(each, None)
        if waiting := [verdict.due.keep_us for _, verdict in planned.verdicts if verdict.why is Why.COPIES]:
            self.waits[each] = min(waiting)
        if not begins(planned, looked.now_us):
            del self._open[each]
            self._due.rest(each, looked, again_us(planned, looked.now_us))

    # --- one by one

    async def _for_each(self, days: Iterable[Partition], work: Callable[[Partition], Awaitable[Batch | None]]) -> list[Batch | None]:
        return await some_at_once(partial(self._one, work), days, AT_ONCE)

    async def _one(self, work: Callable[[Partition], Awaitable[Batch | None]], each: Partition) -> Batch | None:
        """A fault of one camera-day is no fault of the others."""
        try:
            return await work(each)
        except Conflict:
            self._deletion.waits.forget(*each)
        except TryAgain as error:
            log.warning("sweep.retried: %s %s: %s", *each, error)
            self._count(SweepEvent(Step.RETRIED, *each, text=str(error)))
        except KeepsightError as error:
            log.error("sweep.refused: %s %s: %s", *each, error)
            self._count(SweepEvent(Step.LEFT, *each, text=str(error)))
        except Exception as error:
            log.exception("sweep.unexpected: %s %s", *each)
            self._count(SweepEvent(Step.LEFT, *each, text=type(error).__name__))
        return None

    def _count(self, event: SweepEvent) -> None:
        self._steps[event.step] += 1
        if event.step in _ENDS:
            self._open.pop(Partition(event.camera, event.day), None)
        if event.step is Step.DELETED:
            self._deleted.update(segments=event.segments, bytes=event.stored_bytes)
        elif event.step is Step.TOO_LATE:
            log.error("sweep.too-late: %s %s: %d segments that are to stay were gone: %s", *event[1:4], event.text)
        elif event.step is Step.LEFT and event.segments:
            log.error("sweep.left: %s %s: %s", *event[1:3], event.text)
        self._seen(event)

    # --- clocks

    async def _held_by_clock(self) -> str:
        reading = Reading(self._clock.now_us(), self._clock.monotonic_ns(), self._shard.boot, self._synchronised())
        try:
            return (await note_clock(self._index, self._shard.name, reading)).held
        except Conflict:
            return "another sweep of this shard has noted the clock just now"

    def _next_us(self, still_open: int) -> int:
        now_us = self._clock.now_us()
        if self._due.more and still_open < self._settings.open_batches:
            return now_us
        wake_ns = self._deletion.waits.next_ns()
        wait_us = ROUND_US if wake_ns is None else min(ROUND_US, (wake_ns - self._clock.monotonic_ns()) // 1000 + 1)
        return now_us + max(wait_us, US_PER_S)
