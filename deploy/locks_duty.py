"""Locks in the store as a duty: kept equal to the legal holds, in pools whose settings ask for Object Lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deploy.fleet.rounds import Round
from retention.locks import Locker, LockerIndex
from segments.clock import Clock
from segments.duty import Duty
from segments.ports import LegalHolds

EVERY_S = 60.0


def lock_rounds(keepers: Mapping[str, LegalHolds], index: LockerIndex, clock: Clock) -> Callable[[Duty], Round]:
    """Makes the rounds of a shard; `keepers` are the pools that have locks."""

    def begin(duty: Duty) -> Round:
        locker = Locker(duty, index=index, pools=keepers, clock=clock)

        async def round_() -> float:
            await locker.round()
            return EVERY_S

        return round_

    return begin
