"""Policies, what a change would do, and why footage is kept, as a terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Column, Table

from deploy.cli_frame import out
from deploy.sizes import in_units
from retention.dry_run import why
from retention.explain import DayExplanation, Explanation, PolicySays
from retention.impact import Amount, Direction, Impact
from retention.plan import DayPlan
from retention.policies import Proposal, Version
from retention.policy import Policy
from retention.status import Status
from segments.clock import iso, to_datetime
from segments.hold import FOR_EVER_US
from segments.tier import Tier

MOST_CAMERAS = 20
"""So many cameras of a change are listed; JSON has them all."""


def print_policy(policy: Policy, now_us: int) -> None:
    """A policy: since when it binds, its tiers, and who has them."""
    binds = "binds since" if policy.binds_us <= now_us else "announced; it binds on"
    _say(f"policy {policy.version}, {binds} {iso(policy.binds_us)}, civil time of {policy.zone}, by {policy.by}: {policy.reason}")
    for tier in policy.tiers.values():
        _say(f"  {tier.name}: due after {tier.keep_for}; goes to {_goes_to(policy, tier) or 'nobody'}")


def print_tiers(policy: Policy, now_us: int) -> None:
    """Each tier with its purpose."""
    today = to_datetime(now_us).date()
    for tier in policy.tiers.values():
        _say(f"{tier.name}: {tier.purpose}")
        _say(f"  not before {tier.floor}; due after {tier.keep_for}; gone by {tier.ceiling}")
        people = "; a hold on it is lifted by two persons" if tier.two_persons else ""
        due = " (due)" if tier.review <= today else ""
        _say(f"  goes to {_goes_to(policy, tier) or 'nobody'}; approved by {tier.approver}; review on {tier.review}{due}{people}")


def print_proposal(proposal: Proposal) -> None:
    """A change, and what it would do."""
    for change in proposal.changes:
        _say(f"  {change}")
    print_impact(proposal.impact)


def print_impact(impact: Impact) -> None:
    """What a change does, in sums and for the cameras it takes most from."""
    kinds = ", ".join(f"{impact.count(each)} {each}" for each in Direction if impact.count(each))
    _say(f"{len(impact.cameras)} of {impact.looked_at} cameras change" + (f": {kinds}" if kinds else ""))
    _say(f"kept longer, from now on: {_amount(impact.amount('longer'))}")
    _say(f"goes sooner, from {iso(impact.binds_us)}: {_amount(impact.amount('sooner'))}")
    going, held = impact.amount("going"), impact.amount("held")
    _say(f"to be deleted at that moment: {_amount(going)}" + (f"; holds touch {_amount(held)} of it" if held.camera_days else ""))
    right = [Column(name, justify="right") for name in ("longer", "sooner", "deleted then")]
    table = Table("camera", "tier before", "tier after", "terms", *right)
    for each in sorted(impact.cameras, key=lambda camera: (-camera.going.stored_bytes, camera.camera))[:MOST_CAMERAS]:
        amounts = (_amount(each.longer), _amount(each.sooner), _amount(each.going))
        table.add_row(each.camera, ", ".join(each.before), ", ".join(each.after), each.direction, *amounts)
    if impact.cameras:
        out.print(table)
    if len(impact.cameras) > MOST_CAMERAS:
        _say(f"and {len(impact.cameras) - MOST_CAMERAS} more; --json has them all")


def print_history(versions: Sequence[Version]) -> None:
    """Who changed what, when and why; the newest last."""
    for policy, changes in versions:
        _say(f"policy {policy.version}, {iso(policy.written_us)}, by {policy.by}: {policy.reason}; binds on {iso(policy.binds_us)}")
        for change in changes:
            _say(f"  {change}")
        if policy.withdrawn_us:
            _say(f"  taken back on {iso(policy.withdrawn_us)} by {policy.withdrawn_by}: {policy.withdrawn_reason}")


def print_explanation(found: Explanation) -> None:
    """Why, and when."""
    _say(f"camera {found.camera}" + ("" if found.archived else ", not in the archive any more"))
    if found.finding:
        _say(f"  {found.finding}")
    for says in found.says:
        _print_says(says)
    for hold in found.holds:
        until = iso(hold.end_us) if hold.end_us < FOR_EVER_US else "no end"
        _say(f"  hold {hold.id} (case {hold.case}) from {iso(hold.start_us)} to {until}: what it covers stays")
    if found.now_due:
        times = found.now_due
        _say(f"  footage of now: may go from {iso(times.floor_us)}, falls due on {iso(times.keep_us)}, by {times.choice};")
        _say(f"  must be gone by {iso(times.ceiling_us)}")
    if found.day:
        _print_day(found.day)


def _print_says(says: PolicySays) -> None:
    tier = says.choice.tier
    _say(f"  policy {says.version} ({says.since}): {tier.name}, due after {tier.keep_for}")
    for rule in says.rules:
        key = f" {rule.key}" if rule.key else ""
        _say(f"    {'*' if rule.won else ' '} {rule.level}{key}: {rule.tier or 'no tier'} - {rule.why}")


def _print_day(day: DayExplanation) -> None:
    _say(f"  day {day.day} (UTC)" + ("" if day.anything else ": nothing is there, and no receipt names it"))
    for group in day.groups:
        amount = f"{group.segments} segments, {group.stored_bytes / 1e6:,.1f} MB"
        _say(f"    {iso(group.span.start_us)} to {iso(group.span.end_us)}, {amount}: {group.said}")
    if day.batch:
        finding = f"; {day.batch.finding}" if day.batch.finding else ""
        _say(f"    {day.leaving} segments on their way out: {day.batch.state} since {iso(day.batch.since_us)}{finding}")
    for gone in day.removed:
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(gone.reasons.items()))
        _say(f"    {gone.segments} segments deleted, gone since {iso(gone.confirmed_us)}, by {gone.rule}: {why}")
        spans = ", ".join(f"{iso(span.start_us)} to {iso(span.end_us)}" for span in gone.spans)
        _say(f"      receipt {gone.chain} {gone.number}: {spans}")


def print_plan(plan: DayPlan) -> None:
    """What of a camera-day would go."""
    going = plan.going
    part = "" if plan.whole else f" of {len(plan.verdicts)}"
    _say(f"{plan.camera} {plan.day}: {len(going)}{part} segments, {sum(row.size for row in going) / 1e6:,.1f} MB")
    for reason in why(plan):
        _say(f"  {reason}")


def print_status(found: Status) -> None:
    """How retention stands."""
    binding = found.binding
    _say(f"policy {binding.version} binds since {iso(binding.binds_us)}" if binding else "no policy binds: nothing is deleted")
    for policy in found.announced:
        _say(f"policy {policy.version} is announced and binds on {iso(policy.binds_us)}: {policy.reason}")
    for tier in found.reviews:
        _say(f"review due since {tier.review}: tier {tier.name}, approved by {tier.approver}")
    _say(f"holds that stand: {found.holds}")
    states = ", ".join(f"{count} {state}" for state, count in found.batches.items())
    _say(f"camera-days on their way out: {states or 'none'}")
    for stuck in found.stuck:
        _say(f"  {stuck.camera} {stuck.day}: {stuck.finding}")
    if found.waiting:
        _say(f"due, and waiting for copies or for other sites: {found.waiting} camera-days, the first since {iso(found.waiting_since_us)}")
    for shard, held in found.clocks.items():
        _say(f"{shard} deletes nothing: {held}; `keepsight retention clock accept` if the clock is right")
    for sweep in found.sweeps:
        _say(f"{sweep.duty} at {sweep.place}: last round ended {iso(sweep.finished_us)}" + (f"; {sweep.held}" if sweep.held else ""))
    for receipt in found.last:
        _say(f"last of {receipt.chain}: {receipt.camera} {receipt.day}, gone since {iso(receipt.confirmed_us)}")


def _goes_to(policy: Policy, tier: Tier) -> str:
    """Who has a tier, cut where it is long."""
    default = ["default"] if policy.default == tier.name else []
    classes = [f"class {number}" for number, name in sorted(policy.classes.items()) if name == tier.name]
    areas = [area for area, name in sorted(policy.areas.items()) if name == tier.name]
    more = [f"and {len(areas) - 5} areas more"] if len(areas) > 5 else []
    return ", ".join([*default, *classes, *areas[:5], *more])


def _amount(amount: Amount) -> str:
    return f"{amount.camera_days:,} camera-days, {in_units(amount.stored_bytes)}" if amount.camera_days else "nothing"


def _say(line: str) -> None:
    out.print(line, highlight=False, markup=False)
