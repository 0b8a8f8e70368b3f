"""Backups as a duty: one is made when it is due, wherever the duty is placed."""

from __future__ import annotations

from collections.abc import Callable

from deploy.backup import due_us, make_backup, wanted_since
from deploy.fleet.rounds import Round
from deploy.settings import Settings
from deploy.wiring import Stores
from segments.clock import US_PER_S, Clock
from segments.duty import Duty

BACKUP = "backup"
"""The kind of the duty; it has one shard."""
LOOK_EVERY_S = 600.0


def backup_rounds(settings: Settings, stores: Stores, clock: Clock) -> Callable[[Duty], Round]:
    """Makes the rounds; only for settings with a pool for backups."""

    def begin(_: Duty) -> Round:
        async def round_() -> float:
            last = await wanted_since(stores.index, clock.now_us())
            wait_s = (due_us(last, settings) - clock.now_us()) / US_PER_S
            if wait_s > 0:
                return min(wait_s, LOOK_EVERY_S)
            await make_backup(settings, stores, clock)
            return LOOK_EVERY_S

        return round_

    return begin
