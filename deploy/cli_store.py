"""`keepsight verify`, `index rebuild` and `config check`: looking after what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.cli_frame import Config, Exit, Json, err, guarded, out, print_json, settings_of, with_stores
from deploy.wiring import Stores
from segments.clock import SystemClock
from segments.compare import Level
from segments.errors import BadInput
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
            with _shown(f"verify {name}") as say:
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
            with _shown(f"rebuild {name}") as say:
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


class _shown:  # noqa: N801 - used like a function
    """A line of progress on stderr while long work goes on."""

    def __init__(self, what: str) -> None:
        self._progress = Progress(
            TextColumn(what), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn(), console=err, transient=True
        )
        self._task = self._progress.add_task(what, total=None, said="")

    def __enter__(self) -> Callable[[str], None]:
        self._progress.start()
        return lambda said: self._progress.update(self._task, said=said)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
