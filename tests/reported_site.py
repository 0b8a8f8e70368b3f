"""A site to report on: a camera for each thing that misleads reports, in an index of the test's choice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Protocol
from zoneinfo import ZoneInfo

from retention.belongings import remember
from segments.clock import day_start_us, from_datetime
from segments.model import Run
from segments.ports import Cameras, Records, Runs, States, WriteReceipts
from tests.builders import CODECS, a_camera, a_change, a_loss, a_row
from tests.retention_builders import a_gone, a_hold, a_policy, a_receipt, write_hold, write_policy

ZONE = ZoneInfo("Asia/Shanghai")
TODAY = date(2026, 3, 14)
"""On this day thirty days are longer than a month: 12 February is the first day that must be there."""
NOW_US = from_datetime(datetime(2026, 3, 14, 15, tzinfo=ZONE))
NAMES = ("away", "due", "held", "new", "off", "pressed", "whole")
"""The cameras, in the order of the report. `gone` was taken out of the archive."""


class SiteIndex(Cameras, Runs, States, WriteReceipts, Records, Protocol):
    """What a site is written to."""


@dataclass(frozen=True, slots=True)
class Site:
    """Writes a site of cameras into an index."""

    index: SiteIndex

    async def fill(self) -> None:
        """All cameras of `NAMES`, a policy, a hold and receipts."""
        await write_policy(self.index, a_policy(zone=str(ZONE)))
        await write_hold(self.index, a_hold(cameras=("held",)))
        await self._recording("whole", date(2026, 1, 1), area="harbour/east")
        await self._recording("held", date(2026, 1, 1), area="harbour/west")
        await self._recording("new", date(2026, 3, 10), area="harbour/west", added=date(2026, 3, 10))
        await self._recording("pressed", date(2026, 1, 1), area="harbour/east", owner="the <port> & co")
        await self._gone("pressed", date(2026, 2, 20), date(2026, 2, 22), "pressure")
        await self._recording("due", date(2026, 1, 1), area="market")
        await self._gone("due", date(2026, 1, 5), date(2026, 2, 11), "due")
        await self._camera("away", area="market", owner="")
        await self.index.put_state(a_loss(camera="away", at_us=at(date(2026, 1, 1))))
        await self._footage("away", date(2026, 2, 16), TODAY)
        await self._camera("off", enabled=False, area="")
        await remember(self.index, a_camera("gone"), now_us=NOW_US)

    async def _recording(self, camera: str, since: date, **fields: object) -> None:
        await self._camera(camera, **fields)
        await self._footage(camera, since, TODAY)

    async def _camera(self, camera: str, *, added: date = date(2025, 12, 31), **fields: object) -> None:
        await self.index.add_camera(a_camera(camera, name=f"Camera {camera} 东门", tier="", added_us=at(added), **fields))

    async def _footage(self, camera: str, first: date, end: date) -> None:
        """One run without an end; after it the state is still that the camera records."""
        await self.index.put_state(a_change(camera=camera, at_us=at(first)))
        run = Run(camera, f"home-a-{NAMES.index(camera) + 1}-1", at(first), at(end) + 3600_000_000, b"init", CODECS, 1920, 1080)
        await self.index.put_run(run)

    async def _gone(self, camera: str, first: date, end: date, reason: str) -> None:
        """Receipts of whole UTC days."""
        previous = ""
        for number in count(1):
            day = first + timedelta(number - 1)
            if day == end:
                return
            row = a_row(camera=camera, start_us=day_start_us(day), end_us=day_start_us(day + timedelta(1)))
            about = {"camera": camera, "day": day, "segments": (a_gone(row),), "reasons": {reason: 1}}
            receipt = a_receipt(chain=f"sweep.{camera}", number=number, previous=previous, **about)
            await self.index.put_receipt(receipt)
            previous = receipt.digest


def at(day: date, hour: int = 0) -> int:
    """A moment of a civil day of the site."""
    return from_datetime(datetime(day.year, day.month, day.day, hour, tzinfo=ZONE).astimezone(UTC))
