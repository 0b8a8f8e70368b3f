"""A story in the product's own values: the rules, cameras and rows as its index would hold them at a moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from retention.belongings import Former
from retention.plan import Circumstances, DayPlan, plan_day
from retention.policy import Belonging, Policy
from retention.pressure import Relief, relieve
from retention.rules import Rules
from segments.hold import Hold
from segments.model import Camera, Row
from segments.tier import Term, Tier
from tests.retention_sim.guard import Guard
from tests.retention_sim.story import TIERS, PolicyTold, Shot, Story


def as_they_are(rules: Rules) -> Rules:
    """All of them."""
    return rules


@dataclass(frozen=True)
class Deciders:
    """What decides: the product's own, or with a rule taken away."""

    term: type[Term] = Term
    rules: Callable[[Rules], Rules] = as_they_are
    plan: Callable[[Camera, date, list[Row], Circumstances], DayPlan] = plan_day
    relieve: Callable[..., Relief] = relieve
    guard: type[Guard] = Guard


@dataclass(frozen=True)
class Site:
    """What the index tells at a true moment."""

    rules: Rules
    cameras: dict[str, tuple[Camera, bool]]
    """Of each: what it is now, or was last; and whether it is in the archive."""

    def circumstances(self, camera: str, now_us: int, **more: Any) -> Circumstances:
        """See `Rules.circumstances`."""
        present, archived = self.cameras[camera]
        return self.rules.circumstances(present, now_us, archived=archived, **more)


def site_at(story: Story, at_us: int, deciders: Deciders) -> Site:
    """What has happened by then."""
    tiers = {name: _tier(name, deciders.term) for name in TIERS}
    policies = [_policy(told, tiers, story.zone, at_us) for told in story.policies if told.written_us <= at_us]
    cameras, former = {}, {}
    for name, lives in story.cameras.items():
        past = [was for was in lives if was.from_us <= at_us]
        last = past[-1]
        camera = Camera(id=name, name=name, url="", tier=last.tier, area=last.area, camera_class=last.number)
        former[name] = [Former(Belonging(was.tier, was.area, was.number), after.former_until_us) for was, after in pairwise(past)]
        known = Rules((), former, ()).camera(name, camera if last.there else None)
        cameras[name] = known, last.there
    former = {name: found for name, found in former.items() if found}
    holds = [
        Hold(told.id, "case", "reason", "Li", told.placed_us, told.start_us, told.end_us, told.cameras, told.areas, told.seen)
        for told in story.holds
        if told.placed_us <= at_us < told.lifted_us
    ]
    return Site(deciders.rules(Rules(policies, former, holds)), cameras)


def row_of(shot: Shot, number: int) -> Row:
    """The row of a segment."""
    key = f"{shot.camera}/{number}"
    return Row(shot.camera, shot.start_us, "home-a-1-1", number, shot.end_us, shot.stored_bytes, "disk", key, "", "", "", ())


def _tier(name: str, term: type[Term]) -> Tier:
    floor, keep_for, ceiling = (term(*told) for told in TIERS[name])
    return Tier(name, floor, keep_for, ceiling, "a simulation", "Chen", date(2027, 1, 1))


def _policy(told: PolicyTold, tiers: dict[str, Tier], zone: str, at_us: int) -> Policy:
    return Policy(
        version=told.version,
        by="Chen",
        reason="a simulation",
        written_us=told.written_us,
        binds_us=told.binds_us,
        tiers=tiers,
        default=told.default,
        areas=told.areas,
        classes=told.classes,
        zone=zone,
        withdrawn_us=told.withdrawn_us if told.withdrawn_us <= at_us else 0,
    )
