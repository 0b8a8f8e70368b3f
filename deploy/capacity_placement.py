"""Placement advice for an installation, and moving the cameras: their new footage goes to another pool, what is stored stays.

For the command line and the API alike. Moving is an administrator's decision, and is written into the register with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import polars as pl

from capacity.history import History, site_of_pools
from capacity.placement import MOVABLE, Advice, Move, PoolAhead, advise
from capacity.planned_file import NOTHING_PLANNED, Planned
from capacity.pools import QUANTILES
from deploy.capacity_forecast import Foretold, Known, foretell
from deploy.cli_acts import act_of_command, registered_act
from deploy.settings import Settings
from playback.register import AuditIndex
from retention.camera_changes import ArchiveIndex, change_camera
from segments.audit import Action
from segments.errors import Conflict, NotFound, Refused
from segments.model import Camera
from segments.pools import PoolState, pool_for

AT_ONCE = 200
"""So many cameras are one entry of the register."""


class PlacementIndex(ArchiveIndex, AuditIndex, Protocol):
    """What moving cameras needs of the index."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What to move, and what that stands on. `chance`: the part of the worlds in which the pools keep within their high marks then."""

    advice: Advice
    foretold: Foretold
    first: date
    chance: float
    without: Mapping[str, tuple[date, date]]
    """The pools that pass their high mark if nothing is moved, and the first and last day on which they do."""

    def as_frame(self) -> pl.DataFrame:
        """A line a move."""
        schema = dict.fromkeys(Move._fields, pl.String) | {"day_bytes": pl.Float64}
        return pl.DataFrame(self.advice.moves, schema=schema, orient="row")

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "first": self.first.isoformat(),
            "days": self.foretold.ahead.horizon,
            "chance": self.chance,
            "moves": [move._asdict() for move in self.advice.moves],
            "moved_day_bytes": self.advice.moved_day_bytes,
            "too_full_if_nothing_is_moved": {pool: first.isoformat() for pool, (first, _) in self.without.items()},
            "too_full_all_the_same": {pool: first.isoformat() for pool, (first, _) in self.advice.too_full.items()},
            "too_full_until": {pool: last.isoformat() for pool, (_, last) in self.advice.too_full.items()},
        }


def place(
    known: Known, days: int, planned: Planned = NOTHING_PLANNED, *, chance: float = 0.75, settings: Settings | None = None
) -> Placement:
    """What to move so that no pool passes its high mark over so many days. Pools whose size nobody knows neither give nor take.

    `settings` are those of an installation: its pools are of one site, closed ones take nothing, and only its own cameras are moved. Raises
    BadInput as `foretell` does.
    """
    found = foretell(known, days, planned)
    quantile = QUANTILES.index(chance)
    lines = {each.name: each.kept.at[quantile] for each in found.fillings if not each.is_site}
    sites = _sites(known.history, settings)
    pools = {
        name: PoolAhead(sites.get(name, ""), room.mark_bytes, lines.get(name, np.zeros(days)), opened=_opened(name, settings))
        for name, room in known.rooms.items()
    }
    cameras = _movable(known.history, sites)
    nothing = advise(cameras.clear(), pools, known.history.end, known.keeps)
    return Placement(advise(cameras, pools, known.history.end, known.keeps), found, known.history.end, chance, nothing.too_full)


def _sites(history: History, settings: Settings | None) -> Mapping[str, str]:
    """The site of each pool, an installation's own for all of its."""
    if settings is not None:
        return dict.fromkeys(settings.pools, settings.site.name)
    return site_of_pools(history)


def _opened(pool: str, settings: Settings | None) -> bool:
    return settings is None or (pool in settings.pools and settings.pools[pool].state is PoolState.OPEN)


def _movable(history: History, sites: Mapping[str, str]) -> pl.DataFrame:
    """The cameras that are there and belong to the site of their pool, with what they bring a day."""
    there = pl.Series("there", ~np.isnan(history.recorded_bytes[:, -1]))
    at_home = pl.col("site") == pl.col("pool").replace_strict(dict(sites), default="", return_dtype=pl.String)
    lines = history.cameras.with_columns(pl.Series("day_bytes", history.late_day_bytes()), there).filter(
        pl.col("there") & (pl.col("day_bytes") > 0) & at_home
    )
    return lines.select(pl.col(name).cast(kind) for name, kind in MOVABLE.items())


class NotMoved(NamedTuple):
    """A camera that was left where it is, and why."""

    camera: str
    why: str


async def move_cameras(
    settings: Settings, index: PlacementIndex, moves: Sequence[Move], *, by: str, reason: str, now_us: int
) -> Sequence[NotMoved]:
    """Moves cameras, `AT_ONCE` an entry of the register, which is written first; those left out since they changed meanwhile.

    What was moved stays moved if this ends halfway, and may be asked again. Raises TryAgain, and then changes nothing more.
    """
    left: list[NotMoved] = []
    for begin in range(0, len(moves), AT_ONCE):
        some = moves[begin : begin + AT_ONCE]
        targets = ", ".join(sorted({f"{move.source} to {move.target}" for move in some}))
        what = f"moved the new footage of {len(some)} cameras by placement advice: {targets}"
        act = act_of_command(by, Action.CHANGE, what, cameras=[move.camera for move in some], reason=reason)
        left += await registered_act(settings, index, act, partial(_move, settings, index, some, now_us))
    return left


async def _move(settings: Settings, index: PlacementIndex, moves: Sequence[Move], now_us: int) -> list[NotMoved]:
    left = []
    for move in moves:
        try:
            camera = await index.camera(move.camera)
            if why := _moved_since(camera, move, settings):
                left.append(NotMoved(move.camera, why))
                continue
            after = replace(camera, pool=move.target)
            await change_camera(index, camera, after, now_us=now_us, notice_days=settings.retention.notice_days)
        except (NotFound, Conflict) as error:
            left.append(NotMoved(move.camera, str(error)))
    return left


def _moved_since(camera: Camera, move: Move, settings: Settings) -> str:
    """Why a camera is not moved any more, '' if it is."""
    if camera.home:
        return f"it is one of site {camera.home}"
    try:
        pool = pool_for(camera, settings.pool_assignment)
    except Refused as error:
        return str(error)
    return "" if pool == move.source else f"its footage goes to pool {pool} now, not to {move.source}"
