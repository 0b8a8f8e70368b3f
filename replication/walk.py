"""The comparing walk: which camera-days of another site differ from ours, those first that are most wanted.

Evidence when it is named, today and yesterday every ten minutes; all days from the newest back once a day, until there was nothing for a
fortnight; and then whatever else the source says it has. Nothing that must be known lies here: a walk that begins anew finds the same, only
later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Protocol, TypeVar

from replication.compare import to_descend
from replication.copy_values import COPY, CopyShard, HeldDays
from replication.ports import MOST_DAYS, AskFootage
from segments.clock import US_PER_S, Clock, day_of
from segments.digest import Digest
from segments.errors import Conflict, NotFound, TryAgain
from segments.model import Camera, Partition
from segments.ports import CameraChanges, Records
from segments.record import new_record

T = TypeVar("T")

RECENT_S = 600
WALK_S = 24 * 3600
FIRST_DAYS, QUICK_S, SLOW_S = 128, 1.0, 4.0
"""Camera-days of the first question, and how long an answer should take: a busy source reads its rows for them."""
EMPTY_DAYS = 14
"""After so many days of which the source has nothing, older ones are left to what it says it has."""


class WalkIndex(CameraChanges, Records, Protocol):
    """What a walk needs of the index."""


class OwnDigests(Protocol):
    """What there is here, told as other sites tell it (`AskFootage`)."""

    async def digests(self, days: Sequence[Partition]) -> Sequence[Digest]:
        """See `AskFootage`."""

    async def hours(self, camera: str, day: date) -> Sequence[Digest]:
        """See `AskFootage`."""


async def no_held_days() -> Sequence[Partition]:
    """No evidence can be named."""
    return ()


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a walk has come, and the news were heard: `day` is the next to compare (None: all are), `after` what else was listed."""

    news: str = ""
    began_us: int = 0
    day: date | None = None
    after: str | None = None

    def values(self) -> dict[str, Any]:
        """What its record says; `cursor_of` gives it back."""
        return {"news": self.news, "began_us": self.began_us, "day": self.day.isoformat() if self.day else None, "after": self.after}


def cursor_of(values: dict[str, Any]) -> Cursor:
    """The cursor of a record."""
    day = values["day"]
    return Cursor(values["news"], values["began_us"], date.fromisoformat(day) if day else None, values["after"])


class Walk:
    """The walk of one shard over the camera-days of another site. Camera-days that differ are given out one by one."""

    def __init__(
        self,
        shard: CopyShard,
        *,
        peer: AskFootage,
        here: OwnDigests,
        index: WalkIndex,
        clock: Clock,
        held_days: HeldDays = no_held_days,
    ) -> None:
        self._shard = shard
        self._peer = peer
        self._here = here
        self._index = index
        self._clock = clock
        self._held_days = held_days
        self._pending: dict[Partition, None] = {}
        self._recent_ns: int | None = None
        self._empty_days = 0
        self._at_once = FIRST_DAYS
        self._evidence: frozenset[Partition] = frozenset()
        """Camera-days of evidence that were compared: again they are with all others."""
        self._saved: Cursor | None = None
        self.cursor: Cursor | None = None
        """None before the first `begin`."""

    async def begin(self) -> Cursor:
        """Where a former process has left off; read once."""
        if self.cursor is None:
            try:
                self.cursor = self._saved = cursor_of((await self._index.record(COPY, self._shard.record_id)).values)
            except NotFound:
                self.cursor = Cursor()
        return self.cursor

    async def next(self) -> Partition | None:
        """A camera-day that differs; None if there is none now, but there may be more (`over`). Raises TryAgain."""
        if not self._pending or self._is_recent_due:
            await self._compare_more()
        if not self._pending:
            return None
        found = next(iter(self._pending))
        del self._pending[found]
        return found

    def again(self, day: Partition) -> None:
        """There is more of it, or it could not be looked at: its turn comes again after all others that wait."""
        self._pending[day] = None

    def heard(self, news: str) -> None:
        """All news up to here are wished for."""
        self.cursor = replace(self.cursor or Cursor(), news=news)

    def compare_recent(self) -> None:
        """Today and yesterday are compared at once: some news were lost."""
        self._recent_ns = None

    @property
    def over(self) -> bool:
        """Nothing is left to compare until it is time again."""
        cursor = self.cursor
        done = cursor is not None and cursor.day is None and cursor.after is None and not self._is_walk_due(cursor)
        return done and not self._pending and not self._is_recent_due

    @property
    def differing(self) -> int:
        """Camera-days that differ and wait to be given out."""
        return len(self._pending)

    async def save(self) -> None:
        """Keeps the cursor, once all that was found up to it is copied. Another copier of the shard may have been faster."""
        if self.cursor is None or self.cursor == self._saved or self._pending:
            return
        try:
            record = (await self._index.record(COPY, self._shard.record_id)).changed(self.cursor.values())
        except NotFound:
            record = new_record(COPY, self._shard.record_id, self.cursor.values())
        try:
            await self._index.put_record(record)
        except Conflict:
            return
        self._saved = self.cursor

    async def cameras(self) -> list[Camera]:
        """All cameras of the shard that our archive knows, those of the first class first. Buckets never written to are not read."""
        buckets = [bucket for bucket in await self._index.camera_stamps() if bucket % self._shard.of == self._shard.shard]
        found = [camera for bucket in buckets for camera in await self._index.cameras_in(bucket)]
        return sorted(found, key=lambda camera: (camera.camera_class, camera.id))

    # --- passes

    @property
    def _is_recent_due(self) -> bool:
        return self._recent_ns is None or self._clock.monotonic_ns() - self._recent_ns >= RECENT_S * 1_000_000_000

    def _is_walk_due(self, cursor: Cursor) -> bool:
        return not 0 <= self._clock.now_us() - cursor.began_us < WALK_S * US_PER_S

    async def _compare_more(self) -> None:
        """The next step of the most urgent pass that has one."""
        cursor = await self.begin()
        if self._is_recent_due:
            await self._compare_recent()
        elif cursor.day is not None:
            await self._compare_day(cursor, cursor.day)
        elif cursor.after is not None:
            await self._compare_listed(cursor, cursor.after)
        elif self._is_walk_due(cursor):
            now_us = self._clock.now_us()
            self.cursor = replace(cursor, began_us=now_us, day=day_of(now_us) - timedelta(days=2), after=None)
            self._empty_days = 0

    async def _compare_recent(self) -> None:
        began_ns = self._clock.monotonic_ns()
        today = day_of(self._clock.now_us())
        held = [each for each in await self._held_days() if self._shard.has(each.camera)]
        evidence = [each for each in held if each not in self._evidence]
        cameras = await self.cameras()
        recent = [Partition(camera.id, day) for day in (today, today - timedelta(days=1)) for camera in cameras]
        found, _ = await self._differing(list(dict.fromkeys([*evidence, *recent])))
        self._pending = dict.fromkeys(found) | self._pending
        self._recent_ns, self._evidence = began_ns, frozenset(held)

    async def _compare_day(self, cursor: Cursor, day: date) -> None:
        found, rows = await self._differing([Partition(camera.id, day) for camera in await self.cameras()])
        self._pending |= dict.fromkeys(found)
        self._empty_days = 0 if rows else self._empty_days + 1
        if self._empty_days < EMPTY_DAYS:
            self.cursor = replace(cursor, day=day - timedelta(days=1))
        else:
            self.cursor = replace(cursor, day=None, after="")

    async def _compare_listed(self, cursor: Cursor, after: str) -> None:
        """What no archive knows of, too: cameras that were taken out, and days long ago."""
        page = await self._timed(self._peer.camera_days(after=after, limit=self._at_once))
        listed = {each: digest for each, digest in page.items if self._shard.has(each.camera)}
        ours = await self._here.digests(list(listed))
        days = list(listed)
        self._pending |= {days[number]: None for number in to_descend(ours, list(listed.values()))}
        self.cursor = replace(cursor, after=page.next)

    async def _differing(self, days: Sequence[Partition]) -> tuple[list[Partition], int]:
        """Of these, those that the source may have more of; and how many rows it has of all of them."""
        found: list[Partition] = []
        rows = start = 0
        while start < len(days):
            some = days[start : start + self._at_once]
            start += len(some)
            theirs = await self._timed(self._peer.digests(some))
            rows += sum(digest.rows for digest in theirs)
            there = [number for number, digest in enumerate(theirs) if digest.rows]
            ours = await self._here.digests([some[number] for number in there])
            found += [some[there[number]] for number in to_descend(ours, [theirs[number] for number in there])]
        return found, rows

    async def _timed(self, answer: Awaitable[T]) -> T:
        """An answer about camera-days; the next question is larger after a quick one, and smaller after a slow one, or none."""
        began_ns = self._clock.monotonic_ns()
        try:
            found = await answer
        except TryAgain:
            self._at_once = max(self._at_once // 4, 1)
            raise
        took_s = (self._clock.monotonic_ns() - began_ns) / 1e9
        if took_s < QUICK_S:
            self._at_once = min(self._at_once * 2, MOST_DAYS)
        elif took_s > SLOW_S:
            self._at_once = max(self._at_once // 2, 1)
        return found
