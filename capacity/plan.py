"""What a plan comes to: each figure of each year, for each group of cameras, each site and the whole, in all worlds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from capacity.formula import Samples, compute, inputs_of
from capacity.formulas import FORMULAS, Level
from capacity.plan_file import Group, Plan
from capacity.ranges import WORLDS, Range, summed_up

WHOLE = ""
"""The place that is all sites together."""

Place = str
_Values = dict[str, Samples]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a year: of each group of cameras, of each site, and of the whole (`WHOLE`)."""

    groups: Mapping[str, Mapping[str, Samples]]
    places: Mapping[Place, Mapping[str, Samples]]

    def of(self, name: str, place: Place = WHOLE) -> Range:
        """A figure of a site, or of the whole."""
        return summed_up(self.places[place][name])


def work_out(plan: Plan) -> Mapping[int, Figures]:
    """All figures by year; raises BadInput if a formula needs an input that the plan does not give."""
    return dict(each_year(plan))


def each_year(plan: Plan) -> Iterator[tuple[int, Figures]]:
    """The same a year at a time, for those who do not want all of them in memory."""
    given = {name: each.value.samples(name) for name, each in plan.inputs.items()}
    for year in plan.years:
        yield year, _year(plan, year, given)


def _year(plan: Plan, year: int, given: Mapping[str, Samples]) -> Figures:
    given = {**given, "years_on": np.full(WORLDS, float(year - plan.years[0]))}
    groups = {name: _group(plan, group, year, given) for name, group in _where_recorded(plan, year).items()}
    sites: dict[Place, Mapping[str, Samples]] = {}
    for site in plan.sites:
        own = [groups[name] for name, group in plan.cameras.items() if name in groups and group.site == site]
        if plan.sites[site].lost:
            continue
        moved = [values for name, values in groups.items() if name.endswith(f"{_MOVED}{site}")]
        nodes = plan.sites[site].nodes
        there = np.full(WORLDS, float(nodes)) if nodes is not None else np.full(WORLDS, np.nan)
        sites[site] = _computed(Level.SITE, {**given, "nodes_there": there, **_sum([*own, *moved])})
    whole = _computed(Level.WHOLE, {**given, **_sum(sites.values())})
    return Figures(groups, {**sites, WHOLE: whole})


_MOVED = " at "


def _where_recorded(plan: Plan, year: int) -> dict[str, Group]:
    """The groups of a year, those of a lost site divided over the others in proportion to the cameras they have."""
    lost = {name for name, site in plan.sites.items() if site.lost}
    left = {name: stock_of(group, year) for name, group in plan.cameras.items() if group.site not in lost}
    total = sum(left.values())
    groups = {name: plan.cameras[name] for name in left}
    for name, group in plan.cameras.items():
        if group.site in lost and total:
            for site in plan.sites.keys() - lost:
                share = sum(count for other, count in left.items() if plan.cameras[other].site == site) / total
                stock = {at: count * share for at, count in group.stock.items()}
                groups[f"{name}{_MOVED}{site}"] = group.model_copy(update={"site": site, "stock": stock})
    return groups


def stock_of(group: Group, year: int) -> float:
    """The cameras of a group at the end of a year by its stock alone: even steps between the years named, level outside of them."""
    named = sorted(group.stock)
    return float(np.interp(year, named, [group.stock[each] for each in named]))


def _group(plan: Plan, group: Group, year: int, given: Mapping[str, Samples]) -> _Values:
    tier, part = plan.tiers[group.tier], plan.tiers[group.part_tier or group.tier]
    values: _Values = {
        name: given[value] if isinstance(value := getattr(group, name), str) else value.samples(name)
        for name in ("bitrate_mbit_per_s", "recorded_share", "growth_per_year", "part_share")
    }
    grown = (1 + values.pop("growth_per_year")) ** max(0, year - max(group.stock))
    fixed = {"keep_days": tier.keep_days, "part_keep_days": part.keep_days, "tier_copies": tier.copies, "part_copies": part.copies}
    values |= {name: np.full(WORLDS, float(value)) for name, value in fixed.items()}
    return _computed(Level.CAMERAS, {**given, **values, "cameras": stock_of(group, year) * grown})


def _computed(level: Level, values: Mapping[str, Samples]) -> _Values:
    """The formulas of a level; what needs a price that is not given is left out."""
    done = dict(values)
    for formula in FORMULAS:
        if formula.level is level and not any(is_price(name) and name not in done for name in inputs_of(formula.text)):
            done[formula.name] = np.broadcast_to(compute(formula.text, done), (WORLDS,))
    return done


def is_price(name: str) -> bool:
    """Whether an input may be missing: money is said only where prices are given."""
    return name == "price" or name.endswith("_price")


def _sum(parts: Iterable[Mapping[str, Samples]]) -> _Values:
    """What can be summed of groups or sites: cameras, and figures that are amounts of something."""
    found = list(parts)
    names = [name for name in _AMOUNTS if all(name in part for part in found)]
    return {name: np.sum([part[name] for part in found], axis=0) if found else np.zeros(WORLDS) for name in names}


_NOT_SUMMED = frozenset({"coded_mbit_per_s", "kept_days", "copies", "held_share", "full_share"})
_AMOUNTS = ("cameras", *(each.name for each in FORMULAS if each.level is not Level.WHOLE and each.name not in _NOT_SUMMED))
