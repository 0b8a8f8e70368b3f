"""Tiers that are about to change: what is kept by one until a day, and by another from it on. Pure.

What is gone by then is gone; what is there on the day is kept as the new tier says, be it longer or shorter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

import polars as pl

from capacity.flow import Leaves
from capacity.history import History


class TierChange(NamedTuple):
    """Cameras of a tier, in an area and below ("": everywhere), are kept by the tier `to` from the day `on` on."""

    tier: str
    to: str
    on: date
    area: str = ""


def with_changes(history: History, changes: Sequence[TierChange]) -> History:
    """The history with the tiers its cameras will have had, as texts that `changed` understands."""
    cameras = history.cameras
    for each in sorted(changes, key=lambda change: change.on):
        inside = (pl.col("area") == each.area) | pl.col("area").str.starts_with(f"{each.area}/") if each.area else pl.lit(value=True)
        is_it = (pl.col("tier") == each.tier) | pl.col("tier").str.contains(rf" then {re.escape(each.tier)} on \d{{4}}-\d\d-\d\d$")
        text = pl.col("tier") + f" then {each.to} on {each.on}"
        cameras = cameras.with_columns(pl.when(is_it & inside).then(text).otherwise("tier").alias("tier"))
    return replace(history, cameras=cameras)


def tier_before(tier: str) -> str:
    """What a tier was before it changes."""
    return tier.partition(" then ")[0]


def changed(leaves: Leaves) -> Leaves:
    """The same terms, for tiers that change, too."""

    def later(tier: str, day: date, /) -> date:
        before, then, last = tier.rpartition(" then ")
        to, _, on = last.rpartition(" on ")
        if not then:
            return leaves(tier, day)
        gone, change = later(before, day), date.fromisoformat(on)
        return gone if gone < change else max(change, leaves(to, day))

    return later
