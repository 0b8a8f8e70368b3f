"""An installation as capacity's frames: what was recorded, and which cameras there are, bucket by bucket of the archive.

For the command line and the API alike. What is in memory at a time is a bucket's days; of a whole history, a number a camera and day.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import polars as pl

from capacity.history import CAMERAS, History, history_of, stacked
from capacity.keeping import KeptIndex, bucket_days
from deploy.settings import Settings
from retention.policy import Policy, belonging, choices, in_force
from retention.rules import Rules, read_rules
from segments.errors import BadInput, Refused
from segments.model import Camera
from segments.pools import PoolRules, pool_for
from segments.ports import CameraChanges, Records
from segments.shards import CAMERA_BUCKETS

TierOf = Callable[[Camera, bool], str]
"""The tier of a camera, as whoever asks calls it; whether it is registered."""


class CapacityIndex(KeptIndex, CameraChanges, Records, Protocol):
    """What is read of an index."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of cameras: what they recorded (`DAYS`), those registered (`CAMERAS`), and those in the days that no longer are.

    The latter are what the rules remember of them: tier, area and class. `pool` and `kind` are '' where only the days can tell.
    """

    days: pl.DataFrame
    cameras: pl.DataFrame
    former: pl.DataFrame


async def read_buckets(
    settings: Settings,
    index: CapacityIndex,
    now_us: int,
    *,
    before: date | None = None,
    since: date = date.min,
    buckets: Iterable[int] = range(CAMERA_BUCKETS),
    tier_of: TierOf | None = None,
) -> AsyncIterator[Bucket]:
    """The installation's buckets, one after the other, with all days before `before` (None: the day that is being recorded, too).

    Days before `since` are left out. `tier_of` None: by the policy that binds, whatever the notice of a change still says of footage;
    '' while none binds. Raises DataDamaged for a history that cannot be read.
    """
    rules = await read_rules(index)
    for bucket in buckets:
        days = await bucket_days(index, bucket, before, since=since)
        registered = await index.cameras_in(bucket)
        there = {camera.id for camera in registered}
        gone = [name for name in days["camera"].unique().sort().to_list() if name not in there]
        former = [rules.camera(name, None) for name in gone]
        lines = _Lines(settings, rules, now_us, tier_of)
        yield Bucket(days, lines.frame(registered), lines.frame(former, registered=False))


async def read_history(settings: Settings, index: CapacityIndex, now_us: int, *, before: date, tier_of: TierOf | None = None) -> History:
    """All that was recorded before a day, as forecasts want it. Raises BadInput while there is nothing."""
    parts = [
        history_of(bucket.days, bucket.cameras, bucket.former, end=before)
        async for bucket in read_buckets(settings, index, now_us, before=before, tier_of=tier_of)
        if bucket.days.height
    ]
    if not parts:
        raise BadInput("there is no whole day (UTC) of usage yet: a history begins with the first one after recording began")
    return stacked(parts)


class _Lines:
    """Makes lines of cameras."""

    def __init__(self, settings: Settings, rules: Rules, now_us: int, tier_of: TierOf | None) -> None:
        self._site = settings.site.name
        self._pools = settings.pool_assignment
        self._tier_of = tier_of or self._by_policy
        self._policies: Sequence[Policy] = in_force(rules.policies, now_us) if rules.any_binds(now_us) else ()

    def frame(self, cameras: Sequence[Camera], *, registered: bool = True) -> pl.DataFrame:
        """`CAMERAS`, in their order."""
        return pl.DataFrame([self._line(camera, registered) for camera in cameras], schema=CAMERAS, orient="row")

    def _line(self, camera: Camera, registered: bool) -> tuple[object, ...]:
        pool = _pool_of(camera, self._pools) if registered else ""
        values = {
            "camera": camera.id,
            "pool": pool,
            "site": camera.home or self._site,
            "area": camera.area,
            "owner": camera.owner,
            "class": camera.camera_class,
            "tier": self._tier_of(camera, registered),
            "kind": "",
        }
        return tuple(values[name] for name in CAMERAS)

    def _by_policy(self, camera: Camera, _: bool) -> str:
        return choices(self._policies[:1], belonging(camera))[0].tier.name if self._policies else ""


def _pool_of(camera: Camera, pools: PoolRules) -> str:
    """Where its new footage goes; '' where that is nowhere."""
    try:
        return pool_for(camera, pools)
    except Refused:
        return ""
