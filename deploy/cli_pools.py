"""`keepsight pools`: what each pool holds and takes, what its store really does, and the counting anew."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.table import Table

from deploy.cli_frame import Config, Exit, Json, fail, out, print_json, settings_of, shown, with_stores
from deploy.pool_checks import needs_of, probe_pool
from deploy.pool_report import PoolLine, count_all, pool_lines
from deploy.settings import Pool, Settings
from deploy.sizes import in_units
from deploy.wiring import Stores
from segments.stores.minio_admin import BucketFill
from segments.stores.probe import Ability, Finding

app = typer.Typer(help="Pools: what they hold, and what their stores really do.")


@app.callback(invoke_without_command=True)
def pools(context: typer.Context, json: Json = False, config: Config = None) -> None:
    """Each pool with its state, declared size, and what it holds as last counted. Exit code 1 if something is wrong with one."""
    if context.invoked_subcommand is not None:
        return
    settings = settings_of(config)
    lines, nowhere = with_stores(settings, lambda stores: pool_lines(settings, stores.index))
    if json:
        print_json({"pools": [line.as_json() for line in lines], "cameras_with_nowhere_to_go": nowhere})
    else:
        _print(lines)
        if nowhere:
            out.print(f"{nowhere} cameras have nowhere to go: all pools that their rules name take no new footage", style="red")
    if nowhere or any(line.is_wrong for line in lines):
        raise typer.Exit(Exit.FINDINGS)


@app.command("probe")
def probe(
    name: Annotated[str, typer.Argument(help="Only this pool; default: all of the configuration.")] = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Ask each pool's store what it really does, by doing it. Exit code 1 if it does not do what the configuration needs."""
    settings = settings_of(config)

    async def ask(stores: Stores) -> dict[str, list[Finding]]:
        names = [name] if name else sorted(settings.pools)
        found = await asyncio.gather(*(probe_pool(settings.pools[each], stores.pools[each]) for each in names))
        return dict(zip(names, found, strict=True))

    if name and name not in settings.pools:
        fail(f"pool {name!r} is not configured; there is {', '.join(sorted(settings.pools))}", Exit.BAD_INPUT)
    found = with_stores(settings, ask)
    if json:
        print_json({pool: [_as_json(settings.pools[pool], finding) for finding in findings] for pool, findings in found.items()})
    for pool, findings in () if json else found.items():
        _print_findings(pool, settings.pools[pool], findings)
    if any(not finding.passed and finding.ability in needs_of(settings.pools[pool]) for pool, all_ in found.items() for finding in all_):
        raise typer.Exit(Exit.FINDINGS)


@app.command("count")
def count(config: Config = None) -> None:
    """Count anew what every pool holds, from all rows of the index. May be run at any time; the service counts by itself."""

    async def whole(stores: Stores) -> int:
        with shown("counting") as say:
            return await count_all(stores.index, lambda done: say(f"{done} camera-days"))

    settings: Settings = settings_of(config)
    out.print(f"{with_stores(settings, whole)} camera-days counted", highlight=False)


def _print(lines: list[PoolLine]) -> None:
    table = Table("pool", "kind", "state", "used", "footage of", "cameras", "takes")
    for line in lines:
        usage = line.usage
        used = in_units(usage.stored_bytes) + ("" if line.size_bytes is None else f" of {in_units(line.size_bytes)} ({line.share:.0%})")
        days = f"{usage.first} to {usage.last}" if usage.first else ""
        table.add_row(line.name, line.kind, line.state, used, days, f"{usage.cameras:,}", f"{line.assigned:,}")
    out.print(table)
    out.print("cameras: whose footage lies in it; takes: whose new footage goes to it", style="dim")
    for line in lines:
        for said in filter(None, (line.finding, _own(line))):
            out.print(f"{line.name}: {said}", highlight=False, markup=False)


def _own(line: PoolLine) -> str:
    if not isinstance(line.own, BucketFill):
        return line.own or ""
    if not line.own.counted:
        return "its cluster has not counted yet"
    differs = line.own.stored_bytes - line.usage.stored_bytes
    more = f"{'+' if differs >= 0 else '-'}{in_units(abs(differs))}"
    return f"its cluster counts {in_units(line.own.stored_bytes)} ({more}) at {line.own.counted[:16]}Z"


def _print_findings(name: str, pool: Pool, findings: list[Finding]) -> None:
    table = Table("ability", "", "what was seen", "needed by", title=f"pool {name}", title_justify="left")
    for finding in findings:
        needed = _needed_by(name, pool, finding.ability)
        answer = "[green]yes[/green]" if finding.passed else "[red]no[/red]" if needed else "no"
        table.add_row(finding.ability, answer, finding.said, needed)
    out.print(table)


def _needed_by(name: str, pool: Pool, ability: Ability) -> str:
    if ability in getattr(pool, "needs", ()):
        return f"pools.{name}.needs"
    return "every pool" if ability in needs_of(pool) else ""


def _as_json(pool: Pool, finding: Finding) -> dict[str, object]:
    return {"ability": finding.ability, "passed": finding.passed, "said": finding.said, "needed": finding.ability in needs_of(pool)}
