"""Holds for people: tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Column, Table

from deploy.cli_frame import out
from deploy.sizes import in_units
from retention.hold_report import HoldReport
from retention.holds import Placed
from segments.clock import iso
from segments.hold import FOR_EVER_US, Hold, HoldAtSite, Stretch

SHOWN = 50
"""So many lines of what is gone are printed; JSON has all."""


def print_placed(placed: Placed) -> None:
    """What was placed, and what came of it."""
    hold, back = placed.hold, placed.back
    _say(f"hold {hold.id} stands and binds: {len(placed.cameras)} cameras, {_time(hold)}, case {hold.case}")
    for area in placed.empty_areas:
        _say(f"area {area} has no camera yet; those that come are held")
    for place in back.camera_days:
        _say(f"taken back: {place.camera} {place.date}")
    _print_gone("too late, it is being deleted", back.too_late)
    _print_gone("deleted before", back.deleted)
    print_sites(placed.sites)


def print_sites(sites: Mapping[str, HoldAtSite]) -> None:
    """Where else it is known as it was said here, or what is wrong; and what it came too late for there."""
    for site, said in sites.items():
        _say(f"site {site}: NOT BOUND there yet, it learns of it when it answers: {said.why}" if said.why else f"site {site}: bound")
        _print_gone(f"gone at site {site}", said.gone)
        if said.looking:
            _say(f"site {site} is still looking what it came too late for; its log will name that (holds.came-too-late)")


def print_holds(holds: Sequence[Hold]) -> None:
    """One line each."""
    table = Table(Column("hold", no_wrap=True), "case", "time", "cameras and areas", "placed by", "review", "")
    for hold in holds:
        about = ", ".join([*hold.cameras[:3], *hold.areas]) + (f" and {len(hold.cameras) - 3} more" if len(hold.cameras) > 3 else "")
        ended = "stands" if hold.stands else f"lifted by {hold.lifted_by}"
        table.add_row(hold.id, hold.case, _time(hold), about, hold.placed_by, str(hold.review or ""), ended)
    out.print(table)


def print_hold(report: HoldReport) -> None:
    """All of one hold."""
    hold = report.hold
    lines = [
        ("hold", f"{hold.id}, case {hold.case}"),
        ("time", _time(hold)),
        ("cameras", ", ".join(hold.cameras) or "none by name"),
        ("areas", ", ".join(hold.areas) or "none"),
        ("placed", f"{iso(hold.placed_us)} by {hold.placed_by}: {hold.reason}"),
        *(("", f"{iso(change.at_us)} {change.what}, by {change.by}: {change.why}") for change in hold.changes),
        ("review", str(hold.review or "never")),
        ("it keeps" if hold.stands else "it kept", _amount(report)),
        ("in the store", str(report.locks)),
    ]
    for name, value in lines:
        _say(f"{name:>12}  {value}")
    _print_gone("gone", report.deleted)


def print_reports(reports: Sequence[HoldReport]) -> None:
    """A case: one line for each hold, and what is gone."""
    numbers = [Column(name, justify="right") for name in ("cameras", "camera-days", "segments", "bytes")]
    table = Table(Column("hold", no_wrap=True), "time", "placed by", *numbers, "in the store", "")
    for report in reports:
        counts = (f"{report.cameras:,}", f"{report.camera_days:,}", f"{report.segments:,}", in_units(report.stored_bytes))
        ended = "stands" if report.hold.stands else f"lifted by {report.hold.lifted_by}"
        table.add_row(report.hold.id, _time(report.hold), report.hold.placed_by, *counts, str(report.locks), ended)
    out.print(table)
    for report in reports:
        _print_gone(f"gone of {report.hold.id}", report.deleted)


def _print_gone(what: str, stretches: Sequence[Stretch]) -> None:
    for each in stretches[:SHOWN]:
        _say(f"{what}: {each.camera} {iso(each.start_us)} to {iso(each.end_us)}")
    if len(stretches) > SHOWN:
        _say(f"{what}: {len(stretches) - SHOWN} more; --json names all")


def _amount(report: HoldReport) -> str:
    of = f"of {report.cameras} cameras, {report.camera_days} camera-days"
    return f"{report.segments:,} segments, {in_units(report.stored_bytes)}, {of}"


def _time(hold: Hold) -> str:
    return f"{iso(hold.start_us)} {'without end' if hold.end_us >= FOR_EVER_US else f'to {iso(hold.end_us)}'}"


def _say(line: str) -> None:
    out.print(line, markup=False, highlight=False)
