"""Builders of what retention works with: policies, holds, receipts, and footage that is old enough to go."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

from retention.policy import Policy
from retention.policy_record import POLICIES, policy_values
from segments.clock import US_PER_DAY
from segments.hold import HOLDS, Hold, hold_values
from segments.model import Row
from segments.ports import Records
from segments.receipt import Gone, Receipt
from segments.record import Record, new_record
from segments.tier import general_tier, key_area_tier
from tests.builders import NOON_US, a_row

REVIEW = date(2027, 1, 1)
NEVER_US = 1


def a_policy(**fields: Any) -> Policy:
    """The shipped tiers, general for all and key-area for class 1, bound since long ago."""
    tiers = {tier.name: tier for tier in (general_tier("Chen", REVIEW), key_area_tier("Chen", REVIEW))}
    good: dict[str, Any] = {
        "version": 1,
        "by": "Chen",
        "reason": "the law",
        "written_us": NEVER_US,
        "binds_us": NEVER_US,
        "tiers": tiers,
        "default": "general",
        "areas": {},
        "classes": {1: "key-area"},
    }
    return Policy(**good | fields)


def a_hold(**fields: Any) -> Hold:
    """A hold on all of the camera `gate` for ever."""
    good: dict[str, Any] = {
        "id": "h1",
        "case": "2026-17",
        "reason": "collision at the gate",
        "placed_by": "Li",
        "placed_us": NOON_US,
        "start_us": 0,
        "cameras": ("gate",),
    }
    return Hold(**good | fields)


def a_gone(row: Row | None = None, **fields: Any) -> Gone:
    """A segment that was deleted."""
    row = row or a_row()
    good: dict[str, Any] = {name: getattr(row, name) for name in ("pool", "key", "version", "size", "sha256", "start_us", "end_us")}
    return Gone(**good | fields)


def a_receipt(**fields: Any) -> Receipt:
    """The first receipt of a chain: one segment of noon of the camera `gate`, deleted 40 days later."""
    segments = fields.get("segments", (a_gone(),))
    due_us = NOON_US + 40 * US_PER_DAY
    good: dict[str, Any] = {
        "chain": "sweep.0-of-1",
        "number": 1,
        "previous": "",
        "camera": "gate",
        "day": a_row().day,
        "segments": segments,
        "closings": (),
        "older": 0,
        "policy": 1,
        "rule": "tier general (the default, policy 1)",
        "reasons": {"due": len(segments)},
        "decided_us": due_us,
        "listed_us": due_us + 60_000_000,
        "claimed_us": due_us + 3_660_000_000,
        "holds_us": due_us + 3_660_000_001,
        "holds": 0,
        "confirmed_us": due_us + 3_661_000_000,
        "place": "local",
    }
    return Receipt(**good | fields)


def a_record(**fields: Any) -> Record:
    """The first revision of a note."""
    good: dict[str, Any] = {"kind": "note", "id": "n1", "revision": 1, "text": '{"said":"something"}'}
    return Record(**good | fields)


def sha256_of(text: str) -> str:
    """Of its UTF-8 bytes, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


async def write_policy(records: Records, policy: Policy | None = None) -> None:
    """Puts a policy where the deciders find it."""
    policy = policy or a_policy()
    await records.put_record(new_record(POLICIES, str(policy.version), policy_values(policy)))


async def write_hold(records: Records, hold: Hold | None = None) -> None:
    """Puts a hold where the deciders find it; only its record, as the first step of placing one."""
    hold = hold or a_hold()
    await records.put_record(new_record(HOLDS, hold.id, hold_values(hold)))
