"""Which pools are pressed, and what of them goes early: read from the usage sums, the archive and the rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Protocol

from retention.breaches import pressed_pools
from retention.plan import Circumstances
from retention.policy import Choice, Due, due
from retention.pressure import NOTHING_WAITS, CameraDay, Kept, PoolDay, PoolSize, Pressure, Relief, Waiting, relieve
from retention.rules import Rules
from segments.clock import day_start_us
from segments.hold import holding
from segments.model import Camera, Span
from segments.ports import CameraChanges, Records, Usage
from segments.shards import CAMERA_BUCKETS
from segments.timeline import LONGEST_SEGMENT_US
from segments.usage import DayUsage


class PressureIndex(Usage, CameraChanges, Records, Protocol):
    """What is read, and where it is noted which pools are pressed."""


Missing = Callable[[Sequence[PoolDay]], Awaitable[Waiting]]
"""How much of these camera-days misses a copy, or may be held elsewhere."""


async def none_missing(_: Sequence[PoolDay]) -> Waiting:
    """No copies are asked for."""
    return NOTHING_WAITS


async def pressed_days(
    index: PressureIndex, rules: Rules, pools: Mapping[str, PoolSize], now_us: int, missing: Missing = none_missing
) -> Pressure:
    """What is done about these pools now. Raises BadInput if no policy binds.

    `missing` is asked about what would go, and asked again about what would go instead.

    A pool whose use is given costs nothing while it is not pressed. For all others every usage sum is read, a bucket of cameras and a month
    at a time: ask every ten minutes, not every second.
    """
    already = await pressed_pools(index)
    kept = {
        name: Kept(now_us)
        for name, size in pools.items()
        if size.used_bytes is None or size.used_bytes > (size.low_bytes if name in already else size.high_bytes)
    }
    if kept:
        async for pool, _, day in pool_days(index, rules, now_us):
            if pool in kept:
                kept[pool].add(day)
    calm = {name: Relief(pressed=False) for name in pools if name not in kept}
    return Pressure(now_us, calm | {name: await _relieved(name, pools[name], kept[name], already, missing) for name in kept})


async def _relieved(name: str, size: PoolSize, kept: Kept, already: Collection[str], missing: Missing) -> Relief:
    waiting: dict[CameraDay, int] = {}
    asked: set[CameraDay] = set()
    early = {day.place: day for day in kept.early}
    while True:
        relief = relieve(name, size, kept, already=name in already, waiting=waiting)
        new = [day for day in (*kept.due, *(early[place] for place in relief.taken)) if day.place not in asked] if relief.pressed else []
        found = await missing(new) if new else NOTHING_WAITS
        if not found:
            return relief
        asked |= {day.place for day in new}
        waiting |= found


Dues = dict[date, Due]
"""When the last footage of a day goes, by the choices of some cameras."""


def pool_day(usage: DayUsage, camera: Camera, circumstances: Circumstances, dues: Dues) -> PoolDay:
    """A camera-day as pressure sees it: with the times of the last segment that may begin in it, and held if a hold covers any of it.

    `dues` are those of the same choices that were found before; they are added to.
    """
    span = Span(day_start_us(usage.day), day_start_us(usage.day + timedelta(1)) + LONGEST_SEGMENT_US)
    if usage.day not in dues:
        dues[usage.day] = due(circumstances.chosen, span.end_us, circumstances.zone)
    last = dues[usage.day]
    held = bool(circumstances.holds) and bool(holding(circumstances.holds, camera, span))
    copies = max(choice.tier.copies for choice in circumstances.chosen)
    terms = last.floor_us, last.keep_us, held, copies, last.ceiling_us
    return PoolDay(usage.camera, usage.day, camera.camera_class, usage.sum.stored_bytes, *terms)


async def pool_days(index: PressureIndex, rules: Rules, now_us: int) -> AsyncIterator[tuple[str, Camera, PoolDay]]:
    """Every camera-day that the sums know, with its pool and its camera as it is, or was last. Raises BadInput if no policy binds."""
    months = await index.usage_months()
    shared: dict[tuple[Choice, ...], Dues] = {}
    for bucket in range(CAMERA_BUCKETS):
        archive = {camera.id: camera for camera in await index.cameras_in(bucket)}
        known: dict[str, tuple[Camera, Circumstances, Dues]] = {}
        for month in months:
            for usage in await index.usage(month, bucket):
                if usage.camera not in known:
                    camera = rules.camera(usage.camera, archive.get(usage.camera))
                    circumstances = rules.circumstances(camera, now_us, archived=usage.camera in archive)
                    known[usage.camera] = camera, circumstances, shared.setdefault(tuple(circumstances.chosen), {})
                yield usage.pool, known[usage.camera][0], pool_day(usage, *known[usage.camera])
