"""Which rules of a policy speak of a camera, in order of precedence, and why one decides and the others do not. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from retention.policy import Belonging, Level, Policy


class Considered(NamedTuple):
    """A rule that was looked at, the strongest first: its tier ('' if it names none), whether it decided, and why or why not."""

    level: Level
    key: str
    tier: str
    won: bool
    why: str


def considered(policy: Policy, camera: Belonging) -> tuple[Considered, ...]:
    """Every rule of a policy that could have been this camera's, in order of precedence, and what became of it."""
    found: list[Considered] = []
    for level, key, tier, missing in _rules(policy, camera):
        winner = next((each for each in found if each.won), None)
        won = bool(tier) and winner is None
        why = "the strongest rule that names a tier" if won else _beaten(winner, level) if tier and winner else missing
        found.append(Considered(level, key, tier, won, why))
    return tuple(found)


def _rules(policy: Policy, camera: Belonging) -> Iterator[tuple[Level, str, str, str]]:
    """Level, key, tier ('' if there is none) and what to say then."""
    own = camera.tier if camera.tier in policy.tiers else ""
    yield Level.CAMERA, "", own, f"names {camera.tier!r}, which policy {policy.version} does not have" if camera.tier else "names no tier"
    areas = [camera.area[:end] for end, sign in enumerate(f"{camera.area}/") if sign == "/" and end]
    ruled = [area for area in reversed(areas) if area in policy.areas]
    yield from ((Level.AREA, area, policy.areas[area], "") for area in ruled)
    if not ruled:
        yield Level.AREA, camera.area, "", "no rule for its area, or one around it" if camera.area else "lies in no area"
    yield Level.CLASS, str(camera.camera_class), policy.classes.get(camera.camera_class, ""), "no rule for its class"
    yield Level.DEFAULT, "", policy.default, ""


def _beaten(winner: Considered, level: Level) -> str:
    if winner.level is level:
        return f"area {winner.key} is deeper"
    return f"{winner.level} goes before {level}"
