"""`keepsight verify`, `index rebuild`, `index copy` and `config check`: looking after what is stored."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli_frame import Config, Exit, Json, guarded, out, print_json, settings_of, shown, with_stores
from deploy.index_copy import copy_and_compare
from deploy.settings import load_settings
from deploy.wiring import Stores
from segments.clock import SystemClock
from segments.compare import Level
from segments.errors import BadInput
from segments.index_compare import Comparison, Summary
from segments.rebuild import RebuildReport, rebuild
from segments.stored_segment import Pool
from segments.verify import Sides, VerifyReport, camera_days, verify

index_app = typer.Typer(help="The time index.", no_args_is_help=True)
config_app = typer.Typer(help="The configuration.", no_args_is_help=True)

PoolName = Annotated[str, typer.Option("--pool", help="Only this pool; default: all of the configuration.")]


def verify_(
    level: Annotated[
        Level, typer.Argument(help="presence: both sides name the same; size: and of the same size; hash: and of the same bytes.")
    ] = Level.SIZE,
    from_: Annotated[str, typer.Option("--from", help="First day (UTC), 2026-01-31. Default: 31 days ago.")] = "",
    to: Annotated[str, typer.Option("--to", help="Last day (UTC). Default: today.")] = "",
    pool: PoolName = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Compare index and pools: footage that is promised and missing, and footage nobody promised. Exit code 1 if there is any."""
    today = datetime.now(UTC).date()
    first = guarded(lambda: _day(from_, today.toordinal() - 31))
    last = guarded(lambda: _day(to, today.toordinal()))

    async def check(stores: Stores) -> list[tuple[str, VerifyReport]]:
        found = []
        for name in guarded(lambda: _pools(stores, pool)):
            sides = Sides(Pool(name, stores.pools[name]), stores.index, SystemClock())
            with shown(f"verify {name}") as say:
                days = camera_days(sides, first, last)
                found.append(
                    (name, await verify(sides, days, level, progress=lambda report: say(f"{report.days} camera-days, {report.rows} rows")))
                )
        return found

    reports = with_stores(settings_of(config), check)
    if json:
        print_json([_verified(name, report) for name, report in reports])
    for name, report in () if json else reports:
        out.print(
            f"pool {name}: {report.days} camera-days, {report.rows} rows, {report.objects} objects compared ({level})", highlight=False
        )
        for finding in report.findings:
            out.print(f"  {finding.kind}: {finding.key} {finding.detail}", highlight=False, markup=False)
        out.print(
            "  index and pool agree"
            if not report.counts
            else f"  {sum(report.counts.values())} findings, {report.lost} of them lost footage"
        )
    if any(report.counts for _, report in reports):
        raise typer.Exit(Exit.FINDINGS)


@index_app.command("rebuild")
def rebuild_(
    after: Annotated[str, typer.Option(help="Go on behind this key, as an interrupted rebuild named it.")] = "",
    pool: PoolName = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Make rows and runs anew from the pools alone. May be run at any time, and again; nothing is removed."""

    async def make(stores: Stores) -> list[tuple[str, RebuildReport]]:
        made = []
        for name in guarded(lambda: _pools(stores, pool)):
            with shown(f"rebuild {name}") as say:
                said = lambda report: say(f"{report.rows} rows, at {report.last_key}")  # noqa: E731
                made.append((name, await rebuild(Pool(name, stores.pools[name]), stores.index, SystemClock(), after=after, progress=said)))
        return made

    reports = with_stores(settings_of(config), make)
    if json:
        print_json([{"pool": name, **asdict(report)} for name, report in reports])
    for name, report in () if json else reports:
        out.print(f"pool {name}: {report.rows} rows, {report.adopted} of them adopted; {report.left_out} objects left out", highlight=False)
        for left in report.examples:
            out.print(f"  {left.key}: {left.reason}", highlight=False, markup=False)
    if any(report.left_out for _, report in reports):
        raise typer.Exit(Exit.FINDINGS)


@index_app.command("copy")
def copy_(
    to: Annotated[Path, typer.Option("--to", help="The configuration file whose index is written to; the environment does not touch it.")],
    json: Json = False,
    config: Config = None,
) -> None:
    """Copy the whole index into that of another configuration, and compare the two. Exit code 1 if they differ.

    Goes on where it was stopped, and may be run again: only what differs is written. Nothing is removed.
    """
    source = settings_of(config)
    target = guarded(lambda: load_settings(to, {}))
    with shown("index copy") as say:
        copied, compared = guarded(lambda: asyncio.run(copy_and_compare(source, target, say)))
    if json:
        print_json({"partitions": copied.partitions, "written": copied.written, "compared": asdict(compared)})
    else:
        out.print(f"{copied.partitions} partitions gone through, {copied.written} items written", highlight=False)
        out.print(f"{compared.items} in {compared.partitions} partitions compared: {_agreement(compared)}", highlight=False)
        for one in compared.examples:
            out.print(f"  {one.kind} {one.where}: {_held(one.source)}, {_held(one.target)} there", highlight=False, markup=False)
    if compared.differing:
        raise typer.Exit(Exit.FINDINGS)


def _agreement(compared: Comparison) -> str:
    return f"{compared.differing} partitions, cameras, records or the like differ" if compared.differing else "the indexes are equal"


def _held(summary: Summary) -> str:
    return f"{summary.items} ({summary.sha256[:12]})" if summary.items else "none"


@config_app.command("check")
def check_config(config: Config = None) -> None:
    """Check the configuration as a start would: keys, folders, space, ports, secrets, index and pools. Nothing is started."""
    from deploy.serve import check_stores, checked

    settings = settings_of(config)

    def whole() -> None:
        with checked(settings):
            asyncio.run(check_stores(settings))

    guarded(whole)
    out.print(
        f"the configuration is right: site {settings.site.name}, {len(settings.pools)} pool(s), spool {settings.spool_folder}",
        highlight=False,
    )


def _pools(stores: Stores, only: str) -> list[str]:
    if only and only not in stores.pools:
        raise BadInput(f"pool {only!r} is not configured; there is {', '.join(sorted(stores.pools))}")
    return [only] if only else sorted(stores.pools)


def _day(text: str, default: int) -> date:
    try:
        return date.fromisoformat(text) if text else date.fromordinal(default)
    except ValueError:
        raise BadInput(f"{text!r} is no day: write it as 2026-01-31") from None


def _verified(pool: str, report: VerifyReport) -> dict[str, object]:
    findings = [{"kind": finding.kind, "key": finding.key, "detail": finding.detail} for finding in report.findings]
    return {"pool": pool, "days": report.days, "rows": report.rows, "objects": report.objects, "lost": report.lost, "findings": findings}
