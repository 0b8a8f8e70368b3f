"""What leaves, by the real rules of retention: against days counted by hand, and against the sweep's own verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.flow import kept_bytes
from capacity.history import CAMERAS
from deploy.capacity_rules import RulesInForce
from retention.belongings import Former
from retention.policy import Belonging
from retention.rules import Rules
from segments.clock import day_start_us, from_datetime
from segments.errors import BadInput
from segments.model import Camera
from segments.tier import Term
from tests.retention_builders import a_hold, a_policy

BOUND_US = day_start_us(date(2020, 1, 1))


def rules_of(*policies, former=None, holds=()) -> RulesInForce:
    """What is in force."""
    return RulesInForce(Rules(policies or [a_policy(binds_us=BOUND_US)], former or {}, holds))


def shorter(general_days: int, binds: date, version: int = 2):
    """A policy whose general tier has another term."""
    before = a_policy()
    term = Term(days=general_days)
    general = replace(before.tiers["general"], floor=term, keep_for=term, ceiling=Term(days=general_days + 7))
    return replace(before, version=version, tiers=dict(before.tiers) | {"general": general}, binds_us=day_start_us(binds))


def test_a_day_leaves_when_its_tier_says() -> None:
    """The longer of 30 days and a month, of 90 days and three: the last of March is gone on 1 May, in key areas on 1 July."""
    rules = rules_of()
    assert rules.leaves("general", date(2026, 3, 31)) == date(2026, 5, 1)
    assert rules.leaves("general", date(2026, 1, 31)) == date(2026, 3, 3)
    assert rules.leaves("key-area", date(2026, 3, 31)) == date(2026, 7, 1)


def test_a_day_of_the_site_s_civil_time_leaves_as_late() -> None:
    """A UTC day ends in the morning of the next day in Shanghai, whose midnight is 16:00 UTC: in the end the same UTC day."""
    rules = rules_of(a_policy(binds_us=BOUND_US, zone="Asia/Shanghai"))
    assert rules.leaves("general", date(2026, 3, 30)) == date(2026, 4, 30)


def test_nothing_leaves_while_no_policy_binds() -> None:
    """Without one for ever; with one that is announced, on the day it binds at the soonest."""
    assert RulesInForce(Rules([], {}, ())).leaves("general", date(2026, 3, 1)) == date.max
    rules = rules_of(a_policy(binds_us=day_start_us(date(2026, 6, 1))))
    assert rules.leaves("general", date(2026, 3, 1)) == date(2026, 6, 1)
    assert rules.leaves("general", date(2026, 5, 20)) == date(2026, 6, 21)


def test_a_tier_that_is_not_there_is_refused() -> None:
    """With those that are."""
    with pytest.raises(BadInput, match="general, key-area"):
        rules_of().leaves("cellar", date(2026, 3, 1))
    assert rules_of().leaves("", date(2026, 3, 31)) == date(2026, 7, 1)  # a camera nobody knows: as long as any tier says


def test_a_lengthening_binds_for_what_is_still_there_and_a_shortening_when_its_notice_is_over() -> None:
    """Sixty days from 1 May on: what is there then stays sixty days. Back to thirty: all that is older goes on the day that binds."""
    first = a_policy(binds_us=BOUND_US)
    longer = rules_of(first, shorter(60, date(2026, 5, 1)))
    assert longer.leaves("general", date(2026, 4, 15)) == date(2026, 6, 15)
    assert longer.leaves("general", date(2026, 3, 15)) == date(2026, 5, 15)  # announced, it counts already
    both = rules_of(shorter(60, date(2026, 1, 1), 1), shorter(30, date(2026, 8, 1)))
    assert both.leaves("general", date(2026, 5, 1)) == date(2026, 7, 1)
    assert {both.leaves("general", date(2026, 6, day)) for day in (5, 15, 25)} == {date(2026, 8, 1)}
    assert both.leaves("general", date(2026, 8, 1)) == date(2026, 9, 1)


def test_what_nobody_had_written_yet_did_not_count() -> None:
    """Sixty days, written on 1 May: what was a month old by then was gone. A tier that is taken out is kept by the default from then on."""
    longer = replace(shorter(60, date(2026, 5, 1)), written_us=day_start_us(date(2026, 5, 1)))
    rules = rules_of(a_policy(binds_us=BOUND_US), longer)
    assert rules.leaves("general", date(2026, 3, 15)) == date(2026, 4, 16)
    assert rules.leaves("general", date(2026, 4, 15)) == date(2026, 6, 15)
    only_general = {"tiers": {"general": a_policy().tiers["general"]}, "classes": {}, "version": 2}
    without = rules_of(a_policy(binds_us=BOUND_US), a_policy(binds_us=day_start_us(date(2026, 6, 1)), **only_general))
    assert without.leaves("key-area", date(2026, 4, 1)) == date(2026, 6, 1)
    assert without.leaves("key-area", date(2026, 6, 1)) == without.leaves("general", date(2026, 6, 1))


def test_under_pressure_the_floor_decides() -> None:
    """A tier of thirty days at least and sixty as a rule."""
    policy = a_policy(binds_us=BOUND_US)
    general = replace(policy.tiers["general"], floor=Term(days=30), keep_for=Term(days=60), ceiling=Term(days=67))
    rules = rules_of(replace(policy, tiers=dict(policy.tiers) | {"general": general}))
    assert rules.leaves("general", date(2026, 4, 1)) == date(2026, 6, 1)
    assert rules.leaves_pressed("general", date(2026, 4, 1)) == date(2026, 5, 2)


def test_a_camera_whose_tier_is_about_to_change_is_called_so() -> None:
    """Moved out of a key area on 1 June, with a week of notice: until then what is older than a month stays, then it goes at once."""
    until_us = day_start_us(date(2026, 6, 8))
    rules = rules_of(former={"gate": [Former(Belonging("", "", 1), until_us)]})
    tier = rules.tier_of(Camera(id="gate", name="Gate", url=""), day_start_us(date(2026, 6, 1)))
    assert tier == "general and key-area, general from 2026-06-08"
    assert rules.leaves(tier, date(2026, 4, 1)) == date(2026, 6, 8)
    assert rules.leaves(tier, date(2026, 6, 1)) == rules.leaves("general", date(2026, 6, 1))
    assert rules.tier_of(Camera(id="gate", name="Gate", url=""), until_us) == "general"
    assert rules.tier_of(Camera(id="yard", name="Yard", url="", camera_class=1), until_us) == "key-area"


def test_a_camera_nobody_knows_and_one_without_a_policy() -> None:
    """All tiers, as the sweep has it; and the tier that is announced, or none at all."""
    unknown, bound_us = Camera(id="gate", name="", url=""), day_start_us(date(2026, 6, 1))
    tier = (rules := rules_of()).tier_of(unknown, bound_us, archived=False)
    assert tier == "general and key-area"
    assert rules.leaves(tier, date(2026, 4, 1)) == rules.leaves("key-area", date(2026, 4, 1))
    assert rules_of(a_policy(binds_us=bound_us)).tier_of(unknown, bound_us - 1) == "general"
    assert RulesInForce(Rules([], {}, ())).tier_of(unknown, bound_us) == ""


def test_holds_keep_the_share_of_each_day_they_cover() -> None:
    """Two cameras by name and area; noon to noon is half of two days, the whole day between; a third camera is not held."""
    placed_us = day_start_us(date(2026, 5, 20))
    noon = lambda day: from_datetime(datetime(2026, 5, day, 12, tzinfo=UTC))  # noqa: E731
    holds = [
        a_hold(cameras=("gate",), start_us=noon(2), end_us=noon(4), placed_us=placed_us),
        a_hold(id="h2", cameras=(), areas=("harbour",), start_us=noon(5), placed_us=placed_us),
    ]
    columns = {name: [""] * 3 for name, kind in CAMERAS.items() if kind == pl.String}
    columns |= {"camera": ["gate", "quay", "yard"], "area": ["", "harbour/east", "harbours"], "class": [1, 1, 1], "tier": ["general"] * 3}
    found = rules_of(holds=holds).held(pl.DataFrame(columns, schema=CAMERAS), date(2026, 5, 1), 6)
    assert found.tolist() == [[0, 0.5, 1, 0.5, 0, 0], [0, 0, 0, 0, 0.5, 1], [0] * 6]


def test_a_hold_keeps_nothing_that_was_gone_when_it_was_placed() -> None:
    """Placed on 10 June on all of the time of a camera: what was recorded before 10 May had gone."""
    hold = a_hold(start_us=0, placed_us=day_start_us(date(2026, 6, 10)))
    columns = {name: [""] for name, kind in CAMERAS.items() if kind == pl.String} | {"camera": ["gate"], "tier": ["general"], "class": [1]}
    found = rules_of(holds=[hold]).held(pl.DataFrame(columns, schema=CAMERAS), date(2026, 5, 7), 5)
    assert found.tolist() == [[0, 0, 0, 1, 1]]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["general", "key-area"]), st.dates(date(2024, 1, 1), date(2027, 1, 1)), st.sampled_from(["UTC", "Asia/Shanghai"]))
def test_a_day_leaves_on_the_first_day_the_sweep_s_verdict_is_to_delete(tier: str, day: date, zone: str) -> None:
    """The day before it stays, that day it goes; a hold keeps it for ever, a missing copy to the ceiling."""
    rules = rules_of(a_policy(binds_us=BOUND_US, zone=zone))
    gone = rules.leaves(tier, day)
    before = date.fromordinal(gone.toordinal() - 1)
    later = date.fromordinal(gone.toordinal() + 7)
    assert rules.goes(tier, day, gone, held=False, short=False)
    assert not rules.goes(tier, day, before, held=False, short=False)
    assert not rules.goes(tier, day, later, held=True, short=False)
    assert not rules.goes(tier, day, gone, held=False, short=True)
    assert rules.goes(tier, day, later, held=False, short=True)


def test_what_is_held_is_not_taken_off() -> None:
    """A gigabyte a day kept for a month, half of the first day held: that half stays."""
    recorded, held = np.ones((1, 60)), np.zeros((1, 60))
    held[0, 0] = 0.5
    rules = rules_of()
    kept = kept_bytes(date(2026, 1, 1), ["general"], recorded, rules.leaves, held)[0]
    without = kept_bytes(date(2026, 1, 1), ["general"], recorded, rules.leaves)[0]
    assert (kept[:32] == without[:32]).all()
    assert (kept[32:] == without[32:] + 0.5).all()
