"""What a hold covers: cameras, camera-days and segments."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import date
from typing import NamedTuple, Protocol

from retention.rules import Rules
from segments.clock import US_PER_DAY, US_PER_S, day_of, day_start_us
from segments.errors import NotFound
from segments.hold import Hold
from segments.model import Camera, Row, Span
from segments.ports import CameraFilter, Cameras, ReadRows, Usage
from segments.usage import UsageSum

LONGEST_SEGMENT_US = 300 * US_PER_S
"""A segment that starts so long before a span may still reach into it."""


class Covered(NamedTuple):
    """A camera of a hold; one that is not in the archive any more is what it was last."""

    camera: Camera
    archived: bool


class CameraDay(NamedTuple):
    """A camera-day that keeps something, and how much, as last counted."""

    camera: str
    day: date
    sum: UsageSum


async def covered_cameras(hold: Hold, rules: Rules, index: Cameras) -> list[Covered]:
    """All cameras of a hold, in order of id: those it names or saw, and those that lie in its areas now, or lay there when taken out."""
    archived = {camera.id: camera for area in hold.areas for camera in await cameras_of(area, index)}
    taken_out = {camera_id for camera_id in rules.former if hold.covers(rules.camera(camera_id, None))}
    others = {*hold.cameras, *hold.seen, *taken_out} - archived.keys()
    archived |= {camera_id: camera for camera_id in others if (camera := await archived_camera(camera_id, index)) is not None}
    found = [Covered(rules.camera(camera_id, archived.get(camera_id)), camera_id in archived) for camera_id in {*others, *archived}]
    return sorted((covered for covered in found if hold.covers(covered.camera)), key=lambda covered: covered.camera.id)


async def archived_camera(camera_id: str, index: Cameras) -> Camera | None:
    """The camera as the archive has it, None if it has none."""
    try:
        return await index.camera(camera_id)
    except NotFound:
        return None


async def cameras_of(area: str, index: Cameras) -> list[Camera]:
    """All cameras that lie in an area, or below it."""
    found: list[Camera] = []
    after: str | None = ""
    while after is not None:
        page = await index.cameras(CameraFilter(area=area), after=after)
        found += page.items
        after = page.next
    return found


def span_until(hold: Hold, now_us: int) -> Span:
    """The part of a hold's time that may have footage by now."""
    return Span(hold.start_us, min(hold.end_us, now_us + US_PER_DAY))


def days_of(span: Span) -> Iterable[date]:
    """The days a segment of this span may be of, the first first."""
    day_us = day_start_us(day_of(span.start_us - LONGEST_SEGMENT_US))
    while day_us < span.end_us:
        yield day_of(day_us)
        day_us += US_PER_DAY


def months_of(span: Span) -> list[date]:
    """The first days of their months, in order."""
    return list(dict.fromkeys(day.replace(day=1) for day in days_of(span)))


async def kept_days(span: Span, buckets: Iterable[int], index: Usage) -> AsyncIterator[CameraDay]:
    """The camera-days of some buckets that keep something and may have to do with a span, as the counts of usage know them."""
    first, last = day_of(span.start_us - LONGEST_SEGMENT_US), day_of(span.end_us - 1)
    months = [month for month in await index.usage_months() if first.replace(day=1) <= month <= last]
    for bucket in buckets:
        for month in months:
            sums: dict[tuple[str, date], UsageSum] = {}
            for each in await index.usage(month, bucket):
                if first <= each.day <= last:
                    before = sums.get((each.camera, each.day), UsageSum(0, 0))
                    sums[each.camera, each.day] = UsageSum(before.segments + each.sum.segments, before.stored_bytes + each.sum.stored_bytes)
            for (camera, day), total in sums.items():
                yield CameraDay(camera, day, total)


def may_touch(hold: Hold, day: date) -> bool:
    """Whether a segment of this camera-day may show some of a hold's time."""
    start_us = day_start_us(day)
    return start_us < hold.end_us and hold.start_us < start_us + US_PER_DAY + LONGEST_SEGMENT_US


async def rows_within(span: Span, camera: str, day: date, index: ReadRows) -> list[Row]:
    """The rows of a camera-day that show some of a span."""
    found: list[Row] = []
    after = None
    while True:
        page = await index.rows(camera, day, after=after)
        found += [row for row in page.items if row.start_us < span.end_us and span.start_us < row.end_us]
        after = page.next
        if after is None:
            return found


class HeldIndex(Cameras, ReadRows, Usage, Protocol):
    """What looking at all of a hold needs of an index."""
