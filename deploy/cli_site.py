"""`keepsight site`: the other sites, and taking their cameras over when one is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from deploy.backup import camera_key
from deploy.cli_acts import changing
from deploy.cli_frame import By, Config, Exit, Json, Reason, Yes, err, fail, must_confirm, out, print_json, settings_of, who, with_stores
from deploy.settings import Settings
from deploy.wiring import Stores
from replication.site_record import SiteSeen, read_sites
from replication.takeover import TakeoverOrder, TakeoverPlan, a_share, guests_of, plan_takeover, take_over
from segments.clock import US_PER_S, SystemClock, iso
from segments.errors import BadInput
from segments.takeover import Standing, Takeover, read_standing

app = typer.Typer(help="Other sites: what is known of them, taking their cameras over, giving them back.", no_args_is_help=True)

SiteName = Annotated[str, typer.Argument(help="The other site's name, as in the settings.", metavar="SITE")]
Share = Annotated[float, typer.Option(min=0.0, max=1.0, help="Only this share of its cameras, 0.1 for a tenth: always the same ones.")]


@app.command("list")
def list_(json: Json = False, config: Config = None) -> None:
    """All other sites. Exit code 1 if one does not answer or something is wrong with it."""
    settings = settings_of(config)
    known = _known(settings)
    if json:
        print_json([_plain(settings, name, known) for name in settings.sites])
    else:
        table = Table("site", "heard", "cameras", Column("recorded here", overflow="fold"), "records ours", "")
        for name in settings.sites:
            seen = known.seen(name)
            here, there = _said(known.standing.takeovers.get(name)), _taken(name, known.standing)
            table.add_row(name, _ago(seen), f"{seen.guests:,}", here, there, _wrong(seen))
        out.print(table)
    if any(_wrong(known.seen(name)) or not known.seen(name).heard_us for name in settings.sites):
        raise typer.Exit(Exit.FINDINGS)


@app.command()
def show(site: SiteName, json: Json = False, config: Config = None) -> None:
    """All that is known of a site, and the last takeovers between it and this one."""
    settings = settings_of(config)
    must_be_known(settings, site)
    values = _plain(settings, site, _known(settings))
    if json:
        print_json(values)
        return
    for name, value in values.items():
        out.print(f"{name:>14}  {value}", highlight=False, markup=False)


@app.command("take-over")
def take_over_(
    site: SiteName,
    reason: Reason,
    camera: Annotated[list[str] | None, typer.Option("--camera", help="Only this camera; may be given again.")] = None,
    share: Share = 1.0,
    by: By = "",
    yes: Yes = False,
    config: Config = None,
) -> None:
    """Record another site's cameras here, in its place, until they are given back. A site that answers is told and stops."""
    settings = settings_of(config)
    must_be_known(settings, site)

    async def prepare(stores: Stores) -> TakeoverPlan:
        named = tuple(camera or ()) if share >= 1.0 else a_share(sorted(await guests_of(site, stores.index)), share)
        if camera and share < 1.0:
            raise BadInput("--camera and --share are two ways to say which cameras: give one of them")
        order = TakeoverOrder(site, named, who(by), _sentence(reason))
        return await plan_takeover(order, stores.index, now_us=SystemClock().now_us())

    plan = with_stores(settings, prepare)
    print_plan(plan, settings)
    must_confirm(f"Record {count_of(plan)} of {site} here?", yes=yes)
    work = lambda stores: take_over(plan, stores.index, now_us=SystemClock().now_us())  # noqa: E731
    changing(settings, f"took {count_of(plan)} of site {site} over", work, by=by, reason=reason)
    out.print(f"{count_of(plan)} of {site} are recorded here within seconds; `keepsight site give-back {site}` ends it", highlight=False)


# --- parts


class _Known:
    """What our index says of other sites."""

    def __init__(self, sites: Mapping[str, SiteSeen], standing: Standing) -> None:
        self._sites = sites
        self.standing = standing

    def seen(self, site: str) -> SiteSeen:
        """What is written of a site."""
        return self._sites.get(site, SiteSeen(site))


def _known(settings: Settings) -> _Known:
    async def read(stores: Stores) -> _Known:
        return _Known(await read_sites(stores.index), await read_standing(stores.index))

    return with_stores(settings, read)


def must_be_known(settings: Settings, site: str) -> None:
    """Ends the command with a sentence if the settings name no such site."""
    if site not in settings.sites:
        known = f"there are {', '.join(sorted(settings.sites))}" if settings.sites else "there are none"
        fail(f"no site {site!r} is in the settings ([sites.NAME]); {known}", Exit.BAD_INPUT)


def _sentence(reason: str) -> str:
    if not reason.strip():
        raise BadInput("--reason is empty: it is kept with the takeover")
    return reason.strip()


def count_of(plan: TakeoverPlan) -> str:
    """Its cameras, counted in words."""
    return f"{len(plan.cameras):,} camera{'' if len(plan.cameras) == 1 else 's'}"


def print_plan(plan: TakeoverPlan, settings: Settings) -> None:
    """What would be done, and what a person should know before."""
    err.print(f"{plan.order.site}: {count_of(plan)} would be recorded here, {plan.disabled} of them are switched off", highlight=False)
    err.print(f"  last heard: {_ago(plan.seen)}", highlight=False)
    for warning in plan.warnings(camera_key=camera_key(settings), now_us=SystemClock().now_us()):
        err.print(f"  note: {warning}", highlight=False, markup=False)


def _plain(settings: Settings, site: str, known: _Known) -> dict[str, Any]:
    seen, takeover, taken = known.seen(site), known.standing.takeovers.get(site), known.standing.taken.get(site)
    return {
        **asdict(seen),
        "url": settings.sites[site].url,
        "conflicts": list(seen.conflicts),
        "takeover": None if takeover is None else {**asdict(takeover), "cameras": list(takeover.cameras)},
        "taken": None if taken is None else {**asdict(taken), "cameras": list(taken.cameras)},
    }


def _wrong(seen: SiteSeen) -> str:
    if seen.finding or not seen.conflicts:
        return seen.finding
    return f"other cameras here have the ids of some of its own, which are not copied: {', '.join(seen.conflicts)}"


def _ago(seen: SiteSeen) -> str:
    return f"{(SystemClock().now_us() - seen.heard_us) / US_PER_S:.0f} s ago" if seen.heard_us else "never"


def _said(takeover: Takeover | None) -> str:
    if takeover is None or takeover.ended_us:
        return ""
    which = f"{len(takeover.cameras):,} cameras" if takeover.cameras else "all"
    how = ", a drill" if takeover.drill_until_us else ", being given back" if takeover.given_back_us else ""
    return f"{which} since {iso(takeover.since_us)}{how}"


def _taken(site: str, standing: Standing) -> str:
    taken = standing.taken.get(site)
    if taken is None or taken.ended_us:
        return ""
    return f"{len(taken.cameras):,} cameras" if taken.cameras else "all"
