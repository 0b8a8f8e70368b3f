"""What a twin's pools really keep: its days, holds and failures played evening by evening through the rules of retention. Pure.

Nothing here knows a term. Each evening the rules are asked about every day of footage that is still there whether it goes; forecasts, which
reckon ahead when it will, are tried against what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from capacity.flow import Goes, Held, Leaves
from capacity.history import History
from capacity.levels import Floats

_NEVER_LIFTED = 0.1

Lines = NDArray[np.int64]
"""Places of cameras in a history."""


@dataclass(frozen=True, slots=True)
class LivedHold:
    """A hold on the days from `first` to the one before `end` of some cameras; it stood from `placed` to the day before `lifted`."""

    lines: Lines
    first: date
    end: date
    placed: date
    lifted: date = date.max

    def stands(self, on: date) -> bool:
        """Whether it binds in the evening of a day."""
        return self.placed <= on < self.lifted


@dataclass(frozen=True, slots=True)
class SiteAway:
    """Another site was lost from `first` on and back on `end`: what was recorded meanwhile missed its copy until then."""

    first: date
    end: date


@dataclass(frozen=True, slots=True)
class Played:
    """What was kept at the end of each day: bytes by pool, in order of name, and of those the ones that stayed for a hold alone."""

    pools: Sequence[str]
    kept_bytes: Floats
    held_bytes: Floats


class _Stock:
    """What is there: for each tier the days that wait to go, and lines of days that only holds keep."""

    def __init__(self, history: History, holds: Sequence[LivedHold], away: Sequence[SiteAway]) -> None:
        self._first = history.first
        self._away = away
        self._holds: dict[int, list[LivedHold]] = {}
        for hold in holds:
            for day in range((hold.first - history.first).days, (hold.end - history.first).days):
                self._holds.setdefault(day, []).append(hold)
        tiers = history.cameras["tier"].to_numpy()
        self._lines = {str(tier): np.flatnonzero(tiers == tier) for tier in np.unique(tiers)}
        self._waiting: dict[str, list[int]] = {tier: [] for tier in self._lines}
        self.only_held: dict[tuple[str, int], Lines] = {}

    def evening(self, number: int, goes: Goes) -> Iterator[tuple[int, Lines]]:
        """Lets go what goes by the end of a day; each day's lines that went."""
        on = self._first + timedelta(days=number)
        freed = [(tier, day, self._free(lines, day, on)) for (tier, day), lines in self.only_held.items()]
        for tier, day, lines in freed:
            if lines.size and goes(tier, self._day(day), on, held=False, short=self._short(day, on)):
                self._keep_only(tier, day, np.setdiff1d(self.only_held[tier, day], lines))
                yield day, lines
        for tier, lines in self._lines.items():
            self._waiting[tier].append(number)
            for day in list(self._waiting[tier]):
                if not goes(tier, self._day(day), on, held=False, short=self._short(day, on)):
                    continue
                self._waiting[tier].remove(day)
                free = self._free(lines, day, on)
                held = np.setdiff1d(lines, free)
                if held.size and goes(tier, self._day(day), on, held=True, short=self._short(day, on)):
                    free, held = lines, held[:0]
                self._keep_only(tier, day, held)
                yield day, free

    def _keep_only(self, tier: str, day: int, lines: Lines) -> None:
        self.only_held.pop((tier, day), None)
        if lines.size:
            self.only_held[tier, day] = lines

    def _free(self, lines: Lines, day: int, on: date) -> Lines:
        """Those of these lines that no hold covers on that day."""
        for hold in self._holds.get(day, ()):
            if hold.stands(on):
                lines = np.setdiff1d(lines, hold.lines)
        return lines

    def _short(self, day: int, on: date) -> bool:
        return any(away.first <= self._day(day) < away.end and on < away.end for away in self._away)

    def _day(self, number: int) -> date:
        return self._first + timedelta(days=number)


def play(history: History, goes: Goes, holds: Sequence[LivedHold] = (), away: Sequence[SiteAway] = ()) -> Played:
    """Plays all days. Before the first nothing was there."""
    pools = sorted(history.cameras["pool"].unique().to_list())
    pool_of = np.searchsorted(pools, history.cameras["pool"].to_numpy())
    recorded = np.nan_to_num(history.recorded_bytes).astype(np.float64)
    stock = _Stock(history, holds, away)
    kept, held = np.zeros((len(pools), history.days)), np.zeros((len(pools), history.days))

    def by_pool(day: int, lines: Lines | slice) -> Floats:
        return np.bincount(pool_of[lines], recorded[lines, day], len(pools)).astype(np.float64)

    now = np.zeros(len(pools))
    for number in range(history.days):
        now += by_pool(number, slice(None))
        for day, lines in stock.evening(number, goes):
            now -= by_pool(day, lines)
        kept[:, number] = now
        for (_, day), lines in stock.only_held.items():
            held[:, number] += by_pool(day, lines)
    return Played(pools, kept, held)


def live_holds(history: History, *, a_year: float = 40.0, seed: int = 1) -> Sequence[LivedHold]:
    """Holds as cases bring them: some cameras of an area, some days of late, most lifted after months, one in ten never."""
    rng = np.random.default_rng(seed)
    areas = history.cameras["area"].to_numpy()
    found = []
    for _ in range(rng.poisson(a_year * history.days / 365)):
        among = np.flatnonzero(areas == rng.choice(areas))
        lines = np.sort(rng.choice(among, min(len(among), 1 + int(rng.lognormal(2, 1))), replace=False))
        placed = history.first + timedelta(days=int(rng.integers(0, history.days)))
        first = placed - timedelta(days=int(rng.integers(0, 25)))
        lifted = placed + timedelta(days=30 + int(rng.exponential(240)))
        end = first + timedelta(days=1 + int(rng.exponential(6)))
        found.append(LivedHold(lines, first, end, placed, date.max if rng.random() < _NEVER_LIFTED else lifted))
    return found


def known_holds(holds: Sequence[LivedHold], history: History, on: date, leaves: Leaves) -> Held:
    """What is known of holds in the evening of a day, as forecasts take it: those that stand; nobody knows when they are lifted."""
    line_of = {camera: line for line, camera in enumerate(history.cameras["camera"])}
    standing = [hold for hold in holds if hold.stands(on)]

    def held(cameras: pl.DataFrame, first: date, days: int, /) -> NDArray[np.float32]:
        shares = np.zeros((cameras.height, days), np.float32)
        lines = np.array([line_of[camera] for camera in cameras["camera"]])
        tiers = cameras["tier"].to_numpy()
        for hold in standing:
            for day in range(max(0, (hold.first - first).days), min(days, (hold.end - first).days)):
                there = [tier for tier in np.unique(tiers) if leaves(tier, first + timedelta(days=day)) >= hold.placed]
                shares[np.isin(lines, hold.lines) & np.isin(tiers, there), day] = 1.0
        return shares

    return held
