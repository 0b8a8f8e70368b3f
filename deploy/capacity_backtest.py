"""Forecasts tried on an installation's own history, as `keepsight capacity backtest` and the API show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from capacity.backtest import BASELINE, Backtest, backtest
from capacity.past import TRIED_FROM_DAYS, UNCHANGED, Past, Tried, best_of, tried, try_the_past
from capacity.planned_file import NOTHING_PLANNED, Planned
from deploy.capacity_forecast import Known, must_be_enough
from segments.errors import BadInput

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class TriedOn:
    """What was tried: `cameras` a camera-day (None: too little history; `missing` says what it takes), `pools` what pools kept."""

    days: int
    cameras: Backtest | None
    missing: str
    past: Past
    pools: Mapping[str, Tried]

    def tables(self) -> Iterator[tuple[str, str, Rows]]:
        """A title, what is to be said below, and a row a model: error, as a part of the baseline's, coverage of 50 and of 90 %."""
        baseline = self.pools[UNCHANGED].error
        rows = [[name, f"{each.error:.2%}", _part(each.error, baseline), *map(_percent, each.covers)] for name, each in self.pools.items()]
        said = f"in use: {best_of(self.pools)}; tried on {self.past.origins} earlier days; baseline: pools stay as they were last week"
        yield f"what pools kept up to {self.past.tried_days} days later, error of what was kept", said, rows
        if self.cameras is None:
            yield "what cameras recorded a day", self.missing, []
            return
        rows = [
            [name, f"{each.error_bytes / 1e9:.2f} GB", f"{self.cameras.of_baseline[name]:.0%}", *map(_percent, each.covers)]
            for name, each in sorted(self.cameras.tried.items(), key=lambda item: item[1].error_bytes)
        ]
        yield f"what cameras recorded a day, {self.days} days ahead", f"best: {self.cameras.best}; baseline: {BASELINE}", rows


def tried_on(known: Known, days: int, planned: Planned = NOTHING_PLANNED) -> TriedOn:
    """Tries all models; raises BadInput for a history on which nothing can be tried."""
    must_be_enough(known.history)
    if days < 1:
        raise BadInput("a forecast looks a day ahead at least")
    past = try_the_past(known.history, days, known.keeps, additions=planned.additions)
    if not past.origins:
        raise BadInput(f"{known.history.days} days of history: forecasts can be tried from {TRIED_FROM_DAYS} days on")
    cameras, missing = None, ""
    try:
        cameras = backtest(known.history, days)
    except BadInput as error:
        missing = str(error)
    return TriedOn(days, cameras, missing, past, tried(past))


def backtest_values(found: TriedOn) -> dict[str, object]:
    """The same as plain values."""
    pools = {
        name: {"error": _number(each.error), "covers_50": _number(each.covers[0]), "covers_90": _number(each.covers[1])}
        for name, each in found.pools.items()
    }
    cameras = found.cameras and {
        name: {
            "error_bytes": round(each.error_bytes),
            "of_baseline": _number(found.cameras.of_baseline[name]),
            "covers_50": _number(each.covers[0]),
            "covers_90": _number(each.covers[1]),
        }
        for name, each in found.cameras.tried.items()
    }
    return {
        "days": found.days,
        "pools": {"in_use": best_of(found.pools), "baseline": UNCHANGED, "tried_from_days": found.past.origins, "models": pools},
        "cameras": {"best": found.cameras.best, "baseline": BASELINE, "models": cameras} if found.cameras else {"missing": found.missing},
    }


def _number(value: float) -> float | None:
    return None if isnan(value) else round(value, 5)


def _percent(value: float) -> str:
    return "" if isnan(value) else f"{value:.0%}"


def _part(value: float, of: float) -> str:
    return f"{value / of:.0%}" if of else ""
