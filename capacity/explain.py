"""Where a figure comes from: its formula, all formulas below it, and what they are fed with and who says so. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capacity.formula import Samples, inputs_of
from capacity.formulas import FORMULAS, Formula, Level
from capacity.plan import WHOLE, Figures, Place
from capacity.plan_file import Plan
from capacity.ranges import Range, summed_up
from segments.errors import BadInput

_BY_NAME = {formula.name: formula for formula in FORMULAS}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an explanation. `formula` '' for what is given; `parts` counts the groups or sites it is summed over, 1 for none.

    Where a value differs between groups, `value` goes from the least of all to the most.
    """

    name: str
    unit: str
    value: Range
    formula: str
    why: str
    parts: int = 1


def explain(plan: Plan, figures: Figures, name: str, place: Place = WHOLE) -> Sequence[Step]:
    """The steps to a figure of a place, the figure first and each step once; raises BadInput if there is no such figure or place."""
    if place not in figures.places:
        raise BadInput(f"there is no site `{place}`; there is {', '.join(sorted(filter(None, figures.places)))}")
    if name not in figures.places[place]:
        raise BadInput(f"there is no figure `{name}`; there is {', '.join(sorted(figures.places[place].keys() & _BY_NAME.keys()))}")
    steps: dict[str, Step] = {}
    waiting = [name]
    while waiting:
        here = waiting.pop(0)
        if here not in steps:
            steps[here] = _step(plan, figures, here, place)
            waiting += inputs_of(steps[here].formula) if steps[here].formula else ()
    return list(steps.values())


def _step(plan: Plan, figures: Figures, name: str, place: Place) -> Step:
    formula = _BY_NAME.get(name)
    values = figures.places[place].get(name)
    below = list(_below(plan, figures, place, formula, name))
    if formula is not None:
        parts = len(below) if formula.level is not _level(place) else 1
        value = summed_up(values) if values is not None else _spread(below)
        return Step(name, formula.unit, value, formula.text, formula.why, parts)
    if name in plan.inputs:
        given = plan.inputs[name]
        said = given.source or (f"assumed: {given.assumption}" if given.assumption else "")
        return Step(name, given.unit, given.value, "", said)
    if name == "cameras" and values is not None:
        return Step(name, "", summed_up(values), "", "stock and growth of the groups of cameras", len(below))
    return Step(
        name, "", _spread(below) if below else summed_up(values if values is not None else np.zeros(1)), "", "of each group", len(below)
    )


def _level(place: Place) -> Level:
    return Level.WHOLE if place == WHOLE else Level.SITE


def _below(plan: Plan, figures: Figures, place: Place, formula: Formula | None, name: str) -> Iterator[Samples]:
    """The values of the groups, or sites, that a name stands for at a place."""
    level = formula.level if formula is not None else Level.CAMERAS
    found: Mapping[str, Mapping[str, Samples]] = figures.groups
    if level is Level.SITE:
        found = {site: values for site, values in figures.places.items() if site != WHOLE}
    for each, values in found.items():
        site = each if level is Level.SITE else _site_of(plan, each)
        if name in values and place in {WHOLE, site}:
            yield values[name]


def _site_of(plan: Plan, group: str) -> str:
    name, _, moved_to = group.partition(" at ")
    return moved_to or plan.cameras[name].site


def _spread(below: Sequence[Samples]) -> Range:
    """From the least group to the most."""
    ranges = [summed_up(values) for values in below]
    return Range(min(r.low for r in ranges), float(np.median([r.likely for r in ranges])), max(r.high for r in ranges))
