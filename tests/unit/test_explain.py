"""Why footage stays or goes: the rule that decides, why the others do not, and what becomes of each part of a day."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.belongings import remember
from retention.explain import Explanation, explain
from retention.plan import Why
from retention.policy import Belonging, Level, choose
from retention.precedence import considered
from segments.clock import US_PER_DAY, US_PER_S
from segments.errors import NotFound
from segments.hold import FOR_EVER_US
from segments.model import BatchState
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_batch, a_camera, a_row, some_rows
from tests.retention_builders import a_hold, a_policy, a_receipt, write_hold, write_policy

DAY = a_row().day
GATE = a_camera(tier="", area="harbour/east/gate", camera_class=1)
DUE_US = NOON_US + 32 * US_PER_DAY
POLICY = a_policy(areas={"harbour": "general", "harbour/east": "key-area"})


async def a_site(**camera: object) -> MemoryIndex:
    index = MemoryIndex()
    await write_policy(index, POLICY)
    await index.add_camera(replace(GATE, **camera))
    return index


def rules_of(found: Explanation) -> list[tuple[str, str, str, bool, str]]:
    """Those of the only thing that was said."""
    (says,) = found.says
    return [tuple(rule) for rule in says.rules]


async def test_it_says_which_rule_decides_and_why_the_others_do_not() -> None:
    """The deeper of two areas, before the class and the default; the camera names no tier itself."""
    found = await explain(await a_site(), "gate", now_us=NOON_US)
    assert rules_of(found) == [
        (Level.CAMERA, "", "", False, "names no tier"),
        (Level.AREA, "harbour/east", "key-area", True, "the strongest rule that names a tier"),
        (Level.AREA, "harbour", "general", False, "area harbour/east is deeper"),
        (Level.CLASS, "1", "key-area", False, "area goes before class"),
        (Level.DEFAULT, "", "general", False, "area goes before default"),
    ]
    assert found.now_due is not None
    assert found.now_due.choice.tier.name == "key-area"


@pytest.mark.parametrize(
    ("camera", "level", "said"),
    [
        ({"tier": "general"}, Level.CAMERA, "camera goes before area"),
        ({"tier": "gone"}, Level.AREA, "names 'gone', which policy 1 does not have"),
        ({"area": ""}, Level.CLASS, "lies in no area"),
        ({"area": "town"}, Level.CLASS, "no rule for its area, or one around it"),
        ({"area": "town", "camera_class": 2}, Level.DEFAULT, "no rule for its class"),
    ],
)
async def test_every_rule_can_be_the_one(camera: dict[str, object], level: Level, said: str) -> None:
    """And what is missing is named."""
    rules = rules_of(await explain(await a_site(**camera), "gate", now_us=NOON_US))
    assert [rule[0] for rule in rules if rule[3]] == [level]
    assert said in [rule[4] for rule in rules]


@given(
    st.sampled_from(["", "general", "gone"]),
    st.sampled_from(["", "harbour", "harbour/east", "harbour/east/gate", "harbour/easter", "town"]),
    st.integers(1, 3),
)
def test_the_rule_that_is_said_to_decide_is_the_one_that_does(tier: str, area: str, number: int) -> None:
    """Exactly one, the same that the sweep goes by."""
    camera = Belonging(tier, area, number)
    (won,) = [rule for rule in considered(POLICY, camera) if rule.won]
    choice = choose(POLICY, camera)
    assert (won.tier, won.level, won.key) == (choice.tier.name, choice.level, choice.key)


async def test_announced_policies_and_what_a_camera_was_are_said() -> None:
    """Each with until when it counts; and the longest of them all decides."""
    index = await a_site()
    later = a_policy(version=2, areas={"harbour": "general"}, classes={}, written_us=NOON_US, binds_us=NOON_US + US_PER_DAY)
    await write_policy(index, later)
    await remember(index, replace(GATE, area="town", camera_class=2), now_us=NOON_US, until_us=NOON_US + 9)
    found = await explain(index, "gate", now_us=NOON_US)

    assert [(says.version, says.choice.tier.name) for says in found.says] == [
        (1, "key-area"),
        (1, "general"),
        (2, "general"),
        (2, "general"),
    ]
    assert found.says[1].since.endswith("what the camera was (area town, class 2) counts until 2026-03-14T12:00:00.000Z")
    assert found.says[2].since.startswith("announced: what it lengthens counts now, the rest from 2026-03-15")
    assert found.now_due is not None
    assert found.now_due.choice.tier.name == "key-area"
    assert len((await explain(index, "gate", now_us=NOON_US + 2 * US_PER_DAY)).says) == 1


async def test_a_day_is_told_in_parts_of_one_verdict() -> None:
    """What is held, and what is due around it, each with its sentence."""
    index = await a_site(area="town", camera_class=2)
    rows = some_rows(5)
    await index.publish_many(rows)
    await write_hold(index, a_hold(start_us=rows[1].start_us + 1, end_us=rows[3].start_us))
    found = await explain(index, "gate", DAY, now_us=DUE_US)

    assert found.day is not None
    assert [(group.segments, group.verdict.why) for group in found.day.groups] == [(1, Why.DUE), (2, Why.HELD), (2, Why.DUE)]
    assert found.day.groups[1].span == (rows[1].start_us, rows[2].end_us)
    assert found.day.groups[1].said.startswith("stays: held by h1 (case 2026-17)")
    assert sum(group.stored_bytes for group in found.day.groups) == sum(row.size for row in rows)
    assert [hold.id for hold in found.holds] == ["h1"]


async def test_a_day_on_its_way_out_and_a_day_that_went_are_told() -> None:
    """The state of its batch, how many segments are in it, and the receipt of what was deleted; of that day only."""
    index = await a_site()
    batch = a_batch(state=BatchState.UNPUBLISHED, since_us=NOON_US)
    await index.put_batch(batch, expect=None)
    await index.put_batch_rows(batch, some_rows(3))
    receipt = a_receipt()
    await index.put_receipt(receipt)
    await index.put_receipt(a_receipt(number=2, previous=receipt.digest, day=DAY.replace(day=1)))
    found = await explain(index, "gate", DAY, now_us=DUE_US)

    assert found.day is not None
    assert (found.day.batch, found.day.leaving, found.day.groups) == (batch, 3, [])
    assert [(gone.chain, gone.number, gone.reasons) for gone in found.day.removed] == [("sweep.0-of-1", 1, {"due": 1})]
    values = json.loads(json.dumps(found.as_json()))["day"]
    assert values["batch"]["state"] == "unpublished"
    assert values["removed"][0]["rule"] == receipt.rule


async def test_before_a_policy_binds_it_says_that_nothing_is_deleted() -> None:
    """And when that begins, if it was announced."""
    index = MemoryIndex()
    await index.add_camera(GATE)
    assert (await explain(index, "gate", now_us=NOON_US)).finding.endswith("start retention with `keepsight retention start`")
    await write_policy(index, a_policy(binds_us=NOON_US + US_PER_S))
    found = await explain(index, "gate", DAY, now_us=NOON_US)
    assert found.finding.endswith("nothing may be deleted; wait for policy 1, which binds on 2026-03-14T12:00:01.000Z")
    assert json.dumps(found.as_json())


async def test_a_camera_that_was_removed_is_explained_by_what_it_was() -> None:
    """For good."""
    index = MemoryIndex()
    await write_policy(index, POLICY)
    await remember(index, GATE, now_us=NOON_US, until_us=FOR_EVER_US)
    found = await explain(index, "gate", now_us=NOON_US)
    assert not found.archived
    assert found.says[0].since == "binds; what the camera was (area harbour/east/gate, class 1) counts for good"


async def test_a_camera_nobody_knows_is_explained_if_it_has_footage() -> None:
    """It stays as long as any tier says; without anything it is no camera."""
    index = MemoryIndex()
    await write_policy(index)
    with pytest.raises(NotFound, match="there is no camera gate"):
        await explain(index, "gate", DAY, now_us=DUE_US)
    await index.publish_many(some_rows(2))
    found = await explain(index, "gate", DAY, now_us=DUE_US)
    assert found.finding == "nothing is known of this camera: its footage stays as long as any tier says"
    assert found.day is not None
    assert [group.verdict.due.choice.tier.name for group in found.day.groups] == ["key-area"]


async def test_its_json_holds_what_its_text_says() -> None:
    """Both are made of one value; moments are RFC 3339."""
    index = await a_site()
    await write_hold(index, a_hold())
    await index.publish_many(some_rows(1))
    values = json.loads(json.dumps((await explain(index, "gate", DAY, now_us=DUE_US)).as_json()))

    assert values["policies"][0]["tier"] == "key-area"
    assert values["holds"] == [{"id": "h1", "case": "2026-17", "from": "1970-01-01T00:00:00.000Z", "to": None}]
    assert values["day"]["groups"][0]["why"] == "held"
    assert values["footage_of_now"]["falls_due"].endswith("Z")
