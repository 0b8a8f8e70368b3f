"""What the routes of plans are asked with and answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST_FILES = 8
MOST_LETTERS = 200_000
_GOOD = """plan = 1
title = "Our town"
years = [2026, 2030]

[tiers.general]
keep_days = 31

[sites.town]
name = "Town"

[cameras.streets]
site = "town"
class = 1
stock = { 2026 = 800, 2030 = 2000 }
bitrate_mbit_per_s = { low = 2, likely = 3, high = 4 }
tier = "general"
"""
_MORE = """extends = "ours.toml"
title = "Our town, kept for 90 days"

[tiers.general]
keep_days = 90
"""
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
FileName = Annotated[str, Field(pattern=_NAME)]
PlanText = Annotated[str, Field(max_length=MOST_LETTERS)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    plan: FileName = Field(description="One of `files`, or a shipped plan: `province`, `province-h265`", examples=["ours.toml"])
    files: dict[FileName, PlanText] = Field(
        default_factory=dict,
        max_length=MOST_FILES,
        description="Plans as TOML by their names; they may extend one another, and the shipped ones",
        examples=[{"ours.toml": _GOOD, "more.toml": _MORE}],
    )
    year: int | None = Field(None, description="Of this year only", examples=[2030])
    site: str | None = Field(None, max_length=200, description="Of this site only; empty: of all together", examples=["town"])


class PlanWanted(_Asked):
    """A plan to be worked out."""


class ExplanationWanted(_Asked):
    """A figure of a plan whose sources are wanted; without a year that of the last."""

    figure: str = Field(max_length=100, examples=["stored_bytes"])


class ComparisonWanted(_Asked):
    """Two plans to be put side by side."""

    other: FileName = Field(description="As `plan`", examples=["more.toml"])


class PlanFigure(BaseModel):
    """A figure at the end of a year: 90 of 100 worlds lie between `low` and `high`, half below `likely`."""

    year: int = Field(examples=[2030])
    site: str = Field(description="Empty: all sites together", examples=["town"])
    figure: str = Field(examples=["stored_bytes"])
    unit: str = Field(examples=["B"])
    low: float
    likely: float
    high: float


class ComparedFigure(PlanFigure):
    """A figure that two plans have."""

    low_other: float
    likely_other: float
    high_other: float
    change: float | None = Field(description="By how much of the first the other is more: 0.1 is a tenth")


class PlanView(BaseModel):
    """What a plan comes to."""

    title: str
    figures: list[PlanFigure]


class ComparisonView(BaseModel):
    """Two plans side by side, in the same worlds."""

    title: str
    other: str
    figures: list[ComparedFigure]


class StepView(BaseModel):
    """One line of an explanation: a formula with what it came to, or what is given and who says so."""

    name: str = Field(examples=["stored_bytes"])
    unit: str = Field(examples=["B"])
    low: float
    likely: float
    high: float
    formula: str = Field(description="Empty: it is given")
    why: str
    parts: int = Field(description="How many groups or sites it is summed over")


class ExplanationView(BaseModel):
    """The steps to a figure: the figure first, each step once."""

    title: str
    year: int
    steps: list[StepView]
