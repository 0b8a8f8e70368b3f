"""Plans as files (TOML, format 1): what is asked for, by whom it was said, and what is only assumed.

A plan has years, inputs, tiers, sites and groups of cameras. A scenario `extends` another file and says only what differs: tables are laid
over those of the file below, value by value. What is wrong is said with its line, its field and what would be right.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from capacity.plan_lines import line_of, sentence_of
from capacity.ranges import Range, between, exactly
from segments.errors import BadInput

MAX_EXTENDS = 8
PLANS = Path(__file__).parent / "plans"
COSTS = PLANS / "costs.toml"
"""What all plans lie over: what a camera, a segment and a row cost, as measured."""


Read = Callable[[Path], str]
"""Gives the text of a plan's file; raises OSError or UnicodeDecodeError, or BadInput where there is no such file."""


def read_file(path: Path) -> str:
    """A file of this machine."""
    return path.read_text(encoding="utf-8")


def _range(given: object) -> object:
    if isinstance(given, bool) or not isinstance(given, int | float | dict):
        return given
    if not isinstance(given, dict):
        return exactly(_finite(given))
    if set(given) != {"low", "likely", "high"}:
        raise ValueError("a range has `low`, `likely` and `high`")
    try:
        return between(*(_finite(given[name]) for name in ("low", "likely", "high")))
    except BadInput as error:
        raise ValueError(str(error)) from None


def _finite(given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError(f"a number is wanted, not {given!r}")
    return float(given)


Ranged = Annotated[Range, BeforeValidator(_range)]
"""A number, or `{ low = , likely = , high = }`."""


Year = Annotated[int, Field(ge=1970, le=2200)]
Cameras = Annotated[float, Field(le=1e9)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Input(_Part):
    """A number of the plan with where it comes from; an `assumption` is nobody's word but ours."""

    value: Ranged
    unit: str = ""
    source: str = ""
    assumption: str = ""
    assumption_zh: str = ""


class Tier(_Part):
    """How long and how often footage is kept. `keep_days`: the longest its term can be, in days."""

    keep_days: float = Field(gt=0, le=3660)
    copies: int = Field(1, ge=1, le=5)


class Site(_Part):
    """Where footage is kept. `nodes`: storage nodes it has already; none: as many as are needed."""

    name: str
    name_zh: str = ""
    nodes: int | None = Field(None, ge=0)
    lost: bool = False
    """Its cameras are recorded by the other sites, in proportion to what each has."""


class Group(_Part):
    """Cameras of one kind at one site. `stock`: how many there are at the end of a year; between the years named it grows evenly.

    A value is a number, a range, or the name of an input: groups that name the same input are uncertain together. `part_share` of the
    cameras are kept by `part_tier` instead of `tier`.
    """

    site: str
    camera_class: int = Field(alias="class", ge=1, le=3)
    stock: dict[Year, Cameras] = Field(min_length=1)
    bitrate_mbit_per_s: Ranged | str
    recorded_share: Ranged | str = exactly(1.0)
    growth_per_year: Ranged | str = exactly(0.0)
    tier: str
    part_tier: str = ""
    part_share: Ranged | str = exactly(0.0)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.part_tier == "" and self.part_share != exactly(0.0):
            raise ValueError("`part_share` needs a `part_tier`")
        if any(count < 0 for count in self.stock.values()):
            raise ValueError("`stock` counts cameras: none may be below 0")
        return self


class Plan(_Part):
    """A plan, whole: all it names is in it."""

    plan: Literal[1]
    title: str
    title_zh: str = ""
    currency: str = ""
    years: tuple[Year, ...] = Field(min_length=1, max_length=50)
    inputs: dict[str, Input]
    tiers: dict[str, Tier]
    sites: dict[str, Site]
    cameras: dict[str, Group]

    @model_validator(mode="after")
    def _named_things_are_there(self) -> Self:
        if list(self.years) != sorted(set(self.years)):
            raise _wrong("years", "years rise, and each stands once")
        for name, group in self.cameras.items():
            _known(f"cameras.{name}.site", group.site, self.sites)
            _known(f"cameras.{name}.tier", group.tier, self.tiers)
            if group.part_tier:
                _known(f"cameras.{name}.part_tier", group.part_tier, self.tiers)
            for field in ("bitrate_mbit_per_s", "recorded_share", "growth_per_year", "part_share"):
                if isinstance(value := getattr(group, field), str):
                    _known(f"cameras.{name}.{field}", value, self.inputs)
        if all(site.lost for site in self.sites.values()):
            raise _wrong("sites", "one site at least is not lost")
        return self


def _known(where: str, name: str, among: Mapping[str, object]) -> None:
    if name not in among:
        raise _wrong(where, f"there is no `{name}`; there is {', '.join(among) or 'none'}")


def _wrong(where: str, sentence: str) -> PydanticCustomError:
    """An error at a place like `cameras.gate.tier`."""
    return PydanticCustomError("plan", "{sentence}", {"sentence": sentence, "place": where})


def read_plan(path: Path, read: Read = read_file) -> Plan:
    """The plan of a file and of those it extends; raises BadInput naming file, line, field and what would be right."""
    return plan_of(_laid_over(path, MAX_EXTENDS, read), path, read)


def plan_of(values: Mapping[str, Any], path: Path, read: Read = read_file) -> Plan:
    """A plan of values that were read from a file."""
    try:
        return Plan.model_validate(values)
    except ValidationError as error:
        text = read(path)
        raise BadInput("\n".join(sentence_of(path.name, text, one) for one in error.errors())) from None


def _laid_over(path: Path, left: int, read: Read) -> dict[str, Any]:
    if left == 0:
        raise BadInput(f"{path}: plans extend one another more than {MAX_EXTENDS} deep; is it a circle?")
    try:
        values = tomllib.loads(read(path))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # what is no TOML, no UTF-8, or a number or a nesting beyond what Python reads
        raise BadInput(f"{path}: no TOML: {error}") from None
    below = values.pop("extends", None)
    if below is None:
        return values if path == COSTS else _merged(_laid_over(COSTS, 1, read_file), values)
    if not isinstance(below, str):
        raise BadInput(f"{path}, line {line_of(read(path), ['extends'])}: `extends` is the path of a plan")
    return _merged(_laid_over(path.parent / below, left - 1, read), values)


def _merged(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables laid over one another; ranges and years are replaced whole."""
    merged = dict(below)
    for name, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(name), dict) and "likely" not in value
        merged[name] = _merged(below[name], value) if both else value
    return merged
