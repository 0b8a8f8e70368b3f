"""`keepsight retention`: how long footage is kept, why, and what would go."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy import cli_policy, cli_pressure
from deploy.cli_acts import changing
from deploy.cli_frame import (
    By,
    CameraId,
    Config,
    Exit,
    Json,
    Yes,
    day_of_text,
    guarded,
    must_confirm,
    out,
    print_json,
    settings_of,
    who,
    with_stores,
)
from deploy.copies import other_sites
from deploy.retention_tables import print_explanation, print_plan, print_proposal, print_status, print_tiers
from deploy.sizes import in_units
from deploy.wiring import Stores, policy_limits
from retention.clock_notes import accept_clocks, clocks_held
from retention.dry_run import dry_run, plan_values
from retention.explain import Explanation, explain
from retention.plan import DayPlan
from retention.policies import first_policy, propose_start, start
from retention.policy import in_force
from retention.policy_record import all_policies, policy_values, tier_values
from retention.signed import Signed
from retention.status import status
from segments.clock import SystemClock, iso

app = typer.Typer(help="How long footage is kept, why, and what goes.", no_args_is_help=True)
app.add_typer(cli_policy.app, name="policy")
app.command("pressure")(cli_pressure.pressure)
clock_app = typer.Typer(help="The clock that footage is deleted by.", no_args_is_help=True)
app.add_typer(clock_app, name="clock")


@app.command("start")
def start_(
    approver: Annotated[str, typer.Option(help="Who has approved the terms.")],
    review: Annotated[str, typer.Option(help="When they are looked at again: 2027-01-31.")],
    zone: Annotated[str, typer.Option(help="The civil time terms run by, as Asia/Shanghai. It never changes afterwards.")] = "UTC",
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept for good.")] = "retention is started",
    by: By = "",
    yes: Yes = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Start retention, once: until now nothing is deleted. Shown first, then asked for; it binds after the notice."""
    settings = settings_of(config)
    signed = Signed(guarded(lambda: who(by)), reason, SystemClock().now_us())
    first = guarded(lambda: first_policy(approver, day_of_text(review), zone, signed, policy_limits(settings)))
    proposal = with_stores(settings, lambda stores: propose_start(stores.index, first))
    if not json:
        print_proposal(proposal)
    must_confirm(f"Write policy {proposal.policy.version}?", yes=yes)
    written = changing(settings, "started retention", lambda stores: start(stores.index, first), by=signed.by, reason=reason)
    if json:
        print_json({"policy": policy_values(written), "changes": proposal.changes, "impact": proposal.impact.as_json()})
    else:
        out.print(f"policy {written.version} is written; nothing is deleted before it binds, on {iso(written.binds_us)}", highlight=False)


@app.command()
def tiers(json: Json = False, config: Config = None) -> None:
    """The tiers of the newest policy that counts: terms, purpose, who approved them, and when they are looked at again."""
    now_us = SystemClock().now_us()
    policies = with_stores(settings_of(config), lambda stores: all_policies(stores.index))
    newest = guarded(lambda: in_force(policies, now_us))[-1]
    if json:
        print_json([tier_values(tier) for tier in newest.tiers.values()])
    else:
        print_tiers(newest, now_us)


@app.command("explain")
def explain_(
    camera: CameraId,
    day: Annotated[str, typer.Argument(help="A day (UTC), 2026-01-31: what becomes of its footage, and why.")] = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Which rule decides on a camera's footage, why all others do not, and when that footage goes."""
    of_day = guarded(lambda: day_of_text(day)) if day else None
    now_us = SystemClock().now_us()
    settings = settings_of(config)

    async def why(stores: Stores) -> Explanation:
        async with other_sites(settings, stores.index, SystemClock()) as others:
            return await explain(stores.index, camera, of_day, now_us=now_us, copies=others.copies)

    found = with_stores(settings, why)
    if json:
        print_json(found.as_json())
    else:
        print_explanation(found)


@app.command("status")
def status_(json: Json = False, config: Config = None) -> None:
    """Policies, reviews, holds, what is on its way out. Exit code 1 if a review is due or a batch does not go on."""
    now_us = SystemClock().now_us()
    found = with_stores(settings_of(config), lambda stores: status(stores.index, now_us=now_us))
    if json:
        print_json(found.as_json())
    else:
        print_status(found)
    if found.is_wrong:
        raise typer.Exit(Exit.FINDINGS)


@app.command("dry-run")
def dry_run_(json: Json = False, config: Config = None) -> None:
    """What a sweep would begin now, camera-day by camera-day, and why. Nothing is written."""
    settings = settings_of(config)
    found: list[DayPlan] = []

    async def find(stores: Stores) -> None:
        in_force(await all_policies(stores.index), SystemClock().now_us())
        async with other_sites(settings, stores.index, SystemClock()) as others:
            async for plan in dry_run(stores.index, SystemClock(), copies=others.copies):
                found.append(plan)
                if not json:
                    print_plan(plan)

    with_stores(settings, find)
    if json:
        print_json([plan_values(plan) for plan in found])
    else:
        going = [row for plan in found for row in plan.going]
        out.print(f"{len(found)} camera-days, {len(going)} segments, {in_units(sum(row.size for row in going))}", highlight=False)


@clock_app.command("accept")
def accept(by: By = "", yes: Yes = False, config: Config = None) -> None:
    """Say that the machines' clocks are right, where the sweep does not believe them: it goes on deleting by them."""
    settings = settings_of(config)
    person = guarded(lambda: who(by))
    for shard, note in with_stores(settings, lambda stores: clocks_held(stores.index)):
        out.print(f"{shard}: {note.held}", highlight=False, markup=False)
    must_confirm(f"It is {iso(SystemClock().now_us())}: is that right?", yes=yes)
    freed = changing(settings, "accepted the clocks", lambda stores: accept_clocks(stores.index, person), by=person)
    out.print(f"accepted; it goes on: {', '.join(freed) or 'no sweep had stopped'}", highlight=False)
