"""Metering: each process counts in memory and writes its whole day anew each minute, so that a write that is repeated changes nothing.

A day has a record that names the processes which counted, and one of each of them. A process that is killed loses a minute at most.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date, timedelta

from playback.consumers.usage import Used, summed, used_of, used_values
from segments.clock import Clock, day_of
from segments.errors import Conflict, KeepsightError, NotFound
from segments.ports import Records
from segments.record import Record, new_record

METERING = "metering"
"""The kind of the records."""
EACH_S = 60.0
MOST_DAYS = 366
_TRIES = 8

log = logging.getLogger(__name__)


class Metering:
    """What this process counted, and all that was written by any."""

    def __init__(self, records: Records, clock: Clock, process: str = "") -> None:
        self._records = records
        self._clock = clock
        self._process = process or secrets.token_hex(6)
        self._days: dict[date, dict[str, Used]] = {}
        self._revisions: dict[date, int] = {}
        self._changed: set[date] = set()

    def used(self, subject_id: str) -> Used:
        """What somebody took today in this process, to add to; it is written with the next minute."""
        day = day_of(self._clock.now_us())
        self._changed.add(day)
        return self._days.setdefault(day, {}).setdefault(subject_id, Used())

    async def flush(self) -> None:
        """Writes what changed; raises TryAgain, and keeps it, if that cannot be done now. Days before today are then forgotten here."""
        today = day_of(self._clock.now_us())
        for day in sorted(self._changed):
            self._changed.discard(day)
            try:
                await self._write(day)
            except KeepsightError:
                self._changed.add(day)
                raise
        for day in [day for day in self._days if day < today and day not in self._changed]:
            del self._days[day]

    async def of_day(self, day: date) -> dict[str, Used]:
        """What all took on a day, by consumer; of other processes what they had written."""
        written = [process for process in await self._processes(day) if process != self._process or day not in self._days]
        return summed([*[await self._part(day, process) for process in written], self._days.get(day, {})])

    async def exported_elsewhere_s(self, subject_id: str) -> float:
        """Seconds somebody exported today by what other processes had written."""
        day = day_of(self._clock.now_us())
        others = [await self._part(day, process) for process in await self._processes(day) if process != self._process]
        return summed(others).get(subject_id, Used()).exported_s

    async def between(self, first: date, end: date) -> dict[date, dict[str, Used]]:
        """Days from `first` to `end` (excluded) on which something was taken."""
        days = [first + timedelta(days=n) for n in range((end - first).days)]
        found = {day: await self.of_day(day) for day in days}
        return {day: used for day, used in found.items() if used}

    async def _write(self, day: date) -> None:
        revision = self._revisions.get(day, 0)
        if not revision:
            await self._register(day)
        values = {"consumers": used_values(self._days[day])}
        record = new_record(METERING, f"{day}.{self._process}", values)._replace(revision=revision + 1)
        await self._records.put_record(record)
        self._revisions[day] = revision + 1

    async def _register(self, day: date) -> None:
        """Names this process among those that count this day."""
        for attempt in range(1, _TRIES + 1):
            record = await self._record(str(day))
            names = [*record.values["processes"]] if record else []
            if self._process in names:
                return
            values = {"processes": [*names, self._process]}
            try:
                await self._records.put_record(record.changed(values) if record else new_record(METERING, str(day), values))
            except Conflict:
                if attempt == _TRIES:
                    raise
                continue
            return

    async def _processes(self, day: date) -> list[str]:
        record = await self._record(str(day))
        return list(record.values["processes"]) if record else []

    async def _part(self, day: date, process: str) -> Mapping[str, Used]:
        record = await self._record(f"{day}.{process}")
        return used_of(record.values["consumers"]) if record else {}

    async def _record(self, record_id: str) -> Record | None:
        try:
            return await self._records.record(METERING, record_id)
        except NotFound:
            return None


@asynccontextmanager
async def kept(metering: Metering, clock: Clock) -> AsyncIterator[None]:
    """Writes what is counted each minute meanwhile, and at the end."""

    async def on() -> None:
        while True:
            await clock.sleep(EACH_S)
            await _try(metering)

    task = asyncio.create_task(on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await _try(metering)


async def _try(metering: Metering) -> None:
    try:
        await metering.flush()
    except KeepsightError as error:
        log.warning("metering.waiting: usage is not written yet: %s", error)
