"""The scrub of one shard: again and again over all it keeps, so that what has gone wrong in a pool is found while it can be healed.

Two walks go over the camera-days, newest month first: one a day looks at presence and size of everything, the other reads bytes within a
budget. A walk of the second has half of the cycle, and reads every second camera-day and all of those under a legal hold: so everything is
read once in a cycle, and held footage twice. Where the budget is too small a walk takes longer, and its record shows it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from replication.receipt_check import check_chain
from replication.scrub_day import CheckIndex, CheckParts, Checks
from replication.scrub_progress import ALL, FIRST, Head, Place, Progress, Tally, Walk, read_progress, write_progress
from segments.clock import US_PER_DAY, US_PER_HOUR, US_PER_S, day_start_us
from segments.compare import CameraDay
from segments.damage import buckets_of_shard, damage_in
from segments.duty import Duty
from segments.errors import NotFound
from segments.hold import HOLDS, Hold, hold_of, holding
from segments.model import Camera, Span
from segments.patience import patiently
from segments.ports import Usage
from segments.shards import bucket_of

log = logging.getLogger(__name__)

LOOK_EVERY_US = US_PER_DAY
AGAIN_US = US_PER_HOUR
"""Known damage is tried again so often."""
RECEIPTS_EVERY_US = US_PER_DAY
SLICE_S = 30.0
"""Each walk goes on for so long, then the other; and how far they are is written down."""
IDLE_S = 60.0
LOOK_DAYS = 20
"""Camera-days that are looked at together."""
HASH_ROWS = 8
"""Segments that are read before the walk's time is looked at."""
_LONGEST_US = 300 * US_PER_S
"""No segment is longer, so footage of a camera-day may show so much of the next day."""


class ScrubIndex(CheckIndex, Usage, Protocol):
    """What a scrub needs of the index."""


@dataclass(frozen=True, slots=True)
class ScrubParts:
    """The checks, and the index they go by. `cycle_days`: in so many days every byte is read once."""

    index: ScrubIndex
    checks: CheckParts
    cycle_days: int = 30


class Scrub:
    """The rounds of one shard."""

    def __init__(self, duty: Duty, parts: ScrubParts) -> None:
        self._duty = duty
        self._parts = parts
        self._index = parts.index
        self._clock = parts.checks.clock
        self._checks = Checks(parts.checks)
        self._buckets = buckets_of_shard(duty.shard, duty.of)
        self._tried_ns: int | None = None

    async def round(self) -> float:
        """Some of each walk; the seconds until there is more to do. Raises TryAgain where the index does not answer."""
        progress = await read_progress(self._index, str(self._duty))
        self._checks.begin()
        tally = await self._try_again()
        looked, seen = await self._look(progress.looked)
        hashed, read = await self._hash(progress.hashed)
        progress = replace(progress, looked=looked, hashed=hashed, tally=progress.tally + tally + seen + read)
        progress = await self._receipts(progress, whole=hashed.began_us > progress.receipts_us)
        await write_progress(self._index, replace(progress, at_us=self._clock.now_us()))
        return IDLE_S if looked.at is None and hashed.at is None else 0.0

    async def _try_again(self) -> Tally:
        """Goes over what is known to be damaged: it may be healed now, or come back by itself, or be deleted."""
        now_ns = self._clock.monotonic_ns()
        if self._tried_ns is not None and now_ns - self._tried_ns < AGAIN_US * 1000:
            return Tally()
        self._tried_ns = now_ns
        known = [each for bucket in self._buckets for each in await damage_in(self._index, bucket)]
        return await self._checks.again(known)

    # --- presence and size

    async def _look(self, walk: Walk) -> tuple[Walk, Tally]:
        walk, tally = self._begun(walk, LOOK_EVERY_US), Tally()
        if walk.at is None:
            return walk, tally
        end_ns = self._clock.monotonic_ns() + int(SLICE_S * 1e9)
        async for places in _together(places_from(self._index, self._buckets, walk.at), LOOK_DAYS):
            tally += await self._checks.look([CameraDay(place.camera, place.day) for place in places])
            if self._clock.monotonic_ns() > end_ns:
                return replace(walk, at=places[-1]._replace(after=ALL)), tally
        return walk.ended(self._clock.now_us()), tally

    # --- bytes

    async def _hash(self, walk: Walk) -> tuple[Walk, Tally]:
        walk, tally = self._begun(walk, self._parts.cycle_days * US_PER_DAY // 2), Tally()
        if walk.at is None:
            return walk, tally
        end_ns = self._clock.monotonic_ns() + int(SLICE_S * 1e9)
        holds = [hold_of(record) for record in await self._index.records(HOLDS)]
        async for place in places_from(self._index, self._buckets, walk.at):
            if not is_turn(place, walk.number) and not await self._is_held(place, holds):
                continue
            after = walk.at.after if place[:4] == walk.at[:4] else None
            async for rows in self._checks.rows_of(place.camera, place.day, after):
                for first in range(0, len(rows), HASH_ROWS):
                    some = rows[first : first + HASH_ROWS]
                    tally += await self._checks.hash(some)
                    if self._clock.monotonic_ns() > end_ns:
                        return replace(walk, at=place._replace(after=some[-1].position)), tally
        return walk.ended(self._clock.now_us()), tally

    async def _is_held(self, place: Place, holds: Iterable[Hold]) -> bool:
        start_us = day_start_us(place.day)
        try:
            camera = await patiently(partial(self._index.camera, place.camera), self._clock)
        except NotFound:
            camera = Camera(place.camera, "", "")
        return bool(holding(holds, camera, Span(start_us, start_us + US_PER_DAY + _LONGEST_US)))

    # --- receipts

    async def _receipts(self, progress: Progress, *, whole: bool) -> Progress:
        """What was added to the chains of this shard since yesterday; each half cycle the whole of them."""
        now_us = self._clock.now_us()
        if now_us - progress.receipts_us < RECEIPTS_EVERY_US:
            return progress
        heads: dict[str, Head] = {} if whole else dict(progress.heads)
        faults: dict[str, str] = {}
        for chain in await self._index.receipt_chains():
            if bucket_of(chain) % self._duty.of == self._duty.shard:
                head, fault = await check_chain(self._index, chain, heads.get(chain), self._clock)
                heads[chain] = head
                if fault:
                    faults[chain] = fault
                    log.error("scrub.receipts: chain %(chain)s does not hold: %(fault)s", {"chain": chain, "fault": fault})
        return replace(progress, receipts_us=now_us, heads=heads, faults=faults)

    # --- walking

    def _begun(self, walk: Walk, every_us: int) -> Walk:
        """The walk, or the next one if it has ended and its time has come."""
        now_us = self._clock.now_us()
        return walk.next(now_us) if walk.at is None and now_us - walk.began_us >= every_us else walk


async def places_from(index: Usage, buckets: Iterable[int], at: Place = FIRST) -> AsyncIterator[Place]:
    """The camera-days of these buckets that keep something, as the counts of usage know them, from `at` on."""
    for month in sorted(await index.usage_months(), reverse=True):
        for bucket in buckets:
            if month > at.month or (month == at.month and bucket < at.bucket):
                continue
            kept = {(each.camera, each.day) for each in await index.usage(month, bucket)}
            for place in (Place(month, bucket, camera, day) for camera, day in sorted(kept)):
                if place[:4] > at[:4] or month < at.month or (place[:4] == at[:4] and at.after != ALL):
                    yield place


async def _together(places: AsyncIterator[Place], count: int) -> AsyncIterator[list[Place]]:
    some: list[Place] = []
    async for place in places:
        some.append(place)
        if len(some) == count:
            yield some
            some = []
    if some:
        yield some


def is_turn(place: Place, walk: int) -> bool:
    """Whether a camera-day is read in this walk: of any two that follow each other, in one."""
    drawn = hashlib.blake2b(f"{place.camera}/{place.day}".encode(), digest_size=1).digest()[0]
    return (drawn + walk) % 2 == 0
