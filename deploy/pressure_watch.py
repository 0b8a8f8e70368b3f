"""Keeps an eye on how full pools are: which camera-days may go before they are due, and which floors cannot be kept (breaches)."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Collection, Mapping
from datetime import date

from deploy.settings import FilePool, Settings
from deploy.wiring import file_pool_folder
from retention.breaches import note_pressure
from retention.pressed import Missing, PressureIndex, none_missing, pressed_days
from retention.pressure import PoolSize
from retention.rules import read_rules
from segments.clock import Clock
from segments.errors import BadInput, KeepsightError

log = logging.getLogger(__name__)

EVERY_S = 600.0
IDLE_S = 1.0
GOOD_S = 3 * EVERY_S
"""What was found is not acted upon any more after this: without news nothing goes early."""


class PressureWatch:
    """Looks every ten minutes; `chosen` is what it found last."""

    def __init__(self, settings: Settings, index: PressureIndex, clock: Clock, missing: Missing = none_missing) -> None:
        self._settings = settings
        self._index = index
        self._clock = clock
        self._missing = missing
        self._found: tuple[int, Collection[tuple[str, date]]] = (0, ())

    def chosen(self) -> Collection[tuple[str, date]]:
        """The camera-days that may go before they are due, since their pool needs the room."""
        looked_ns, days = self._found
        return days if self._clock.monotonic_ns() - looked_ns < GOOD_S * 1e9 else ()

    async def run(self, wanted: Callable[[], bool]) -> None:
        """Runs until cancelled; looks only while somebody here wants to know."""
        while True:
            if wanted():
                try:
                    await self.look()
                except KeepsightError as error:
                    log.warning("pressure.unseen: how full pools are cannot be seen now: %(error)s", {"error": error})
            await self._clock.sleep(EVERY_S if wanted() else IDLE_S)

    async def look(self) -> None:
        """Looks now, writes breaches down, and says of each that was opened or closed."""
        looked_ns, rules = self._clock.monotonic_ns(), await read_rules(self._index)
        sizes = await asyncio.to_thread(pool_sizes, self._settings)
        try:
            pressure = await pressed_days(self._index, rules, sizes, self._clock.now_us(), self._missing)
        except BadInput:
            return  # no policy binds: nothing may go, early or late
        self._found = looked_ns, pressure.chosen
        for breach in await note_pressure(self._index, pressure):
            about = {"pool": breach.pool, "bytes": breach.missing_bytes}
            if breach.closed_us:
                log.info("breach.closed: pool %(pool)s has room again", about)
            else:
                about["waits"] = len(breach.waiting)
                log.error("breach.opened: pool %(pool)s lacks %(bytes)s bytes; %(waits)s camera-days wait for copies: make room", about)


def pool_sizes(settings: Settings) -> Mapping[str, PoolSize]:
    """The pools whose size is known: as their operator says, or, of a folder, that of its disk and what lies on it."""
    high, low = settings.retention.high_mark, settings.retention.low_mark
    sizes = {}
    for name, pool in settings.pools.items():
        if pool.size_bytes is not None:
            sizes[name] = PoolSize(pool.size_bytes, high=high, low=low)
        elif isinstance(pool, FilePool) and (folder := file_pool_folder(name, pool, settings)).is_dir():
            total, _, free = shutil.disk_usage(folder)  # what others keep there is used, too: the room is gone
            sizes[name] = PoolSize(total, total - free, high, low)
    return sizes
