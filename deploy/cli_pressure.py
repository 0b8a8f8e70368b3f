"""`keepsight retention pressure`: when pools run full, which floors would break first, and which cannot be kept now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import typer
from rich.table import Table

from deploy.cli_frame import Config, Exit, Json, out, print_json, settings_of, with_stores
from deploy.pressure_watch import pool_sizes
from deploy.settings import Settings
from deploy.sizes import in_units
from deploy.wiring import Stores
from retention.breaches import BreachRecord, breaches
from retention.forecast import Forecast, Growth
from retention.pool_forecast import forecasts
from retention.pressure import PoolSize
from retention.rules import read_rules
from segments.clock import SystemClock, iso

CAMERAS_NAMED = 5
CONTRIBUTORS_SHOWN = 3


class Outlook(NamedTuple):
    """What was found of the pools whose size is known, and the breaches that are open."""

    sizes: Mapping[str, PoolSize]
    forecasts: Mapping[str, Forecast]
    breaches: Sequence[BreachRecord]


def pressure(json: Json = False, config: Config = None) -> None:
    """When each pool comes under pressure if all goes on as now, when its first floor would break, and what grows most.

    Exit code 1 while there is a floor that cannot be kept.
    """
    settings = settings_of(config)
    found = with_stores(settings, lambda stores: _look(stores, settings))
    if json:
        print_json(_as_json(found))
    else:
        _print(found)
    if found.breaches:
        raise typer.Exit(Exit.FINDINGS)


async def _look(stores: Stores, settings: Settings) -> Outlook:
    sizes = pool_sizes(settings)
    found = await forecasts(stores.index, await read_rules(stores.index), sizes, SystemClock().now_us())
    return Outlook(sizes, found, [breach for breach in await breaches(stores.index) if not breach.closed_us])


def _print(found: Outlook) -> None:
    table = Table("pool", "size", "under pressure", "a floor breaks")
    for name, forecast in sorted(found.forecasts.items()):
        table.add_row(name, in_units(found.sizes[name].size_bytes), _when(forecast.pressed), _when(forecast.breaks))
    out.print(table)
    for name, forecast in sorted(found.forecasts.items()):
        for growth in forecast.contributors[:CONTRIBUTORS_SHOWN]:
            out.print(f"{name}: {_grows(growth)}", highlight=False, markup=False)
    for breach in found.breaches:
        named = ", ".join(f"{camera} {day}" for camera, day in breach.hits[:CAMERAS_NAMED])
        text = f"pool {breach.pool} lacks {in_units(breach.missing_bytes)} since {iso(breach.opened_us)}; hit first: {named or 'nobody'}"
        out.print(text, style="red", highlight=False, markup=False)
        if breach.waiting:
            waits = ", ".join(f"{camera} {day}" for camera, day in breach.waiting[:CAMERAS_NAMED])
            out.print(f"{len(breach.waiting)} camera-days wait for copies at other sites: {waits}", highlight=False, markup=False)


def _when(day: date | None) -> str:
    return day.isoformat() if day else "not in 3 years"


def _grows(growth: Growth) -> str:
    return f"{growth.area or 'no area'} class {growth.camera_class}: {in_units(growth.day_bytes)} a day for {growth.keep_days} days"


def _as_json(found: Outlook) -> dict[str, Any]:
    return {
        "pools": [
            {
                "pool": name,
                "size_bytes": found.sizes[name].size_bytes,
                "pressed": forecast.pressed and forecast.pressed.isoformat(),
                "floor_breaks": forecast.breaks and forecast.breaks.isoformat(),
                "contributors": [growth._asdict() for growth in forecast.contributors],
            }
            for name, forecast in sorted(found.forecasts.items())
        ],
        "breaches": [
            {
                "pool": breach.pool,
                "since": iso(breach.opened_us),
                "missing_bytes": breach.missing_bytes,
                "hits": [{"camera": camera, "day": day.isoformat()} for camera, day in breach.hits],
                "waiting": [{"camera": camera, "day": day.isoformat()} for camera, day in breach.waiting],
            }
            for breach in found.breaches
        ],
    }
