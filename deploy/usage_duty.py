"""The keeping of usage as a duty: a bucket a round, all of a shard's every six hours, and a report after each pass."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date

from deploy.fleet.rounds import Round
from deploy.usage_report import UsageReport, write_report
from segments.clock import Clock
from segments.duty import Duty
from segments.errors import KeepsightError
from segments.ports import Index
from segments.shards import CAMERA_BUCKETS

USAGE = "usage"
"""The kind of the duty; it has as many shards as the sweep."""
FIRST_S = 120.0
"""After a start other things come first."""
PASS_S = 6 * 3600.0
RETRY_S = 600.0
"""After a pass with faults."""
FAULTS_NAMED = 5

log = logging.getLogger(__name__)


def usage_rounds(index: Index, place: str, clock: Clock) -> Callable[[Duty], Round]:
    """Makes the rounds of a shard."""
    return lambda duty: UsageRounds(duty, index, place, clock).round


class UsageRounds:
    """The rounds of one shard: passes through its buckets. A bucket that cannot be kept holds up no other."""

    def __init__(self, duty: Duty, index: Index, place: str, clock: Clock) -> None:
        self._duty = duty
        self._index = index
        self._place = place
        self._clock = clock
        self._left: list[int] | None = None
        self._before = date.min
        self._lines = 0
        self._faults: list[str] = []

    async def round(self) -> float:
        """Keeps one bucket; the seconds until the next."""
        from capacity.keeping import closed_before, keep_bucket  # polars: not before it is needed

        if self._left is None:
            self._left = []
            return FIRST_S
        if not self._left:
            self._left = list(range(self._duty.shard, CAMERA_BUCKETS, self._duty.of))
            self._before, self._lines, self._faults = closed_before(self._clock.now_us()), 0, []
        bucket = self._left.pop(0)
        try:
            self._lines += await keep_bucket(self._index, bucket, self._before)
        except KeepsightError as error:
            log.warning("usage.not-kept: bucket %d of %s: %s", bucket, self._duty, error)
            self._faults.append(f"bucket {bucket}: {error}")
        return 0.0 if self._left else await self._report()

    async def _report(self) -> float:
        faults = tuple(self._faults[:FAULTS_NAMED])
        done = (0, "") if faults else (self._clock.now_us(), self._before.isoformat())
        await write_report(self._index, UsageReport(str(self._duty), self._place, *done, self._lines, faults))
        return RETRY_S if faults else PASS_S
