"""Policies as records: version n is the record `n`; its text is JSON that people can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from retention.policy import Policy
from segments.ports import Records
from segments.record import Record
from segments.tier import Term, Tier

POLICIES = "policy"
"""The kind of their records."""
_TERMS = ("floor", "keep_for", "ceiling")


def policy_values(policy: Policy) -> dict[str, Any]:
    """What its record says; `policy_of` gives it back."""
    return asdict(policy) | {
        "tiers": {name: tier_values(tier) for name, tier in policy.tiers.items()},
        "classes": {str(number): name for number, name in policy.classes.items()},
        "legal_floor": policy.legal_floor._asdict(),
    }


def tier_values(tier: Tier) -> dict[str, Any]:
    """A tier as JSON has it."""
    return asdict(tier) | {name: getattr(tier, name)._asdict() for name in _TERMS} | {"review": tier.review.isoformat()}


def tier_of(values: dict[str, Any]) -> Tier:
    """A tier out of `tier_values`."""
    return Tier(**values | {name: Term(**values[name]) for name in _TERMS} | {"review": date.fromisoformat(values["review"])})


def policy_of(record: Record) -> Policy:
    """The policy of a record."""
    values = record.values
    return Policy(
        **values
        | {
            "tiers": {name: tier_of(tier) for name, tier in values["tiers"].items()},
            "classes": {int(number): name for number, name in values["classes"].items()},
            "legal_floor": Term(**values["legal_floor"]),
        }
    )


async def all_policies(records: Records) -> Sequence[Policy]:
    """Every version, in order, the withdrawn ones included."""
    return sorted((policy_of(record) for record in await records.records(POLICIES)), key=lambda policy: policy.version)
