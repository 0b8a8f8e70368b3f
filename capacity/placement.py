"""Which cameras to move to which pool before one fills, so that as few bytes a day as can be go elsewhere. Pure.

What is stored stays where it is; of a camera that is moved, new footage goes to the other pool. So moving relieves a pool by what the
camera would have brought since, as far as that would still be kept: a byte a day of a tier that is kept longer relieves more. Days on which
no move can be enough are said, not hidden; and where there are some, it is too late to hurry, and what is enough later is moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from capacity.flow import Leaves, kept_bytes
from capacity.levels import Floats
from segments.errors import BadInput

MOVABLE = {"camera": pl.String, "pool": pl.String, "tier": pl.String, "day_bytes": pl.Float64}
"""Columns of the cameras that may be moved; `day_bytes` is what each brings a day."""
_ROUNDING = 1e-9
Helped = NDArray[np.bool_]
"""On which of the days ahead moving cameras can be enough."""


@dataclass(frozen=True, slots=True)
class PoolAhead:
    """A pool: at which site, how many bytes it may keep, what it will keep at the end of each day ahead; `opened`: it takes new cameras."""

    site: str
    limit_bytes: float
    ahead_bytes: Floats
    opened: bool = True


class Move(NamedTuple):
    """The new footage of a camera goes from one pool to another."""

    camera: str
    tier: str
    source: str
    target: str
    day_bytes: float


@dataclass(frozen=True, slots=True)
class Advice:
    """What to move. `too_full`: pools that pass their limit all the same, and the first and the last day on which they do."""

    moves: Sequence[Move]
    too_full: Mapping[str, tuple[date, date]]

    @property
    def moved_day_bytes(self) -> float:
        """How much goes elsewhere every day."""
        return sum(move.day_bytes for move in self.moves)


def advise(cameras: pl.DataFrame, rooms: Mapping[str, PoolAhead], first: date, leaves: Leaves) -> Advice:
    """What to move from `first` on, the first of the days ahead, so that no pool passes its limit while others of its site have room.

    `cameras` is a frame `MOVABLE`. A pool that nothing is known of neither gives nor takes. Raises BadInput if pools look ahead to
    different days.
    """
    if len({room.ahead_bytes.shape for room in rooms.values()}) > 1:
        raise BadInput("pools have to be looked at over the same days")
    days = next((len(room.ahead_bytes) for room in rooms.values()), 0)
    tiers = cameras["tier"].unique().sort().to_list()
    reliefs = dict(zip(tiers, kept_bytes(first, tiers, np.ones((len(tiers), days)), leaves), strict=True))
    desk = _Desk(rooms, reliefs)
    for pool in sorted(rooms, key=lambda name: (-float(desk.over(name).max(initial=0)), name)):
        desk.relieve(pool, cameras.filter(pl.col("pool") == pool))
    over = {pool: np.flatnonzero(desk.over(pool) > 0) for pool in sorted(rooms)}
    spans = {pool: (int(found[0]), int(found[-1])) for pool, found in over.items() if found.size}
    return Advice(desk.moves, {pool: (first + timedelta(begin), first + timedelta(last)) for pool, (begin, last) in spans.items()})


class _Desk:
    """What pools will keep with all moves so far."""

    def __init__(self, rooms: Mapping[str, PoolAhead], reliefs: Mapping[str, Floats]) -> None:
        self._rooms, self._reliefs = rooms, reliefs
        self._ahead = {pool: room.ahead_bytes.astype(np.float64) for pool, room in rooms.items()}
        self.moves: list[Move] = []

    def over(self, pool: str) -> Floats:
        """By how much a pool passes its limit on each day."""
        limit = self._rooms[pool].limit_bytes
        return np.maximum(0, self._ahead[pool] - limit * (1 + _ROUNDING))

    def relieve(self, pool: str, cameras: pl.DataFrame) -> None:
        """Moves what has to be moved from a pool: each tier is tried first, and the least bytes a day that are enough are taken."""
        brings = {tier: float(total) for tier, total in cameras.group_by("tier").agg(pl.col("day_bytes").sum()).iter_rows()}
        most = sum((total * self._reliefs[tier] for tier, total in brings.items()), np.zeros_like(self._ahead[pool]))
        helped: Helped = self.over(pool) <= most
        if not helped.all():  # it is too late for some days: no more is moved than is enough once one term has passed
            helped &= np.arange(len(helped)) >= min((int(np.argmax(self._reliefs[tier])) for tier in brings), default=0)
        by_term = sorted(brings, key=lambda tier: (-float(self._reliefs[tier].sum()), tier))
        tries = [self._tried(pool, [lead, *(tier for tier in by_term if tier != lead)], cameras, helped) for lead in by_term]
        least = min(tries, key=lambda moves: (self._left_over(pool, moves, helped), sum(move.day_bytes for move in moves)), default=())
        for move in least:
            self._shift(move, 1)
        self.moves += least

    def _tried(self, pool: str, tiers: Sequence[str], cameras: pl.DataFrame, helped: Helped) -> Sequence[Move]:
        """What would be moved with the tiers in this order; nothing is moved yet."""
        before, ahead = list(self.moves), {name: line.copy() for name, line in self._ahead.items()}
        for tier in tiers:
            mine = cameras.filter(pl.col("tier") == tier).sort("day_bytes", "camera", descending=[True, False])
            self._move_enough(pool, tier, list(mine.select("camera", "day_bytes").iter_rows()), helped)
        tried = self.moves[len(before) :]
        for move in sorted(tried, key=lambda each: each.day_bytes):
            self._shift(move, -1)
            if (self.over(pool)[helped] > 0).any():
                self._shift(move, 1)
            else:
                tried.remove(move)
        self.moves, self._ahead = before, ahead
        return tried

    def _left_over(self, pool: str, moves: Sequence[Move], helped: Helped) -> float:
        gone = sum((move.day_bytes * self._reliefs[move.tier] for move in moves), np.zeros_like(self._ahead[pool]))
        return float(np.maximum(0, self._ahead[pool] - gone - self._rooms[pool].limit_bytes * (1 + _ROUNDING))[helped].sum())

    def _move_enough(self, pool: str, tier: str, cameras: Sequence[tuple[str, float]], helped: Helped) -> None:
        """From the largest to the smallest those that are not too much; then, if that was not enough, the smallest that is."""
        left = []
        for camera, day_bytes in cameras:
            needed = self._needed(pool, tier, helped)
            if needed <= 0:
                return
            if day_bytes > needed or not self._moved(camera, day_bytes, pool, tier):
                left.append((camera, day_bytes))
        needed = self._needed(pool, tier, helped)
        enough = [each for each in reversed(left) if each[1] >= needed > 0]
        any(self._moved(camera, day_bytes, pool, tier) for camera, day_bytes in enough)

    def _needed(self, pool: str, tier: str, helped: Helped) -> float:
        """How many bytes a day of a tier have to go, that no day counts on which the pool is too full."""
        over, relief = self.over(pool)[helped], self._reliefs[tier][helped]
        return float(np.max(np.divide(over, relief, out=np.zeros_like(over), where=relief > 0), initial=0))

    def _moved(self, camera: str, day_bytes: float, pool: str, tier: str) -> bool:
        """Moves a camera; says whether there is a pool it fits in."""
        target = self._target(pool, tier, day_bytes)
        if target is not None:
            self.moves.append(Move(camera, tier, pool, target, day_bytes))
            self._shift(self.moves[-1], 1)
        return target is not None

    def _shift(self, move: Move, sign: int) -> None:
        shifted = sign * move.day_bytes * self._reliefs[move.tier]
        self._ahead[move.source] -= shifted
        self._ahead[move.target] += shifted

    def _target(self, pool: str, tier: str, day_bytes: float) -> str | None:
        """Of the pools of the same site that stay within their limits, the one with the most room left."""
        site, best, most = self._rooms[pool].site, None, -1.0
        for name, room in sorted(self._rooms.items()):
            if name == pool or room.site != site or not room.opened:
                continue
            left = 1 - float(np.max(self._ahead[name] + day_bytes * self._reliefs[tier], initial=0)) / max(room.limit_bytes, 1.0)
            if left >= 0 and left > most:
                best, most = name, left
        return best
