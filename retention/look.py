"""A look at the rules: all that decides, read at one moment, and the plan of a camera-day by it. Sweep and dry run plan here alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol
from zoneinfo import ZoneInfo

from retention.copies import NO_COPIES, Copies
from retention.plan import Circumstances, DayPlan, Why, plan_day
from retention.policy import in_force
from retention.rules import Rules, read_rules
from segments.clock import Clock
from segments.errors import NotFound
from segments.model import Batch, Camera, Row, RowPosition
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
    """The rules as they were read; `now_us` and `asked_ns` are wall and monotonic clock from before the reading.

    `unheard`: other sites whose holds may not be among them, each with a sentence; `copies` is asked about copies there.
    """

    rules: Rules
    now_us: int
    asked_ns: int
    pressed: Collection[tuple[str, date]] = ()
    copies: Copies = NO_COPIES
    unheard: Mapping[str, str] = field(default_factory=dict)

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


async def look(
    index: Records, clock: Clock, pressed: Pressed = none_pressed, copies: Copies = NO_COPIES, *, heard_within_s: float = 0.0
) -> Look:
    """Reads the rules now; they hold every change that was answered before this was called, here and at every site that is heard.

    `heard_within_s`: what others said so long ago will do, for who removes nothing by this look.
    """
    now_us, asked_ns = clock.now_us(), clock.monotonic_ns()
    unheard = await copies.hear(heard_within_s)
    return Look(await read_rules(index), now_us, asked_ns, pressed(), copies, unheard)


async def known_camera(index: Cameras, looked: Look, camera_id: str) -> tuple[Camera, bool]:
    """A camera as it is in the archive now, or what is known of it, and whether it is in the archive."""
    try:
        return await index.camera(camera_id), True
    except NotFound:
        return looked.rules.camera(camera_id, None), False


async def plan(index: Cameras, looked: Look, camera_id: str, day: date, rows: Sequence[Row]) -> DayPlan:
    """A verdict for each of these rows, by the camera as it is in the archive now. Raises BadInput if no policy binds."""
    camera, archived = await known_camera(index, looked, camera_id)
    return (await planned(looked, camera, day, rows, archived=archived))[0]


async def planned(
    looked: Look, camera: Camera, day: date, rows: Sequence[Row], *, archived: bool
) -> tuple[DayPlan, Mapping[RowPosition, str]]:
    """The same of a camera that is known, and what those rows wait for that would go but for a copy, or a hold that may be elsewhere.

    Only about what would go other sites are asked, also past its ceiling: its receipt says whether a copy was missing.
    """
    around = looked.circumstances(camera, day, archived=archived)
    without = plan_day(camera, day, rows, around)
    short = await _short(looked, without, max(choice.tier.copies for choice in around.chosen))
    return (plan_day(camera, day, rows, replace(around, short=short)) if short else without), short


async def _short(looked: Look, going: DayPlan, copies: int) -> Mapping[RowPosition, str]:
    if looked.unheard:
        return dict.fromkeys((row.position for row in going.going), "; ".join(looked.unheard.values()))
    short: dict[RowPosition, str] = {}
    for early in (True, False) if copies > 1 else ():
        rows = [row for row, verdict in going.verdicts if verdict.deletes and (verdict.why is Why.PRESSURE) is early]
        short |= await looked.copies.short(going.camera, going.day, rows, copies, early=early) if rows else {}
    return short


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
