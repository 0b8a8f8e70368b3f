"""What a forecast is made of, from an installation or from files: its history, the rules by which footage leaves, holds, and room.

For the command line and the API alike; which model, which intervals and what they mean is decided in `capacity`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from capacity.amounts import amount
from capacity.days import DAYS
from capacity.flow import Held, Leaves
from capacity.history import CAMERAS, History, history_of
from capacity.inflow import held_share
from capacity.keeping import closed_before
from capacity.outlook import LEAST_DAYS, Filling, Room, needs_days, outlook
from capacity.past import TRIED_FROM_DAYS, UNCHANGED, days_needed
from capacity.planned_file import NOTHING_PLANNED, Planned
from capacity.pools import Ahead, look_ahead
from capacity.tier_changes import changed, tier_before, with_changes
from deploy.capacity_history import read_history
from deploy.capacity_rules import RulesInForce
from deploy.frame_file import read_frame
from deploy.pressure_watch import pool_sizes
from deploy.settings import Settings
from retention.pressure import PoolSize
from retention.rules import read_rules
from segments.errors import BadInput
from segments.model import Camera
from segments.ports import Index
from segments.usage import usage_by_pool

if TYPE_CHECKING:
    from capacity.plots import Picture

_DIFFERS = 0.2
MOST_DAYS = 3 * 365
"""Nothing is foretold beyond three years."""


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known: what was recorded, when footage leaves and when it may at the earliest, what holds keep, and how large pools are.

    `counted`: what each pool holds now, as counted. `retention`: whether a rule binds by which anything leaves.
    """

    history: History
    keeps: Leaves
    floors: Leaves
    held: Held | None
    rooms: Mapping[str, Room]
    counted: Mapping[str, int] = field(default_factory=dict)
    retention: bool = True


@dataclass(frozen=True, slots=True)
class Foretold:
    """A forecast: how it was made, and what is ahead of each pool and site."""

    known: Known
    ahead: Ahead
    fillings: tuple[Filling, ...]
    new_hold_share: float

    def basis(self) -> dict[str, object]:
        """What it stands on, as plain values."""
        history, ahead = self.known.history, self.ahead
        return {
            "history": {"first": history.first.isoformat(), "days": history.days, "cameras": history.cameras.height},
            "days": ahead.horizon,
            "model": ahead.model,
            "tried_from_days": ahead.past.origins,
            "error": {name: None if isnan(each.error) else round(each.error, 5) for name, each in ahead.tried.items()},
            "new_hold_share": round(self.new_hold_share, 5),
            "retention": self.known.retention,
            "said": list(self.sentences()),
        }

    def sentences(self) -> Iterator[str]:
        """The same for people, and what to beware of."""
        history, ahead = self.known.history, self.ahead
        last = history.end - timedelta(days=1)
        yield f"{history.cameras.height:,} cameras, {history.days:,} days of history ({history.first} to {last})"
        if isnan(ahead.tried[ahead.model].error):
            yield f"the intervals are a guess: forecasts can be tried from {TRIED_FROM_DAYS} days of history on"
        else:
            wrong = ", ".join(f"{name} {each.error:.1%}" for name, each in ahead.tried.items())
            yield f"model in use: {ahead.model}; tried on {ahead.past.origins} earlier days, wrong by (of what was kept): {wrong}"
            if (tried_days := ahead.past.tried_days) < ahead.horizon:
                yield (
                    f"tried up to {tried_days} days ahead, further the intervals are reckoned from there: "
                    f"to try {ahead.horizon} days takes {days_needed(ahead.horizon, history.days)} days of history"
                )
            if next(iter(ahead.tried)) == UNCHANGED:
                yield "no model was better than to say that pools stay as they are: believe the forecast only as far as its plan"
        if not self.known.retention:
            yield "no retention policy binds: nothing leaves, so usage only grows"
        for filling in self.fillings:
            yield from () if filling.is_site else self._compared(filling)
        if self.new_hold_share:
            yield f"holds that nobody has placed yet are reckoned with: {self.new_hold_share:.2%} of what comes"

    def _compared(self, filling: Filling) -> Iterator[str]:
        """Whether a pool holds what it should by the history and the rules."""
        counted, kept = self.known.counted.get(filling.name), filling.now_bytes
        if counted is not None and abs(counted - kept) > _DIFFERS * max(counted, kept):
            yield (
                f"pool {filling.name}: {amount(counted, 'B')} counted now, and {amount(kept, 'B')} by history and rules: footage is "
                "older than the history, went early, waits to be deleted, or lies in another pool than new footage does"
            )

    def picture(self, fillings: Sequence[Filling], form: Picture) -> bytes:
        """A panel for each of them: what it kept and will keep, and its size."""
        from capacity.plots import fillings as drawn  # matplotlib takes a while to load

        kept, places = self.ahead.kept(self.known.keeps)[:, : self.known.history.days], self.ahead.come.places
        lines = [kept[[row for row, (pool, _) in enumerate(places) if pool in each.pools]].sum(axis=0) for each in fillings]
        return drawn(fillings, self.known.history.first, lines, form)


async def of_installation(settings: Settings, index: Index, now_us: int, planned: Planned = NOTHING_PLANNED) -> Known:
    """The installation's own history, up to the last closed day, with the rules and holds in force and the sizes of its pools.

    Raises BadInput while there is no closed day.
    """
    rules = await read_rules(index)
    in_force = RulesInForce(rules)
    history = await _history(settings, index, now_us, in_force)
    counted = {name: usage.stored_bytes for name, usage in (await usage_by_pool(index)).items()}
    rooms = {name: _room(size, counted.get(name, 0)) for name, size in (await asyncio.to_thread(pool_sizes, settings)).items()}
    known = Known(history, in_force.leaves, in_force.leaves_pressed, in_force.held, rooms, counted, rules.any_binds(now_us))
    return with_planned(known, planned)


async def _history(settings: Settings, index: Index, now_us: int, in_force: RulesInForce) -> History:
    def tier_of(camera: Camera, registered: bool) -> str:
        return in_force.tier_of(camera, now_us, archived=registered)

    try:
        return await read_history(settings, index, now_us, before=closed_before(now_us), tier_of=tier_of)
    except BadInput as error:
        raise BadInput(f"{error}; a forecast takes {LEAST_DAYS} of them") from None


def _room(size: PoolSize, ours_bytes: int) -> Room:
    """What there is for footage: what others keep in a pool is room that is gone."""
    others_bytes = max(0, (size.used_bytes or 0) - ours_bytes)
    return Room(max(0, size.size_bytes - others_bytes), max(0, size.high_bytes - others_bytes))


def from_files(days: Path, cameras: Path, planned: Planned) -> Known:
    """A history beside an installation: a day frame and its cameras, as Parquet files; terms and sizes are those of the plan."""
    history = history_of(read_frame(days, DAYS), read_frame(cameras, CAMERAS))
    return with_planned(Known(history, planned.keeps(), planned.floors(), None, {}), planned)


def with_planned(known: Known, planned: Planned) -> Known:
    """What is known, with what is planned laid over it: sizes and terms that the plan names go before those of the installation."""
    rooms = {name: Room(pool.size, pool.size * pool.high_mark) for name, pool in planned.pools.items()}
    return replace(
        known,
        history=with_changes(known.history, planned.tier_changes),
        held=known.held and _before_changes(known.held),
        keeps=changed(_first_of(planned.tiers, planned.keeps(), known.keeps)),
        floors=changed(_first_of(planned.tiers, planned.floors(), known.floors)),
        rooms={**known.rooms, **rooms},
    )


def _before_changes(held: Held) -> Held:
    return lambda cameras, first, days: held(cameras.with_columns(pl.col("tier").map_elements(tier_before, pl.String)), first, days)


def _first_of(names: Mapping[str, object], first: Leaves, other: Leaves) -> Leaves:
    return lambda tier, day: first(tier, day) if tier in names else other(tier, day)


def foretell(known: Known, days: int, planned: Planned = NOTHING_PLANNED) -> Foretold:
    """The forecast of so many days; raises BadInput for too little history, and as `look_ahead` does."""
    must_be_enough(known.history)
    if days > MOST_DAYS:
        raise BadInput(f"a forecast looks {MOST_DAYS} days ahead at most, not {days}")
    share = 0.0
    if planned.holds is not None:
        share = planned.holds.new_share
    elif known.held is not None:
        share = held_share(known.history, known.held)
    ahead = look_ahead(known.history, days, known.keeps, additions=planned.additions, held=known.held, new_hold_share=share)
    return Foretold(known, ahead, tuple(outlook(ahead, known.keeps, known.floors, known.rooms)), share)


def must_be_enough(history: History) -> None:
    """Raises BadInput, saying when there will be enough, where there is too little history for a forecast."""
    if missing := needs_days(history):
        on: date = history.end + timedelta(days=missing)
        raise BadInput(
            f"{history.days} day{'s' if history.days != 1 else ''} of history ({history.first} to {history.end - timedelta(days=1)}): "
            f"a forecast takes {LEAST_DAYS} whole days (UTC), as weekends differ; ask again on {on}"
        )
