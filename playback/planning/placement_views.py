"""What the route of placement is asked with and answers."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, Field

from playback.planning.forecast_views import Outlook

MOST_MOVES = 10_000
_DAY = {"main": "2027-03-01"}


class PlacementWanted(Outlook):
    """Which cameras to move before a pool fills."""

    days: int = Field(180, ge=1, le=1_095, description="How far to look ahead")
    chance: Literal[50, 75, 95] = Field(75, description="In so many of 100 worlds the pools shall have room")
    limit: int = Field(1_000, ge=1, le=MOST_MOVES, description="How many of the moves are told")


class MoveView(BaseModel):
    """The new footage of a camera goes from one pool to another."""

    camera: str
    tier: str = Field(examples=["general"])
    source: str = Field(examples=["main"])
    target: str = Field(examples=["second"])
    day_bytes: float = Field(description="What it brings a day")


class PlacementView(BaseModel):
    """What to move, and what that stands on."""

    first: date = Field(description="The first of the days ahead")
    days: int
    chance: float
    cameras: int = Field(description="How many are to be moved; `moves` has at most `limit` of them")
    moves: list[MoveView]
    moved_day_bytes: float = Field(description="Of all of them")
    too_full_if_nothing_is_moved: dict[str, date] = Field(description="Pools that pass their high mark, and since when", examples=[_DAY])
    too_full_all_the_same: dict[str, date] = Field(
        description="Those that moves cannot help, or not in time, and since when", examples=[_DAY]
    )
    too_full_until: dict[str, date] = Field(description="The last of the days ahead on which these are", examples=[_DAY])
