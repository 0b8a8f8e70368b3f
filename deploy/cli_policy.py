"""`keepsight retention policy`: shown, planned, applied, taken back; and who changed what, when and why."""

from __future__ import annotations

import json as json_text
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli_acts import changing
from deploy.cli_frame import By, Config, Json, Reason, Yes, guarded, must_confirm, out, print_json, settings_of, who, with_stores
from deploy.retention_tables import print_history, print_impact, print_policy, print_proposal
from deploy.settings import Settings
from deploy.wiring import policy_limits
from retention.draft import Draft, draft_of, with_values
from retention.policies import Proposal, apply, history, propose, propose_withdrawal, withdraw
from retention.policy_record import all_policies, policy_values
from retention.signed import Signed
from segments.clock import SystemClock, iso
from segments.errors import BadInput

app = typer.Typer(help="Retention policies: show, plan, apply, withdraw, history.", no_args_is_help=True)

PlanFile = Annotated[Path | None, typer.Argument(metavar="FILE", help="What to change, as TOML or JSON (.toml, .json).")]
Values = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="One value: default, areas.PATH, classes.N, tiers.NAME.FIELD; empty takes it out."),
]


@app.command()
def show(json: Json = False, config: Config = None) -> None:
    """The policies that count: the one that binds, and those that are announced."""
    policies = with_stores(settings_of(config), lambda stores: all_policies(stores.index))
    now_us = SystemClock().now_us()
    standing = [policy for policy in policies if not policy.withdrawn_us]
    binding = [policy for policy in standing if policy.binds_us <= now_us][-1:]
    counting = [*binding, *(policy for policy in standing if policy.binds_us > now_us)]
    if json:
        print_json([policy_values(policy) for policy in counting])
        return
    for policy in counting:
        print_policy(policy, now_us)
    if not binding:
        out.print("no policy binds: nothing is deleted", style="yellow")


@app.command()
def plan(file: PlanFile = None, values: Values = None, json: Json = False, config: Config = None) -> None:
    """What a change would lengthen, shorten and delete. Nothing is written."""
    settings = settings_of(config)
    draft = guarded(lambda: _draft(file, values))
    _show(_proposal(settings, draft, Signed("plan", "plan", SystemClock().now_us())), json=json)


@app.command("apply")
def apply_(
    reason: Reason,
    file: PlanFile = None,
    values: Values = None,
    by: By = "",
    yes: Yes = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Change the policy: shown, then asked for. What it lengthens counts at once; if it shortens anything it binds after the notice."""
    settings = settings_of(config)
    draft = guarded(lambda: _draft(file, values))
    proposal = _proposal(settings, draft, _signed(by, reason))
    if not json:
        _show(proposal, json=False)
    must_confirm(f"Write policy {proposal.policy.version}?", yes=yes)
    signed, limits = _signed(by, reason), policy_limits(settings)
    what = f"wrote retention policy {proposal.policy.version}"
    work = lambda stores: apply(stores.index, proposal.draft, signed=signed, limits=limits)  # noqa: E731
    written = changing(settings, what, work, by=signed.by, reason=reason)
    if json:
        print_json({"policy": policy_values(written), "changes": proposal.changes, "impact": proposal.impact.as_json()})
    else:
        out.print(f"policy {written.version} is written and binds on {iso(written.binds_us)}", highlight=False)


@app.command("withdraw")
def withdraw_(
    version: Annotated[int, typer.Argument(help="The policy's number.", min=1)],
    reason: Reason,
    by: By = "",
    yes: Yes = False,
    config: Config = None,
) -> None:
    """Take a policy back that does not bind yet. What it has lengthened is as before at once; that is shown first."""
    settings = settings_of(config)
    now_us = SystemClock().now_us()
    print_impact(with_stores(settings, lambda stores: propose_withdrawal(stores.index, version, now_us=now_us)))
    must_confirm(f"Take policy {version} back?", yes=yes)
    signed = _signed(by, reason)
    what = f"withdrew retention policy {version}"
    changing(settings, what, lambda stores: withdraw(stores.index, version, signed=signed), by=signed.by, reason=reason)
    out.print(f"policy {version} is taken back", highlight=False)


@app.command("history")
def history_(json: Json = False, config: Config = None) -> None:
    """All policies: who wrote each, when, why, and what it changed."""
    versions = with_stores(settings_of(config), lambda stores: history(stores.index))
    if json:
        print_json([{**policy_values(each.policy), "changes": each.changes} for each in versions])
    else:
        print_history(versions)


# --- parts ---


def _signed(by: str, reason: str) -> Signed:
    return Signed(guarded(lambda: who(by)), reason, SystemClock().now_us())


def _proposal(settings: Settings, draft: Draft, signed: Signed) -> Proposal:
    return with_stores(settings, lambda stores: propose(stores.index, draft, signed=signed, limits=policy_limits(settings)))


def _show(proposal: Proposal, *, json: bool) -> None:
    if json:
        print_json({"policy": policy_values(proposal.policy), "changes": proposal.changes, "impact": proposal.impact.as_json()})
    else:
        print_proposal(proposal)


def _draft(file: Path | None, values: list[str] | None) -> Draft:
    texts = {}
    for value in values or ():
        name, equals, text = value.partition("=")
        if not equals:
            raise BadInput(f"--set {value}: write NAME=VALUE")
        texts[name] = text
    if file is None and not texts:
        raise BadInput("nothing to change: name a plan file, or values with --set")
    return draft_of(with_values(_read(file) if file else {}, texts))


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        values = tomllib.loads(text) if file.suffix == ".toml" else json_text.loads(text)
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"{file} is not {'TOML' if file.suffix == '.toml' else 'JSON'}: {error}") from None
    if not isinstance(values, dict):
        raise BadInput(f"{file}: an object is expected")
    return values
