"""`keepsight hold`: legal holds on footage, for a case: place, extend, lift, find, report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from deploy.cli_acts import act_of_command, registered_act
from deploy.cli_frame import (
    By,
    Config,
    Exit,
    Json,
    Reason,
    Yes,
    day_of_text,
    guarded,
    moment_us,
    must_confirm,
    out,
    print_json,
    settings_of,
    with_stores,
)
from deploy.cli_frame import who as name_of
from deploy.copies import other_sites
from deploy.hold_tables import print_hold, print_holds, print_placed, print_reports, print_sites
from deploy.settings import Settings
from deploy.wiring import Stores
from retention.hold_report import HoldReport, HoldSearch, listed, report, report_of
from retention.hold_sites import HoldSites
from retention.hold_values import hold_json, known_json, lifting_json, placed_json, report_json, sites_json
from retention.holds import HoldOrder, Lifting, Placed, approve_lift, extend, lift, place
from retention.rules import read_rules
from retention.signed import Signed
from segments.audit import Act, Action
from segments.clock import SystemClock
from segments.hold import FOR_EVER_US, HOLDS, HoldAtSite, hold_of
from segments.model import Span

T = TypeVar("T")

app = typer.Typer(help="Legal holds: while one stands, nothing it covers is deleted.", no_args_is_help=True)

HoldId = Annotated[str, typer.Argument(help="The hold's id, as `keepsight hold list` shows it.", metavar="HOLD")]
Cameras = Annotated[list[str] | None, typer.Option("--camera", help="A camera, as often as needed; also one that was taken out.")]
Areas = Annotated[list[str] | None, typer.Option("--area", help="All cameras of an area and below it, also those that come later.")]
Review = Annotated[str, typer.Option(help="When somebody looks again whether it is still needed: 2027-01-31.")]


@app.command("place")
def place_(
    case: Annotated[str, typer.Option(help="The case it is for.")],
    from_: Annotated[str, typer.Option("--from", help="From this moment on.")],
    reason: Reason,
    to: Annotated[str, typer.Option("--to", help="Up to this moment, which may be to come; default: without end.")] = "",
    camera: Cameras = None,
    area: Areas = None,
    review: Review = "",
    by: By = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Place a hold. It binds at once; what was on its way to deletion is taken back. Exit code 1 if some of it is gone already."""
    settings = settings_of(config)
    order = guarded(
        lambda: HoldOrder(
            case=case,
            reason=reason,
            by=name_of(by),
            start_us=moment_us(from_),
            end_us=moment_us(to) if to else FOR_EVER_US,
            cameras=tuple(camera or ()),
            areas=tuple(area or ()),
            review=day_of_text(review) if review else None,
        )
    )
    now_us = SystemClock().now_us()
    span = Span(order.start_us, order.end_us)
    act = act_of_command(order.by, Action.HOLD, f"placed hold for {case}", cameras=order.cameras, span=span, reason=reason)
    _end_with(_with_sites(settings, lambda stores, sites: place(order, index=stores.index, now_us=now_us, sites=sites), act), json)


@app.command("extend")
def extend_(
    hold: HoldId,
    reason: Reason,
    to: Annotated[str, typer.Option("--to", help="Its new end, not before the present one; `never`: without end.")] = "",
    review: Review = "",
    by: By = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Move the end of a hold on, or the day it is looked at again. Exit code 1 if some of what it covers is gone already."""
    settings = settings_of(config)
    signed = guarded(lambda: Signed(name_of(by), reason, SystemClock().now_us()))
    end_us = guarded(lambda: FOR_EVER_US if to == "never" else moment_us(to)) if to else None
    again = guarded(lambda: day_of_text(review)) if review else None
    _end_with(
        _with_sites(
            settings,
            lambda stores, sites: extend(hold, signed, index=stores.index, end_us=end_us, review=again, sites=sites),
            act_of_command(signed.by, Action.HOLD, f"extended hold {hold}", reason=reason),
        ),
        json,
    )


@app.command("list")
def list_(
    case: Annotated[str, typer.Option(help="Only of cases with this in their name.")] = "",
    camera: Annotated[str, typer.Option(help="Only those that cover this camera.")] = "",
    area: Annotated[str, typer.Option(help="Only those on areas that touch this one.")] = "",
    standing: Annotated[bool | None, typer.Option("--standing/--lifted", help="Only those that stand, or only the lifted ones.")] = None,
    review_before: Annotated[str, typer.Option(help="Only those to be looked at again before this day.")] = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """List holds, the newest first."""
    before = guarded(lambda: day_of_text(review_before)) if review_before else None
    search = HoldSearch(case, camera, area, standing, before)
    found = with_stores(settings_of(config), lambda stores: listed(search, stores.index))
    if json:
        print_json([hold_json(hold) for hold in found])
    else:
        print_holds(found)


@app.command()
def show(hold: HoldId, json: Json = False, config: Config = None) -> None:
    """Show a hold: who, why, what was done to it, what it keeps, the locks in the store, what is gone of it, and where else it binds."""

    async def read(stores: Stores, sites: HoldSites) -> tuple[HoldReport, dict[str, HoldAtSite]]:
        found = hold_of(await stores.index.record(HOLDS, hold))
        made = await report_of(found, await read_rules(stores.index), index=stores.index, now_us=SystemClock().now_us())
        return made, dict(await sites.bound(found))

    found, bound = _with_sites(settings_of(config), read)
    if json:
        print_json({**report_json(found), "sites": sites_json(bound)})
    else:
        print_hold(found)
        print_sites(bound)


@app.command("lift")
def lift_(hold: HoldId, reason: Reason, by: By = "", yes: Yes = False, json: Json = False, config: Config = None) -> None:
    """Lift a hold: what it covers falls due by its rules again. Where a tier asks for two persons, another one has to approve it."""
    settings = settings_of(config)
    signed = guarded(lambda: Signed(name_of(by), reason, SystemClock().now_us()))
    must_confirm(f"Lift hold {hold}? What it alone keeps, and is due, is deleted then.", yes=yes)
    act = act_of_command(signed.by, Action.HOLD, f"lifted hold {hold}", reason=reason)
    lifting = _with_sites(settings, lambda stores, sites: lift(hold, signed, index=stores.index, sites=sites), act)
    if json:
        print_json(lifting_json(lifting))
    elif lifting.waits_for_approval:
        out.print(f"hold {hold} stands until another person approves: keepsight hold approve {hold}", highlight=False)
        print_sites(lifting.sites)
    else:
        _print_lifted(lifting)


@app.command()
def approve(hold: HoldId, by: By = "", yes: Yes = False, json: Json = False, config: Config = None) -> None:
    """Approve the lifting of a hold that another person asked for."""
    settings = settings_of(config)
    person = guarded(lambda: name_of(by))
    must_confirm(f"Lift hold {hold}? What it alone keeps, and is due, is deleted then.", yes=yes)
    now_us = SystemClock().now_us()
    act = act_of_command(person, Action.HOLD, f"approved the lifting of hold {hold}")
    lifted = _with_sites(settings, lambda stores, sites: approve_lift(hold, by=person, index=stores.index, now_us=now_us, sites=sites), act)
    if json:
        print_json(known_json(lifted.hold, lifted.sites))
    else:
        _print_lifted(lifted)


@app.command("report")
def report_(case: Annotated[str, typer.Argument(help="The case.")], json: Json = False, config: Config = None) -> None:
    """What the holds of a case keep: cameras, camera-days, segments, bytes, locks in the store, and what is gone of it."""
    now_us = SystemClock().now_us()
    found = with_stores(settings_of(config), lambda stores: report(case, index=stores.index, now_us=now_us))
    if json:
        print_json([report_json(each) for each in found])
    else:
        print_reports(found)


def _end_with(placed: Placed, json: bool) -> None:
    if json:
        print_json(placed_json(placed))
    else:
        print_placed(placed)
    if placed.back.too_late or placed.back.deleted:
        raise typer.Exit(Exit.FINDINGS)


def _print_lifted(lifting: Lifting) -> None:
    out.print(f"hold {lifting.hold.id} is lifted; what it kept falls due by its rules again", highlight=False)
    print_sites(lifting.sites)


def _with_sites(settings: Settings, work: Callable[[Stores, HoldSites], Awaitable[T]], act: Act | None = None) -> T:
    """Runs work on the opened index and pools, and with the other sites; the register knows of it first, if it is an act."""

    async def whole(stores: Stores) -> T:
        async with other_sites(settings, stores.index, SystemClock()) as others:
            if act is None:
                return await work(stores, others.sites)
            return await registered_act(settings, stores.index, act, lambda: work(stores, others.sites))

    return with_stores(settings, whole)
