"""Policies as they are changed: first shown with what it would do, then written; bound after its notice, taken back until then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from retention.draft import Draft, drafted
from retention.impact import CameraImpact, Comparison, Impact, shortens
from retention.policy import Policy
from retention.policy_difference import difference
from retention.policy_record import POLICIES, all_policies, policy_of, policy_values
from retention.rules import Rules, read_rules
from retention.signed import Signed
from segments.clock import US_PER_DAY, iso, to_datetime
from segments.errors import BadInput, Conflict
from segments.ports import CameraChanges, Records, Usage
from segments.record import new_record
from segments.shards import CAMERA_BUCKETS
from segments.tier import Term, general_tier, key_area_tier
from segments.usage import DayUsage


class PolicyLimits(NamedTuple):
    """Settings of the site: the notice of a shortening, and the floor no tier may be under (commits rely on it)."""

    notice_days: int = 7
    shortest_floor_days: int = 30


class PolicyIndex(Records, Usage, CameraChanges, Protocol):
    """What showing a change needs of the index."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change as it would be written now. `draft` is what it was asked for, on the policy it was shown for."""

    policy: Policy
    draft: Draft
    changes: Sequence[str]
    impact: Impact


class Version(NamedTuple):
    """A policy and what it changed."""

    policy: Policy
    changes: Sequence[str]


# --- the first one


def first_policy(approver: str, review: date, zone: str, signed: Signed, limits: PolicyLimits) -> Policy:
    """What retention starts with: the two tiers of the law, general for all and key-area for class 1.

    Until it binds nothing is deleted, so it has a notice as every shortening. Raises BadInput.
    """
    if review <= to_datetime(signed.now_us).date():
        raise BadInput(f"the review date {review} is over; name a day to come")
    policy = Policy(
        version=1,
        by=signed.by,
        reason=signed.reason,
        written_us=signed.now_us,
        binds_us=signed.now_us + limits.notice_days * US_PER_DAY,
        tiers={tier.name: tier for tier in (general_tier(approver, review), key_area_tier(approver, review))},
        default="general",
        areas={},
        classes={1: "key-area"},
        zone=zone,
    )
    return _within_limits(policy, limits)


async def propose_start(index: PolicyIndex, first: Policy) -> Proposal:
    """What starting would do. Raises Conflict if there is a policy."""
    rules = await read_rules(index)
    policy = _as_first(rules.policies, first)
    return Proposal(policy, Draft(), difference(None, policy), await _impact(index, rules, policy))


async def start(records: Records, first: Policy) -> Policy:
    """Writes the first policy. Raises Conflict if there is one."""
    return await _write(records, _as_first(await all_policies(records), first))


def _as_first(policies: Sequence[Policy], first: Policy) -> Policy:
    if standing := _standing(policies):
        raise Conflict(f"retention has been started: policy {standing[-1].version} is there; change it instead")
    return replace(first, version=_next_version(policies))


# --- changes


async def propose(index: PolicyIndex, draft: Draft, *, signed: Signed, limits: PolicyLimits) -> Proposal:
    """What a change would do, without doing it. Raises BadInput, and Conflict if the policy is another than the draft was shown for."""
    rules = await read_rules(index)
    base, policy = _drafted(rules.policies, draft, signed, limits)
    return Proposal(policy, replace(draft, on=base.version), difference(base, policy), await _impact(index, rules, policy))


async def apply(records: Records, draft: Draft, *, signed: Signed, limits: PolicyLimits) -> Policy:
    """Writes the next version: it binds at once if it shortens nothing, else when its notice is over. Raises as `propose` does."""
    return await _write(records, _drafted(await all_policies(records), draft, signed, limits)[1])


def _drafted(policies: Sequence[Policy], draft: Draft, signed: Signed, limits: PolicyLimits) -> tuple[Policy, Policy]:
    base = _newest(policies)
    if draft.on not in (0, base.version):
        raise Conflict(f"this was shown for policy {draft.on}, and the newest is policy {base.version} now; look at it again")
    changed = drafted(draft, base, to_datetime(signed.now_us).astimezone(ZoneInfo(base.zone)).date())
    if not difference(base, changed):
        raise BadInput(f"this changes nothing: policy {base.version} says so already")
    policy = replace(
        changed,
        version=_next_version(policies),
        by=signed.by,
        reason=signed.reason,
        written_us=signed.now_us,
        binds_us=max(base.binds_us, signed.now_us),
    )
    if shortens(_standing(policies), policy, signed.now_us):
        policy = replace(policy, binds_us=max(base.binds_us, signed.now_us + limits.notice_days * US_PER_DAY))
    return base, _within_limits(policy, limits)


# --- taking back


async def propose_withdrawal(index: PolicyIndex, version: int, *, now_us: int) -> Impact:
    """What taking a policy back would do: what it has lengthened goes sooner again, at once. Raises as `withdraw` does."""
    rules = await read_rules(index)
    withdrawn = replace(_withdrawable(rules.policies, version, now_us), withdrawn_us=now_us)
    changed = replace(rules, policies=[withdrawn if policy.version == version else policy for policy in rules.policies])
    return await _compared(index, Comparison(rules, changed, at_us=now_us, zone=ZoneInfo(withdrawn.zone)), now_us)


async def withdraw(records: Records, version: int, *, signed: Signed) -> Policy:
    """Takes a policy back that does not bind yet, as if it had never been written.

    Raises Conflict once it binds, or if others were written on top of it; BadInput if there is no such policy.
    """
    if not signed.by.strip() or not signed.reason.strip():
        raise BadInput("taking a policy back needs to say who does it, and why")
    _withdrawable(await all_policies(records), version, signed.now_us)
    record = await records.record(POLICIES, str(version))
    policy = _withdrawable([policy_of(record)], version, signed.now_us)
    withdrawn = replace(policy, withdrawn_us=signed.now_us, withdrawn_by=signed.by, withdrawn_reason=signed.reason)
    await records.put_record(record.changed(policy_values(withdrawn)))
    return withdrawn


def _withdrawable(policies: Sequence[Policy], version: int, now_us: int) -> Policy:
    found = next((policy for policy in policies if policy.version == version), None)
    if found is None:
        raise BadInput(f"there is no policy {version}")
    if found.withdrawn_us:
        raise Conflict(f"policy {version} was taken back on {iso(found.withdrawn_us)} by {found.withdrawn_by}")
    if found.binds_us <= now_us:
        raise Conflict(f"policy {version} binds since {iso(found.binds_us)}: write another one instead")
    if later := [policy.version for policy in _standing(policies) if policy.version > version]:
        raise Conflict(f"policy {later[-1]} was written on top of policy {version}: take that one back first")
    return found


# --- looking


async def history(records: Records) -> list[Version]:
    """All versions in order, each with what it changed of the one it was written on."""
    policies = await all_policies(records)
    return [Version(policy, difference(_base_of(policy, policies), policy)) for policy in policies]


def _base_of(policy: Policy, policies: Sequence[Policy]) -> Policy | None:
    """The newest that stood when it was written."""
    before = [each for each in policies if each.version < policy.version and not 0 < each.withdrawn_us <= policy.written_us]
    return before[-1] if before else None


async def _impact(index: PolicyIndex, rules: Rules, policy: Policy) -> Impact:
    changed = replace(rules, policies=[*rules.policies, policy])
    return await _compared(index, Comparison(rules, changed, at_us=policy.binds_us, zone=ZoneInfo(policy.zone)), policy.binds_us)


async def _compared(index: PolicyIndex, comparison: Comparison, binds_us: int) -> Impact:
    """Bucket by bucket of the archive: what is held in memory at a time is one bucket's footage, and the cameras that change."""
    months = await index.usage_months()
    found: list[CameraImpact] = []
    looked_at = 0
    for bucket in range(CAMERA_BUCKETS):
        cameras = {camera.id: camera for camera in await index.cameras_in(bucket)}
        days: dict[str, list[DayUsage]] = {camera: [] for camera in cameras}
        for month in months:
            for day in await index.usage(month, bucket):
                days.setdefault(day.camera, []).append(day)
        looked_at += len(days)
        impacts = (comparison.of_camera(camera, cameras.get(camera), of_camera) for camera, of_camera in days.items())
        found += (impact for impact in impacts if impact is not None)
    return Impact(binds_us, looked_at, tuple(sorted(found, key=lambda impact: impact.camera)))


# --- parts


async def _write(records: Records, policy: Policy) -> Policy:
    """Conflict if somebody else has written this version meanwhile."""
    await records.put_record(new_record(POLICIES, str(policy.version), policy_values(policy)))
    return policy


def _standing(policies: Sequence[Policy]) -> list[Policy]:
    return [policy for policy in policies if not policy.withdrawn_us]


def _newest(policies: Sequence[Policy]) -> Policy:
    standing = _standing(policies)
    if not standing:
        raise BadInput("there is no retention policy yet; retention has to be started first")
    return standing[-1]


def _next_version(policies: Sequence[Policy]) -> int:
    return max((policy.version for policy in policies), default=0) + 1


def _within_limits(policy: Policy, limits: PolicyLimits) -> Policy:
    """Commits go without a look at batches while the index is away, for footage younger than half of that setting."""
    shortest = Term(days=limits.shortest_floor_days)
    for tier in policy.tiers.values():
        if not shortest.within(tier.floor):
            raise BadInput(
                f"tiers.{tier.name}.floor: {tier.floor} is below retention.shortest_floor_days ({limits.shortest_floor_days}); "
                "lower that setting first, on every node, and restart them"
            )
    return policy
