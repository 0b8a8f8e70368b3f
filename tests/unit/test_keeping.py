"""What of another site's footage is kept here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.keeping import MOST_HELD_DAYS, RetentionKeeping
from retention.policy import Policy
from segments.clock import US_PER_DAY
from segments.errors import BadInput
from segments.model import Batch, BatchState, Partition
from segments.stores.memory_index import MemoryIndex
from segments.tier import Term
from tests.builders import NOON_US, a_camera, a_row
from tests.clocks import HandClock
from tests.copy_sites import footage
from tests.retention_builders import a_gone, a_hold, a_policy, a_receipt, write_hold, write_policy

ROWS = footage()
DAY = ROWS[0].day
ALL = {row.position for row in ROWS}


async def an_index() -> MemoryIndex:
    """With the shipped policy and the camera."""
    index = MemoryIndex()
    await write_policy(index)
    await index.add_camera(a_camera(tier=""))
    return index


def keeping(index: MemoryIndex, days: float = 1, **more) -> RetentionKeeping:
    """So many days after the footage."""
    return RetentionKeeping(index, HandClock(NOON_US + int(days * US_PER_DAY)), **more)


async def test_footage_within_its_term_is_kept() -> None:
    """Under its floor and under its keep-for; past that it is not, unless a hold covers it."""
    index = await an_index()
    assert await keeping(index).kept("gate", DAY, ROWS) == ALL
    assert await keeping(index, 400).kept("gate", DAY, ROWS) == set()
    await write_hold(index, a_hold(start_us=ROWS[1].start_us, end_us=ROWS[1].end_us))
    assert await keeping(index, 400).kept("gate", DAY, ROWS) == {ROWS[1].position}
    assert await keeping(index, 400).held("gate", ROWS) == {ROWS[1].position}


async def test_a_day_of_which_nothing_can_be_kept_is_known_by_itself() -> None:
    """Until all that could start in it is past its term; a hold of some of it is enough, one of another day is not."""
    index = await an_index()
    assert await keeping(MemoryIndex()).may_keep("gate", DAY)
    for days in range(0, 60, 3):
        if await keeping(index, days).kept("gate", DAY, ROWS):
            assert await keeping(index, days).may_keep("gate", DAY)
    assert not await keeping(index, 400).may_keep("gate", DAY)
    await write_hold(index, a_hold(id="hold-0", start_us=ROWS[1].start_us - 3 * US_PER_DAY, end_us=ROWS[1].start_us - 2 * US_PER_DAY))
    assert not await keeping(index, 400).may_keep("gate", DAY)
    await write_hold(index, a_hold(start_us=ROWS[1].start_us, end_us=ROWS[1].end_us))
    assert await keeping(index, 400).may_keep("gate", DAY)


async def test_what_the_pool_has_no_room_for_is_not_fetched() -> None:
    """It would be deleted at once, since it may go and its pool needs the room."""
    index = MemoryIndex()
    general = a_policy().tiers["general"]
    longer = replace(general, keep_for=Term(days=60), ceiling=Term(days=90))
    await write_policy(index, a_policy(tiers={"general": longer, "key-area": a_policy().tiers["key-area"]}))
    await index.add_camera(a_camera(tier=""))
    assert await keeping(index, 40).kept("gate", DAY, ROWS) == ALL
    assert await keeping(index, 40, pressed=lambda: [("gate", DAY)]).kept("gate", DAY, ROWS) == set()
    assert await keeping(index, 1, pressed=lambda: [("gate", DAY)]).kept("gate", DAY, ROWS) == ALL


async def test_what_a_receipt_names_is_not_kept() -> None:
    """Only that; other segments of the camera-day, of another run at the same time, say, are."""
    index = await an_index()
    await index.put_receipt(a_receipt(segments=(a_gone(ROWS[0]), a_gone(ROWS[2])), day=DAY))
    assert await keeping(index).kept("gate", DAY, ROWS) == {ROWS[1].position}
    other = footage(run="home-b-1-1")
    assert len(await keeping(index).kept("gate", DAY, other)) == 3


@pytest.mark.parametrize("state", list(BatchState))
async def test_what_a_batch_has_is_not_kept(state: BatchState) -> None:
    """In whatever state: either it goes, or it is being published again."""
    index = await an_index()
    batch = Batch("gate", DAY, state, NOON_US, since_us=NOON_US)
    await index.put_batch(batch, expect=None)
    await index.put_batch_rows(batch, ROWS[:1])
    assert await keeping(index).kept("gate", DAY, ROWS) == ALL - {ROWS[0].position}


async def test_a_batch_that_ends_meanwhile_is_seen_by_its_receipt() -> None:
    """It is gone when its rows are asked for: then its receipt is there, as receipts are read last."""
    index = await an_index()

    class Ending:
        def __getattr__(self, name: str):
            return getattr(index, name)

        async def batch(self, camera, day):
            await index.put_receipt(a_receipt(segments=(a_gone(ROWS[0]),), day=DAY))
            return await index.batch(camera, day)

    assert await keeping(Ending()).kept("gate", DAY, ROWS) == ALL - {ROWS[0].position}


@pytest.mark.parametrize("announced", [(), (a_policy(binds_us=NOON_US + 7 * US_PER_DAY),)], ids=["none", "announced"])
async def test_until_a_policy_binds_all_is_kept(announced: tuple[Policy, ...]) -> None:
    """Nothing is deleted here before, so a new site has copies from its first minute; but for what was deleted here once."""
    index = MemoryIndex()
    for policy in announced:
        await write_policy(index, policy)
    assert await keeping(index).kept("gate", DAY, ROWS) == ALL
    await index.put_receipt(a_receipt(segments=(a_gone(ROWS[0]),), day=DAY))
    assert await keeping(index).kept("gate", DAY, ROWS) == ALL - {ROWS[0].position}


async def test_policies_that_contradict_each_other_decide_nothing() -> None:
    """BadInput, as the sweep has it: one binds, and a later one would bind before it."""
    index = MemoryIndex()
    await write_policy(index, a_policy(version=1, binds_us=NOON_US))
    await write_policy(index, a_policy(version=2, binds_us=NOON_US - US_PER_DAY))
    with pytest.raises(BadInput):
        await keeping(index).kept("gate", DAY, ROWS)


async def test_rules_are_read_anew_after_some_seconds() -> None:
    """A hold that is placed counts soon."""
    index = await an_index()
    clock = HandClock(NOON_US + 400 * US_PER_DAY)
    rules = RetentionKeeping(index, clock)
    assert await rules.kept("gate", DAY, ROWS) == set()
    await write_hold(index)
    clock.move(11)
    assert await rules.kept("gate", DAY, ROWS) == ALL


async def test_the_days_of_evidence_are_named() -> None:
    """Those of its cameras within its time, the newest first, none in the future, and no more than so many."""
    index = await an_index()
    await write_hold(index, a_hold(start_us=NOON_US - US_PER_DAY, cameras=("gate", "yard")))
    days = await keeping(index).held_days()
    assert days[0] == Partition("gate", a_row(start_us=NOON_US + US_PER_DAY).day)
    assert [day.camera for day in days] == ["gate", "yard"] * 3
    await write_hold(index, a_hold(id="h2", start_us=0))
    assert len(await keeping(index).held_days()) <= MOST_HELD_DAYS + 1
