"""Sweeps through a story with the product's deciders, as the sweep does: decide, list a minute later, delete after the grace.

Every step plans anew by the rules of its moment, and what is not due any more by then stays. What is simulated is only what lies between
the deciders: when rounds are, what the node's clock shows, which rows there are.
"""

from __future__ import annotations

import contextlib
import random
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date

from retention.plan import Circumstances, Why, first_look_us
from retention.policy import Choice
from retention.pressed import Dues, pool_day
from retention.pressure import Kept, PoolSize
from retention.sweep_clock import Reading
from segments.clock import day_of
from segments.errors import BadInput
from segments.model import Row
from segments.usage import DayUsage, UsageSum
from tests.retention_sim.civil import DAY, HOUR, MINUTE, S
from tests.retention_sim.oracle import Deleted
from tests.retention_sim.site import Deciders, row_of, site_at
from tests.retention_sim.story import NEVER, Shot, Story, Stretch

CameraDay = tuple[str, date]
DEADLINE, SURE, GRACE = 60 * S, 120 * S, HOUR
HELD_LOOK = 20 * DAY
"""A camera-day of which all that stays is held is looked at so often, and when the rules have changed; others every day."""


@dataclass
class Open:
    """A batch: since when it is in its state by both clocks, and its rows once they are listed."""

    since_wall_us: int
    since_us: int
    rows: list[Row] | None = None


@dataclass
class Log:
    """What was done, in true time."""

    deleted: list[Deleted] = field(default_factory=list)
    breaches_us: list[int] = field(default_factory=list)
    held_rounds: int = 0
    taken_back: int = 0


class Sweeper:
    """One node that sweeps one site."""

    def __init__(self, story: Story, deciders: Deciders) -> None:
        self.story, self.deciders, self.log = story, deciders, Log()
        self._guard = deciders.guard()
        self._coming = sorted(enumerate(story.shots), key=lambda each: -each[1].stored_us)
        self._kept: dict[CameraDay, dict[Row, Shot]] = defaultdict(dict)
        self._days: dict[str, list[date]] = defaultdict(list)
        self._open: dict[CameraDay, Open] = {}
        self._look_us: dict[str, int] = {}
        self._again_us: dict[CameraDay, int] = {}
        self._short: dict[object, int] = {}
        self._chosen: dict[str, list[date]] = {}
        self._dues: dict[tuple[Choice, ...], Dues] = defaultdict(dict)
        self._pressed, self._pressure_us = False, story.start_us + 35 * DAY
        self._edges = sorted(_edges(story))
        self._version, self._site = (-1, -1), site_at(story, story.start_us, deciders)

    def run(self) -> Log:
        """To the end of the story."""
        for at_us in self._rounds():
            while self._coming and self._coming[-1][1].stored_us <= at_us:
                self._store(*self._coming.pop())
            wall_us = self._wall_us(at_us)
            if not self._guard.trusts(self._reading(at_us)):
                self.log.held_rounds += 1
                continue
            with contextlib.suppress(BadInput):  # by a clock that is far behind, no policy binds yet
                self._sweep(at_us, wall_us)
        return self.log

    def _sweep(self, at_us: int, wall_us: int) -> None:
        self._read_rules(at_us, wall_us)
        self._advance(at_us, wall_us)
        self._relieve(at_us, wall_us)
        for camera in self._days:
            if self._look_us.get(camera, 0) <= wall_us:
                self._begin(camera, at_us, wall_us)

    def _wall_us(self, at_us: int) -> int:
        return at_us + sum(skew.by_us for skew in self._skews(at_us))

    def _reading(self, at_us: int) -> Reading:
        """What the clocks show. While the wall clock is wrong, no time source stands behind it."""
        boots = sum(skew.reboots and skew.from_us <= at_us for skew in self.story.skews)
        return Reading(self._wall_us(at_us), at_us * 1000, f"boot {boots}", not self._skews(at_us))

    def _skews(self, at_us: int) -> list[Stretch]:
        return [skew for skew in self.story.skews if skew.from_us <= at_us < skew.until_us]

    def _rounds(self) -> Iterator[int]:
        """Every four hours or so, and what follows up a batch: a minute and a grace later. None while sweeps are out."""
        dice, at_us = random.Random(self.story.seed), self.story.start_us
        while at_us < self.story.end_us:
            for each in (at_us, at_us + 2 * MINUTE, at_us + 70 * MINUTE):
                if not any(out.from_us <= each < out.until_us for out in self.story.outages) and (each == at_us or self._open):
                    yield each
            at_us += 3 * HOUR + dice.randrange(2 * HOUR)

    def _store(self, number: int, shot: Shot) -> None:
        row = row_of(shot, number)
        key = shot.camera, day_of(shot.start_us)
        if key not in self._kept:
            insort(self._days[shot.camera], key[1])
        self._kept[key][row] = shot
        self._again_us.pop(key, None)
        self._look_us[shot.camera] = min(self._look_us.get(shot.camera, 0), shot.stored_us)
        if shot.copied_us:
            self._short[row.position] = shot.copied_us

    def _read_rules(self, at_us: int, wall_us: int) -> None:
        version = bisect_right(self._edges, at_us), bisect_right(self._edges, wall_us)
        self._short = {position: copied_us for position, copied_us in self._short.items() if copied_us > at_us}
        if version != self._version:
            self._version, self._site = version, site_at(self.story, at_us, self.deciders)
            self._look_us.clear()
            self._again_us.clear()

    def _around(self, key: CameraDay, wall_us: int) -> Circumstances:
        camera, day = key
        return self._site.circumstances(camera, wall_us, short=self._short.keys(), pressed=day in self._chosen.get(camera, ()))

    def _going(self, key: CameraDay, rows: list[Row], wall_us: int) -> list[Row]:
        return self.deciders.plan(self._site.cameras[key[0]][0], key[1], rows, self._around(key, wall_us)).going

    def _begin(self, camera: str, at_us: int, wall_us: int) -> None:
        """Opens batches; remembers when the next look is worth while."""
        around = self._around((camera, date.max), wall_us)
        chosen = self._chosen.get(camera, [])
        next_us = NEVER
        for day in [*chosen, *self._days[camera]]:
            key = camera, day
            if self._again_us.get(key, 0) <= wall_us and key not in self._open and key in self._kept:
                first_us = first_look_us(day, replace(around, pressed=day in chosen))
                if first_us <= wall_us:
                    self._plan(key, at_us, wall_us)
                else:
                    next_us = min(next_us, first_us)
                    if day not in chosen:
                        break
            next_us = min(next_us, self._again_us.get(key, NEVER))
        self._look_us[camera] = next_us

    def _plan(self, key: CameraDay, at_us: int, wall_us: int) -> None:
        plan = self.deciders.plan(self._site.cameras[key[0]][0], key[1], list(self._kept[key]), self._around(key, wall_us))
        if plan.going:
            self._open[key] = Open(wall_us, at_us)
        staying = [verdict for _, verdict in plan.verdicts if not verdict.deletes and verdict.why is not Why.HELD]
        untils = [verdict.until_us for verdict in staying if verdict.until_us > wall_us]
        self._again_us[key] = min([wall_us + (DAY if staying else HELD_LOOK), *untils])

    def _advance(self, at_us: int, wall_us: int) -> None:
        for key, batch in list(self._open.items()):
            waited_us = at_us - batch.since_us
            if batch.rows is None and waited_us >= DEADLINE:
                batch.rows = self._going(key, [row for row, shot in self._kept[key].items() if shot.stored_us <= batch.since_us], wall_us)
                batch.since_us, batch.since_wall_us = at_us, wall_us
                if not batch.rows:
                    self._close(key)
            elif batch.rows is not None and waited_us >= SURE and max(waited_us, wall_us - batch.since_wall_us) >= GRACE:
                going = self._going(key, batch.rows, wall_us)
                self.log.taken_back += len(batch.rows) - len(going)
                self.log.deleted += [Deleted(self._kept[key].pop(row), at_us) for row in going]
                self._close(key)

    def _close(self, key: CameraDay) -> None:
        del self._open[key]
        self._again_us.pop(key, None)
        self._look_us.pop(key[0], None)
        if not self._kept[key]:
            del self._kept[key]
            self._days[key[0]].remove(key[1])

    def _relieve(self, at_us: int, wall_us: int) -> None:
        """Looks at the pool every other day."""
        if not self.story.pool_bytes or at_us < self._pressure_us:
            return
        self._pressure_us = at_us + 2 * DAY
        stored = {key: sum(row.size for row in rows) for key, rows in self._kept.items()}
        size = PoolSize(self.story.pool_bytes, sum(stored.values()))
        kept = Kept(wall_us)
        arounds = {camera: self._around((camera, date.max), wall_us) for camera in self._days}
        dues = {camera: self._dues[tuple(around.chosen)] for camera, around in arounds.items()}
        for (camera, day), stored_bytes in stored.items():
            usage = DayUsage(camera, day, "disk", UsageSum(1, stored_bytes))
            kept.add(pool_day(usage, self._site.cameras[camera][0], arounds[camera], dues[camera]))
        short = {key: sum(row.size for row in rows if row.position in self._short) for key, rows in self._kept.items()}
        waiting = {key: short_bytes for key, short_bytes in short.items() if short_bytes}
        relief = self.deciders.relieve("disk", size, kept, already=self._pressed, waiting=waiting)
        self._pressed, self._chosen = relief.pressed, defaultdict(list)
        for camera, day in relief.taken:
            self._chosen[camera].append(day)
            self._look_us.pop(camera, None)
            self._again_us.pop((camera, day), None)
        if relief.breach:
            self.log.breaches_us.append(at_us)


def _edges(story: Story) -> Iterator[int]:
    """When something changes of what the index tells, or of what counts."""
    for policy in story.policies:
        yield from (policy.written_us, policy.binds_us, policy.withdrawn_us)
    for hold in story.holds:
        yield from (hold.placed_us, hold.lifted_us)
    for lives in story.cameras.values():
        yield from (moment for was in lives for moment in (was.from_us, was.former_until_us))
