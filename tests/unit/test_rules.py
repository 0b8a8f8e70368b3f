"""What decides is read back as it was written, and a camera counts for what it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from retention.belongings import remember
from retention.policy_record import policy_of, policy_values
from retention.rules import ALL_TIERS, read_rules
from segments.errors import BadInput, Conflict
from segments.hold import hold_of, hold_values
from segments.record import new_record
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_camera
from tests.retention_builders import a_hold, a_policy, write_hold, write_policy

SOME = NOON_US + 1


@pytest.mark.parametrize("policy", [a_policy(), a_policy(areas={"harbour/gate": "key-area"}, zone="Asia/Shanghai", withdrawn_us=5)])
def test_a_policy_is_its_record(policy) -> None:
    """Tiers with their terms and dates, rules, zone and moments come back as they went."""
    assert policy_of(new_record("policy", "1", policy_values(policy))) == policy


@pytest.mark.parametrize("hold", [a_hold(), a_hold(areas=("harbour",), seen=("yard",), review=date(2026, 9, 1), lifted_us=7)])
def test_a_hold_is_its_record(hold) -> None:
    """Cameras, areas, dates and the lifting come back as they went."""
    assert hold_of(new_record("hold", hold.id, hold_values(hold))) == hold


def test_a_zone_nobody_knows_is_refused() -> None:
    """Terms run by civil time, so the zone must be one of the tz database."""
    with pytest.raises(BadInput, match="zone"):
        a_policy(zone="Asia/Nowhere")


async def test_a_camera_counts_for_what_it_was_until_its_notice_is_over() -> None:
    """Moved from class 1 to class 3 it keeps the key area's tier until then, and not after."""
    index = MemoryIndex()
    await write_policy(index)
    gate = a_camera(tier="", camera_class=1)
    await remember(index, gate, now_us=NOON_US, until_us=SOME)
    rules = await read_rules(index)
    moved = replace(gate, camera_class=3)

    assert {choice.tier.name for choice in rules.circumstances(moved, NOON_US).chosen} == {"general", "key-area"}
    assert {choice.tier.name for choice in rules.circumstances(moved, SOME).chosen} == {"general"}


async def test_a_camera_that_was_removed_is_what_it_was_last() -> None:
    """Its footage goes by the tier it had, and holds on its area still find it."""
    index = MemoryIndex()
    await write_policy(index)
    await write_hold(index, a_hold(cameras=(), areas=("harbour",)))
    await remember(index, a_camera(tier="", camera_class=1, area="harbour/gate"), now_us=NOON_US)
    rules = await read_rules(index)
    gate = rules.camera("gate", None)
    circumstances = rules.circumstances(gate, NOON_US, archived=False)

    assert {choice.tier.name for choice in circumstances.chosen} == {"key-area"}
    assert [hold.id for hold in circumstances.holds] == ["h1"]


async def test_footage_of_a_camera_nobody_knows_stays_as_long_as_any_tier_says() -> None:
    """An index made anew may have footage of cameras that are in no archive."""
    index = MemoryIndex()
    await write_policy(index)
    rules = await read_rules(index)
    chosen = rules.circumstances(rules.camera("ghost", None), NOON_US, archived=False).chosen

    assert {choice.tier.name for choice in chosen} == {"general", "key-area"}
    assert {choice.key for choice in chosen} == {ALL_TIERS}


async def test_without_a_policy_nothing_is_decided() -> None:
    """No policy, no verdict: nothing may be deleted."""
    with pytest.raises(BadInput, match="no retention policy binds"):
        (await read_rules(MemoryIndex())).circumstances(a_camera(), NOON_US)


async def test_a_lifted_hold_holds_nothing() -> None:
    """Only those that stand are read."""
    index = MemoryIndex()
    await write_policy(index)
    await write_hold(index, a_hold(lifted_us=NOON_US))

    assert (await read_rules(index)).holds == []


async def test_two_who_note_something_of_a_camera_at_once_are_told() -> None:
    """The second one reads again instead of overwriting the first."""
    index = MemoryIndex()
    await remember(index, a_camera(), now_us=NOON_US)
    stale = await index.record("formerly", "gate")
    await remember(index, a_camera(camera_class=1), now_us=NOON_US)
    with pytest.raises(Conflict):
        await index.put_record(stale.changed({"was": []}))
