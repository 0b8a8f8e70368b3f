"""Counts what camera-days keep, by pool, some time after their footage changed: sums of rows, so that to count again is always right."""

from __future__ import annotations

import logging
from datetime import date, timedelta

from segments.clock import Clock
from segments.errors import KeepsightError
from segments.model import Row
from segments.ports import Usage

log = logging.getLogger(__name__)

FIRST_COUNT_S = 30
"""After the first footage of a camera-day that this process has indexed."""
COUNT_S = 3600
"""After any other, so that a camera-day is read about once an hour while it lasts, and once when it is over."""
RETRY_S = 60
LOOK_S = 5


class UsageCounter:
    """Remembers which camera-days have changed and counts them when it is time; belongs to one event loop.

    What is remembered is lost with the process: the next one's first footage of a camera has the day before counted too.
    """

    def __init__(self, index: Usage, clock: Clock) -> None:
        self._index = index
        self._clock = clock
        self._due_ns: dict[tuple[str, date], int] = {}
        self._seen: dict[str, date] = {}

    def indexed(self, row: Row) -> None:
        """A row was published."""
        seen = self._seen.get(row.camera)
        if seen is None:
            self.changed(row.camera, row.day - timedelta(days=1), FIRST_COUNT_S)
        self.changed(row.camera, row.day, COUNT_S if seen == row.day else FIRST_COUNT_S)
        self._seen[row.camera] = row.day

    async def run(self) -> None:
        """Counts until cancelled."""
        while True:
            await self._clock.sleep(LOOK_S)
            await self.count_due()

    async def count_due(self) -> None:
        """Counts the camera-days whose time has come, one after the other; one that fails gets a later turn."""
        now_ns = self._clock.monotonic_ns()
        for camera, day in [key for key, due_ns in self._due_ns.items() if due_ns <= now_ns]:
            del self._due_ns[camera, day]
            try:
                await count(self._index, camera, day)
            except KeepsightError as error:
                log.warning("usage.retried: %s %s was not counted: %s", camera, day, error)
                self.changed(camera, day, RETRY_S)

    def changed(self, camera: str, day: date, wait_s: int) -> None:
        """Has a camera-day counted after so long, or sooner if that was asked for before."""
        self._due_ns.setdefault((camera, day), self._clock.monotonic_ns() + wait_s * 1_000_000_000)


async def count(index: Usage, camera: str, day: date) -> None:
    """Writes the sums of a camera-day as its rows are now."""
    await index.put_usage(camera, day, await index.row_sums(camera, day))
