"""Counts what a copier tells, and writes it into the index now and then: how far it is behind, and what became of each day's footage."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from replication.copy_report import MOST_NAMED, CopyDay, add_day, missed
from replication.copy_values import CopyEvent, CopyKind, Wish, WishKey
from replication.lag import Copied, Promise, backlog, copied, late_by_name, since_us
from replication.lag_record import LagReport, add_report, summed
from replication.rpo import Rpo
from segments.clock import US_PER_S, Clock, day_of
from segments.ports import Records

MOST_REASONS = 1000
"""Of segments that could not be copied so far, the last so many."""
LATE_NAMED = 20
WAITS_US = 150 * US_PER_S
"""A copier that waits says so again within this."""


class CopyLedger:
    """Of one shard of one site."""

    def __init__(self, site: str, duty: str, promise: Promise, *, index: Records, clock: Clock) -> None:
        self._site = site
        self._duty = duty
        self._promise = promise
        self._index = index
        self._clock = clock
        self._days: dict[date, CopyDay] = {}
        self._copied: dict[int, Copied] = {}
        self._refused = 0
        self._reasons: OrderedDict[WishKey, str] = OrderedDict()
        self._waits = ("", 0)

    def saw(self, event: CopyEvent) -> None:
        """Something happened just now."""
        if event.kind is CopyKind.WAITS:
            self._waits = (event.text, self._clock.now_us())
        elif event.position is not None:
            self._saw(event, (event.camera, event.position))

    async def flush(self, wishes: Sequence[Wish], differing: int, rpo: Mapping[int, Rpo]) -> None:
        """Writes all. What cannot be written is kept for the next time; raises what the index raises."""
        for day in list(self._days):
            await self._write_day(self._days.pop(day))
        await self._write_lag(self._report(wishes, differing, rpo))

    def _report(self, wishes: Sequence[Wish], differing: int, rpo: Mapping[int, Rpo]) -> LagReport:
        now_us = self._clock.now_us()
        text, waits_us = self._waits
        return LagReport(
            self._site,
            self._duty,
            now_us,
            waits=text if now_us - waits_us < WAITS_US else "",
            differing=differing,
            refused=self._refused,
            backlog=backlog(wishes, self._promise, now_us),
            late=late_by_name(wishes, self._promise, now_us, self._reasons, LATE_NAMED),
            rpo=rpo,
            copied=self._copied,
        )

    async def _write_day(self, one: CopyDay) -> None:
        written = False
        try:
            written = await add_day(self._index, self._duty, one)
        finally:
            if not written:
                self._note(one)

    async def _write_lag(self, report: LagReport) -> None:
        self._copied, self._refused = {}, 0
        written = False
        try:
            written = await add_report(self._index, report)
        finally:
            if not written:
                self._copied = summed(report.copied, self._copied)
                self._refused += report.refused

    def _saw(self, event: CopyEvent, key: WishKey) -> None:
        if event.kind is not CopyKind.COPIED:
            self._refused += event.kind is CopyKind.REFUSED
            self._reasons[key] = event.text
            self._reasons.move_to_end(key)
            if len(self._reasons) > MOST_REASONS:
                self._reasons.popitem(last=False)
            return
        self._reasons.pop(key, None)
        self._waits = ("", 0)
        now_us, number = self._clock.now_us(), event.camera_class
        one = {number: copied(event, self._promise, now_us)}
        self._copied = summed(self._copied, one)
        since = min(since_us(event), now_us)
        late = [missed(event.camera, event.position.start_us, now_us - since)] if one[number].late and event.position else []
        self._note(CopyDay(self._site, day_of(since), one, late))

    def _note(self, one: CopyDay) -> None:
        known = self._days.get(one.day, CopyDay(self._site, one.day)) + one
        self._days[one.day] = replace(known, missed=known.missed[:MOST_NAMED])
