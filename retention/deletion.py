"""One camera-day on its way out: the durable steps of a batch, each of which may be done again by anybody, at any time.

PENDING    decided; commits that had not seen the batch come to their end
LISTED     what goes was planned again and is in the batch; its rows are taken out of the index
UNPUBLISHED  links that were handed out run out (grace)
DELETING   claimed; then the rules and holds are read again, and only what is to go by them is removed, and is given its receipt

What is found to stay before the claim is led back whole (HELD). After the claim a former process may still be at it, so what is to stay is
looked for in the pool when all requests of before must have come into effect, and published again if it is there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

from retention.copies import NO_COPIES, Copies
from retention.give_back import give_back
from retention.look import Look, PlanIndex, Pressed, batch_rows_of, look, none_pressed, plan, rows_of
from retention.plan import DayPlan, Verdict
from retention.receipts import TOO_LATE, Deleted, is_receipted, write_receipt
from retention.removal import Doomed, Pools, closings_of, remove, there
from retention.sweep_values import CLOCKS_DIFFER_S, LOOK_GOOD_S, Step, SweepEvent, SweepSettings, SweepShard, event
from retention.waits import SURE_S, Waits
from retention.whole_day import begins
from segments.clock import US_PER_S, Clock
from segments.commit import COMMIT_DEADLINE_S
from segments.errors import TryAgain
from segments.model import Batch, BatchState, Row
from segments.pace import Pace
from segments.ports import Batches, BatchRows, ReadReceipts, Runs, Unpublish, Usage, WriteReceipts, WriteRows


class DeletionIndex(PlanIndex, Batches, BatchRows, Unpublish, WriteRows, Runs, Usage, WriteReceipts, ReadReceipts, Protocol):
    """What deleting needs of the index."""


class Deletion:
    """Leads batches of one shard through their steps. `seen` is told of each step; several batches may be worked on at once."""

    def __init__(
        self,
        shard: SweepShard,
        *,
        index: DeletionIndex,
        pools: Pools,
        clock: Clock,
        settings: SweepSettings,
        pressed: Pressed = none_pressed,
        copies: Copies = NO_COPIES,
        seen: Callable[[SweepEvent], None] = lambda _: None,
    ) -> None:
        self.waits = Waits(clock)
        self._shard = shard
        self._index = index
        self._pools = pools
        self._clock = clock
        self._settings = settings
        self._pressed = pressed
        self._copies = copies
        self._seen = seen
        self._pace = Pace(settings.objects_per_s, clock)
        self._sparing = Waits(clock)
        self._claimed: set[tuple[str, date, int]] = set()
        """Claimed by this process, and not yet near a receipt."""
        self._last_look: Look | None = None
        self._looking, self._writing = asyncio.Lock(), asyncio.Lock()

    async def begin(self, looked: Look, camera: str, day: date) -> DayPlan:
        """Plans a camera-day, and makes its batch if something of it goes now; raises Conflict if there is one."""
        planned = await plan(self._index, looked, camera, day, await rows_of(self._index, camera, day))
        if begins(planned, looked.now_us):
            now_us = self._clock.now_us()
            batch = Batch(camera, day, BatchState.PENDING, now_us, since_us=now_us, policy=looked.policy)
            await self._index.put_batch(batch, expect=None)
            self._tell(Step.BEGUN, batch, planned.going)
            self.waits.saw(batch)
        return planned

    async def advance(self, batch: Batch) -> Batch | None:
        """Does all that may be done about a batch now; returns it as it is then, None if it is gone.

        Raises Conflict if somebody else has changed it, Refused or TryAgain if index or pool do not do as they should, BadInput if no
        policy binds: it may be tried again from how it is then.
        """
        prepared = await self.prepare(batch)
        if prepared is None or prepared.state is not BatchState.DELETING:
            return prepared
        return await self.delete(prepared)

    async def prepare(self, batch: Batch) -> Batch | None:
        """The same up to the claim. Who has many claims them before the first is deleted, so that one look at the holds serves all."""
        steps: dict[BatchState, Callable[[Batch], Awaitable[Batch | None]]] = {
            BatchState.PENDING: self._list,
            BatchState.LISTED: self._unpublish,
            BatchState.UNPUBLISHED: self._claim,
            BatchState.HELD: self._give_back,
        }
        at: Batch | None = batch
        while at is not None and at.state in steps:
            self.waits.saw(at)
            after = await steps[at.state](at)
            if after == at:
                return at
            at = after
        if at is None:
            self.waits.forget(batch.camera, batch.day)
        else:
            self.waits.saw(at)
        return at

    async def delete(self, batch: Batch) -> Batch | None:
        """The rest of a DELETING batch. Whoever claimed it, the rules and the holds are read after that."""
        claimed_ns = self.waits.saw(batch)
        indexed = await rows_of(self._index, batch.camera, batch.day)
        present = {row.position for row in indexed}
        doomed = [row for row in await batch_rows_of(self._index, batch) if row.position not in present]
        looked = await self._look(since_ns=claimed_ns)
        planned = await plan(self._index, looked, batch.camera, batch.day, doomed)
        late: list[Row] = []
        if planned.staying:
            if not self._sparing.over(batch, SURE_S):
                return batch
            kept, late = await self._spare(batch, planned.staying)
            indexed += kept
        self._sparing.forget(batch.camera, batch.day)
        if planned.going or late:
            finding = await self._remove(_Claimed(batch, planned, late, {row.run for row in indexed}), looked)
            if finding:
                return await self._found(batch, finding)
        await self._forget(batch, [*planned.going, *late])
        return None

    # --- the steps, each from one state to the next

    async def _list(self, batch: Batch) -> Batch | None:
        if not self.waits.over(batch, COMMIT_DEADLINE_S + CLOCKS_DIFFER_S):
            return batch
        looked = await self._look(since_ns=self.waits.saw(batch))
        listed_us = self._clock.now_us() - CLOCKS_DIFFER_S * US_PER_S
        planned = await plan(self._index, looked, batch.camera, batch.day, await rows_of(self._index, batch.camera, batch.day))
        if not planned.going:
            await self._index.remove_batch_rows(batch)
            await self._index.forget_batch(batch.camera, batch.day, expect=BatchState.PENDING)
            self._tell(Step.LET_GO, batch)
            return None
        await self._index.put_batch_rows(batch, planned.going)
        listed = replace(batch, listed_us=listed_us, whole=planned.whole, policy=looked.policy)
        return await self._move(listed, BatchState.LISTED, Step.LISTED, planned.going)

    async def _unpublish(self, batch: Batch) -> Batch:
        rows = [] if batch.whole else await batch_rows_of(self._index, batch)
        await self._index.unpublish(batch, None if batch.whole else [row.position for row in rows])
        return await self._move(batch, BatchState.UNPUBLISHED, Step.UNPUBLISHED, rows)

    async def _claim(self, batch: Batch) -> Batch | None:
        """What is not to go any more, by rules or holds of now, is seen here before it is claimed, and costs no wait."""
        if not self.waits.over(batch, self._settings.grace_s):
            return batch
        rows = await batch_rows_of(self._index, batch)
        looked = await self._look(since_ns=self.waits.saw(batch))
        if (await plan(self._index, looked, batch.camera, batch.day, rows)).staying:
            return await self._move(batch, BatchState.HELD, Step.TAKEN_BACK, rows)
        claimed = await self._move(batch, BatchState.DELETING, Step.CLAIMED, rows)
        self._claimed.add(_mark(claimed))
        return claimed

    async def _give_back(self, batch: Batch) -> Batch | None:
        self._tell(Step.GIVEN_BACK, batch, await give_back(batch, index=self._index, clock=self._clock))
        return None

    async def _move(self, batch: Batch, state: BatchState, step: Step, rows: Sequence[Row]) -> Batch:
        moved = replace(batch, state=state, since_us=self._clock.now_us())
        await self._index.put_batch(moved, expect=batch.state)
        self._tell(step, moved, rows)
        return moved

    # --- after the claim

    async def _spare(self, batch: Batch, staying: Sequence[Row]) -> tuple[list[Row], list[Row]]:
        """Publishes again what is still there; returns that, and what is not."""
        kept = await there(batch, staying, self._pools)
        if kept:
            await self._index.publish_many(kept)
            self._tell(Step.SPARED, batch, kept)
        present = {row.position for row in kept}
        late = [row for row in staying if row.position not in present]
        if late:
            self._tell(Step.TOO_LATE, batch, late, ", ".join(row.key for row in late[:3]))
        return kept, late

    async def _remove(self, claimed: _Claimed, looked: Look) -> str:
        """Removes what goes, and writes the receipt; returns what there is to find fault with, and then there is no receipt."""
        batch, rows = claimed.batch, claimed.rows
        first_try = _mark(batch) in self._claimed
        self._claimed.discard(_mark(batch))
        looks = [looked]

        async def before(count: int) -> None:
            await self._pace.take(count)
            looks.append(await self._still_goes(claimed, looks[-1]))

        doomed = Doomed(batch, rows, await closings_of(batch, rows, claimed.open_runs, self._index), claimed.open_runs)
        removed = await remove(doomed, pools=self._pools, before=before)
        if removed.left:
            key, reason = min(removed.left.items())
            text = f"{len(removed.left)} objects are still in their pool, {key} the first of them: {reason}"
            self._tell(Step.LEFT, batch, [row for row in rows if row.key in removed.left], text)
            return text
        if first_try or not await is_receipted(batch, self._index):
            deleted = Deleted(batch, claimed.verdicts, claimed.reasons, removed, looks[-1], self._clock.now_us())
            async with self._writing:
                await write_receipt(deleted.receipt(self._shard.name, self._shard.place), batch, self._index)
        return ""

    async def _still_goes(self, claimed: _Claimed, looked: Look) -> Look:
        """A look that is good now, this one or a new one; raises TryAgain if by that not all goes any more."""
        batch = claimed.batch
        while self._is_old(looked):
            looked = await self._look(since_ns=looked.asked_ns)
            if (await plan(self._index, looked, batch.camera, batch.day, claimed.planned.going)).staying:
                raise TryAgain(f"{batch.camera} {batch.day}: the rules have changed while it was being deleted; it is planned again")
        return looked

    async def _found(self, batch: Batch, finding: str) -> Batch:
        if finding == batch.finding:
            return batch
        told = replace(batch, finding=finding)
        await self._index.put_batch(told, expect=BatchState.DELETING)
        return told

    async def _forget(self, batch: Batch, going: Sequence[Row]) -> None:
        """What is kept is counted again, and the batch ends."""
        camera, day = batch.camera, batch.day
        await self._index.put_usage(camera, day, await self._index.row_sums(camera, day))
        await self._index.remove_batch_rows(batch)
        await self._index.forget_batch(camera, day, expect=BatchState.DELETING)
        self.waits.forget(camera, day)
        self._tell(Step.DELETED if going else Step.LET_GO, batch, going)

    # --- looks

    async def _look(self, *, since_ns: int) -> Look:
        """A look that began after that moment, and not longer ago than it is good for."""
        async with self._looking:
            if self._last_look is None or self._last_look.asked_ns <= since_ns or self._is_old(self._last_look):
                self._last_look = await look(self._index, self._clock, self._pressed, self._copies)
            return self._last_look

    def _is_old(self, looked: Look) -> bool:
        return self._clock.monotonic_ns() - looked.asked_ns > LOOK_GOOD_S * 1_000_000_000

    def _tell(self, step: Step, batch: Batch, rows: Sequence[Row] = (), text: str = "") -> None:
        self._seen(event(step, batch, list(rows), text))


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A DELETING batch as it was planned after its claim. `late`: gone before it was decided that it stays."""

    batch: Batch
    planned: DayPlan
    late: Sequence[Row]
    open_runs: Collection[str]

    @property
    def verdicts(self) -> list[tuple[Row, Verdict]]:
        """Of all that is gone in the end."""
        late = {row.position for row in self.late}
        return [(row, verdict) for row, verdict in self.planned.verdicts if verdict.deletes or row.position in late]

    @property
    def rows(self) -> list[Row]:
        """Those."""
        return [row for row, _ in self.verdicts]

    @property
    def reasons(self) -> Counter[str]:
        """How many go why."""
        return Counter(verdict.why.value if verdict.deletes else TOO_LATE for _, verdict in self.verdicts)


def _mark(batch: Batch) -> tuple[str, date, int]:
    return batch.camera, batch.day, batch.decided_us
