"""What is planned, as a file (TOML, format 1): cameras to come, tiers about to change, holds to come, sizes of pools, terms of tiers.

A forecast cannot know these things; they change what comes in and what leaves. What is wrong in a file is said with its line, its field and
what would be right.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from capacity.flow import Leaves
from capacity.inflow import Addition
from capacity.plan_lines import sentence_of
from capacity.tier_changes import TierChange
from segments.errors import BadInput

_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kMGTPE]?)B\s*$")
_STEPS = {"": 1, **{step: 1000**place for place, step in enumerate("kMGTPE", 1)}}


def _size(given: object) -> object:
    if not isinstance(given, str):
        return given
    found = _SIZE.match(given)
    if found is None:
        raise ValueError(f'{given!r} is no size: write "400 TB", or a number of bytes')
    return round(float(found[1]) * _STEPS[found[2]])


Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
"""Bytes: a number, or a text like "400 TB" (decimal steps, as disks are sold)."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannedPool(_Part):
    """How large a pool is, or will be. `high_mark`: above this part of it footage goes before it is due."""

    size: Size
    high_mark: float = Field(0.95, gt=0, le=1)


class PlannedTier(_Part):
    """How long footage is kept, in days, where no rules of an installation say it."""

    floor_days: int = Field(gt=0, le=3660)
    keep_days: int = Field(gt=0, le=3660)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.floor_days > self.keep_days:
            raise ValueError(f"`floor_days` ({self.floor_days}) cannot be more than `keep_days` ({self.keep_days})")
        return self


class PlannedCameras(_Part):
    """Cameras that come evenly from `from` to `to`, the last one included. Without a bitrate each records as others of pool and tier do."""

    pool: str
    tier: str
    count: int = Field(ge=1)
    begin: date = Field(alias="from")
    end: date = Field(alias="to")
    mbit_per_s: float | None = Field(None, gt=0, le=1000)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.begin > self.end:
            raise ValueError(f"`from` ({self.begin}) cannot be after `to` ({self.end})")
        return self


class PlannedChange(_Part):
    """A tier that is another from a day on, for its cameras of an area and below; without an area for all."""

    tier: str
    to: str
    on: date
    area: str = ""


class PlannedHolds(_Part):
    """How much of what is recorded holds will cover that nobody has placed yet. Not said: as much as holds covered over the last year."""

    new_share: float = Field(ge=0, le=1)


class Planned(_Part):
    """What is planned, whole."""

    planned: Literal[1] = 1
    pools: dict[str, PlannedPool] = {}
    tiers: dict[str, PlannedTier] = {}
    cameras: dict[str, PlannedCameras] = {}
    changes: dict[str, PlannedChange] = {}
    holds: PlannedHolds | None = None

    @property
    def additions(self) -> list[Addition]:
        """The cameras that come."""
        return [
            Addition(each.pool, each.begin, each.end, each.count, each.tier, each.mbit_per_s and each.mbit_per_s * 1e6 / 8 * 86_400)
            for each in self.cameras.values()
        ]

    @property
    def tier_changes(self) -> list[TierChange]:
        """The tiers that change."""
        return [TierChange(each.tier, each.to, each.on, each.area) for each in self.changes.values()]

    def keeps(self) -> Leaves:
        """When footage leaves by the terms of the file."""
        return self._by({name: tier.keep_days for name, tier in self.tiers.items()})

    def floors(self) -> Leaves:
        """When footage may leave at the earliest by the terms of the file."""
        return self._by({name: tier.floor_days for name, tier in self.tiers.items()})

    def _by(self, terms: dict[str, int]) -> Leaves:
        def leaves(tier: str, day: date, /) -> date:
            if tier not in terms:
                raise BadInput(f"nothing says how long tier {tier!r} is kept: write [tiers.{tier}] with floor_days and keep_days")
            return day + timedelta(days=terms[tier] + 1)

        return leaves


NOTHING_PLANNED = Planned()


def read_planned(path: Path) -> Planned:
    """What a file says; raises BadInput naming file, line, field and what would be right."""
    try:
        return planned_of(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'it is no text in UTF-8'})") from None


def planned_of(text: str, name: str) -> Planned:
    """What a text says; `name` is what errors call it."""
    try:
        return Planned.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise BadInput("\n".join(sentence_of(name, text, one) for one in error.errors())) from None
    except (ValueError, RecursionError) as error:  # no TOML, or a number or a nesting beyond what Python reads
        raise BadInput(f"{name}: no TOML: {error}") from None
