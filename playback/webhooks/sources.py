"""Where events come from: the rows and states of a camera, and the records of holds and exports, each read from a cursor on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple, Protocol

from playback.exports.job import EXPORT, job_of
from playback.webhooks.cursor import Cursor
from playback.webhooks.events import Event, gaps, placed, ready, stored
from playback.webhooks.subscription import EventType, Webhook
from segments.clock import US_PER_DAY, US_PER_S, day_of
from segments.hold import HOLDS, Hold, hold_of
from segments.model import RowPosition, StateChange
from segments.ports import Cameras, ReadRows, Records, States

MOST = 200
"""So many events of a source are read at once beside those that were told."""
BACKLOG_US = 7 * US_PER_DAY
"""What is older is not told any more, after however long a pause."""
SEGMENT_US = 300 * US_PER_S
"""No segment is longer: one appears at most so long after it began, where nothing is late."""
RECORDS_LOOK_BACK_US = BACKLOG_US
"""Holds of other sites appear when those are heard."""


class WebhookIndex(ReadRows, States, Cameras, Records, Protocol):
    """What telling needs of an index."""


class Found(NamedTuple):
    """Events of a source that were not told, in order, and up to when it was read."""

    events: Sequence[Event]
    read_us: int


class Source(Protocol):
    """One source of events for one webhook."""

    name: str
    look_back_us: int

    async def since(self, cursor: Cursor, now_us: int, *, whole: bool) -> Found:
        """What was not told. `whole`: all behind the watermark, else only what is newer than the newest that was told."""


class CameraSource:
    """The segments and gaps of a camera."""

    def __init__(self, camera: str, events: Sequence[EventType], index: WebhookIndex, look_back_us: int) -> None:
        self.name = camera
        self.look_back_us = look_back_us
        self._events = frozenset(events)
        self._index = index

    async def since(self, cursor: Cursor, now_us: int, *, whole: bool) -> Found:
        """See `Source`."""
        newest_us = max(cursor.marks.values(), default=0)
        from_us = cursor.watermark_us if whole else max(cursor.watermark_us, newest_us - SEGMENT_US)
        found: list[Event] = []
        read_us = now_us + US_PER_DAY
        if EventType.SEGMENT_STORED in self._events:
            async for event in self._stored(from_us, now_us):
                if event.happening.mark not in cursor.marks:
                    found.append(event)
                if len(found) == MOST:
                    read_us = event.at_us
                    break
        if self._events & {EventType.GAP_OPENED, EventType.GAP_CLOSED}:
            before = await self._index.state_before(self.name, from_us - 1)
            states = [change async for change in self._states(from_us, min(now_us, read_us))]
            found += [event for event in gaps(before, states) if event.mark not in cursor.marks and event.type in self._events]
        return Found(sorted(found, key=lambda event: event.happening), read_us)

    async def _stored(self, from_us: int, now_us: int) -> AsyncIterator[Event]:
        for day in _days(from_us, now_us):
            after: RowPosition | None = RowPosition(from_us, "", -1)
            while after is not None:
                page = await self._index.marks(self.name, day, after=after, limit=1000)
                for event in stored(page.items):
                    yield event
                after = page.next

    async def _states(self, from_us: int, to_us: int) -> AsyncIterator[StateChange]:
        for month in sorted({day.replace(day=1) for day in _days(from_us, to_us)}):
            after_us: int | None = from_us - 1
            while after_us is not None:
                page = await self._index.states(self.name, month, after_us=after_us, limit=1000)
                for change in page.items:
                    if change.at_us <= to_us:
                        yield change
                after_us = page.next


class HoldSource:
    """All holds that a webhook may know of. `cameras` are the ids it is told of, None: all."""

    name = "/holds"  # no camera's id
    look_back_us = RECORDS_LOOK_BACK_US

    def __init__(self, index: WebhookIndex, cameras: frozenset[str] | None) -> None:
        self._index = index
        self._cameras = cameras

    async def since(self, cursor: Cursor, now_us: int, *, whole: bool) -> Found:  # noqa: ARG002 - a list is always whole
        """See `Source`."""
        holds = [hold_of(record) for record in await self._index.records(HOLDS)]
        untold = [hold for hold in holds if hold.placed_us >= cursor.watermark_us and hold.id not in cursor.marks]
        covered = {hold.id: self._known(hold) for hold in untold}
        told_of = [hold for hold in untold if self._cameras is None or covered[hold.id]]
        return Found(sorted(placed(told_of, covered), key=lambda event: event.happening)[:MOST], now_us + US_PER_DAY)

    def _known(self, hold: Hold) -> Sequence[str]:
        named = {*hold.cameras, *hold.seen}
        return sorted(named if self._cameras is None else named & self._cameras)


class ExportSource:
    """All export jobs that are done, and have no camera that the webhook may not know. `cameras` as of holds."""

    name = "/exports"
    look_back_us = RECORDS_LOOK_BACK_US

    def __init__(self, index: WebhookIndex, cameras: frozenset[str] | None) -> None:
        self._index = index
        self._cameras = cameras

    async def since(self, cursor: Cursor, now_us: int, *, whole: bool) -> Found:  # noqa: ARG002 - a list is always whole
        """See `Source`."""
        jobs = [job_of(record) for record in await self._index.records(EXPORT)]
        known = [job for job in jobs if self._cameras is None or self._cameras.issuperset(job.cameras)]
        untold = [event for event in ready(known) if event.at_us >= cursor.watermark_us and event.mark not in cursor.marks]
        return Found(sorted(untold, key=lambda event: event.happening)[:MOST], now_us + US_PER_DAY)


def first_cursor(webhook: Webhook, added_us: int, now_us: int) -> Cursor:
    """Where telling begins: at the webhook's making, or the camera's; never longer ago than the backlog."""
    return Cursor(max(webhook.created_us, added_us, now_us - BACKLOG_US))


def _days(from_us: int, to_us: int) -> Iterator[date]:
    day, last = day_of(from_us), day_of(to_us + 60 * US_PER_S)
    while day <= last:
        yield day
        day += timedelta(days=1)
