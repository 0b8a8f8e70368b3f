"""Cameras are changed so that their footage never goes sooner, wherever the change stops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from retention.camera_changes import change_camera, take_camera_out, tier_problem
from retention.rules import read_rules
from segments.clock import US_PER_DAY
from segments.errors import BadInput, NotFound
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_camera
from tests.fakes import Died, Life, SwitchedIndex
from tests.retention_builders import a_policy, write_policy

GATE = a_camera(tier="", camera_class=1)
MOVED = replace(GATE, camera_class=3)
OVER_US = NOON_US + 7 * US_PER_DAY


async def a_site() -> MemoryIndex:
    """Class 1 is a key area, and the camera is of class 1."""
    index = MemoryIndex()
    await write_policy(index)
    await index.add_camera(GATE)
    return index


async def tiers_of(index: MemoryIndex, now_us: int = NOON_US) -> set[str]:
    """The tiers that count for the camera, as a sweep would read them."""
    rules = await read_rules(index)
    try:
        archived = await index.camera("gate")
    except NotFound:
        archived = None
    around = rules.circumstances(rules.camera("gate", archived), now_us, archived=archived is not None)
    return {choice.tier.name for choice in around.chosen}


async def changed(index: Any) -> int:
    return await change_camera(index, GATE, MOVED, now_us=NOON_US, notice_days=7)


async def test_what_a_camera_was_counts_until_its_notice_is_over() -> None:
    """Another class: both tiers count for seven days, then the new one alone."""
    index = await a_site()
    assert await changed(index) == OVER_US
    assert await tiers_of(index, OVER_US - 1) == {"general", "key-area"}
    assert await tiers_of(index, OVER_US) == {"general"}


async def test_a_change_of_other_values_is_not_remembered() -> None:
    """A new name decides nothing."""
    index = await a_site()
    assert await change_camera(index, GATE, replace(GATE, name="other"), now_us=NOON_US, notice_days=7) == 0
    assert await index.records("formerly") == []


@pytest.mark.parametrize("call", range(1, 4))
async def test_a_change_that_stops_halfway_keeps_footage_longer(call: int) -> None:
    """Whoever dies after any call leaves a camera whose key area's tier still counts."""
    index = await a_site()
    with pytest.raises(Died):
        await changed(SwitchedIndex(index, Life(call)))
    assert "key-area" in await tiers_of(index)
    assert (await index.camera("gate") == MOVED) == (call == 3)


async def test_changing_before_remembering_would_be_seen() -> None:
    """The negative control: in the other order the same death loses the key area's tier."""
    index = await a_site()
    await index.set_camera(MOVED)
    assert "key-area" not in await tiers_of(index)


@pytest.mark.parametrize("call", range(1, 4))
async def test_a_removal_that_stops_halfway_loses_nothing(call: int) -> None:
    """Read, remembered, removed: after each of them the tier is still known, in the archive or from memory."""
    index = await a_site()
    with pytest.raises(Died):
        await take_camera_out(SwitchedIndex(index, Life(call)), "gate", now_us=NOON_US)
    assert await tiers_of(index) == {"key-area"}


async def test_a_removed_camera_that_comes_back_keeps_what_it_was() -> None:
    """Added again as class 3, its footage of before stays as long as a key area's."""
    index = await a_site()
    await take_camera_out(index, "gate", now_us=NOON_US)
    assert await tiers_of(index) == {"key-area"}
    await index.add_camera(MOVED)
    assert await tiers_of(index, NOON_US + 1000 * US_PER_DAY) == {"general", "key-area"}


async def test_a_tier_no_policy_knows_is_refused_once_there_is_a_policy() -> None:
    """When it is changed to; a camera that has one from before may be changed otherwise."""
    index = await a_site()
    with pytest.raises(BadInput, match="tier: 'porch' is in no retention policy; there are general, key-area"):
        await change_camera(index, GATE, replace(GATE, tier="porch"), now_us=NOON_US, notice_days=7)
    odd = replace(GATE, tier="porch")
    await change_camera(index, odd, replace(odd, name="still odd"), now_us=NOON_US, notice_days=7)
    assert (await index.camera("gate")).name == "still odd"


def test_tiers_are_those_of_policies_that_count() -> None:
    """Announced ones too; withdrawn ones not; and before there is any policy everything goes."""
    later = a_policy(
        version=2, binds_us=OVER_US, tiers={"port": replace(a_policy().tiers["general"], name="port")}, default="port", classes={}
    )
    assert tier_problem([], "porch", NOON_US) == ""
    assert tier_problem([later], "port", NOON_US) == ""
    assert tier_problem([a_policy(), later], "port", NOON_US) == ""
    assert tier_problem([a_policy(), replace(later, withdrawn_us=NOON_US)], "port", NOON_US)
    assert tier_problem([a_policy(), later], "general", OVER_US)
    assert tier_problem([a_policy()], "", NOON_US) == ""
