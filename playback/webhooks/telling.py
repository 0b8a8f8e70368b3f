"""Telling one webhook what it was not told yet: reads its sources, sends in order of each, and remembers how far it came.

There is no queue: what is to be told is the difference between the index and the cursors, so whatever dies between a message and its
cursor, it is sent again with the same id.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from playback.webhooks.address import Reach
from playback.webhooks.attempts import PAUSED_AFTER_US, Answer, Fate, away_wait_us, fate, wait_us
from playback.webhooks.cursor import Cursor, cursor_of, cursor_values
from playback.webhooks.events import Event, message, message_id
from playback.webhooks.post import Post
from playback.webhooks.secret import signing_secrets
from playback.webhooks.signature import signed_headers
from playback.webhooks.sources import Source, WebhookIndex, first_cursor
from playback.webhooks.standing import DeadLetter, Standing, change_letters, change_webhook, read_standing, write_standing
from playback.webhooks.subscription import Webhook
from segments.clock import US_PER_HOUR, US_PER_S, Clock, iso
from segments.errors import Conflict, NotFound
from segments.record import Record, new_record
from segments.secrets import Sealer

log = logging.getLogger(__name__)

CURSORS = "webhook-cursor"
AT_ONCE = 4
"""Messages on their way to one webhook."""
BEFORE_SAVED = 20
"""So many messages of a source are sent before it is written how far it came: so many may come twice."""
WHOLE_S = 60.0
"""So often a source is read from its watermark on, for what appeared late."""
NOTED_S = 15.0


@dataclass(frozen=True, slots=True)
class Means:
    """What telling is done with."""

    index: WebhookIndex
    sealer: Sealer
    post: Post
    reach: Reach
    clock: Clock
    site: str


@dataclass(slots=True)
class _Place:
    """A source with its cursor: the newest, and as it was written last."""

    cursor: Cursor
    saved: Cursor
    record: Record | None
    whole_ns: int | None = None


class Telling:
    """One webhook, told by one place at a time."""

    def __init__(self, webhook: Webhook, means: Means, standing: Standing) -> None:
        self.webhook = webhook
        self.standing = standing
        self._means = means
        self._noted = standing
        self._noted_ns: int | None = None
        self._places: dict[str, _Place] = {}
        self._away = 0
        self._away_until_us = 0

    async def round(self, sources: Sequence[tuple[Source, int]]) -> None:
        """Everything that is to be told now; each source comes with the moment since when it is there (0: always).

        An address that did not answer is tried with one message alone.
        """
        if self.webhook.pause or self._now_us() < self._away_until_us:
            return
        waiting = iter(sources)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(1 if self._away else AT_ONCE):
                tasks.create_task(self._work(waiting))
        await self._note()

    async def _work(self, waiting: Iterator[tuple[Source, int]]) -> None:
        for source, since_us in waiting:
            if self.webhook.pause or self._now_us() < self._away_until_us:
                return
            await self._tell(source, since_us)

    # --- one source

    async def _tell(self, source: Source, since_us: int) -> None:
        place = await self._place(source, since_us)
        now_us = self._now_us()
        if place.cursor.head is not None and now_us < place.cursor.head.next_us:
            return
        now_ns = self._means.clock.monotonic_ns()
        whole = place.whole_ns is None or now_ns - place.whole_ns >= WHOLE_S * 1e9
        found = await source.since(place.cursor, now_us, whole=whole)
        left = await self._send_all(place, source, found.events)
        if whole:
            horizon_us = min(now_us - source.look_back_us, found.read_us)
            place.cursor = place.cursor.moved([event.happening for event in left], horizon_us)
            place.whole_ns = now_ns if not left else None
        await self._save(place, source, sparing=True)

    async def _send_all(self, place: _Place, source: Source, events: Sequence[Event]) -> Sequence[Event]:
        """Sends in order until one must wait; those that were not sent."""
        for count, event in enumerate(events):
            if count and not count % BEFORE_SAVED:
                await self._save(place, source)
            if not await self._send(place, event):
                return events[count:]
        return ()

    async def _send(self, place: _Place, event: Event) -> bool:
        """Whether this event is done with: told, or given up."""
        answer, body = await self._post(event)
        now_us = self._now_us()
        came_to = fate(answer)
        said = answer.said or f"answered {answer.status}"
        if came_to is Fate.TOLD:
            self._took(now_us)
            place.cursor = place.cursor.told(event.happening)
            return True
        self._missed(now_us, said)
        if came_to is Fate.FAILED:
            return await self._failed(place, event, (body, said))
        if came_to is Fate.GONE:
            await self._pause("the receiver answered 410: it wants nothing any more")
        else:
            await self._wait(now_us)
        return False

    async def _post(self, event: Event) -> tuple[Answer, bytes]:
        identity = message_id(self.webhook.id, event)
        body = message(identity, event, self._means.site)
        return await send(self.webhook, identity, body, self._means), body

    async def _failed(self, place: _Place, event: Event, sent: tuple[bytes, str]) -> bool:
        now_us = self._now_us()
        place.cursor = place.cursor.failed(event.happening, 0)
        assert place.cursor.head is not None
        attempts = place.cursor.head.attempts
        wait = wait_us(attempts, random.random())
        if wait is not None:
            place.cursor = replace(place.cursor, head=replace(place.cursor.head, next_us=now_us + wait))
            return False
        body, said = sent
        identity = message_id(self.webhook.id, event)
        letter = DeadLetter(identity, event.type, event.camera, event.at_us, body.decode(), attempts, said, now_us)
        await change_letters(self._means.index, self.webhook.id, lambda letters: letters.plus(letter))
        log.warning("webhook.dead: %(webhook)s did not take %(message)s", {"webhook": self.webhook.id, "message": identity})
        place.cursor = place.cursor.told(event.happening)
        return True

    # --- the address

    def _took(self, now_us: int) -> None:
        self._away = 0
        self.standing = replace(self.standing, told=self.standing.told + 1, told_us=now_us, failing_since_us=0, said="")

    def _missed(self, now_us: int, said: str) -> None:
        since_us = self.standing.failing_since_us or now_us
        self.standing = replace(self.standing, failed=self.standing.failed + 1, failing_since_us=since_us, said=said)

    async def _wait(self, now_us: int) -> None:
        if now_us < self._away_until_us:
            return  # another message of the same moment met the same
        self._away += 1
        self._away_until_us = now_us + away_wait_us(self._away, random.random())
        if self._away == 1:
            words = {"webhook": self.webhook.id, "said": self.standing.said}
            log.warning("webhook.away: %(webhook)s takes nothing: %(said)s; tried again and again", words)
        if now_us - self.standing.failing_since_us >= PAUSED_AFTER_US:
            await self._pause(f"nothing was taken since {iso(self.standing.failing_since_us)}: {self.standing.said}")

    async def _pause(self, why: str) -> None:
        if not self.webhook.pause:
            self.webhook = await change_webhook(self._means.index, self.webhook.id, lambda one: replace(one, pause=why))
            log.error("webhook.paused: %(webhook)s is sent nothing any more: %(why)s", {"webhook": self.webhook.id, "why": why})

    # --- what is written

    async def _place(self, source: Source, since_us: int) -> _Place:
        known = self._places.get(source.name)
        if known is None:
            try:
                record = await self._means.index.record(CURSORS, self._id(source))
                cursor = cursor_of(record.values)
            except NotFound:
                record, cursor = None, Cursor(0)
            first = first_cursor(self.webhook, since_us, self._now_us())
            cursor = cursor.moved((), first.watermark_us)
            known = self._places[source.name] = _Place(cursor, cursor, record)
        return known

    async def _save(self, place: _Place, source: Source, *, sparing: bool = False) -> None:
        """Writes how far a source is told. `sparing`: not where nothing but time has passed."""
        now, before = place.cursor, place.saved
        same = now.head == before.head and now.marks.keys() <= before.marks.keys()
        if now == before or (sparing and same and now.watermark_us - before.watermark_us < US_PER_HOUR):
            return
        values = cursor_values(now)
        record = place.record.changed(values) if place.record else new_record(CURSORS, self._id(source), values)
        try:
            await self._means.index.put_record(record)
        except Conflict:
            del self._places[source.name]  # another place tells it: read again
            raise
        place.saved, place.record = now, record

    async def _note(self) -> None:
        """Writes how it does, when that changed, now and then."""
        now_ns = self._means.clock.monotonic_ns()
        turned = bool(self.standing.failing_since_us) != bool(self._noted.failing_since_us)
        if self.standing == self._noted or not (turned or self._noted_ns is None or now_ns - self._noted_ns >= NOTED_S * 1e9):
            return
        await write_standing(self._means.index, self.webhook.id, self.standing)
        self._noted, self._noted_ns = self.standing, now_ns

    def _id(self, source: Source) -> str:
        return f"{self.webhook.id}.{source.name}"

    def _now_us(self) -> int:
        return self._means.clock.now_us()


async def a_telling(webhook: Webhook, means: Means) -> Telling:
    """Goes on where the place before ended."""
    return Telling(webhook, means, await read_standing(means.index, webhook.id))


async def send(webhook: Webhook, identity: str, body: bytes, means: Means) -> Answer:
    """One message, signed now. Raises DataDamaged if the webhook's secret does not open."""
    now_us = means.clock.now_us()
    headers = signed_headers(identity, now_us // US_PER_S, body, signing_secrets(webhook, means.sealer, now_us))
    return await means.post(webhook.url, headers, body)
