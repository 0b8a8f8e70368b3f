"""`keepsight site lag` and `keepsight site report`: how far copies of other sites' footage are behind, and what became of each day's."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from deploy.cli_frame import Config, Exit, Json, day_of_text, err, fail, guarded, out, print_json, settings_of, with_stores
from deploy.cli_site import must_be_known
from deploy.copy_page import CopyReport, copy_page
from deploy.metrics.copies import backlog_of, rpo_of
from deploy.new_file import new_path, opened_new
from deploy.settings import Settings
from deploy.sizes import in_units
from deploy.wiring import Stores
from replication.copy_report import as_csv, as_json, copy_days
from replication.lag import Backlog, Behind, Promise
from replication.lag_record import LagReport, lag_reports
from replication.rpo import Rpo
from retention.report_forms import Form
from segments.clock import US_PER_S, SystemClock, iso

SILENT_S = 300
"""A shard that has told nothing for so long copies nothing."""


def lag(
    site: Annotated[str, typer.Argument(help="Only from this site.", metavar="[SITE]")] = "", json: Json = False, config: Config = None
) -> None:
    """How far copies are behind, and how much footage would be lost with a site. Exit code 1 if some are late or nobody tells."""
    settings = settings_of(config)
    if site:
        must_be_known(settings, site)
    wanted = [name for name, other in settings.sites.items() if other.copy_footage and site in ("", name)]
    if not wanted:
        why = f"sites.{site}.copy is false" if site else "no section [sites.NAME] of the settings has copy = true"
        fail(f"nothing is copied from {site or 'other sites'}: {why}", Exit.BAD_INPUT)
    reports = with_stores(settings, lambda stores: lag_reports(stores.index))
    now_us = SystemClock().now_us()
    by_site = {name: [report for report in reports if report.site == name] for name in wanted}
    if json:
        print_json({name: _plain(found, now_us) for name, found in by_site.items()})
    else:
        _print(by_site, now_us)
    if any(_is_wrong(found, now_us) for found in by_site.values()):
        raise typer.Exit(Exit.FINDINGS)


def report(
    day: Annotated[str, typer.Argument(help="Only this day, UTC; default: all of the last month.", metavar="[DAY]")] = "",
    format_: Annotated[Form, typer.Option("--format", help="html to print, csv for tables, json for programs.")] = Form.HTML,
    file: Annotated[str, typer.Option("--out", help="A new file. Default: standard output.")] = "-",
    config: Config = None,
) -> None:
    """What was copied from other sites, day by day: how soon, and what came late."""
    settings = settings_of(config)
    only = guarded(lambda: day_of_text(day)) if day else None
    if file != "-":
        guarded(lambda: new_path(file))

    async def read(stores: Stores) -> CopyReport:
        behind: dict[str, list[Behind]] = defaultdict(list)
        for one in await lag_reports(stores.index):
            behind[one.site] += one.late
        days = await copy_days(stores.index, only)
        return CopyReport(settings.site.name, SystemClock().now_us(), _promise(settings), days, behind)

    found = with_stores(settings, read)
    guarded(lambda: _write(found, file, format_))
    if file != "-":
        out.print(f"{len(found.days)} days in {file}", highlight=False, markup=False)


def _promise(settings: Settings) -> Promise:
    return Promise(settings.replication.soon_s, settings.replication.late_s)


def _write(found: CopyReport, file: str, form: Form) -> None:
    with opened_new(file) as target:
        match form:
            case Form.HTML:
                target.write(copy_page(found))
            case Form.CSV:
                target.write(as_csv(found.days, found.own))
            case Form.JSON:
                json.dump(as_json(found.days, found.own), target, ensure_ascii=False, indent=2)


# --- lag


def _print(by_site: dict[str, list[LagReport]], now_us: int) -> None:
    table = Table("from", "class", "wanted", "bytes", "lag", "late", "RPO p50", "p99", "worst")
    for name, found in by_site.items():
        backlog, rpo = backlog_of(found), rpo_of(found)
        for number in sorted({*backlog, *rpo}):
            table.add_row(name, str(number), *_waiting(backlog.get(number, Backlog()), now_us), *_losing(rpo.get(number, Rpo())))
    out.print(table)
    for name, found in by_site.items():
        for number, each in rpo_of(found).items():
            worst = f", the worst is {each.worst}" if each.worst else ""
            out.print(
                f"{name}, class {number}: {each.cameras:,} cameras measured{worst}; {each.quiet:,} quiet", highlight=False, markup=False
            )
        for sentence in _sentences(name, found, now_us):
            err.print(sentence, highlight=False, markup=False)


def _waiting(backlog: Backlog, now_us: int) -> Sequence[str]:
    since = f"{(now_us - backlog.oldest_us) / US_PER_S:,.0f} s" if backlog.oldest_us else "-"
    return f"{backlog.segments:,}", in_units(backlog.size_bytes), since, f"{backlog.late:,}"


def _losing(rpo: Rpo) -> Sequence[str]:
    return ["-" if value is None else f"{value / US_PER_S:,.0f} s" for value in rpo.spread]


def _sentences(name: str, found: Sequence[LagReport], now_us: int) -> Sequence[str]:
    """What a person has to know beside the figures."""
    said: list[str] = []
    if not found:
        said.append(f"{name}: nothing is told yet; does the program duties run?")
    for one in found:
        if _is_silent(one, now_us):
            said.append(f"{name}: {one.duty} has told nothing since {iso(one.at_us)}; does the program duties run?")
        if one.waits:
            said.append(f"{name}: {one.duty} waits: {one.waits}")
        if one.differing:
            said.append(f"{name}: {one.differing:,} camera-days of {one.duty} differ and were not looked at yet: more is wanted")
        said += [f"{name}: late: {each.camera} {iso(each.start_us)} {each.text}".rstrip() for each in one.late]
    return said


def _is_silent(one: LagReport, now_us: int) -> bool:
    return now_us - one.at_us > SILENT_S * US_PER_S


def _is_wrong(found: Sequence[LagReport], now_us: int) -> bool:
    return not found or any(_is_silent(one, now_us) or one.waits or any(each.late for each in one.backlog.values()) for one in found)


def _plain(found: Sequence[LagReport], now_us: int) -> dict[str, Any]:
    return {
        "told": iso(min(one.at_us for one in found)) if found else None,
        "silent": not found or any(_is_silent(one, now_us) for one in found),
        "waits": [one.waits for one in found if one.waits],
        "differing_camera_days": sum(one.differing for one in found),
        "backlog": {str(number): asdict(each) for number, each in backlog_of(found).items()},
        "rpo": {str(number): {**asdict(each), "spread": each.spread._asdict()} for number, each in rpo_of(found).items()},
        "late": [each._asdict() for one in found for each in one.late],
    }
