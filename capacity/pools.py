"""When pools and sites fill: what each will keep, with intervals, and the day it is too full. Pure.

What comes in is `inflow`; what goes out is decided by the rules of retention; how wide the intervals are says the `past`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from capacity.flow import Held, Leaves, kept_bytes
from capacity.history import History
from capacity.inflow import Addition, Inflow, Place, inflow
from capacity.levels import CameraModel, Floats, expected_levels
from capacity.past import MODELS, Past, Tried, best_of, errors, tried, try_the_past, widths
from segments.errors import BadInput

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Reached = tuple[date | None, date | None, date | None]
"""When a size is reached: at the earliest (1 of 20), as likely as not, and at the latest (19 of 20); None beyond the horizon."""


@dataclass(frozen=True, slots=True)
class PoolForecast:
    """What a pool keeps at the end of each day from `first` on: bytes at `QUANTILES`, and `likely`."""

    pool: str
    first: date
    likely: Floats
    at: Floats

    def full_on(self, size_bytes: float) -> Reached:
        """When it reaches a size."""
        early, middle, late = (self._reaches(self.at[place], size_bytes) for place in (4, 2, 0))
        return early, middle, late

    def _reaches(self, line: Floats, size_bytes: float) -> date | None:
        over = np.flatnonzero(line >= size_bytes)
        return self.first + timedelta(days=int(over[0])) if over.size else None


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is ahead of a history: what comes into each place, and what the past says of forecasts."""

    history: History
    horizon: int
    model: str
    tried: Mapping[str, Tried]
    past: Past
    come: Inflow

    def kept(self, leaves: Leaves) -> Floats:
        """What each place keeps by such rules, over the history and the days after it."""
        return kept_bytes(self.history.first, [tier for _, tier in self.come.places], self.come.recorded, leaves, self.come.held)

    def forecasts(self, leaves: Leaves, groups: Mapping[str, Sequence[Place]]) -> Sequence[PoolForecast]:
        """What groups of places will keep by such rules: a pool's, a site's."""
        if not groups:
            return []
        kept = self.kept(leaves)[:, self.history.days :]
        rows = [[self.come.places.index(place) for place in places] for places in groups.values()]
        known = [[self.past.places.index(place) for place in places if place in self.past.places] for places in groups.values()]
        wide = widths(errors(self.past.of([group for group in known if group]), self.model))
        steps = np.stack([-wide[1], -wide[0], np.zeros(self.horizon), wide[0], wide[1]])
        lines = [kept[group].sum(axis=0) for group in rows]
        return [PoolForecast(name, self.history.end, line, line * np.exp(steps)) for name, line in zip(groups, lines, strict=True)]


def look_ahead(
    history: History,
    horizon: int,
    leaves: Leaves,
    *,
    additions: Sequence[Addition] = (),
    held: Held | None = None,
    new_hold_share: float = 0.0,
    models: Mapping[str, CameraModel] = MODELS,
) -> Ahead:
    """Tries all models on the past and takes the least wrong. `additions` are all that were planned, those of the past too.

    (Else these look like usual growth.) Raises BadInput for a horizon without days, and as `inflow` does.
    """
    if horizon < 1:
        raise BadInput("a forecast looks a day ahead at least")
    past = try_the_past(history, horizon, leaves, additions=additions, models=models)
    found = tried(past)
    model = best_of(found)
    come = inflow(history, horizon, models[model], additions=additions, held=held, new_hold_share=new_hold_share)
    return Ahead(history, horizon, model, found, past, come)


def by_pool(places: Sequence[Place]) -> Mapping[str, Sequence[Place]]:
    """The places of each pool, in order of name."""
    return {pool: [place for place in places if place[0] == pool] for pool in sorted({pool for pool, _ in places})}


def forecast_pools(history: History, horizon: int, leaves: Leaves, *, additions: Sequence[Addition] = ()) -> Sequence[PoolForecast]:
    """Every pool, in order of name; raises as `look_ahead` does."""
    ahead = look_ahead(history, horizon, leaves, additions=additions)
    return ahead.forecasts(leaves, by_pool(ahead.come.places))


def keep(history: History, horizon: int, leaves: Leaves, *, additions: Sequence[Addition] = ()) -> Mapping[str, Floats]:
    """The likely bytes of each pool at the end of each of the days to come, by the model `levels`."""
    come = inflow(history, horizon, expected_levels, additions=additions)
    kept = kept_bytes(history.first, [tier for _, tier in come.places], come.recorded, leaves)[:, history.days :]
    return {pool: kept[[come.places.index(place) for place in places]].sum(axis=0) for pool, places in by_pool(come.places).items()}
