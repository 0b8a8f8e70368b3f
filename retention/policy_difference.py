"""What a policy says that the one before it did not, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any

from retention.policy import Policy
from segments.tier import Tier

_TIER_FIELDS = tuple(field.name for field in fields(Tier) if field.name != "name")


def difference(before: Policy | None, after: Policy) -> list[str]:
    """One line for each change; of the first policy (`before` None) all that it says."""
    return list(_changes(before, after))


def _changes(before: Policy | None, after: Policy) -> Iterator[str]:
    tiers = before.tiers if before else {}
    for name in sorted(tiers.keys() | after.tiers.keys()):
        yield from _tier_changes(name, tiers.get(name), after.tiers.get(name))
    default = before.default if before else ""
    yield from _changed("default", default, after.default)
    yield from _entries("area", before.areas if before else {}, after.areas)
    yield from _entries("class", before.classes if before else {}, after.classes)
    if before is None:
        yield f"zone: {after.zone}"


def _tier_changes(name: str, before: Tier | None, after: Tier | None) -> Iterator[str]:
    if after is None:
        yield f"tier {name}: taken out"
    elif before is None:
        yield f"tier {name}: new, " + ", ".join(f"{each} {_said(getattr(after, each))}" for each in _TIER_FIELDS)
    else:
        for each in _TIER_FIELDS:
            yield from _changed(f"tier {name}: {each}", _said(getattr(before, each)), _said(getattr(after, each)))


def _entries(what: str, before: Mapping[Any, str], after: Mapping[Any, str]) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        yield from _changed(f"{what} {key}", before.get(key, ""), after.get(key, ""))


def _changed(what: str, before: str, after: str) -> Iterator[str]:
    if before != after:
        yield f"{what}: {before or 'none'} -> {after or 'none'}"


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat() if isinstance(value, date) else str(value)


def reviews_due(policies: Sequence[Policy], today: date) -> list[Tier]:
    """The tiers of policies in force or announced whose review date has come, each name once, by date."""
    due = {tier.name: tier for policy in policies for tier in policy.tiers.values() if tier.review <= today}
    return sorted(due.values(), key=lambda tier: (tier.review, tier.name))
