"""`keepsight drill`: a takeover of some cameras on purpose, measured from the footage and undone."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli_frame import By, Config, Exit, Yes, err, guarded, must_confirm, out, settings_of, shown, who, with_stores
from deploy.cli_site import SiteName, count_of, must_be_known, print_plan
from deploy.drill_page import drill_page, told
from deploy.new_file import opened_new
from deploy.settings import Settings
from deploy.wiring import Stores
from replication.drill import Decision, DrillReport, Measured, as_json, measured, newest_here
from replication.takeover import TakeoverOrder, TakeoverPlan, a_share, give_back, guests_of, plan_takeover, take_over
from segments.clock import US_PER_S, SystemClock, to_datetime
from segments.errors import BadInput

UPLOADED_S = 90
"""So long the last segments may take to be indexed after the drill has ended; then they count as not recorded."""
LOOK_S = 2.0
MARGIN_US = 60 * US_PER_S
"""If this command dies, the drill ends by itself so long after its time."""


def drill(
    site: SiteName,
    report: Annotated[Path, typer.Option(help="The folder the report is written to, as JSON and as a page to print.")],
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="How many of its cameras: 0.1 is a tenth, at least one.")] = 0.1,
    for_: Annotated[str, typer.Option("--for", help="How long they are recorded here: 60s, 5m.")] = "60s",
    by: By = "",
    yes: Yes = False,
    config: Config = None,
) -> None:
    """Record some cameras of another site here for a while, though it is well, and measure RPO and RTO. Exit code 1 if one was not.

    The site goes on recording; these cameras are opened twice meanwhile.
    """
    from deploy.demo import duration_s

    settings = settings_of(config)
    must_be_known(settings, site)
    for_s = guarded(lambda: duration_s(for_))
    plan = with_stores(settings, lambda stores: _plan(site, share, who(by), stores))
    print_plan(plan, settings)
    must_confirm(f"Record {count_of(plan)} of {site} here, too, for {for_s} s?", yes=yes)
    guarded(lambda: _make_folder(report))
    found = with_stores(settings, lambda stores: _Drill(settings, stores, plan, for_s).run())
    path = guarded(lambda: _write(found, report))
    out.print(f"RPO: median {told(found.rpo.p50_us)}, p99 {told(found.rpo.p99_us)}, worst {told(found.rpo.max_us)}", highlight=False)
    out.print(f"RTO: median {told(found.rto.p50_us)}, p99 {told(found.rto.p99_us)}, worst {told(found.rto.max_us)}", highlight=False)
    out.print(f"{count_of(plan)}, {len(found.failed):,} not recorded; {path}", highlight=False, markup=False)
    if found.failed:
        raise typer.Exit(Exit.FINDINGS)


async def _plan(site: str, share: float, by: str, stores: Stores) -> TakeoverPlan:
    able = sorted(camera.id for camera in (await guests_of(site, stores.index)).values() if camera.enabled)
    chosen = a_share(able, share)
    now_us = SystemClock().now_us()
    order = TakeoverOrder(site, chosen, by, "a drill", drill_until_us=now_us)  # when it begins, it is told how long
    plan = await plan_takeover(order, stores.index, now_us=now_us)
    if not chosen:
        raise BadInput(f"all cameras of {site} are switched off: there is nothing to record")
    return plan


@dataclass(frozen=True, slots=True)
class _Drill:
    """One drill."""

    settings: Settings
    stores: Stores
    plan: TakeoverPlan
    for_s: int

    async def run(self) -> DrillReport:
        """From the decision to the report; undone however it ends."""
        clock, index, site = SystemClock(), self.stores.index, self.plan.order.site
        newest = await newest_here(site, self.plan.cameras, index, now_us=clock.now_us())
        until_us = clock.now_us() + self.for_s * US_PER_S + MARGIN_US
        plan = replace(self.plan, order=replace(self.plan.order, drill_until_us=until_us))
        decision = Decision((await take_over(plan, index, now_us=clock.now_us())).since_us, newest)
        try:
            with err.status(f"cameras of {site} are recorded here for {self.for_s} s"):
                await clock.sleep(self.for_s)
        finally:
            ended = await asyncio.shield(give_back(site, plan.order.by, index, now_us=clock.now_us()))
        look = partial(measured, self.settings.site.name, plan.cameras, decision, ended.ended_us, index=index, pools=self.stores.pools)
        found = await look()
        with shown("waiting for the last segments") as say:
            for _ in range(int(UPLOADED_S / LOOK_S)):
                if not (missing := _missing(found)):
                    break
                say(f"{missing:,} cameras")
                await clock.sleep(LOOK_S)
                found = await look()
        return DrillReport(site, self.settings.site.name, plan.order.by, decision.at_us, ended.ended_us, found)


def _missing(found: list[Measured]) -> int:
    return sum(each.rto_us is None for each in found)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--report: {folder} cannot be made ({error.strerror})") from None


def _write(found: DrillReport, folder: Path) -> Path:
    """Both forms; the path of the page."""
    name = f"drill-{found.site}-{to_datetime(found.since_us).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    with opened_new(str(folder / f"{name}.json")) as file:
        json.dump(as_json(found), file, ensure_ascii=False, indent=2)
    with opened_new(str(folder / f"{name}.html")) as file:
        file.write(drill_page(found))
    return folder / f"{name}.html"
