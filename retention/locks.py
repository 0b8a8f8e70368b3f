"""Keeps legal holds in the store (S3 Object Lock) as the holds of the records are, soonest due first.

A hold binds by its record; the lock is a second wall, against whoever goes to the store past this service. It follows in rounds: what is
recorded later is locked later, and what no standing hold covers any more is let go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import NamedTuple, Protocol

from retention.held import HeldIndex, kept_days, may_touch, span_until
from retention.lock_day import DayLocker, LockDay
from retention.lock_progress import LOCKS, LockProgress, progress_of, write_progress
from retention.plan import Circumstances, first_look_us
from retention.rules import Rules, read_rules
from segments.clock import Clock, day_of, day_start_us
from segments.duty import Duty
from segments.errors import BadInput
from segments.hold import HOLDS, Hold, hold_of
from segments.model import Camera, Span
from segments.pace import Pace
from segments.ports import CameraChanges, LegalHolds, Records
from segments.shards import CAMERA_BUCKETS

RECENT = timedelta(days=3)
"""Of camera-days that may still grow it is remembered which segments are locked."""
NOTED_EVERY_S = 10
PER_S = 50.0
"""So many requests a second go to the pools at most."""


class LockerIndex(HeldIndex, CameraChanges, Records, Protocol):
    """What it needs of an index."""


class LockRound(NamedTuple):
    """What a round did: requests that took effect, and camera-days that are not finished, since a pool did not answer."""

    locked: int
    lifted: int
    left: int


class Locker:
    """Keeps the locks of the cameras of one shard of a duty. `pools`: those that have locks, by name."""

    def __init__(self, duty: Duty, *, index: LockerIndex, pools: Mapping[str, LegalHolds], clock: Clock, per_s: float = PER_S) -> None:
        self._duty = duty
        self._index = index
        self._pools = pools
        self._clock = clock
        self._pace = Pace(per_s, clock)
        self._days: dict[tuple[str, date], LockDay] = {}
        self._before: dict[str, LockProgress] | None = None
        """What was noted before this process had gone over everything once."""
        self._noted: dict[str, LockProgress] = {}

    async def round(self) -> LockRound:
        """Goes once over all that holds cover; raises TryAgain where the index does not answer. What is done stays done."""
        rules = await read_rules(self._index)
        notes = await self._notes()
        before = notes if self._before is None else self._before
        holds = await self._holds(notes)
        self._days = await self._found(holds, rules)
        locker = DayLocker(self._index, self._pools, self._pace)
        recent = day_of(self._clock.now_us()) - RECENT
        noted_ns = self._clock.monotonic_ns()
        for day in sorted((day for day in self._days.values() if not day.done), key=lambda day: _order(day, before)):
            await locker.do(day, remember=day.kept.day >= recent)
            if self._clock.monotonic_ns() - noted_ns > NOTED_EVERY_S * 1e9:
                noted_ns = self._clock.monotonic_ns()
                await self._note(holds, before)
        left = sum(not day.done for day in self._days.values())
        self._before = before if left else {}
        await self._note(holds, self._before)
        return LockRound(locker.locked, locker.lifted, left)

    # --- what there is to do

    async def _notes(self) -> dict[str, LockProgress]:
        """What this shard has noted, by hold; of a hold that only other divisions into shards have noted, nothing done."""
        found: dict[str, LockProgress] = {}
        for each in map(progress_of, await self._index.records(LOCKS)):
            ours = (each.shard, each.shards) == (self._duty.shard, self._duty.of)
            found[each.hold] = each.progress if ours else found.get(each.hold, LockProgress())
        return found

    async def _holds(self, notes: Mapping[str, LockProgress]) -> list[Hold]:
        """Those that stand, and lifted ones whose locks may be set."""
        holds = [hold_of(record) for record in await self._index.records(HOLDS)]
        return [hold for hold in holds if hold.stands or (hold.id in notes and not notes[hold.id].lifted)]

    async def _found(self, holds: Sequence[Hold], rules: Rules) -> dict[tuple[str, date], LockDay]:
        """The camera-days that keep something they cover, with what is known of those already."""
        if not holds:
            return {}
        now_us = self._clock.now_us()
        buckets = range(self._duty.shard, CAMERA_BUCKETS, self._duty.of)
        archived = {camera.id: camera for bucket in buckets for camera in await self._index.cameras_in(bucket)}
        spans = [span_until(hold, now_us) for hold in holds]
        whole = Span(min(span.start_us for span in spans), max(span.end_us for span in spans))
        circumstances: dict[str, Circumstances | None] = {}
        found: dict[tuple[str, date], LockDay] = {}
        async for kept in kept_days(whole, buckets, self._index):
            camera = rules.camera(kept.camera, archived.get(kept.camera))
            its = [hold for hold in holds if hold.covers(camera) and may_touch(hold, kept.day)]
            if not its:
                continue
            if camera.id not in circumstances:
                circumstances[camera.id] = _circumstances(rules, camera, now_us, archived=camera.id in archived)
            due_us = _due_us(kept.day, circumstances[camera.id])
            known = self._days.get((kept.camera, kept.day))
            new = LockDay(camera, kept, its, due_us)
            found[kept.camera, kept.day] = replace(known, camera=camera, kept=kept, holds=its, due_us=due_us) if known else new
        return found

    # --- what is said of it

    async def _note(self, holds: Sequence[Hold], before: Mapping[str, LockProgress]) -> None:
        for hold in holds:
            days = [day for day in self._days.values() if hold in day.holds]
            found = _progress(hold, days, before.get(hold.id, LockProgress()))
            if (days or hold.id in before or not hold.stands) and self._noted.get(hold.id) != found:
                self._noted[hold.id] = found
                await write_progress(hold.id, self._duty, replace(found, at_us=self._clock.now_us()), self._index)


def _progress(hold: Hold, days: Sequence[LockDay], before: LockProgress) -> LockProgress:
    """What this process has done, and of what fell due until `before.through_us` what an earlier one has."""
    if not hold.stands and all(day.done for day in days):
        return LockProgress(lifted=True)
    ours = [day for day in days if day.due_us > before.through_us]
    counts = [count for day in ours if (count := day.counts.get(hold.id)) is not None]
    undone = [day.due_us for day in ours if not day.done]
    without = sorted({*before.pools, *(pool for count in counts for pool in count.pools)})
    return LockProgress(
        locked=before.locked + sum(count.locked for count in counts),
        of=sum(_segments(day, hold) for day in days),
        refused=before.refused + sum(count.refused for count in counts),
        unlockable=before.unlockable + sum(sum(count.pools.values()) for count in counts),
        pools=tuple(without),
        through_us=min(undone) - 1 if undone else max((day.due_us for day in days), default=before.through_us),
    )


def _segments(day: LockDay, hold: Hold) -> int:
    """How many segments a camera-day has for a hold; before it was looked at, all that it keeps."""
    if day.mark is None:
        return day.kept.sum.segments
    count = day.counts.get(hold.id)
    return count.of if count is not None else 0


def _order(day: LockDay, before: Mapping[str, LockProgress]) -> tuple[bool, int]:
    """What an earlier process has done comes last; then, what falls due first."""
    return all(hold.id in before and day.due_us <= before[hold.id].through_us for hold in day.holds), day.due_us


def _circumstances(rules: Rules, camera: Camera, now_us: int, *, archived: bool) -> Circumstances | None:
    try:
        return rules.circumstances(camera, now_us, archived=archived)
    except BadInput:
        return None  # no policy binds: nothing is deleted at all


def _due_us(day: date, circumstances: Circumstances | None) -> int:
    return day_start_us(day) if circumstances is None else first_look_us(day, circumstances)
