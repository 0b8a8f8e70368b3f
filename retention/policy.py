"""Which tier a camera's footage is kept by, and for how long that is. Pure.

Precedence: the camera's own tier, then the deepest area that has one, then its class, then the default. (Holds go before all of them:
retention/plan.py.)

A policy is written as a whole, in versions. Each has a moment from which it binds; until then the one before it binds, *and* what the new
one lengthens: of all that is in force or announced, the longest counts. So a lengthening binds at once, whatever still exists, and a
shortening when its notice is over. The same holds for a camera that was moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from segments.clock import iso
from segments.errors import BadInput
from segments.model import Camera
from segments.tier import Term, Tier

LEGAL_FLOOR = Term(days=30)
"""Regulation 799 of the State Council, Article 17."""


class Level(StrEnum):
    """What a tier was chosen by, the strongest first."""

    CAMERA = "camera"
    AREA = "area"
    CLASS = "class"
    DEFAULT = "default"


class Belonging(NamedTuple):
    """What of a camera decides about its tier."""

    tier: str
    area: str
    camera_class: int


class Choice(NamedTuple):
    """A tier, and the rule that chose it: its level, what it names there (a camera's rule: nothing), and the version of the policy."""

    tier: Tier
    level: Level
    key: str
    version: int

    def __str__(self) -> str:
        by = f"{self.level} {self.key}" if self.key else f"the {self.level}'s own" if self.level is Level.CAMERA else "the default"
        return f"tier {self.tier.name} ({by}, policy {self.version})"


@dataclass(frozen=True, slots=True)
class Policy:
    """All tiers, and which goes to whom: `areas` by path, `classes` by number. `legal_floor` is under no tier's floor.

    `zone` is the civil time its terms run by (tz database). `binds_us` is when it binds at the latest; `withdrawn_us` is when it was taken
    back before that, else 0, by whom and why.
    """

    version: int
    by: str
    reason: str
    written_us: int
    binds_us: int
    tiers: Mapping[str, Tier]
    default: str
    areas: Mapping[str, str]
    classes: Mapping[int, str]
    zone: str = "UTC"
    legal_floor: Term = LEGAL_FLOOR
    withdrawn_us: int = 0
    withdrawn_by: str = ""
    withdrawn_reason: str = ""

    def __post_init__(self) -> None:
        """Raises BadInput if it names a tier it does not have, has one below the legal floor, or misses who and why."""
        for what, name in self._named():
            if name not in self.tiers:
                raise BadInput(f"{what} names the tier {name!r}, which is not there; there are: {', '.join(sorted(self.tiers))}")
        for name, tier in self.tiers.items():
            if name != tier.name:
                raise BadInput(f"the tier {tier.name!r} is listed as {name!r}")
            if not self.legal_floor.within(tier.floor):
                raise BadInput(f"tier {name}: its floor ({tier.floor}) is below the legal one ({self.legal_floor})")
        if not self.by.strip() or not self.reason.strip():
            raise BadInput("a policy needs to say who wrote it, and why")
        if self.binds_us < self.written_us:
            raise BadInput("a policy cannot bind before it was written")
        try:
            ZoneInfo(self.zone)
        except (KeyError, OSError, ValueError):
            raise BadInput(f"{self.zone!r} is no zone of the tz database, as Asia/Shanghai is") from None

    def _named(self) -> Iterable[tuple[str, str]]:
        yield "the default", self.default
        yield from ((f"area {area}", name) for area, name in self.areas.items())
        yield from ((f"class {number}", name) for number, name in self.classes.items())


class Due(NamedTuple):
    """When a segment may go, falls due, and must be gone; and the choice that decided when it falls due."""

    floor_us: int
    keep_us: int
    ceiling_us: int
    choice: Choice


def belonging(camera: Camera) -> Belonging:
    """What of a camera decides."""
    return Belonging(camera.tier, camera.area, camera.camera_class)


def choose(policy: Policy, camera: Belonging) -> Choice:
    """The tier of a camera under one policy. A tier of its own that the policy does not have counts for nothing."""
    if camera.tier in policy.tiers:
        return Choice(policy.tiers[camera.tier], Level.CAMERA, "", policy.version)
    for area in _from_the_deepest(camera.area):
        if area in policy.areas:
            return Choice(policy.tiers[policy.areas[area]], Level.AREA, area, policy.version)
    if camera.camera_class in policy.classes:
        return Choice(policy.tiers[policy.classes[camera.camera_class]], Level.CLASS, str(camera.camera_class), policy.version)
    return Choice(policy.tiers[policy.default], Level.DEFAULT, "", policy.version)


def in_force(policies: Sequence[Policy], now_us: int) -> list[Policy]:
    """The newest policy that binds by now, and those announced after it; in order of version, as given. Raises BadInput if none binds."""
    standing = [policy for policy in policies if not policy.withdrawn_us]
    for before, after in pairwise(standing):
        if (after.version, after.binds_us) < (before.version, before.binds_us) or after.binds_us < before.binds_us:
            raise BadInput(f"policy {after.version} would bind before policy {before.version}, which it was written after")
    newest = max((place for place, policy in enumerate(standing) if policy.binds_us <= now_us), default=None)
    if newest is None:
        raise BadInput(f"no retention policy binds: nothing may be deleted; {_way_on(standing)}")
    return standing[newest:]


def _way_on(announced: Sequence[Policy]) -> str:
    if announced:
        return f"wait for policy {announced[0].version}, which binds on {iso(announced[0].binds_us)}"
    return "start retention with `keepsight retention start`"


def choices(policies: Sequence[Policy], camera: Belonging, *, formerly: Sequence[Belonging] = ()) -> tuple[Choice, ...]:
    """Every choice that counts, of policies in force; `formerly` is what the camera was until changes whose notice still runs."""
    return tuple(dict.fromkeys(choose(policy, each) for policy in policies for each in (camera, *formerly)))


def due(chosen: Sequence[Choice], end_us: int, zone: tzinfo) -> Due:
    """When footage with this end goes: the latest of all choices, for each of the three moments."""
    each = [_due_by(choice, end_us, zone) for choice in chosen]
    longest = max(each, key=lambda one: (one.keep_us, one.ceiling_us, one.choice.version))
    return Due(max(one.floor_us for one in each), longest.keep_us, max(one.ceiling_us for one in each), longest.choice)


def _due_by(choice: Choice, end_us: int, zone: tzinfo) -> Due:
    tier = choice.tier
    return Due(tier.floor.over_us(end_us, zone), tier.keep_for.over_us(end_us, zone), tier.ceiling.over_us(end_us, zone), choice)


def _from_the_deepest(area: str) -> Iterable[str]:
    while area:
        yield area
        area = area.rpartition("/")[0]
