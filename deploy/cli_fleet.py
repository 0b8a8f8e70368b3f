"""`keepsight fleet` and `keepsight api`: starting, looking at, emptying and ending a site of several nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli_acts import changing
from deploy.cli_frame import Config, Exit, Json, config_path, err, guarded, out, print_json, settings_of, with_stores
from deploy.fleet.child import run_until_told
from deploy.fleet.draining import Remainder, empty
from deploy.fleet.guardian import GuardianReport
from deploy.fleet.supervisor import FleetReport
from deploy.logs import set_up_logs
from deploy.settings import Settings
from deploy.wiring import Stores
from segments.clock import SystemClock, iso
from segments.duty import SUPERVISE, Duty, Place, Placing
from segments.errors import BadInput, KeepsightError
from segments.model import Lease

app = typer.Typer(help="A site of several nodes.", no_args_is_help=True)

NodeName = Annotated[str, typer.Argument(help="The node's name, as `keepsight fleet status` shows it.", metavar="NODE")]


@app.command()
def start(config: Config = None) -> None:
    """Start the fleet in the Ray cluster of this machine, or adopt the one that runs. It goes on by itself when this command ends."""
    settings = settings_of(config)
    report = guarded(lambda: _start(settings))
    out.print(f"the fleet of site {settings.site.name} is started; {len(report.nodes)} nodes offer themselves", highlight=False)


@app.command()
def stop(config: Config = None) -> None:
    """End all programs of the fleet in order, and then the fleet. Nothing is recorded afterwards."""
    from deploy.fleet.ray_fleet import joined

    settings = _of_ray(settings_of(config))

    def whole() -> None:
        with joined(settings) as fleet:
            fleet.stop()

    guarded(whole)
    out.print(f"the fleet of site {settings.site.name} is stopped", highlight=False)


@app.command()
def status(json: Json = False, config: Config = None) -> None:
    """Nodes, programs, places and duties. Exit code 1 if a program does not run."""
    settings = settings_of(config)
    fleet = _fleet_report(settings) if settings.fleet.kind == "ray" else FleetReport((), {})
    site = with_stores(settings, _site)
    if json:
        print_json({"programs": _programs(fleet), "places": [_place(each) for each in site.places], "duties": _duties(site)})
    else:
        _print_programs(fleet, out)
        _print_site(site, out)
    if any(report is None or report.pid is None for report in fleet.guardians.values()):
        raise typer.Exit(Exit.FINDINGS)


@app.command()
def drain(
    node: NodeName,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the node records nothing and its spool is empty.")] = False,
    config: Config = None,
) -> None:
    """Empty a node: its cameras go to other nodes without a gap, its spool to the pool. Then it can be stopped."""

    async def whole(stores: Stores) -> None:
        await stores.index.set_draining(node, draining=True)
        if wait:
            with err.status(f"{node} is being emptied") as shown:
                say = lambda left: shown.update(f"{node} still has {_left(left)}")  # noqa: E731
                await empty(stores.index, node, SystemClock(), say)

    changing(settings_of(config), f"emptied node {node}", whole)
    out.print(f"{node} is empty: it can be stopped" if wait else f"{node} is being emptied", highlight=False)


@app.command()
def resume(node: NodeName, config: Config = None) -> None:
    """Let a node that was emptied do its part again."""
    work = lambda stores: stores.index.set_draining(node, draining=False)  # noqa: E731
    changing(settings_of(config), f"let node {node} take part again", work)
    out.print(f"{node} takes part again", highlight=False)


def api(config: Config = None) -> None:
    """Run the API and the page alone, beside a fleet that records elsewhere. Ends in order on Ctrl-C or SIGTERM."""
    from deploy.api_process import run_api
    from deploy.first_start import first_start

    settings = settings_of(config)
    set_up_logs("api", settings.logs.format)

    async def whole() -> None:
        await first_start(settings, print)
        path = config_path(config)
        await run_api(settings, str(path.resolve()) if path else "-")

    raise typer.Exit(run_until_told(whole))


async def serve_ray(settings: Settings, config: Path | None) -> None:
    """The Ray fleet started, and the API here; when it ends, the fleet goes on."""
    from deploy.fleet.local import LocalFleet
    from deploy.programs import API, programs

    await asyncio.to_thread(_start, settings)
    only_api = [program for program in programs(settings, config) if program.name == API]
    await LocalFleet(only_api, clock=SystemClock()).run()


# --- the programs of the fleet, as its supervisor sees them ---


def _of_ray(settings: Settings) -> Settings:
    if settings.fleet.kind != "ray":
        raise BadInput("fleet.kind is local: there is no fleet to start or stop but `keepsight serve` itself")
    return settings


def _start(settings: Settings) -> FleetReport:
    from deploy.fleet.ray_fleet import joined

    with joined(_of_ray(settings), to_start=True) as fleet:
        return fleet.start()


def _fleet_report(settings: Settings) -> FleetReport:
    """The supervisor's report; a sentence and nothing more if Ray's head is away: the places are shown all the same."""
    from deploy.fleet.ray_fleet import joined

    try:
        with joined(settings) as fleet:
            return fleet.report()
    except KeepsightError as error:
        err.print(f"keepsight: {error}", style="red", markup=False, highlight=False)
        return FleetReport((), {})


def _programs(fleet: FleetReport) -> list[dict[str, Any]]:
    lines = []
    for post, report in sorted(fleet.guardians.items()):
        known = report if report is not None else GuardianReport("", post.program, 0, None, 0, "its guardian does not answer", ())
        about = {"trouble": known.trouble, "restarts": known.restarts, "pid": known.pid, "guardian_pid": known.guardian_pid}
        lines.append({"node": known.node, "node_id": post.node_id, "program": post.program, **about})
    return lines


def _print_programs(fleet: FleetReport, console: Console) -> None:
    if not fleet.guardians:
        return
    table = Table("node", "program", "process", "restarts", "")
    for line in _programs(fleet):
        process = str(line["pid"] or "-")
        table.add_row(line["node"] or line["node_id"][:12], line["program"], process, str(line["restarts"]), line["trouble"])
    console.print(table)


# --- places and duties, as they stand in the index ---


@dataclass(frozen=True, slots=True)
class _Site:
    places: Sequence[Place]
    placings: Sequence[Placing]
    leases: Sequence[Lease]


async def _site(stores: Stores) -> _Site:
    places = await stores.index.places()
    placings = [placing for place in places for placing in await stores.index.placings(place.name)]
    duties = sorted({Duty(SUPERVISE), *(placing.duty for placing in placings)})
    leases = [lease for duty in duties if (lease := await stores.index.lease(duty)) is not None]
    return _Site(places, placings, leases)


def _place(place: Place) -> dict[str, Any]:
    about = {"recorders": place.recorders, "cameras": place.load, "room": place.room, "spooled": len(place.spooled)}
    return {"name": place.name, "url": place.url, "draining": place.draining, **about}


def _duties(site: _Site) -> list[dict[str, Any]]:
    lines = []
    for lease in site.leases:
        standby = [placing.place for placing in site.placings if placing.duty == lease.duty and placing.standby]
        about = {"epoch": lease.epoch, "until": iso(lease.expires_us), "standby": standby}
        lines.append({"duty": str(lease.duty), "holder": None if lease.free else lease.holder, **about})
    return lines


def _print_site(site: _Site, console: Console) -> None:
    places = Table("place", "recorders", "cameras", "room", "shards in its spool", "")
    for place in map(_place, site.places):
        counts = (str(place[name]) for name in ("recorders", "cameras", "room", "spooled"))
        places.add_row(place["name"], *counts, "draining" if place["draining"] else "")
    duties = Table("duty", "held by", "epoch", "lease until", "stands by")
    for duty in _duties(site):
        duties.add_row(duty["duty"], duty["holder"] or "-", str(duty["epoch"]), duty["until"], ", ".join(duty["standby"]))
    console.print(places)
    console.print(duties)


def _left(left: Remainder) -> str:
    return f"{left.duties} duties, {left.cameras} cameras, {left.spooled} shards in its spool"
