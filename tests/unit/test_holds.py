"""Placing, prolonging and lifting holds: what is written, what is taken back, what is named as lost, and who may lift."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from retention.belongings import remember
from retention.camera_changes import change_camera, take_camera_out
from retention.give_back import give_back
from retention.holds import HoldOrder, Placed, approve_lift, extend, lift, place, stay_covered
from retention.rules import standing_holds
from retention.signed import Signed
from segments.clock import US_PER_DAY, US_PER_S, day_start_us
from segments.errors import BadInput, Conflict, NotFound, TryAgain
from segments.hold import HOLDS, Stretch, hold_of
from segments.model import Batch, BatchState, Row
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_batch, a_camera, some_rows
from tests.clocks import HandClock
from tests.fakes import Died, Life, SwitchedIndex
from tests.retention_builders import REVIEW, a_gone, a_policy, a_receipt, write_policy

NOW_US = NOON_US + 40 * US_PER_DAY
DAY = some_rows(1)[0].day


def an_order(**fields: Any) -> HoldOrder:
    """The gate, the day of noon, for the case 2026-17."""
    start_us = day_start_us(DAY)
    good: dict[str, Any] = {
        "case": "2026-17",
        "reason": "collision at the gate",
        "by": "Li",
        "start_us": start_us,
        "end_us": start_us + US_PER_DAY,
        "cameras": ("gate",),
    }
    return HoldOrder(**good | fields)


async def an_index(*, cameras: tuple[str, ...] = ("gate",)) -> MemoryIndex:
    """With a policy and cameras."""
    index = MemoryIndex()
    await write_policy(index)
    for camera in cameras:
        await index.add_camera(a_camera(camera))
    return index


async def with_batch(index: Any, state: BatchState, rows: list[Row] | None = None) -> Batch:
    """A batch of three segments of the gate that has come so far."""
    rows = some_rows(3) if rows is None else rows
    batch = a_batch(state=state, decided_us=NOW_US - 1)
    listed = state is not BatchState.PENDING
    if listed:
        await index.put_batch_rows(batch, rows)
    if state in (BatchState.PENDING, BatchState.LISTED):
        await index.publish_many(rows)
    await index.put_batch(batch, expect=None)
    return batch


async def placed(index: Any, **fields: Any) -> Placed:
    """Placed now."""
    return await place(an_order(**fields), index=index, now_us=NOW_US)


async def rows_of(index: Any) -> list[Row]:
    """What the index has of the gate's day."""
    return list((await index.rows("gate", DAY)).items)


# --- placing


async def test_a_placed_hold_stands_with_who_and_why() -> None:
    """Its id tells the day, and its record is what every sweep reads."""
    index = await an_index()
    hold = (await placed(index, review=REVIEW)).hold
    assert hold.id.startswith("h-20260423-")
    assert await standing_holds(index) == [hold]
    assert (hold.placed_by, hold.reason, hold.case, hold.review) == ("Li", "collision at the gate", "2026-17", REVIEW)


@pytest.mark.parametrize("state", [BatchState.PENDING, BatchState.LISTED, BatchState.UNPUBLISHED, BatchState.HELD])
async def test_what_is_on_its_way_is_taken_back(state: BatchState) -> None:
    """From every state before the claim: its rows are in the index again and the batch is gone, with its rows."""
    index = await an_index()
    batch = await with_batch(index, state)
    back = (await placed(index)).back
    assert back.camera_days == [("gate", DAY)]
    assert (back.too_late, back.deleted) == ([], [])
    assert await index.batch("gate", DAY) is None
    assert await rows_of(index) == some_rows(3)
    assert (await index.batch_rows(batch)).items == []


async def test_what_was_claimed_is_named_as_too_late() -> None:
    """Only what the hold covers of it; the batch is left to whoever claimed it, who looks at the holds."""
    index = await an_index()
    batch = await with_batch(index, BatchState.DELETING)
    first, second, _ = some_rows(3)
    back = (await placed(index, start_us=first.start_us, end_us=second.start_us)).back
    assert back.too_late == [Stretch("gate", first.start_us, some_rows(3)[2].end_us)]
    assert (await placed(index, start_us=0, end_us=first.start_us)).back.too_late == []
    assert await index.batch("gate", DAY) == batch


async def test_what_receipts_name_is_said_too() -> None:
    """Footage of the hold's time that is gone already."""
    index = await an_index()
    row = some_rows(1)[0]
    await index.put_receipt(a_receipt(segments=(a_gone(row),)))
    assert (await placed(index)).back.deleted == [Stretch("gate", row.start_us, row.end_us)]
    assert (await placed(index, start_us=row.end_us)).back.deleted == []


async def test_a_batch_that_is_finished_while_it_is_read_is_in_the_receipts() -> None:
    """Its rows are gone from the batch when they are asked for; the receipt, which was written before, names them."""
    index = SwitchedIndex(await an_index())
    batch = await with_batch(index, BatchState.DELETING)

    def finish(name: str) -> None:
        if name == "batch_rows":
            index.before = lambda _: None
            index.inner._receipts["sweep.0-of-1"][1] = a_receipt(segments=tuple(map(a_gone, some_rows(3))))
            index.inner._batch_rows.clear()
            index.inner._batches.pop((batch.camera, batch.day))

    index.before = finish
    back = (await placed(index)).back
    assert (back.too_late, back.deleted) == ([], [Stretch("gate", some_rows(3)[0].start_us, some_rows(3)[2].end_us)])


async def test_who_is_faster_is_read_again() -> None:
    """The sweep claims the batch between the look and the taking back: too late, and said so."""
    index = SwitchedIndex(await an_index())
    batch = await with_batch(index, BatchState.UNPUBLISHED)

    def claim(name: str) -> None:
        if name == "put_batch":
            index.before = lambda _: None
            index.inner._batches[batch.camera, batch.day] = replace(batch, state=BatchState.DELETING)

    index.before = claim
    assert len((await placed(index)).back.too_late) == 1


async def test_unknown_cameras_are_refused_by_name() -> None:
    """Nothing is written."""
    index = await an_index()
    with pytest.raises(BadInput, match="quay, pier"):
        await placed(index, cameras=("gate", "quay", "pier"))
    assert await index.records(HOLDS) == []


async def test_a_camera_that_was_taken_out_can_be_held() -> None:
    """By its name, and by the area it lay in."""
    index = await an_index()
    await remember(index, a_camera("gate"), now_us=NOW_US)
    await index.remove_camera("gate")
    batch = await with_batch(index, BatchState.LISTED)
    assert (await placed(index)).cameras == ["gate"]
    await index.put_batch(batch, expect=None)
    by_area = await placed(index, cameras=(), areas=("fujian/xiamen",))
    assert (by_area.cameras, by_area.back.camera_days) == (["gate"], [("gate", DAY)])


async def test_an_area_takes_its_cameras_and_those_that_lay_there() -> None:
    """They are noted in the hold; areas without any are allowed, and said."""
    index = await an_index(cameras=("gate", "quay"))
    await index.add_camera(a_camera("mill", area="zhejiang"))
    await remember(index, a_camera("moved"), now_us=NOW_US, until_us=NOW_US + 1)
    await index.add_camera(a_camera("moved", area="zhejiang"))
    found = await placed(index, cameras=(), areas=("/fujian/", "hunan"))
    assert found.hold.seen == ("gate", "moved", "quay")
    assert list(found.cameras) == ["gate", "moved", "quay"]
    assert found.empty_areas == ["hunan"]


async def test_a_camera_that_comes_later_stays_held_when_it_leaves() -> None:
    """Before it is moved it is named in the hold; a hold that does not cover it is left alone."""
    index = await an_index()
    hold = (await placed(index, cameras=(), areas=("fujian",))).hold
    other = (await placed(index, cameras=("gate",))).hold
    assert await stay_covered(a_camera("new"), records=index) == [hold.id]
    moved = a_camera("new", area="zhejiang")
    assert [each.id for each in await standing_holds(index) if each.covers(moved)] == [hold.id]
    assert await stay_covered(a_camera("new"), records=index) == []
    assert other in await standing_holds(index)


async def test_changing_the_archive_takes_nothing_out_of_a_hold() -> None:
    """A camera that came into a held area and is moved away, or taken out and added elsewhere, stays held."""
    index = await an_index(cameras=())
    hold_id = (await placed(index, cameras=(), areas=("fujian",))).hold.id
    came, left = a_camera("came"), a_camera("left")
    for camera in (came, left):
        await index.add_camera(camera)
    await change_camera(index, came, replace(came, area="hunan"), now_us=NOW_US, notice_days=7)
    await take_camera_out(index, "left", now_us=NOW_US)
    (hold,) = await standing_holds(index)
    assert (hold.id, hold.seen) == (hold_id, ("came", "left"))


async def test_a_hold_of_too_many_cameras_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since every look reads all holds."""
    monkeypatch.setattr("retention.holds.MOST_CAMERAS", 2)
    index = await an_index(cameras=("a", "b", "c"))
    with pytest.raises(BadInput, match="at most 2"):
        await placed(index, cameras=(), areas=("fujian",))


async def test_a_taken_id_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two holds never share a record."""
    drawn = iter(["aaaaaa", "aaaaaa", "bbbbbb"])
    monkeypatch.setattr("retention.holds.secrets.token_hex", lambda _: next(drawn))
    index = await an_index()
    assert [(await placed(index, case=case)).hold.id[-6:] for case in "12"] == ["aaaaaa", "bbbbbb"]


async def test_a_hold_whose_taking_back_fails_stands() -> None:
    """The error names it: it binds, and the sweep gives back what it covers."""
    index = SwitchedIndex(await an_index())
    index.fails["batch"] = TryAgain("no answer")
    with pytest.raises(TryAgain, match=r"h-20260423-.* stands and binds"):
        await placed(index)
    assert len(await standing_holds(index)) == 1


async def test_placing_again_after_a_kill_ends_as_if_it_had_not_been() -> None:
    """Killed after any call: what is placed then finds the rows in the index and no batch."""
    calls = 0
    while True:
        calls += 1
        life = Life(calls)
        index = SwitchedIndex(await an_index(), life)
        await with_batch(index.inner, BatchState.UNPUBLISHED)
        try:
            await placed(index)
        except Died:
            await placed(index.inner)
            assert await rows_of(index.inner) == some_rows(3)
            assert await index.inner.batch("gate", DAY) is None
        else:
            break
    assert "publish_many" in life.calls
    assert calls > 10


async def test_giving_back_leaves_a_later_batch_alone() -> None:
    """One that was decided since is not of it, whatever its state."""
    index = await an_index()
    batch = await with_batch(index, BatchState.HELD)
    later = replace(batch, decided_us=batch.decided_us + 1)
    await index.put_batch(later, expect=BatchState.HELD)
    assert await give_back(batch, index=index) == []
    assert await index.batch("gate", DAY) == later


async def test_who_was_stopped_for_long_asks_again_before_it_publishes() -> None:
    """The batch was HELD when it was asked for; the answer came an hour later, when the day had been deleted: nothing is published."""
    index, clock = SwitchedIndex(await an_index()), HandClock()
    batch = await with_batch(index, BatchState.HELD)

    async def stopped(camera: str, day: date) -> Batch | None:
        found = await MemoryIndex.batch(index.inner, camera, day)
        if not clock.passed_ns:
            clock.move(3600)
            index.inner._batches.clear()
        return found

    index.inner.batch = stopped  # type: ignore[method-assign]
    assert await give_back(batch, index=index, clock=clock) == []
    assert await rows_of(index) == []


# --- changing


def li(why: str = "court order 7", *, by: str = "Li") -> Signed:
    """Signed an hour later."""
    return Signed(by, why, NOW_US + 3600 * US_PER_S)


async def test_an_extended_hold_takes_back_what_it_now_covers() -> None:
    """Who, when and why stay with it."""
    index = await an_index()
    hold = (await placed(index, start_us=0, end_us=US_PER_DAY)).hold
    await with_batch(index, BatchState.LISTED)
    longer = await extend(hold.id, li(), index=index, end_us=NOW_US, review=REVIEW)
    assert longer.back.camera_days == [("gate", DAY)]
    assert (longer.hold.end_us, longer.hold.review) == (NOW_US, REVIEW)
    change = longer.hold.changes[0]
    assert (change.by, change.why, change.what) == ("Li", "court order 7", "until 2026-04-23 and review 2027-01-01")
    with pytest.raises(BadInput, match="cannot be made shorter"):
        await extend(hold.id, li(), index=index, end_us=NOW_US - 1)


async def test_lifting_needs_a_reason_and_happens_once() -> None:
    """Then nothing is held any more."""
    index = await an_index()
    hold = (await placed(index)).hold
    with pytest.raises(BadInput, match="who does it, and why"):
        await lift(hold.id, li(why=" "), index=index)
    lifted = await lift(hold.id, li(), index=index)
    assert not lifted.waits_for_approval
    assert (lifted.hold.lifted_by, lifted.hold.lifted_reason) == ("Li", "court order 7")
    assert await standing_holds(index) == []
    for late in (lift(hold.id, li(), index=index), extend(hold.id, li(), index=index, end_us=NOW_US)):
        with pytest.raises(Conflict, match=r"lifted on 2026-04-23 by Li"):
            await late
    with pytest.raises(NotFound):
        await lift("h-none", li(), index=index)


async def two_person_index() -> MemoryIndex:
    """The tier of the gate asks for two persons."""
    index = MemoryIndex()
    policy = a_policy()
    tiers = dict(policy.tiers) | {"general": replace(policy.tiers["general"], two_persons=True)}
    await write_policy(index, replace(policy, tiers=tiers))
    await index.add_camera(a_camera("gate"))
    return index


@pytest.mark.parametrize("same", ["Li", " li ", "LI", "Ｌｉ"])
async def test_one_person_cannot_lift_what_two_must(same: str) -> None:
    """However the name is written; until another approves, the hold stands."""
    index = await two_person_index()
    hold = (await placed(index)).hold
    assert (await lift(hold.id, li(), index=index)).waits_for_approval
    with pytest.raises(BadInput, match="another person"):
        await approve_lift(hold.id, by=same, index=index, now_us=NOW_US)
    assert [each.id for each in await standing_holds(index)] == [hold.id]
    lifted = (await approve_lift(hold.id, by="Wang", index=index, now_us=NOW_US)).hold
    assert (lifted.lifted_by, lifted.approved_by, lifted.lifted_reason) == ("Li", "Wang", "court order 7")
    assert [change.what for change in lifted.changes] == ["asked to lift", "lifted", "approved"]
    assert await standing_holds(index) == []


async def test_one_person_lifts_where_one_may() -> None:
    """The negative control: with no tier that asks for two, the same hold is lifted at once, and there is nothing to approve."""
    index = await an_index()
    hold = (await placed(index)).hold
    assert not (await lift(hold.id, li(), index=index)).waits_for_approval
    with pytest.raises(NotFound):
        await approve_lift(hold.id, by="Wang", index=index, now_us=NOW_US)


async def test_a_change_beside_another_is_made_on_top() -> None:
    """Two who change one hold at once both find what they did in it."""
    index = SwitchedIndex(await an_index())
    hold = (await placed(index.inner)).hold
    index.fails["put_record"] = Conflict("somebody was faster")
    await extend(hold.id, li(), index=index, end_us=NOW_US)
    assert hold_of(await index.inner.record(HOLDS, hold.id)).end_us == NOW_US
