"""Holds and what became of them as JSON, in the same words for API and commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from retention.hold_report import HoldReport
from retention.holds import Lifting, Placed
from segments.clock import iso
from segments.hold import FOR_EVER_US, Hold, HoldAtSite, Stretch


def hold_json(hold: Hold) -> dict[str, Any]:
    """A hold; moments are RFC 3339. `to` is null where it has no end, `lifted` while it stands."""
    return {
        "id": hold.id,
        "case": hold.case,
        "reason": hold.reason,
        "placed_by": hold.placed_by,
        "placed": iso(hold.placed_us),
        "from": iso(hold.start_us),
        "to": None if hold.end_us >= FOR_EVER_US else iso(hold.end_us),
        "cameras": list(hold.cameras),
        "areas": list(hold.areas),
        "seen": list(hold.seen),
        "review": hold.review.isoformat() if hold.review else None,
        "stands": hold.stands,
        "lifted": None if hold.stands else iso(hold.lifted_us),
        "lifted_by": hold.lifted_by,
        "lifted_reason": hold.lifted_reason,
        "approved_by": hold.approved_by,
        "changes": [{"at": iso(change.at_us), "by": change.by, "what": change.what, "why": change.why} for change in hold.changes],
    }


def placed_json(placed: Placed) -> dict[str, Any]:
    """A hold as it was placed, and what was found on its way to deletion."""
    back = placed.back
    return {
        "hold": hold_json(placed.hold),
        "covered": list(placed.cameras),
        "empty_areas": list(placed.empty_areas),
        "taken_back": [{"camera": place.camera, "day": place.date.isoformat()} for place in back.camera_days],
        "too_late": _stretches(back.too_late),
        "deleted": _stretches(back.deleted),
        "sites": sites_json(placed.sites),
    }


def lifting_json(lifting: Lifting) -> dict[str, Any]:
    """A hold that was lifted, or waits for another person."""
    return {"hold": hold_json(lifting.hold), "waits_for_approval": lifting.waits_for_approval, "sites": sites_json(lifting.sites)}


def known_json(hold: Hold, sites: Mapping[str, HoldAtSite]) -> dict[str, Any]:
    """A hold, and which other sites have it so."""
    return {**hold_json(hold), "sites": sites_json(sites)}


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


def sites_json(sites: Mapping[str, HoldAtSite]) -> list[dict[str, Any]]:
    """What other sites said of it."""
    return [
        {"site": site, "bound": not said.why, "why": said.why, "gone": _stretches(said.gone), "looking": said.looking}
        for site, said in sorted(sites.items())
    ]


def _stretches(stretches: Sequence[Stretch]) -> list[dict[str, str]]:
    return [{"camera": each.camera, "from": iso(each.start_us), "to": iso(each.end_us)} for each in stretches]
