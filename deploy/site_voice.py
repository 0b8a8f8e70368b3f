"""What this site says to others beside its footage, and how it takes what it is told: see `replication.source.SiteVoice`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from deploy.backup import camera_key
from deploy.placed_duties import placed_duties
from deploy.settings import Settings
from playback.live import LiveFootage, Partly
from replication.holds import Merge
from replication.ports import PROTOCOL, Hello
from replication.site_record import heard_us
from segments.clock import Clock
from segments.duty import RECORD, SUPERVISE, Duty
from segments.hold import Hold, Stretch
from segments.model import Row, RowPosition, Run
from segments.ports import Index
from segments.takeover import read_standing, read_takeover, told_home

EPOCH_S = 30.0
"""So long the highest epoch of the leases is told as it was last read."""


class OwnVoice:
    """See `SiteVoice`: of the site of these settings."""

    def __init__(self, settings: Settings, index: Index, merge: Merge, clock: Clock) -> None:
        self._settings = settings
        self._index = index
        self._merge = merge
        self._clock = clock
        self._epoch = 0
        self._read_ns: int | None = None

    async def hello(self) -> Hello:
        """See `AskSite`."""
        own = self._settings
        return Hello(own.site.name, PROTOCOL, version("keepsight"), self._clock.now_us(), await self._highest_epoch(), camera_key(own))

    async def merge_holds(self, holds: Sequence[Hold]) -> Sequence[Stretch] | None:
        """See `AskSite.tell_holds`."""
        return await self._merge(holds)

    async def taken_over(self, site: str) -> Sequence[str] | None:
        """See `AskSite`."""
        return told_home(await read_takeover(self._index, site))

    async def heard_us(self, site: str) -> int:
        """See `AskSite`."""
        return await heard_us(self._index, site)

    async def _highest_epoch(self) -> int:
        """Every epoch that was given out is that of a lease, and later ones are higher: the highest of the present leases it is.

        A takeover leaps further ahead of them than a home site allows for, and may be given back soon: what it has spent is told at once.
        """
        takeovers = (await read_standing(self._index)).takeovers.values()
        return max(await self._highest_of_leases(), *(each.after_epoch for each in takeovers), 0)

    async def _highest_of_leases(self) -> int:
        now_ns = self._clock.monotonic_ns()
        if self._read_ns is None or now_ns - self._read_ns >= EPOCH_S * 1e9:
            shards = range(self._settings.shards)
            duties = [Duty(SUPERVISE), *(Duty(kind, shard, len(shards)) for kind in RECORD.values() for shard in shards)]
            for duty in [*duties, *placed_duties(self._settings)]:
                lease = await self._index.lease(duty)
                self._epoch = max(self._epoch, lease.epoch if lease is not None else 0)
            self._read_ns = now_ns
        return self._epoch


class LiveOfPlaces:
    """See `replication.source.LiveRows`: of all places of the site that answer."""

    def __init__(self, live: LiveFootage) -> None:
        self._live = live

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
        """See `LiveRows`."""
        try:
            return await self._live.segments(camera)
        except Partly as partly:
            return partly.found

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:
        """See `LiveRows`."""
        return await self._live.read(camera, position, start, end)
