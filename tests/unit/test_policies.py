"""Policies are shown, written, bound after their notice, and taken back until then."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from retention.draft import Draft, draft_of
from retention.impact import Amount, Direction
from retention.policies import (
    PolicyLimits,
    apply,
    first_policy,
    history,
    propose,
    propose_start,
    propose_withdrawal,
    start,
    withdraw,
)
from retention.policy import Policy, in_force
from retention.policy_difference import reviews_due
from retention.policy_record import all_policies, policy_of
from retention.signed import Signed
from segments.clock import US_PER_DAY, day_of
from segments.errors import BadInput, Conflict
from segments.stores.memory_index import MemoryIndex
from segments.tier import KEY_AREA_TERM
from segments.usage import UsageSum
from tests.builders import NOON_US, a_camera
from tests.retention_builders import REVIEW, write_policy

LIMITS = PolicyLimits()
NOTICE_US = 7 * US_PER_DAY
LONGER = {"areas": {"harbour": "key-area"}}
SHORTER = {"classes": {"1": ""}}


def signed(now_us: int = NOON_US, **fields: Any) -> Signed:
    """Wu, for a reason."""
    return Signed(**{"by": "Wu", "reason": "the plan of the province", "now_us": now_us} | fields)


def first(**fields: Any) -> Policy:
    """The policy retention starts with, seven days before noon, so that it binds at noon."""
    good: dict[str, Any] = {
        "approver": "Chen",
        "review": REVIEW,
        "zone": "Asia/Shanghai",
        "signed": signed(NOON_US - NOTICE_US),
        "limits": LIMITS,
    }
    return first_policy(**good | fields)


async def started() -> MemoryIndex:
    index = MemoryIndex()
    await start(index, first())
    return index


async def changed(index: MemoryIndex, values: dict[str, Any], now_us: int = NOON_US) -> Policy:
    return await apply(index, draft_of(values), signed=signed(now_us), limits=LIMITS)


async def standing(index: MemoryIndex, now_us: int) -> list[int]:
    """The versions that count."""
    return [policy.version for policy in in_force(await all_policies(index), now_us)]


# --- the first


async def test_retention_starts_with_the_two_tiers_of_the_law() -> None:
    """General for all, key-area for class 1; and it binds when its notice is over, since until then nothing is deleted at all."""
    index = await started()
    policy = policy_of(await index.record("policy", "1"))

    assert (sorted(policy.tiers), policy.default, policy.classes) == (["general", "key-area"], "general", {1: "key-area"})
    assert (policy.zone, policy.by, policy.binds_us) == ("Asia/Shanghai", "Wu", NOON_US)
    with pytest.raises(BadInput, match="no retention policy binds"):
        await standing(index, NOON_US - 1)
    assert await standing(index, NOON_US) == [1]


async def test_retention_starts_once() -> None:
    """A second start is refused; one that was taken back can be done again, with the next number."""
    index = await started()
    with pytest.raises(Conflict, match="retention has been started: policy 1"):
        await start(index, first())
    await withdraw(index, 1, signed=signed(NOON_US - 1))
    assert (await start(index, first())).version == 2


async def test_two_who_start_at_once_do_not_overwrite_each_other() -> None:
    """The record of policy 1 is written by compare-and-set."""
    index = MemoryIndex()
    await write_policy(index, first())
    empty = MemoryIndex()
    empty.put_record = index.put_record  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        await start(empty, first(approver="Wu"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"review": day_of(NOON_US - NOTICE_US)}, "review date 2026-03-07 is over"),
        ({"approver": " "}, "an approver is missing"),
        ({"zone": "Mars/Olympus"}, "no zone of the tz database"),
        ({"signed": signed(by="")}, "who wrote it, and why"),
        ({"signed": signed(reason=" ")}, "who wrote it, and why"),
        ({"limits": PolicyLimits(shortest_floor_days=31)}, "below retention.shortest_floor_days \\(31\\)"),
    ],
)
def test_a_start_that_cannot_be_is_refused(fields: dict[str, Any], words: str) -> None:
    """An approver, a review to come, a zone, who and why, and floors commits may rely on."""
    with pytest.raises(BadInput, match=words):
        first(**fields)


async def test_a_start_shows_what_it_would_delete() -> None:
    """All footage whose time is over when it binds."""
    index = await a_site(MemoryIndex())
    impact = (await propose_start(index, first())).impact

    assert (impact.looked_at, impact.binds_us) == (2, NOON_US)
    assert impact.amount("going") == Amount(1, 1_000)
    assert await index.records("policy") == []


async def a_site(index: MemoryIndex) -> MemoryIndex:
    """A camera in the harbour and one in the town, each with footage of 10 and of 60 days ago; the harbour's is of class 1."""
    for camera in (a_camera("gate", tier="", area="harbour", camera_class=1), a_camera("yard", tier="", area="town")):
        await index.add_camera(camera)
        for days_ago in (10, 60):
            await index.put_usage(camera.id, day_of(NOON_US - days_ago * US_PER_DAY), {"main": UsageSum(2, 1_000)})
    return index


# --- changes


async def test_a_lengthening_binds_at_once() -> None:
    """No notice is needed to keep footage longer."""
    index = await started()
    policy = await changed(index, LONGER)
    assert (policy.version, policy.binds_us) == (2, NOON_US)
    assert await standing(index, NOON_US) == [2]


async def test_a_shortening_waits_for_its_notice() -> None:
    """Seven days, or what the setting says; until then the one before it counts, too."""
    index = await started()
    assert (await changed(index, SHORTER)).binds_us == NOON_US + NOTICE_US
    assert await standing(index, NOON_US + NOTICE_US - 1) == [1, 2]
    assert await standing(index, NOON_US + NOTICE_US) == [2]
    long = PolicyLimits(notice_days=30)
    policy = await apply(index, draft_of({"default": "key-area", "areas": {"x": "general"}}), signed=signed(), limits=long)
    assert policy.binds_us == NOON_US + 30 * US_PER_DAY


async def test_a_change_never_overtakes_one_that_was_announced() -> None:
    """It is written on top of that one, so it binds no sooner."""
    index = await started()
    announced = await changed(index, SHORTER)
    assert (await changed(index, LONGER, NOON_US + 5)).binds_us == announced.binds_us + 5
    lengthening = {"areas": {"x": "key-area"}, "classes": {"1": "key-area"}}
    assert (await changed(index, lengthening, NOON_US + 6)).binds_us == announced.binds_us + 5


async def test_a_proposal_shows_cameras_days_and_bytes() -> None:
    """And is not written."""
    index = await a_site(await started())
    proposal = await propose(index, draft_of(SHORTER), signed=signed(), limits=LIMITS)

    assert proposal.changes == ["class 1: key-area -> none"]
    assert [(each.camera, each.before, each.after, each.direction) for each in proposal.impact.cameras] == [
        ("gate", ("key-area",), ("general",), Direction.SHORTER)
    ]
    assert proposal.impact.amount("sooner") == Amount(2, 2_000)
    assert proposal.impact.amount("going") == Amount(1, 1_000)
    assert proposal.impact.as_json()["going"] == {"camera_days": 1, "stored_bytes": 1_000}
    assert [policy.version for policy in await all_policies(index)] == [1]


async def test_what_was_shown_is_what_is_written() -> None:
    """A draft that was shown for one policy is refused on another, and somebody who was faster is not overwritten."""
    index = await started()
    shown = (await propose(index, draft_of(LONGER), signed=signed(), limits=LIMITS)).draft
    await changed(index, {"areas": {"town": "key-area"}})
    with pytest.raises(Conflict, match="shown for policy 1, and the newest is policy 2 now"):
        await apply(index, shown, signed=signed(), limits=LIMITS)


@pytest.mark.parametrize(
    ("values", "limits", "words"),
    [
        ({}, LIMITS, "changes nothing"),
        ({"default": "general"}, LIMITS, "changes nothing: policy 1 says so already"),
        ({"zone": "UTC"}, LIMITS, "zone: it is Asia/Shanghai"),
        (LONGER, PolicyLimits(shortest_floor_days=60), "tiers.general.floor: the longer of 30 days and 1 month is below"),
    ],
)
async def test_a_change_that_cannot_be_is_refused(values: dict[str, Any], limits: PolicyLimits, words: str) -> None:
    """Nothing, another zone, floors that commits do not expect; and nothing is written."""
    index = await started()
    with pytest.raises(BadInput, match=words):
        await apply(index, draft_of(values), signed=signed(), limits=limits)
    assert len(await all_policies(index)) == 1


async def test_a_change_needs_a_policy_to_change() -> None:
    """Retention is started first."""
    with pytest.raises(BadInput, match="has to be started first"):
        await apply(MemoryIndex(), Draft(default="general"), signed=signed(), limits=LIMITS)


# --- taking back


async def test_a_policy_is_taken_back_until_it_binds() -> None:
    """A moment before, it is as if it had never been written; from that moment on it is too late."""
    index = await started()
    await changed(index, SHORTER)
    with pytest.raises(Conflict, match="policy 2 binds since"):
        await withdraw(index, 2, signed=signed(NOON_US + NOTICE_US))
    withdrawn = await withdraw(index, 2, signed=signed(NOON_US + NOTICE_US - 1))
    assert (withdrawn.withdrawn_by, withdrawn.withdrawn_reason) == ("Wu", "the plan of the province")
    assert await standing(index, NOON_US + NOTICE_US) == [1]
    with pytest.raises(Conflict, match="policy 2 was taken back"):
        await withdraw(index, 2, signed=signed())


async def test_only_the_newest_is_taken_back() -> None:
    """Others were written on top of it."""
    index = await started()
    await changed(index, SHORTER)
    await changed(index, {"areas": {"x": "key-area"}})
    with pytest.raises(Conflict, match="policy 3 was written on top of policy 2"):
        await withdraw(index, 2, signed=signed())
    await withdraw(index, 3, signed=signed())
    await withdraw(index, 2, signed=signed())


@pytest.mark.parametrize("fields", [{"by": ""}, {"reason": " "}])
async def test_taking_back_says_who_and_why(fields: dict[str, str]) -> None:
    """Else it is refused, and so is a policy there is not."""
    index = await started()
    await changed(index, SHORTER)
    with pytest.raises(BadInput, match="who does it, and why"):
        await withdraw(index, 2, signed=signed(**fields))
    with pytest.raises(BadInput, match="there is no policy 9"):
        await withdraw(index, 9, signed=signed())


async def test_taking_back_shows_what_goes_sooner() -> None:
    """What the announced policy has lengthened is due again at once."""
    index = await a_site(await started())
    await changed(index, {"classes": {"1": "", "3": "key-area"}})
    impact = await propose_withdrawal(index, 2, now_us=NOON_US)

    assert [(each.camera, each.direction) for each in impact.cameras] == [("gate", Direction.SAME), ("yard", Direction.SHORTER)]
    assert {each.camera: each.going for each in impact.cameras} == {"gate": Amount(), "yard": Amount(1, 1_000)}


# --- looking


async def test_history_says_who_changed_what_when_and_why() -> None:
    """Each version against the one it was written on, which is not one that had been taken back."""
    index = await started()
    await changed(index, SHORTER)
    await withdraw(index, 2, signed=signed(NOON_US + 1))
    terms = {"keep_for": str(KEY_AREA_TERM), "ceiling": f"{KEY_AREA_TERM}, and 7 days more", "approver": "Li", "review": "2027-02-01"}
    await changed(index, {"tiers": {"general": terms}}, NOON_US + 2)
    versions = await history(index)

    assert [(each.policy.version, each.policy.by, bool(each.policy.withdrawn_us)) for each in versions] == [
        (1, "Wu", False),
        (2, "Wu", True),
        (3, "Wu", False),
    ]
    assert "zone: Asia/Shanghai" in versions[0].changes
    assert versions[1].changes == ["class 1: key-area -> none"]
    assert versions[2].changes == [
        "tier general: keep_for: the longer of 30 days and 1 month -> the longer of 90 days and 3 months",
        "tier general: ceiling: the longer of 30 days and 1 month, and 7 days more -> the longer of 90 days and 3 months, and 7 days more",
        "tier general: approver: Chen -> Li",
        "tier general: review: 2027-01-01 -> 2027-02-01",
    ]


def test_reviews_are_due_on_their_day() -> None:
    """Not the day before."""
    policy = first()
    assert reviews_due([policy], date(2026, 12, 31)) == []
    assert [tier.name for tier in reviews_due([policy, replace(policy, version=2)], REVIEW)] == ["general", "key-area"]
