"""What a plan may say, and the policy it makes of the one before."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from retention.draft import MOST_AREAS, MOST_TEXT, MOST_TIERS, draft_of, drafted, with_values
from retention.policy import Policy
from segments.errors import BadInput
from segments.tier import KEY_AREA_TERM, Term
from tests.retention_builders import a_policy

TODAY = date(2026, 3, 14)
PORT = {
    "floor": "90 days",
    "keep_for": "6 months",
    "ceiling": "6 months and 7 days more",
    "purpose": "customs",
    "approver": "Wu",
    "review": "2027-03-01",
}


def planned(values: dict[str, Any], base: Policy | None = None) -> Policy:
    """The policy a plan makes."""
    return drafted(draft_of(values), base or a_policy(), TODAY)


def test_a_plan_adds_changes_and_takes_out() -> None:
    """What it does not name stays as it was."""
    base = a_policy(areas={"harbour": "key-area", "town": "general"})
    values = {
        "default": "port",
        "tiers": {"port": PORT},
        "areas": {"harbour/ east": "port", "town": ""},
        "classes": {"1": "", "2": "key-area"},
    }
    policy = planned(values, base)

    assert (policy.default, policy.areas) == ("port", {"harbour": "key-area", "harbour/east": "port"})
    assert policy.classes == {2: "key-area"}
    assert policy.tiers["port"].keep_for == Term(months=6)
    assert policy.tiers["port"].review == date(2027, 3, 1)
    assert {name: policy.tiers[name] for name in base.tiers} == base.tiers


def test_a_tier_may_be_changed_in_one_value_and_taken_out_when_nothing_names_it() -> None:
    """Its purpose alone needs no new approval."""
    assert planned({"tiers": {"general": {"purpose": "other"}}}).tiers["general"].purpose == "other"
    assert "key-area" not in planned({"tiers": {"key-area": ""}, "classes": {1: ""}}).tiers


def test_values_go_over_a_plan() -> None:
    """As they are typed: NAME=VALUE, also for areas and tiers with dots in their names."""
    plan = {"default": "general", "tiers": {"port": PORT}, "areas": {"a.b/c": "general"}}
    texts = {"default": "port", "areas.a.b/c": "key-area", "classes.3": "port", "tiers.port.two_persons": "true", "tiers.port.copies": "1"}
    policy = planned(with_values(plan, texts))

    assert (policy.default, policy.areas, policy.classes) == ("port", {"a.b/c": "key-area"}, {1: "key-area", 3: "port"})
    assert (policy.tiers["port"].two_persons, policy.tiers["port"].floor) == (True, Term(days=90))
    assert "key-area" not in planned(with_values({}, {"tiers.key-area": "", "classes.1": ""})).tiers
    assert plan["areas"] == {"a.b/c": "general"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tier": {}}, "tier is not of a plan"),
        ({"areas": "key-area"}, "areas: a table is expected"),
        ({"areas": {"a//b": "general"}}, "areas.a//b: it has an empty part"),
        ({"areas": {"a": 3}}, "areas.a: a line of text"),
        ({"areas": {"a": "none"}}, "area a names the tier 'none'"),
        ({"classes": {"4": "general"}}, "classes.4: a class is 1, 2 or 3"),
        ({"default": "gone"}, "the default names the tier 'gone'"),
        ({"default": "x" * (MOST_TEXT + 1)}, "of up to 1000 characters"),
        ({"zone": "Asia/Shanghai"}, "zone: it is UTC and never changes"),
        ({"tiers": {"gone": ""}}, "tiers.gone: there is no such tier"),
        ({"tiers": {"key-area": ""}}, "class 1 names the tier 'key-area'"),
        ({"tiers": {"a b": PORT}}, "tiers.a b: a name is"),
        ({"tiers": {"port": 7}}, "tiers.port: a table is expected"),
        ({"tiers": {"port": {**PORT, "colour": "red"}}}, "tiers.port.colour: a tier has floor"),
        ({"tiers": {"port": {**PORT, "floor": "long"}}}, "tiers.port.floor: 'long' is no term"),
        ({"tiers": {"port": {**PORT, "floor": "20 days"}}}, "below the legal one"),
        ({"tiers": {"port": {**PORT, "ceiling": "90 days"}}}, "before it falls due"),
        ({"tiers": {"port": {**PORT, "review": "soon"}}}, "tiers.port.review: 'soon' is no day"),
        ({"tiers": {"port": {**PORT, "review": TODAY}}}, "tiers.port.review: 2026-03-14 is over"),
        ({"tiers": {"port": {**PORT, "copies": 0}}}, "at least 1, not 0"),
        ({"tiers": {"port": {**PORT, "copies": "many"}}}, "tiers.port.copies: 'many' is no number"),
        ({"tiers": {"port": {**PORT, "two_persons": "maybe"}}}, "neither true nor false"),
        (
            {"tiers": {"port": {key: PORT[key] for key in ("floor", "keep_for", "ceiling", "purpose")}}},
            "it is new, so it needs approver, review",
        ),
        ({"tiers": {"general": {"keep_for": "2 months", "ceiling": "3 months"}}}, "its terms change, so it needs approver, review"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(values: dict[str, Any], words: str) -> None:
    """With the key and what is wrong."""
    with pytest.raises(BadInput, match=words):
        planned(values)


@pytest.mark.parametrize("name", ["colour", "areas", "areas.", "default.x", "tiers.port", "tiers.port.colour", "tiers..floor"])
def test_values_with_unknown_names_are_refused(name: str) -> None:
    """A name that is nowhere in a policy."""
    with pytest.raises(BadInput):
        draft_of(with_values({}, {name: "x"}))


def test_a_policy_has_limits() -> None:
    """One tier or area more is refused, and the most there may be is taken."""
    areas = {f"a{number}": "general" for number in range(MOST_AREAS)}
    assert len(planned({"areas": areas}).areas) == MOST_AREAS
    with pytest.raises(BadInput, match="at most"):
        planned({"areas": areas | {"one-more": "general"}})
    with pytest.raises(BadInput, match="at most"):
        planned({"tiers": {f"t{number}": PORT for number in range(MOST_TIERS)}})


def test_a_changed_term_with_its_approver_is_taken() -> None:
    """The control of the refusal above."""
    said = {"keep_for": str(KEY_AREA_TERM), "ceiling": "12 months", "approver": "Wu", "review": "2027-01-01"}
    assert planned({"tiers": {"general": said}}).tiers["general"].approver == "Wu"
