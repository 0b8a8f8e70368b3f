"""Holds and what became of them as JSON, for commands and API alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retention.hold_report import HoldReport
from retention.holds import Placed
from retention.taking_back import Stretch
from segments.clock import iso
from segments.hold import FOR_EVER_US, Hold


def hold_json(hold: Hold) -> dict[str, Any]:
    """A hold; moments are RFC 3339, `end` is null where it has none."""
    lifted = {"at": iso(hold.lifted_us), "by": hold.lifted_by, "reason": hold.lifted_reason, "approved_by": hold.approved_by or None}
    return {
        "id": hold.id,
        "case": hold.case,
        "reason": hold.reason,
        "placed_by": hold.placed_by,
        "placed": iso(hold.placed_us),
        "start": iso(hold.start_us),
        "end": None if hold.end_us >= FOR_EVER_US else iso(hold.end_us),
        "cameras": list(hold.cameras),
        "areas": list(hold.areas),
        "seen": list(hold.seen),
        "review": hold.review.isoformat() if hold.review else None,
        "stands": hold.stands,
        "lifted": None if hold.stands else lifted,
        "changes": [{"at": iso(change.at_us), "by": change.by, "what": change.what, "why": change.why} for change in hold.changes],
    }


def placed_json(placed: Placed) -> dict[str, Any]:
    """A hold as it was placed, and what was found on its way to deletion."""
    return {
        "hold": hold_json(placed.hold),
        "cameras": list(placed.cameras),
        "empty_areas": list(placed.empty_areas),
        "taken_back": [{"camera": place.camera, "day": place.date.isoformat()} for place in placed.back.camera_days],
        "too_late": _stretches(placed.back.too_late),
        "deleted": _stretches(placed.back.deleted),
    }


def report_json(report: HoldReport) -> dict[str, Any]:
    """What a hold keeps."""
    locks = report.locks
    return {
        "hold": hold_json(report.hold),
        "cameras": report.cameras,
        "camera_days": report.camera_days,
        "segments": report.segments,
        "bytes": report.stored_bytes,
        "locks": {"set": locks.locked, "of": locks.of, "refused": locks.refused, "unlockable": locks.unlockable, "lifted": locks.lifted},
        "deleted": _stretches(report.deleted),
    }


def _stretches(stretches: Sequence[Stretch]) -> list[dict[str, str]]:
    return [{"camera": each.camera, "start": iso(each.start_us), "end": iso(each.end_us)} for each in stretches]
