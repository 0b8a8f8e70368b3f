"""What two sites that know the same hold make of it: the same, in whatever order and however often they tell each other. Pure.

A hold is its placing, the sets of what it covers, and the set of its changes; sets only grow, and of two ends the later counts. All that
is left follows from the changes. In doubt the hold stands: a lifting ends only what it was decided over, so a change that prolongs the hold
and was made elsewhere meanwhile keeps it standing until it is lifted again. (An observed-remove set: Shapiro and others, INRIA RR-7506.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from segments.hold import APPROVED, LIFTED, Hold, HoldChange


def merged(one: Hold, other: Hold) -> Hold:
    """One hold of two states of it; commutative, associative and idempotent. Raises ValueError if they are different holds."""
    if one.id != other.id:
        raise ValueError(f"{one.id} and {other.id} are different holds")
    if one == other:
        return one
    changes = _both(one.changes, other.changes)
    return replace(
        min(one, other, key=_placing),
        start_us=min(one.start_us, other.start_us),
        end_us=max(one.end_us, other.end_us),
        cameras=_both(one.cameras, other.cameras),
        areas=_both(one.areas, other.areas),
        seen=_both(one.seen, other.seen),
        review=max(one, other, key=_last_said).review,
        changes=changes,
        **_lifting(changes),
    )


def _placing(hold: Hold) -> tuple[int, str, str, str]:
    """The same at all sites, unless two of them gave two holds one id: then the first placed gives its name, and both are covered."""
    return hold.placed_us, hold.placed_by, hold.case, hold.reason


def _last_said(hold: Hold) -> tuple[HoldChange | tuple[()], date]:
    """Each change is later than those it was made over, so what it leaves to say about the review goes before what they did."""
    return max(hold.changes, default=()), hold.review or date.min


def _both(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return one if one == other else tuple(sorted({*one, *other}))


def _lifting(changes: Iterable[HoldChange]) -> dict[str, Any]:
    """Whether it is lifted, since when, by whom and why; by the last of those liftings that together were decided over all."""
    liftings = [change for change in changes if change.what == LIFTED]
    over = {mark for lifting in liftings for mark in lifting.over}
    if not liftings or any(change.prolongs and change.mark not in over for change in changes):
        return {"lifted_us": 0, "lifted_by": "", "lifted_reason": "", "approved_by": ""}
    last = max(liftings)
    approved = max((change for change in changes if change.what == APPROVED), default=None)
    return {"lifted_us": last.at_us, "lifted_by": last.by, "lifted_reason": last.why, "approved_by": approved.by if approved else ""}
