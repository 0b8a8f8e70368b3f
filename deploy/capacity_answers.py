"""Answers to questions of planners about this installation: plain values, as JSON has them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any

import polars as pl

from capacity.encoders import bitrates, hot
from capacity.forecast_tables import filling_values
from capacity.planned_file import NOTHING_PLANNED, Planned, planned_of
from deploy.capacity_backtest import backtest_values, tried_on
from deploy.capacity_forecast import Known, foretell
from deploy.capacity_forecast import of_installation as known_of_installation
from deploy.capacity_placement import place
from deploy.capacity_usage import Used, of_installation
from deploy.settings import Settings
from segments.errors import BadInput
from segments.ports import Index
from segments.usage import By

Asked = Mapping[str, Any]
Answer = Mapping[str, Any]

MOST_PANELS = 12
"""Pools and sites in one picture: the first to fill."""


async def usage_answer(settings: Settings, index: Index, now_us: int, asked: Asked) -> Answer:
    """Keys of `asked`: `by`, `depth`, `days`, `until` and `limit`; raises BadInput."""
    used = await _used(settings, index, now_us, asked)
    names = asked["by"]
    found = used.by([By(each) for each in names], depth=asked["depth"])
    lines = [
        {"of": {name: row[name] for name in names}, **{name: value for name, value in row.items() if name not in names}}
        for row in _values(found.head(asked["limit"]))
    ]
    return {"first": _text(used.first), "last": _text(used.last), "days": used.days, "groups": found.height, "lines": lines}


async def encoders_answer(settings: Settings, index: Index, now_us: int, asked: Asked) -> Answer:
    """Keys of `asked`: `days`, `until` and `limit`."""
    used = await _used(settings, index, now_us, asked)
    return {"bitrates": _values(bitrates(used.lines)), "hot": _values(hot(used.lines).head(asked["limit"]))}


async def _used(settings: Settings, index: Index, now_us: int, asked: Asked) -> Used:
    last = date.fromisoformat(asked["until"]) if asked["until"] else None
    if last is not None and last < date(1990, 1, 1):
        raise BadInput(f"`until` ({last}) lies before all footage")
    return await of_installation(settings, index, now_us, asked["days"], last)


async def forecast_answer(settings: Settings, index: Index, now_us: int, asked: Asked) -> Answer:
    """Keys of `asked`: `days`, `planned` and `picture`."""
    planned, known = await _known(settings, index, now_us, asked)
    found = foretell(known, asked["days"], planned)
    fillings = [each for each in found.fillings if not each.is_site or len(each.pools) > 1]
    picture = found.picture(fillings[:MOST_PANELS], "svg").decode() if asked["picture"] else None
    return {**found.basis(), "fillings": [filling_values(each) for each in fillings], "picture": picture}


async def backtest_answer(settings: Settings, index: Index, now_us: int, asked: Asked) -> Answer:
    """Keys of `asked`: `days` and `planned`."""
    planned, known = await _known(settings, index, now_us, asked)
    return backtest_values(tried_on(known, asked["days"], planned))


async def placement_answer(settings: Settings, index: Index, now_us: int, asked: Asked) -> Answer:
    """Keys of `asked`: `days`, `planned`, `chance` (a part of 1) and `limit`."""
    planned, known = await _known(settings, index, now_us, asked)
    found = place(known, asked["days"], planned, chance=asked["chance"], settings=settings)
    said = found.as_json()
    return said | {"cameras": len(found.advice.moves), "moves": [move._asdict() for move in found.advice.moves[: asked["limit"]]]}


async def _known(settings: Settings, index: Index, now_us: int, asked: Asked) -> tuple[Planned, Known]:
    planned = planned_of(asked["planned"], "planned") if asked["planned"] else NOTHING_PLANNED
    return planned, await known_of_installation(settings, index, now_us, planned)


def _values(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The lines of a frame; what is no number is null."""
    return [
        {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()}
        for row in frame.iter_rows(named=True)
    ]


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None


ANSWERS: Mapping[str, Callable[[Settings, Index, int, Asked], Awaitable[Answer]]] = {
    "usage": usage_answer,
    "encoders": encoders_answer,
    "forecast": forecast_answer,
    "backtest": backtest_answer,
    "placement": placement_answer,
}
"""The answers, by question."""
