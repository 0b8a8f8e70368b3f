"""A look at the rules: all that decides, read at one moment, and the plan of a camera-day by it. Sweep and dry run plan here alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from zoneinfo import ZoneInfo

from retention.plan import Circumstances, DayPlan, plan_day
from retention.policy import in_force
from retention.rules import Rules, read_rules
from segments.clock import Clock
from segments.errors import NotFound
from segments.model import Batch, Camera, Row
from segments.ports import BatchRows, Cameras, ReadRows, Records

ROWS_AT_ONCE = 10_000
"""Most of a camera-day's rows come in one page."""
Pressed = Callable[[], Collection[tuple[str, date]]]
"""Which camera-days may go before they are due, since their pool needs the room, as last found out."""


class PlanIndex(Cameras, ReadRows, Records, Protocol):
    """What planning needs of the index."""


def none_pressed() -> Collection[tuple[str, date]]:
    """No pool needs room."""
    return ()


@dataclass(frozen=True, slots=True)
class Look:
    """The rules as they were read; `now_us` and `asked_ns` are wall and monotonic clock from before the reading."""

    rules: Rules
    now_us: int
    asked_ns: int
    pressed: Collection[tuple[str, date]] = ()

    @property
    def policy(self) -> int:
        """The version of the newest policy that counts; raises BadInput if none binds."""
        return in_force(self.rules.policies, self.now_us)[-1].version

    @property
    def zone(self) -> ZoneInfo:
        """The civil time that terms run by."""
        return ZoneInfo(in_force(self.rules.policies, self.now_us)[-1].zone)

    def circumstances(self, camera: Camera, day: date, *, archived: bool) -> Circumstances:
        """What the verdicts on a camera-day depend on; raises BadInput if no policy binds."""
        return self.rules.circumstances(camera, self.now_us, archived=archived, pressed=(camera.id, day) in self.pressed)


async def look(index: Records, clock: Clock, pressed: Pressed = none_pressed) -> Look:
    """Reads the rules now; they hold every change that was answered before this was called."""
    now_us, asked_ns = clock.now_us(), clock.monotonic_ns()
    return Look(await read_rules(index), now_us, asked_ns, pressed())


async def known_camera(index: Cameras, looked: Look, camera_id: str) -> tuple[Camera, bool]:
    """A camera as it is in the archive now, or what is known of it, and whether it is in the archive."""
    try:
        return await index.camera(camera_id), True
    except NotFound:
        return looked.rules.camera(camera_id, None), False


async def plan(index: Cameras, looked: Look, camera_id: str, day: date, rows: Sequence[Row]) -> DayPlan:
    """A verdict for each of these rows, by the camera as it is in the archive now. Raises BadInput if no policy binds."""
    camera, archived = await known_camera(index, looked, camera_id)
    return plan_day(camera, day, rows, looked.circumstances(camera, day, archived=archived))


async def rows_of(index: ReadRows, camera: str, day: date) -> list[Row]:
    """All rows of a camera-day."""
    page = await index.rows(camera, day, limit=ROWS_AT_ONCE)
    rows = list(page.items)
    while page.next is not None:
        page = await index.rows(camera, day, after=page.next, limit=ROWS_AT_ONCE)
        rows += page.items
    return rows


async def batch_rows_of(index: BatchRows, batch: Batch) -> list[Row]:
    """All rows of a batch."""
    page = await index.batch_rows(batch, limit=ROWS_AT_ONCE)
    rows = list(page.items)
    while page.next is not None:
        page = await index.batch_rows(batch, after=page.next, limit=ROWS_AT_ONCE)
        rows += page.items
    return rows
