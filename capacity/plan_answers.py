"""Answers to questions about plans that came as texts: plain values, as JSON has them. Of this machine only shipped plans are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from capacity.explain import explain
from capacity.plan import each_year
from capacity.plan_file import PLANS, Plan, Read, read_file, read_plan
from capacity.tables import beside, table
from segments.errors import BadInput

MOST_GROUPS = 500
"""Groups of cameras and sites in one plan, those of lost sites at each site that takes them over: each takes about 2 MB for a year."""
MOST_GROUP_YEARS = 5_000

SHIPPED = ("province", "province-h265")

Asked = Mapping[str, Any]


def plan_answer(asked: Asked) -> Mapping[str, Any]:
    """Keys of `asked`: `plan`, `files`, `year` and `site`; raises BadInput."""
    found = plan_of_texts(asked["plan"], asked["files"])
    return {"title": found.title, "figures": _of(asked, _figures(found)).to_dicts()}


def comparison_answer(asked: Asked) -> Mapping[str, Any]:
    """The same and `other`; figures and years that both have."""
    left, right = (plan_of_texts(asked[name], asked["files"]) for name in ("plan", "other"))
    both = beside(_figures(left), _figures(right))
    if both.is_empty():
        raise BadInput("the plans have no year and no site that both of them have")
    return {"title": left.title, "other": right.title, "figures": _of(asked, both).to_dicts()}


def explanation_answer(asked: Asked) -> Mapping[str, Any]:
    """The same as of a plan and `figure`; of its last year if none is said."""
    found = plan_of_texts(asked["plan"], asked["files"])
    year = found.years[-1] if asked["year"] is None else asked["year"]
    if year not in found.years:
        raise BadInput(_no_such("year", year, found.years))
    with _no_warnings():
        figures = next(figures for each, figures in each_year(found) if each == year)
        steps = explain(found, figures, asked["figure"], asked["site"] or "")
    if not all(math.isfinite(value) for step in steps for value in step.value):
        raise BadInput(f"{asked['figure']} is no number: an input is too large, 0, or not given")
    said = [
        {"name": step.name, "unit": step.unit, **step.value._asdict(), "formula": step.formula, "why": step.why, "parts": step.parts}
        for step in steps
    ]
    return {"title": found.title, "year": year, "steps": said}


PLAN_ANSWERS: Mapping[str, Callable[[Asked], Mapping[str, Any]]] = {
    "plan": plan_answer,
    "comparison": comparison_answer,
    "explanation": explanation_answer,
}
"""The answers, by question."""


def plan_of_texts(name: str, files: Mapping[str, str]) -> Plan:
    """A plan by its name among `files` or the shipped ones, which it may extend and no other; raises BadInput, also if it is too large."""
    found = read_plan(Path(name), _reading(files))
    left = sum(not site.lost for site in found.sites.values())
    groups = left + sum(left if found.sites[group.site].lost else 1 for group in found.cameras.values())
    if groups > MOST_GROUPS or groups * len(found.years) > MOST_GROUP_YEARS:
        raise BadInput(
            f"{name}: {groups} groups and sites, {len(found.years)} years; here at most {MOST_GROUPS}, and {MOST_GROUP_YEARS}"
            " times years: `keepsight capacity plan` has no limit"
        )
    return found


def _reading(files: Mapping[str, str]) -> Read:
    def read(path: Path) -> str:
        asked = str(path)
        if asked in files:
            return files[asked]
        shipped = asked.removesuffix(".toml")
        if shipped in SHIPPED:
            return read_file(PLANS / f"{shipped}.toml")
        raise BadInput(f"there is no plan `{asked}`; there is {', '.join([*files, *SHIPPED])}")

    return read


def _figures(found: Plan) -> pl.DataFrame:
    """Raises BadInput for figures that are none: inputs were beyond what can be counted with."""
    with _no_warnings():
        figures = pl.concat([table({year: figures}) for year, figures in each_year(found)])
    wrong = figures.filter(~pl.all_horizontal(pl.col("low", "likely", "high").is_finite()))
    if not wrong.is_empty():
        raise BadInput(f"{found.title}: {wrong['figure'][0]} of {wrong['year'][0]} is no number: some input is too large, or 0")
    return figures


def _no_warnings() -> np.errstate:
    """What overflows or divides by 0 is found in the result."""
    return np.errstate(all="ignore")


def _of(asked: Asked, figures: pl.DataFrame) -> pl.DataFrame:
    for name in ("year", "site"):
        if asked[name] is not None:
            there = figures[name].unique().sort().to_list()
            if asked[name] not in there:
                raise BadInput(_no_such(name, asked[name], there))
            figures = figures.filter(pl.col(name) == asked[name])
    return figures


def _no_such(what: str, wanted: object, there: Iterable[object]) -> str:
    return f"there is no {what} {wanted}; there is {', '.join(str(each) for each in there if each != '')}"
