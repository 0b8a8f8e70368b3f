"""Which tier counts: precedence, versions with their notice, and cameras that are moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.policy import Belonging, Level, Policy, belonging, choices, choose, due, in_force
from segments.clock import US_PER_DAY
from segments.errors import BadInput
from segments.tier import GENERAL_TERM, KEY_AREA_TERM, Term, Tier, general_tier, key_area_tier
from tests.builders import NOON_US, a_camera

ZONE = ZoneInfo("Asia/Shanghai")
REVIEW = date(2027, 6, 1)
YEAR = Term(months=12)
TIERS = {
    "general": general_tier("director", REVIEW),
    "key-area": key_area_tier("director", REVIEW),
    "port": Tier("port", KEY_AREA_TERM, YEAR, YEAR._replace(more_days=7), "customs", "director", REVIEW),
}
CAMERA = Belonging("", "fujian/xiamen/siming/harbour", 3)


def a_policy(version: int = 1, **fields: Any) -> Policy:
    """General for all, key areas by class 1 and in Siming; written and binding at noon."""
    good: dict[str, Any] = {
        "by": "li.na",
        "reason": "plan of the province",
        "written_us": NOON_US,
        "binds_us": NOON_US,
        "tiers": TIERS,
        "default": "general",
        "areas": {"fujian/xiamen/siming": "key-area", "fujian": "general"},
        "classes": {1: "key-area"},
    }
    return Policy(version, **{**good, **fields})


@pytest.mark.parametrize(
    ("camera", "tier", "level", "key"),
    [
        (CAMERA._replace(tier="port"), "port", Level.CAMERA, ""),
        (CAMERA, "key-area", Level.AREA, "fujian/xiamen/siming"),
        (CAMERA._replace(area="fujian/xiamen/siming"), "key-area", Level.AREA, "fujian/xiamen/siming"),
        (CAMERA._replace(area="fujian/xiamen/siming-north"), "general", Level.AREA, "fujian"),
        (CAMERA._replace(area="fujian/quanzhou", camera_class=1), "general", Level.AREA, "fujian"),
        (CAMERA._replace(area="jiangxi", camera_class=1), "key-area", Level.CLASS, "1"),
        (CAMERA._replace(area="jiangxi"), "general", Level.DEFAULT, ""),
        (CAMERA._replace(area="", camera_class=2), "general", Level.DEFAULT, ""),
        (CAMERA._replace(tier="gone"), "key-area", Level.AREA, "fujian/xiamen/siming"),
    ],
)
def test_the_strongest_rule_chooses(camera: Belonging, tier: str, level: Level, key: str) -> None:
    """Camera before area before class before default; of areas the deepest; a name that only begins alike is another area."""
    choice = choose(a_policy(4), camera)
    assert (choice.tier.name, choice.level, choice.key, choice.version) == (tier, level, key, 4)


def test_a_choice_says_what_it_came_by() -> None:
    """In words an administrator can check."""
    words = [str(choose(a_policy(4), each)) for each in (CAMERA, CAMERA._replace(tier="port"), CAMERA._replace(area="x"))]
    assert words == [
        "tier key-area (area fujian/xiamen/siming, policy 4)",
        "tier port (the camera's own, policy 4)",
        "tier general (the default, policy 4)",
    ]


def terms_at(policies: list[Policy], now_us: int, camera: Belonging = CAMERA, formerly: tuple[Belonging, ...] = ()) -> set[str]:
    """The names of the tiers that count."""
    return {choice.tier.name for choice in choices(in_force(policies, now_us), camera, formerly=formerly)}


def test_a_lengthening_binds_at_once_and_a_shortening_after_its_notice() -> None:
    """Both are announced with the same notice: until it is over the longer of both counts, then the new one alone."""
    notice_us = NOON_US + 30 * US_PER_DAY
    for old, new in (("general", "key-area"), ("key-area", "general")):
        policies = [a_policy(1, areas={"fujian": old}), a_policy(2, areas={"fujian": new}, binds_us=notice_us)]
        for now_us, longest in ((NOON_US, "key-area"), (notice_us - 1, "key-area"), (notice_us, new)):
            counted = due(choices(in_force(policies, now_us), CAMERA), NOON_US, ZONE)
            assert counted.choice.tier.name == longest
            assert counted.keep_us == TIERS[longest].keep_for.over_us(NOON_US, ZONE)


def test_what_is_withdrawn_before_it_binds_never_was() -> None:
    """And what was withdrawn is not counted while it was announced, either."""
    policies = [a_policy(1), a_policy(2, areas={"fujian": "port"}, binds_us=NOON_US + US_PER_DAY, withdrawn_us=NOON_US + 5)]
    assert terms_at(policies, NOON_US + 10) == {"key-area"}
    assert terms_at(policies, NOON_US + 2 * US_PER_DAY) == {"key-area"}


def test_without_a_policy_that_binds_nothing_is_decided() -> None:
    """None at all, none yet, all withdrawn: BadInput, never a default of the program's."""
    for policies in ([], [a_policy(binds_us=NOON_US + 1)], [a_policy(withdrawn_us=NOON_US)]):
        with pytest.raises(BadInput, match="nothing may be deleted"):
            in_force(policies, NOON_US)


def test_a_later_policy_cannot_overtake_an_announced_one() -> None:
    """It is written on top of that one, and would bring its shortening forward."""
    policies = [a_policy(1), a_policy(2, binds_us=NOON_US + 9), a_policy(3, binds_us=NOON_US + 8)]
    with pytest.raises(BadInput, match="policy 3 would bind before policy 2"):
        in_force(policies, NOON_US)


def test_a_camera_that_is_moved_keeps_its_terms_until_the_notice_is_over() -> None:
    """What it was counts beside what it is."""
    moved = belonging(a_camera(area="jiangxi", tier=""))
    assert terms_at([a_policy()], NOON_US, moved) == {"general"}
    assert terms_at([a_policy()], NOON_US, moved, formerly=(CAMERA,)) == {"general", "key-area"}


names = st.sampled_from(sorted(TIERS))
policies_ = st.lists(
    st.builds(
        lambda default, areas, classes, gap, withdrawn: (default, areas, classes, gap, withdrawn),
        names,
        st.dictionaries(st.sampled_from(["fujian", "fujian/xiamen", "fujian/xiamen/siming"]), names),
        st.dictionaries(st.integers(1, 3), names),
        st.integers(0, 40),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)
cameras = st.builds(
    Belonging,
    st.sampled_from(["", "port", "gone"]),
    st.sampled_from(["", "fujian", "fujian/xiamen/siming/harbour"]),
    st.integers(1, 3),
)


@given(policies_, cameras, st.integers(0, 120))
def test_at_every_moment_the_longest_of_all_that_counts_is_kept(
    drawn: list[tuple[str, dict[str, str], dict[int, str], int, bool]], camera: Belonging, after_days: int
) -> None:
    """Against a reading of the rules of its own: walk through the versions, and name all tiers that may bind footage now."""
    policies, binds_us = [], NOON_US
    for number, (default, areas, classes, gap, withdrawn) in enumerate(drawn):
        binds_us += gap * US_PER_DAY if number else 0
        taken_back = NOON_US if withdrawn and number else 0
        policies.append(a_policy(number, default=default, areas=areas, classes=classes, binds_us=binds_us, withdrawn_us=taken_back))
    now_us = NOON_US + after_days * US_PER_DAY
    bound = [policy for policy in policies if not policy.withdrawn_us and policy.binds_us <= now_us][-1:]
    announced = [policy for policy in policies if not policy.withdrawn_us and policy.binds_us > now_us]
    names = {tier_by_hand(policy, camera) for policy in [*bound, *announced]}
    found = due(choices(in_force(policies, now_us), camera), NOON_US, ZONE)

    for moment, term in (("floor_us", "floor"), ("keep_us", "keep_for"), ("ceiling_us", "ceiling")):
        assert getattr(found, moment) == max(getattr(TIERS[name], term).over_us(NOON_US, ZONE) for name in names)


def tier_by_hand(policy: Policy, camera: Belonging) -> str:
    """The rule of precedence, once more and otherwise."""
    fitting = [(len(area), name) for area, name in policy.areas.items() if (camera.area + "/").startswith(area + "/")]
    by_area = max(fitting)[1] if fitting else ""
    own = camera.tier if camera.tier in policy.tiers else ""
    return own or by_area or policy.classes.get(camera.camera_class, "") or policy.default


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"default": "gone"}, "the default names the tier 'gone'"),
        ({"areas": {"x": "gone"}}, "area x names"),
        ({"classes": {2: "gone"}}, "class 2 names"),
        ({"tiers": {**TIERS, "brief": replace(TIERS["general"], name="brief", floor=Term(days=29))}}, "below the legal one"),
        ({"tiers": {**TIERS, "other": TIERS["general"]}}, "is listed as 'other'"),
        ({"by": " "}, "who wrote it"),
        ({"reason": ""}, "and why"),
        ({"binds_us": NOON_US - 1}, "before it was written"),
    ],
)
def test_what_makes_no_policy_is_refused(change: dict[str, Any], words: str) -> None:
    """With a sentence that says what is wrong."""
    with pytest.raises(BadInput, match=words):
        a_policy(**change)


def test_the_legal_floor_is_thirty_days() -> None:
    """A tier of exactly that is allowed."""
    least = replace(TIERS["general"], floor=Term(days=30), keep_for=GENERAL_TERM)
    assert a_policy(tiers={**TIERS, "general": least}).legal_floor == Term(days=30)
