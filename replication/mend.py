"""What a scrub does about what it finds: names it, heals it, and says what cannot be healed; adopts objects that have lost their row."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from functools import partial
from typing import Protocol

from replication.heal import Healer, HealIndex, Healing, Outcome
from replication.scrub_progress import Tally
from segments.clock import Clock, day_of, iso
from segments.damage import Damaged, note_damage
from segments.errors import NotFound, Refused, TryAgain
from segments.keys import parse_key
from segments.model import RowPosition
from segments.patience import patiently, some_at_once
from segments.ports import ReadReceipts, ReadRows, Records
from segments.rebuild import RebuildIndex, adopt
from segments.stored_segment import Pool

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Segments healed at once."""
GROUP = 200
"""Named, healed and struck out together."""
_STAYS = (Outcome.DAMAGED, Outcome.LEAVING)


class MendIndex(HealIndex, RebuildIndex, ReadRows, Records, ReadReceipts, Protocol):
    """What mending needs of the index."""


class Mender:
    """Deals with findings. They are named before anything is touched, so that a process that dies leaves a note of what it was at."""

    def __init__(self, index: MendIndex, healer: Healer, clock: Clock) -> None:
        self._index = index
        self._healer = healer
        self._clock = clock
        self._away: set[str] = set()
        """Pools that did not answer; what else is damaged in them waits for the next time."""

    async def mend(self, found: Sequence[Damaged]) -> Tally:
        """Heals what can be; gives how many were not known before, and how many are healed."""
        tally = Tally()
        self._away.clear()
        for first in range(0, len(found), GROUP):
            tally += await self._group(found[first : first + GROUP])
        return tally

    async def adopt(self, pool: Pool, orphans: Sequence[str]) -> int:
        """Gives objects without a row their row again, but for those that a receipt says are deleted; how many got one.

        One whose place has a row that names another pool is a second copy, and is left alone.
        """
        orphans = [key for key in orphans if not await self._has_row(key)]
        leftover = await self._receipted(orphans, pool.name)
        for key in sorted(leftover):
            log.error(
                "scrub.leftover: %(key)s lies in pool %(pool)s although a receipt says that it is gone", {"key": key, "pool": pool.name}
            )
        done = await adopt(pool, self._index, self._clock, [key for key in orphans if key not in leftover])
        if done.rows:
            log.warning("scrub.adopted: %(rows)d objects of pool %(pool)s had lost their rows", {"rows": done.rows, "pool": pool.name})
        for left in done.examples:
            said = {"key": left.key, "pool": pool.name, "reason": left.reason}
            log.warning("scrub.unadopted: %(key)s in pool %(pool)s has no row and gets none: %(reason)s", said)
        return done.rows

    async def _group(self, found: Sequence[Damaged]) -> Tally:
        new = {each.key for each in await note_damage(self._index, found)}
        healings = await some_at_once(self._heal, found, AT_ONCE)
        pairs = zip(found, healings, strict=True)
        still = [each._replace(reason=healing.reason or each.reason) for each, healing in pairs if healing.outcome in _STAYS]
        kept = {each.key for each in still}
        await note_damage(self._index, still, over=[each.key for each in found if each.key not in kept])
        for each, healing in zip(found, healings, strict=True):
            self._tell(each, healing, new)
        wrong = {each.key for each, healing in zip(found, healings, strict=True) if healing.outcome in (Outcome.HEALED, Outcome.DAMAGED)}
        return Tally(found=len(wrong & new), healed=sum(healing.outcome is Outcome.HEALED for healing in healings))

    async def _heal(self, damaged: Damaged) -> Healing:
        if damaged.pool in self._away:
            return Healing(Outcome.DAMAGED, damaged.reason)
        try:
            return await self._healer.heal(damaged.camera, damaged.position, damaged.since_us)
        except TryAgain:
            self._away.add(damaged.pool)
            return Healing(Outcome.DAMAGED, damaged.reason)
        except Refused as error:
            return Healing(Outcome.DAMAGED, str(error))

    async def _has_row(self, key: str) -> bool:
        segment = parse_key(key)
        position = RowPosition(segment.start_us, segment.run, segment.counter)
        try:
            row = await patiently(partial(self._index.row, segment.camera, position), self._clock)
        except NotFound:
            return False
        log.warning("scrub.second: %(key)s is there, and its row names it in pool %(pool)s", {"key": key, "pool": row.pool})
        return True

    async def _receipted(self, keys: Sequence[str], pool: str) -> set[str]:
        """Those of which a receipt says that they are gone from this pool."""
        found: set[str] = set()
        for camera, month in sorted({(key.camera, day_of(key.start_us).replace(day=1)) for key in map(parse_key, keys)}):
            for receipt in await patiently(partial(self._index.receipts, camera, month), self._clock):
                found |= {gone.key for gone in receipt.segments if gone.pool == pool}
                found |= set(receipt.closings)
        return found.intersection(keys)

    def _tell(self, damaged: Damaged, healing: Healing, new: Collection[str]) -> None:
        said = {"camera": damaged.camera, "at": iso(damaged.start_us), "key": damaged.key, "pool": damaged.pool, "reason": healing.reason}
        if healing.outcome is Outcome.HEALED:
            log.info("scrub.healed: camera %(camera)s at %(at)s: %(key)s in pool %(pool)s: %(reason)s", said)
        elif healing.outcome is Outcome.DAMAGED and damaged.key in new:
            log.error("scrub.damaged: camera %(camera)s at %(at)s: %(key)s in pool %(pool)s: %(reason)s", said)
