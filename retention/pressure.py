"""What goes early when a pool is too full, in a declared order; and what a pool that is too full all the same is in breach of. Pure.

Above its high mark a pool is pressed, until it is at its low mark. Only footage between its floor and its due moment goes early, never what
a hold covers or what waits for a copy: class 3 first, then 2, then 1; of a class what falls due soonest, then what is oldest. Where all
that may go is not enough, nothing else goes instead: that is a breach, and people must make room.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from heapq import heappush, heappushpop
from typing import NamedTuple

from segments.errors import BadInput

HITS_NAMED = 1_000
"""A breach names so many camera-days at most."""


@dataclass(frozen=True, slots=True)
class PoolSize:
    """How large a pool is. `used_bytes` None: what the usage sums say. `high` and `low` are fractions of its size."""

    size_bytes: int
    used_bytes: int | None = None
    high: float = 0.95
    low: float = 0.90

    def __post_init__(self) -> None:
        """Raises BadInput unless 0 < low <= high <= 1 and there is a size."""
        if self.size_bytes < 1:
            raise BadInput(f"a pool's size is at least a byte, not {self.size_bytes}")
        if not 0 < self.low <= self.high <= 1:
            raise BadInput(f"a pool's low mark ({self.low}) and high mark ({self.high}) are fractions of its size, the low one not higher")

    @property
    def high_bytes(self) -> int:
        """Above this the pool is pressed."""
        return int(self.size_bytes * self.high)

    @property
    def low_bytes(self) -> int:
        """Down to this it is relieved."""
        return int(self.size_bytes * self.low)


CameraDay = tuple[str, date]
Waiting = Mapping[CameraDay, int]
"""How many bytes of camera-days would go but for a copy they miss, or for holds of another site that are not known."""
NOTHING_WAITS: Waiting = {}


class PoolDay(NamedTuple):
    """What a camera-day keeps in a pool. `floor_us`, `keep_us`: when all of it may go, and is due. `held`: a hold covers some of it.

    `copies`: at how many sites its tier wants it, this one included; until `ceiling_us` it waits for those it misses.
    """

    camera: str
    day: date
    camera_class: int
    stored_bytes: int
    floor_us: int
    keep_us: int
    held: bool = False
    copies: int = 1
    ceiling_us: int = 0

    @property
    def place(self) -> CameraDay:
        """Which camera-day."""
        return self.camera, self.day


class Breach(NamedTuple):
    """A pool that stays above its high mark though all went that may go; when it is full, new footage finds no room.

    `missing_bytes`: what it is above the mark. `hits`: camera-days under their floor that stand against that room, nearest to their floor
    first, `HITS_NAMED` at most. `eased_us`: when the first of them may go; 0 if there is none, all of it being held, or not ours.
    `waiting`: camera-days that may go, or are due, but for copies they miss, the first `HITS_NAMED` of them.
    """

    pool: str
    at_us: int
    missing_bytes: int
    hits: tuple[CameraDay, ...]
    eased_us: int
    waiting: tuple[CameraDay, ...] = ()


class Relief(NamedTuple):
    """What is done about a pool now. `taken`: camera-days that go early, in the order they were chosen."""

    pressed: bool
    taken: tuple[CameraDay, ...] = ()
    breach: Breach | None = None


def rank(day: PoolDay) -> tuple[int, int, date, str]:
    """The declared order of what goes early, smallest first."""
    return -day.camera_class, day.keep_us, day.day, day.camera


class Kept:
    """What a pool keeps, added up by camera-days at one moment. Only those that are due, or may go early, are held in memory one by one."""

    def __init__(self, now_us: int, days: Iterable[PoolDay] = ()) -> None:
        self.now_us = now_us
        self.all_bytes = 0
        self.leaving_bytes = 0
        """What is past its ceiling, and leaves anyway."""
        self.due: list[PoolDay] = []
        """What is due, and leaves unless it misses a copy."""
        self.early: list[PoolDay] = []
        """What may go early."""
        self._bound: list[tuple[int, PoolDay]] = []
        for day in days:
            self.add(day)

    def add(self, day: PoolDay) -> None:
        """One more camera-day."""
        self.all_bytes += day.stored_bytes
        if day.held:
            return
        if day.keep_us <= self.now_us < day.ceiling_us:
            self.due.append(day)
        elif day.keep_us <= self.now_us:
            self.leaving_bytes += day.stored_bytes
        elif day.floor_us <= self.now_us:
            self.early.append(day)
        elif len(self._bound) < HITS_NAMED:
            heappush(self._bound, (-day.floor_us, day))
        else:
            heappushpop(self._bound, (-day.floor_us, day))

    @property
    def bound(self) -> list[PoolDay]:
        """Those under their floor that are nearest to it, `HITS_NAMED` at most."""
        return sorted((day for _, day in self._bound), key=lambda day: (day.floor_us, rank(day)))


def relieve(pool: str, size: PoolSize, kept: Kept, *, already: bool = False, waiting: Waiting = NOTHING_WAITS) -> Relief:
    """What goes early of a pool. `already`: it was pressed when it was last looked at. What is `waiting` gives no room.

    What is due counts as gone, and what was chosen before is chosen again while it is there: so a look that is repeated while deletions are
    under way chooses nothing more. Where the use of a pool is not known, the sum of its camera-days is its use.
    """
    used_bytes = kept.all_bytes if size.used_bytes is None else size.used_bytes
    if used_bytes <= (size.low_bytes if already else size.high_bytes):
        return Relief(pressed=False)
    left_bytes = used_bytes - kept.leaving_bytes - sum(_room(day, waiting) for day in kept.due)
    taken = []
    for day in sorted((day for day in kept.early if _room(day, waiting)), key=rank):
        if left_bytes <= size.low_bytes:
            break
        taken.append(day.place)
        left_bytes -= _room(day, waiting)
    missing_bytes = left_bytes - size.high_bytes
    return Relief(pressed=True, taken=tuple(taken), breach=_breach(pool, missing_bytes, kept, waiting) if missing_bytes > 0 else None)


def _room(day: PoolDay, waiting: Waiting) -> int:
    return max(0, day.stored_bytes - waiting.get(day.place, 0))


def _breach(pool: str, missing_bytes: int, kept: Kept, waiting: Waiting) -> Breach:
    waits = [day for day in (*kept.due, *sorted(kept.early, key=rank)) if day.place in waiting] if waiting else []
    hits, found_bytes = [], sum(day.stored_bytes - _room(day, waiting) for day in waits)
    for day in kept.bound:
        if found_bytes >= missing_bytes:
            break
        hits.append(day)
        found_bytes += day.stored_bytes
    names = tuple(day.place for day in waits[:HITS_NAMED])
    return Breach(pool, kept.now_us, missing_bytes, tuple(day.place for day in hits), hits[0].floor_us if hits else 0, names)


@dataclass(frozen=True, slots=True)
class Pressure:
    """What is done about all pools at one moment."""

    at_us: int
    pools: Mapping[str, Relief]

    @property
    def chosen(self) -> frozenset[CameraDay]:
        """The camera-days that are judged as pressed."""
        return frozenset(day for relief in self.pools.values() for day in relief.taken)

    @property
    def breaches(self) -> list[Breach]:
        """Of the pools where not enough may go."""
        return [relief.breach for relief in self.pools.values() if relief.breach]
