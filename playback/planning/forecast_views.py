"""What the routes of forecasts are asked with and answer."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from playback.planning.plan_views import MOST_LETTERS

MOST_DAYS = 1_095
_PLANNED = """[pools.main]
size = "400 TB"

[cameras.spring]
pool = "main"
tier = "general"
count = 200
from = 2027-03-01
to = 2027-04-30
"""


class Outlook(BaseModel):
    """What all that look ahead are asked with."""

    model_config = ConfigDict(extra="forbid")

    planned: str = Field("", max_length=MOST_LETTERS, description="What is planned, as TOML", examples=[_PLANNED])


class ForecastWanted(Outlook):
    """What is ahead of pools and sites."""

    days: int = Field(365, ge=1, le=MOST_DAYS, description="How far to look ahead")
    picture: bool = Field(default=False, description="Draw it, too")


class BacktestWanted(Outlook):
    """How right forecasts would have been."""

    days: int = Field(90, ge=1, le=MOST_DAYS, description="How far the forecasts that are tried look ahead")


class HistoryView(BaseModel):
    """What a forecast stands on."""

    first: date
    days: int
    cameras: int


class ReachedView(BaseModel):
    """When something comes about: at the earliest (1 of 20), as likely as not, at the latest (19 of 20); null: not within the days."""

    earliest: date | None
    likely: date | None
    latest: date | None


class HitView(BaseModel):
    """Footage that is the first to go under its floor."""

    tier: str = Field(examples=["general"])
    day: date
    size_bytes: int = Field(alias="bytes")


class WhoseView(BaseModel):
    """Cameras of one area, class and tier that fill a pool."""

    area: str
    camera_class: int
    tier: str = Field(examples=["general"])
    cameras: int
    day_bytes: int
    share: float


class EndView(BaseModel):
    """What is kept on the last day: `likely`, and where 50 and 90 of 100 lie."""

    day: date
    low_90: int
    low_50: int
    likely: int
    high_50: int
    high_90: int


class FillingView(BaseModel):
    """What is ahead of a pool, or of a site: all its pools together."""

    what: str = Field(description="`pool` or `site`", examples=["pool"])
    name: str = Field(examples=["main"])
    pools: list[str]
    now_bytes: int
    size_bytes: int | None = Field(description="Null: it is not known")
    mark_bytes: int | None = Field(description="Above it footage goes before it is due")
    pressed: ReachedView = Field(description="When it passes its mark")
    full: ReachedView
    floor_breaks: ReachedView = Field(description="When what may not go yet does not fit any more")
    first_hit: list[HitView]
    whose: list[WhoseView]
    at_the_end: EndView


class ForecastView(BaseModel):
    """When pools and sites fill, and what that rests on."""

    history: HistoryView
    days: int
    model: str = Field(description="The one in use: it was least wrong on earlier days", examples=["levels"])
    tried_from_days: int = Field(description="On how many earlier days it was tried")
    error: dict[str, float | None] = Field(description="Of each model, as a part of what was kept", examples=[{"levels": 0.021}])
    new_hold_share: float
    retention: bool = Field(description="Whether any rule binds by which footage leaves")
    said: list[str] = Field(description="The same in sentences, and what to beware of")
    fillings: list[FillingView]
    picture: str | None = Field(None, description="SVG: what pools kept and will keep, and their sizes", examples=["<svg/>"])


class TriedOnPools(BaseModel):
    """A model on what pools kept: error as a part of it, and how much lay in the intervals of 50 and 90 %."""

    error: float | None
    covers_50: float | None
    covers_90: float | None


class PoolsTried(BaseModel):
    """All models on what pools kept."""

    in_use: str = Field(examples=["levels"])
    baseline: str = Field(examples=["unchanged"])
    tried_from_days: int
    models: dict[str, TriedOnPools]


class TriedOnCameras(BaseModel):
    """A model on what cameras recorded a day: mean absolute error, and that as a part of the baseline's."""

    error_bytes: int
    of_baseline: float | None
    covers_50: float | None
    covers_90: float | None


class CamerasTried(BaseModel):
    """All models on what cameras recorded; `missing` says what it takes where there is too little history."""

    best: str = ""
    baseline: str = ""
    models: dict[str, TriedOnCameras] = {}
    missing: str = ""


class BacktestView(BaseModel):
    """How wrong each model was on earlier days."""

    days: int
    pools: PoolsTried
    cameras: CamerasTried
