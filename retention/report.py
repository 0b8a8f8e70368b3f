"""The retention report: for every camera how deep its footage is and must be, and for areas, classes and owners the rates.

Storage depth is of today; the other rates are of the days that are asked for. Cameras are read one by one; what is kept in memory is a line
a camera, and the sums. Footage that is not in the index yet does not count, nor what only another site has: no other site is asked.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from zoneinfo import ZoneInfo

from retention.attainment import Required, attain
from retention.camera_days import DaysIndex, parts_of
from retention.civil_days import Days, DaySum, civil_day, day_sums
from retention.policy import due, in_force
from retention.rates import CameraLine, Rate, Rates, camera_line
from retention.rules import Rules, read_rules
from segments.errors import BadInput
from segments.model import Camera, Span
from segments.ports import CameraFilter, Cameras, Records
from segments.takeover import Standing, read_standing

MOST_DAYS_BACK = 1_096
"""A report begins at most three years ago."""
AT_ONCE = 4
"""So many cameras are read at once: a month of receipts can be tens of megabytes."""


class ReportIndex(DaysIndex, Cameras, Records, Protocol):
    """What a report is read from."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: civil days from `first` to the one before `end` (None: up to yesterday), of an area with all below it ('': all).

    `most_cameras`: more are refused. `site` and `by` are printed on it.
    """

    first: date
    end: date | None = None
    area: str = ""
    most_cameras: int | None = None
    site: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it was made. `lines` are in order of camera; an area counts all that lies below it.

    `policy`: the version that binds. `taken_out`: cameras that are not in the archive any more, which are in none of the rates.
    """

    order: Order
    made_us: int
    policy: int
    days: Days
    total: Rates
    areas: Mapping[str, Rates]
    classes: Mapping[int, Rates]
    owners: Mapping[str, Rates]
    lines: Sequence[CameraLine]
    taken_out: int


async def retention_report(order: Order, *, index: ReportIndex, now_us: int, say: Callable[[int], None] = lambda _: None) -> Report:
    """Makes it; `say` is told how many cameras were read so far.

    Raises BadInput if no policy binds, or the days are none that are over, begin more than `MOST_DAYS_BACK` days ago, or there are too many
    cameras.
    """
    rules = await read_rules(index)
    policies = in_force(rules.policies, now_us)
    days = _days(order, now_us, ZoneInfo(policies[-1].zone))
    made = _Making(rules, days, now_us, await read_standing(index))
    seen: set[str] = set()
    async for cameras in _cameras(index, order):
        for line, sums in await asyncio.gather(*(made.read(camera, index) for camera in cameras)):
            made.add(line, sums)
            seen.add(line.camera.id)
        say(len(seen))
    return Report(
        order=order,
        made_us=now_us,
        policy=policies[0].version,
        days=days,
        total=made.total,
        areas=dict(sorted(made.areas.items())),
        classes=dict(sorted(made.classes.items())),
        owners=dict(sorted(made.owners.items())),
        lines=made.lines,
        taken_out=_taken_out(rules, order.area, seen),
    )


class _Making:
    """A report while it is made."""

    def __init__(self, rules: Rules, days: Days, now_us: int, standing: Standing) -> None:
        self._rules = rules
        self._standing = standing
        self._days = days
        self._now_us = now_us
        self.total = self._none()
        self.areas: dict[str, Rates] = defaultdict(self._none)
        self.classes: dict[int, Rates] = defaultdict(self._none)
        self.owners: dict[str, Rates] = defaultdict(self._none)
        self.lines: list[CameraLine] = []

    async def read(self, camera: Camera, index: DaysIndex) -> tuple[CameraLine, list[DaySum]]:
        """What is said of a camera, and what the report's days of it were."""
        around = self._rules.circumstances(camera, self._now_us)
        required = Required(around.chosen, camera.added_us, self._now_us, around.zone).days
        wanted = Span(min(required.span.start_us, self._days.span.start_us), max(required.span.end_us, self._days.span.end_us))
        parts = await parts_of(index, camera, wanted, self._now_us, self._standing)
        sums = day_sums(self._days, parts)
        tier = due(around.chosen, self._now_us, around.zone).choice.tier.name
        return camera_line(camera, tier, attain(day_sums(required, parts)), sums), sums

    def add(self, line: CameraLine, sums: Sequence[DaySum]) -> None:
        """Counts a camera in all it belongs to."""
        self.lines.append(line)
        camera = line.camera
        for rates in (self.total, self.classes[camera.camera_class], self.owners[camera.owner]):
            rates.add(line, sums)
        for area in _areas(camera.area):
            self.areas[area].add(line, sums)

    def _none(self) -> Rates:
        return Rates([Rate()] * len(self._days))


def _days(order: Order, now_us: int, zone: ZoneInfo) -> Days:
    today = civil_day(now_us, zone)
    end = order.end or today
    if end > today:
        raise BadInput(f"the report ends with {end}, and only whole days count that are over: the last it can end with is {today} ({zone})")
    if order.first >= end:
        raise BadInput(f"the report ends with {end}, which is not of it, so it cannot begin on {order.first}")
    if (today - order.first).days > MOST_DAYS_BACK:
        raise BadInput(f"a report begins at most {MOST_DAYS_BACK} days ago, so not on {order.first}")
    return Days(order.first, end, zone)


async def _cameras(index: Cameras, order: Order) -> AsyncIterator[Sequence[Camera]]:
    """The cameras of an area in order of id, a few at a time."""
    count, after = 0, ""
    while True:
        page = await index.cameras(CameraFilter(area=order.area), after=after)
        count += len(page.items)
        if order.most_cameras is not None and count > order.most_cameras:
            raise BadInput(f"these are more than {order.most_cameras} cameras: ask for an area that has fewer")
        for place in range(0, len(page.items), AT_ONCE):
            yield page.items[place : place + AT_ONCE]
        if page.next is None:
            return
        after = page.next


def _areas(area: str) -> list[str]:
    """An area and all around it, the outermost first; a camera without one is in the area ''."""
    names = area.split("/")
    return ["/".join(names[: depth + 1]) for depth in range(len(names))]


def _taken_out(rules: Rules, area: str, seen: set[str]) -> int:
    former = (rules.camera(camera_id, None) for camera_id in rules.former if camera_id not in seen)
    return sum(not area or f"{camera.area}/".startswith(f"{area}/") for camera in former)
