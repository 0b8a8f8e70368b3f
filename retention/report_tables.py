"""A retention report for programs: as JSON, and as one CSV table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from retention.civil_days import What
from retention.rates import CameraLine, Rate, Rates
from retention.report import Report
from segments.clock import US_PER_S, iso
from segments.model import Cause

COLUMNS = (
    *("of", "name", "title", "area", "class", "owner", "tier", "cameras", "required_days", "depth_days", "missing_days", "missing_because"),
    *("reached", "depth_counted", "storage_duration_rate", "complete_s", "expected_s", "integrity_rate", "lost_because"),
    *("online_s", "observed_s", "online_rate", "unobserved_s", "not_required", "not_expected"),
)
"""Of the CSV. `of` says what a line is about: total, area, class, owner or camera; what does not apply is empty."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is taken for a formula by programs that show tables; an apostrophe before it keeps it a text."""


def as_json(report: Report) -> dict[str, Any]:
    """All of it; times are seconds, rates 0 to 1 or null where nothing counts."""
    return {
        "report": "retention",
        "site": report.order.site,
        "by": report.order.by,
        "made": iso(report.made_us),
        "zone": str(report.days.zone),
        "from": report.days.first.isoformat(),
        "to": report.days.end.isoformat(),
        "area": report.order.area,
        "policy": report.policy,
        "taken_out": report.taken_out,
        "total": _rates(report.total),
        "areas": [{"area": name} | _rates(rates) for name, rates in report.areas.items()],
        "classes": [{"class": number} | _rates(rates) for number, rates in report.classes.items()],
        "owners": [{"owner": name} | _rates(rates) for name, rates in report.owners.items()],
        "days": [{"day": day.isoformat()} | _integrity(rate) for day, rate in zip(report.days, report.total.days, strict=True)],
        "cameras": [_camera(line) for line in report.lines],
    }


def _rates(rates: Rates) -> dict[str, Any]:
    reached, counted = rates.duration
    return {
        "cameras": rates.cameras,
        "storage_duration": {"reached": reached, "counted": counted, "rate": rates.duration.value, "left_out": _causes(rates.not_required)},
        "integrity": _integrity(rates.integrity) | {"left_out": _causes(rates.not_expected)},
        "online": _online(rates.online, rates.unobserved_us),
    }


def _integrity(rate: Rate) -> dict[str, Any]:
    return {"complete_s": rate.part / US_PER_S, "expected_s": rate.whole / US_PER_S, "rate": rate.value}


def _online(rate: Rate, unobserved_us: int) -> dict[str, Any]:
    seconds = {"online_s": rate.part / US_PER_S, "observed_s": rate.whole / US_PER_S, "unobserved_s": unobserved_us / US_PER_S}
    return seconds | {"rate": rate.value}


def _camera(line: CameraLine) -> dict[str, Any]:
    camera, depth = line.camera, line.attainment
    return {
        "camera": camera.id,
        "name": camera.name,
        "area": camera.area,
        "class": camera.camera_class,
        "owner": camera.owner,
        "tier": line.tier,
        "required_days": depth.required_days,
        "depth_days": depth.depth_days,
        "missing_days": depth.missing_days,
        "missing": _seconds(depth.missing),
        "not_required": depth.left_out,
        "integrity": _integrity(line.integrity),
        "lost": _seconds(line.gaps),
        "online": _online(line.online, line.unobserved_us),
        "not_expected": line.left_out,
    }


def _seconds(by_what: Mapping[What, int]) -> dict[str, float]:
    """The longest first."""
    return {str(what): us / US_PER_S for what, us in sorted(by_what.items(), key=lambda found: (-found[1], found[0]))}


def _causes(counts: Counter[Cause]) -> dict[str, int]:
    return {str(cause): count for cause, count in sorted(counts.items())}


# --- CSV


def as_csv(report: Report) -> Iterator[str]:
    """Lines of RFC 4180, header first: the total, areas, classes, owners, and all cameras."""
    yield _line(dict(zip(COLUMNS, COLUMNS, strict=True)))
    yield _line({"of": "total"} | _rate_cells(report.total))
    yield from (_line({"of": "area", "name": name} | _rate_cells(rates)) for name, rates in report.areas.items())
    yield from (_line({"of": "class", "name": str(number)} | _rate_cells(rates)) for number, rates in report.classes.items())
    yield from (_line({"of": "owner", "name": name} | _rate_cells(rates)) for name, rates in report.owners.items())
    yield from (_line(_camera_cells(line)) for line in report.lines)


def _rate_cells(rates: Rates) -> dict[str, str]:
    return {
        "cameras": str(rates.cameras),
        "reached": str(rates.duration.part),
        "depth_counted": str(rates.duration.whole),
        "storage_duration_rate": _share(rates.duration),
        "not_required": _listed(_causes(rates.not_required)),
        "not_expected": _listed(_causes(rates.not_expected)),
    } | _time_cells(rates.integrity, rates.online, rates.unobserved_us)


def _camera_cells(line: CameraLine) -> dict[str, str]:
    camera, depth = line.camera, line.attainment
    counts = depth.left_out is None
    return {
        "of": "camera",
        "name": camera.id,
        "title": camera.name,
        "area": camera.area,
        "class": str(camera.camera_class),
        "owner": camera.owner,
        "tier": line.tier,
        "cameras": "1",
        "required_days": str(depth.required_days),
        "depth_days": str(depth.depth_days),
        "missing_days": str(depth.missing_days),
        "missing_because": _listed(_seconds(depth.missing)),
        "reached": str(int(counts and depth.reached)),
        "depth_counted": str(int(counts)),
        "lost_because": _listed(_seconds(line.gaps)),
        "not_required": depth.left_out or "",
        "not_expected": line.left_out or "",
    } | _time_cells(line.integrity, line.online, line.unobserved_us)


def _time_cells(integrity: Rate, online: Rate, unobserved_us: int) -> dict[str, str]:
    times_us = {"complete_s": integrity.part, "expected_s": integrity.whole, "online_s": online.part, "observed_s": online.whole}
    seconds = {name: f"{us / US_PER_S:.3f}" for name, us in (times_us | {"unobserved_s": unobserved_us}).items()}
    return seconds | {"integrity_rate": _share(integrity), "online_rate": _share(online)}


def _share(rate: Rate) -> str:
    return "" if rate.value is None else f"{rate.value:.6f}"


def _listed(values: Mapping[str, float]) -> str:
    """`camera-away 86400; unknown 12`."""
    return "; ".join(f"{name} {value:.0f}" for name, value in values.items())


def _line(cells: Mapping[str, str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([_plain(cells.get(column, "")) for column in COLUMNS])
    return text.getvalue()


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
