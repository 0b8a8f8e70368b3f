"""`/retention`: the policies, what a change of them would do, the change itself; and why a camera's footage stays or goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from retention.asked import MAX_TEXT, Body, By, CameraId, DayQuery, Doors, Given, Reason
from retention.draft import draft_of
from retention.explain import explain
from retention.policies import Proposal, apply, history, propose, withdraw
from retention.policy import Policy
from retention.policy_record import policy_values
from retention.signed import Signed
from segments.access import Reach, Verb
from segments.clock import iso


class PolicyView(BaseModel):
    """A version of the policy. `withdrawn` is null unless it was taken back before it bound."""

    version: int
    by: str
    reason: str
    written: str = Field(json_schema_extra={"format": "date-time"})
    binds: str = Field(json_schema_extra={"format": "date-time"})
    withdrawn: str | None
    zone: str
    default: str
    areas: dict[str, str]
    classes: dict[str, str]
    tiers: dict[str, dict[str, Any]]
    changes: list[str] = Field(description="What it changed, in sentences")


class Plan(Body):
    """Changes to the newest policy, as a plan file has them; what is not named stays, an empty text takes an entry out."""

    tiers: dict[str, dict[str, Any] | str] = Field(default_factory=dict)
    areas: dict[str, str] = Field(default_factory=dict)
    classes: dict[str, str] = Field(default_factory=dict)
    default: str = ""


class PlanWanted(Body):
    """A plan; `on`: the version it was shown for, 0 for whichever is the newest."""

    plan: Plan
    on: int = Field(0, ge=0)
    reason: str = Field(min_length=1, max_length=MAX_TEXT)


class ProposalView(BaseModel):
    """What a plan would do, without doing it."""

    policy: PolicyView
    impact: dict[str, Any]


def rule_routes(doors: Doors) -> APIRouter:
    """The routes, behind what stands before them."""
    router = APIRouter(prefix="/retention")
    router.get("/policies", **doors.look())(policies)
    router.post("/policies", status_code=201, **doors.change(Verb.ADMINISTER, 409))(apply_plan)
    router.post("/proposals", **doors.change(Verb.ADMINISTER, 409))(propose_plan)
    router.post("/policies/{version}/withdrawal", **doors.change(Verb.ADMINISTER, 409))(withdraw_policy)
    router.get("/cameras/{camera}", **doors.look(404, reach=Reach.SCOPE))(explain_camera)
    return router


async def policies(services: Given) -> list[PolicyView]:
    """All versions in order, each with what it changed; the newest that binds, and those announced after it, count."""
    return [_view(each.policy, list(each.changes)) for each in await history(services.index)]


async def propose_plan(services: Given, by: By, wanted: PlanWanted) -> ProposalView:
    """What a plan would lengthen, shorten and delete; nothing is changed."""
    found = await _proposal(services, by, wanted)
    return ProposalView(policy=_view(found.policy, list(found.changes)), impact=found.impact.as_json())


async def apply_plan(services: Given, by: By, wanted: PlanWanted) -> PolicyView:
    """Writes the next version. It binds at once if it shortens nothing, else when its notice is over."""
    found = await _proposal(services, by, wanted)
    written = await apply(services.index, found.draft, signed=_signed(services, by, wanted.reason), limits=services.limits)
    return _view(written, list(found.changes))


async def withdraw_policy(services: Given, by: By, version: Annotated[int, Path(ge=1, le=2**31)], why: Reason) -> PolicyView:
    """Takes a policy back that does not bind yet."""
    return _view(await withdraw(services.index, version, signed=_signed(services, by, why.reason)), [])


async def explain_camera(services: Given, camera: CameraId, day: DayQuery = None) -> dict[str, Any]:
    """Which rule wins for a camera and why, what holds it, and for a UTC day when each part of it goes or went."""
    return (await explain(services.index, camera, day, now_us=services.clock.now_us(), copies=services.copies)).as_json()


async def _proposal(services: Given, by: str, wanted: PlanWanted) -> Proposal:
    draft = replace(draft_of(wanted.plan.model_dump()), on=wanted.on)
    return await propose(services.index, draft, signed=_signed(services, by, wanted.reason), limits=services.limits)


def _signed(services: Given, by: str, reason: str) -> Signed:
    return Signed(by, reason, services.clock.now_us())


def _view(policy: Policy, changes: list[str]) -> PolicyView:
    values = policy_values(policy)
    return PolicyView(
        version=policy.version,
        by=policy.by,
        reason=policy.reason,
        written=iso(policy.written_us),
        binds=iso(policy.binds_us),
        withdrawn=iso(policy.withdrawn_us) if policy.withdrawn_us else None,
        zone=policy.zone,
        default=policy.default,
        areas=dict(policy.areas),
        classes=values["classes"],
        tiers=values["tiers"],
        changes=changes,
    )
