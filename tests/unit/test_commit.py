"""The one door in: every outcome, every place to die, every answer of a store that is not to be trusted."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest

from segments.commit import COMMIT_DEADLINE_S, CommitRules, Committed, commit, commit_stored, store_object
from segments.errors import Conflict, DataDamaged, Refused, TryAgain, Unknown
from segments.model import SealedSegment
from segments.ports import WRITE_LIMIT_S
from tests.builders import NOON_US, a_batch, a_sealed_segment
from tests.clocks import HandClock
from tests.fakes import Died, ForeignObjects, Life, SwitchedIndex, SwitchedObjects, keys_of

BODY = b"whole and verified"
YOUNG = CommitRules()
OLD = CommitRules(young_us=0)
"""Every segment counts as old: it may be in a batch."""


def a_segment() -> SealedSegment:
    """A segment of some bytes that ended a moment ago."""
    return a_sealed_segment(size=len(BODY), sha256=hashlib.sha256(BODY).hexdigest())


class Door:
    """A commit of one segment over stores that can fail."""

    def __init__(self, *, objects: SwitchedObjects | None = None, rules: CommitRules = YOUNG) -> None:
        self.index = SwitchedIndex()
        self.objects = objects or SwitchedObjects()
        self.clock = HandClock(NOON_US + 120_000_000)
        self.rules = rules
        self.segment = a_segment()

    async def commit(self):
        return await commit(self.segment, BODY, objects=self.objects, index=self.index, clock=self.clock, rules=self.rules)

    async def rows(self) -> list[str]:
        row = self.segment.row
        return [found.key for found in (await self.index.inner.rows(row.camera, row.day)).items]

    async def stored(self) -> list[str]:
        return await keys_of(self.objects.inner)


async def test_object_run_and_row_are_there() -> None:
    """A commit without trouble leaves the object with its bytes and attributes, the run, and the row as it was returned."""
    door = Door()

    done, row = await door.commit()

    assert done is Committed.INDEXED
    assert await door.objects.inner.get(row.key) == BODY
    assert (await door.objects.inner.head(row.key)).attributes == dict(door.segment.attributes)
    assert await door.index.inner.row(row.camera, row.position) == row
    assert await door.index.inner.run(row.camera, row.run) == door.segment.run


async def test_the_order_is_look_put_look_run_row() -> None:
    """The object is in the pool, and was seen there, before anything promises it."""
    life = Life()
    door = Door(objects=SwitchedObjects(life=life))
    door.index.life = life

    await door.commit()

    assert life.calls == ["batch", "put", "head", "put_run", "publish"]


@pytest.mark.parametrize("calls", range(1, 6))
async def test_death_after_any_call_is_mended_by_running_again(calls: int) -> None:
    """Whichever port call was the last, the next run ends with the same row and one object."""
    expected = Door()
    _, row = await expected.commit()
    door = Door()
    door.index.life = door.objects.life = Life(calls_left=calls)

    with pytest.raises(Died):
        await door.commit()
    done, again = await door.commit()

    assert (done, again) == (Committed.INDEXED, row)
    assert await door.stored() == [row.key]
    assert await door.rows() == [row.key]


async def test_running_it_twice_is_fine() -> None:
    """Two uploaders with the same file leave the same row and one object."""
    door = Door()

    first, second = await door.commit(), await door.commit()

    assert first == second
    assert len(await door.stored()) == len(await door.rows()) == 1


async def test_a_taken_key_with_other_content_is_a_conflict() -> None:
    """412, and the object is not ours: nothing is overwritten and no row is written."""
    door = Door()
    other = b"something else"
    await door.objects.inner.put(door.segment.row.key, other, sha256=hashlib.sha256(other).hexdigest(), attributes={})

    with pytest.raises(Conflict, match="other content"):
        await door.commit()

    assert await door.objects.inner.get(door.segment.row.key) == other
    assert await door.rows() == []


@pytest.mark.parametrize("error", [Unknown("no answer"), Conflict("taken")])
async def test_no_answer_and_mine_already_are_settled_by_looking(error: Exception) -> None:
    """The put took effect but did not say so: size and hash decide, and the commit goes on."""
    door = Door()
    door.objects.fails_after["put"] = error

    assert (await door.commit())[0] is Committed.INDEXED


async def test_no_answer_and_nothing_there_is_tried_again() -> None:
    """The put may still be on its way: no row is written now."""
    door = Door()
    door.objects.fails["put"] = Unknown("no answer")

    with pytest.raises(TryAgain, match="not known"):
        await door.commit()
    assert await door.rows() == []
    assert (await door.commit())[0] is Committed.INDEXED


async def test_a_store_that_only_says_yes_gets_no_row() -> None:
    """An answer is not proof: the object is looked for, and where it is not there the spool file stays."""
    door = Door()
    door.objects.lies = True

    with pytest.raises(TryAgain, match="not there"):
        await door.commit()
    assert await door.rows() == []


async def test_a_store_that_holds_other_bytes_gets_no_row() -> None:
    """A hash that is not the one sent is damage, and a person must look."""
    door = Door(objects=ForeignObjects())

    with pytest.raises(DataDamaged, match="not what was sent"):
        await door.commit()
    assert await door.rows() == []


async def test_a_batch_makes_it_wait() -> None:
    """A camera-day being deleted takes no new footage: nothing is stored, and after the batch the commit succeeds."""
    door = Door()
    batch = a_batch()
    await door.index.inner.put_batch(batch, expect=None)

    with pytest.raises(TryAgain, match="being deleted"):
        await door.commit()
    assert await door.stored() == []

    await door.index.inner.forget_batch(batch.camera, batch.day, expect=batch.state)
    assert (await door.commit())[0] is Committed.INDEXED


async def test_the_index_away_leaves_young_footage_stored() -> None:
    """A young segment cannot be in a batch: it is put without the look, and its row must come later."""
    door = Door()
    door.index.away = True

    done, row = await door.commit()

    assert done is Committed.STORED
    assert await door.stored() == [row.key]
    assert await door.rows() == []


async def test_the_index_away_leaves_old_footage_in_the_spool() -> None:
    """An old one may be in a batch: without the look nothing is stored."""
    door = Door(rules=OLD)
    door.index.away = True

    with pytest.raises(TryAgain):
        await door.commit()
    assert await door.stored() == []


@pytest.mark.parametrize("call", ["put_run", "publish"])
@pytest.mark.parametrize(("rules", "young"), [(YOUNG, True), (OLD, False)])
async def test_the_index_going_away_in_between(call: str, rules: CommitRules, young: bool) -> None:
    """After the put a young segment is stored, an old one starts over; both end as one row."""
    door = Door(rules=rules)
    door.index.fails[call] = TryAgain("gone")

    if young:
        assert (await door.commit())[0] is Committed.STORED
    else:
        with pytest.raises(TryAgain):
            await door.commit()

    assert (await door.commit())[0] is Committed.INDEXED
    assert len(await door.rows()) == len(await door.stored()) == 1


async def test_age_is_counted_from_the_end() -> None:
    """A segment exactly as old as the rule says is young, a microsecond more and it is old."""
    door = Door()
    door.index.away = True
    age_us = door.clock.now_us() - door.segment.row.end_us

    door.rules = CommitRules(young_us=age_us)
    assert (await door.commit())[0] is Committed.STORED
    door.rules = CommitRules(young_us=age_us - 1)
    with pytest.raises(TryAgain):
        await door.commit()


@pytest.mark.parametrize(
    ("slow_s", "published"), [(COMMIT_DEADLINE_S - WRITE_LIMIT_S, True), (COMMIT_DEADLINE_S - WRITE_LIMIT_S + 1, False)]
)
async def test_a_row_too_late_is_not_written(slow_s: float, published: bool) -> None:
    """A write may take effect up to its limit after the call, so it must begin that long before the deadline or not at all."""
    door = Door(rules=OLD)
    door.objects.before = lambda name: door.clock.move(slow_s) if name == "put" else None

    if published:
        await door.commit()
    else:
        with pytest.raises(TryAgain, match="too slow"):
            await door.commit()
    assert len(await door.rows()) == published


async def test_a_refusal_of_the_store_comes_through() -> None:
    """Wrong keys of a pool are for a person; they are not hidden as a passing fault."""
    door = Door()
    door.objects.fails["put"] = Refused("signature does not match")

    with pytest.raises(Refused):
        await door.commit()


async def test_a_stored_segment_gets_its_row_later() -> None:
    """The rest of a commit looks for a batch again, then writes run and row, and touches no object."""
    door = Door()
    door.index.away = True
    _, row = await door.commit()
    stub = SealedSegment(row, door.segment.run, door.segment.attributes)
    with pytest.raises(TryAgain):
        await commit_stored(stub, index=door.index, clock=door.clock)
    door.index.away = False

    await door.index.inner.put_batch(a_batch(), expect=None)
    with pytest.raises(TryAgain, match="being deleted"):
        await commit_stored(stub, index=door.index, clock=door.clock)
    await door.index.inner.forget_batch("gate", row.day, expect=a_batch().state)
    await commit_stored(stub, index=door.index, clock=door.clock)

    assert await door.index.inner.row(row.camera, row.position) == row
    assert door.index.life.calls == ["batch", "batch", "put_run", "publish"]


async def test_the_version_is_the_one_the_store_tells_afterwards() -> None:
    """The row names the version that is there, not what a put claimed."""
    objects = SwitchedObjects()
    sha256 = hashlib.sha256(BODY).hexdigest()

    version = await store_object(objects, "gate/a", BODY, size=len(BODY), sha256=sha256, attributes={})

    assert version == (await objects.inner.head("gate/a")).version


async def row_first(door: Door) -> None:
    """The rule broken on purpose: the promise goes out before what it promises is there."""
    await door.index.publish(door.segment.row)
    await door.objects.put(door.segment.row.key, BODY, sha256=door.segment.row.sha256, attributes={})


@pytest.mark.parametrize(("way", "kept"), [(Door.commit, True), (row_first, False)])
async def test_a_row_has_its_object_wherever_one_dies(way, kept: bool) -> None:
    """At every death all rows have their objects; with the row first they have not, and this check sees it."""
    broken = 0
    for calls in range(1, 6):
        door = Door()
        door.index.life = door.objects.life = Life(calls_left=calls)
        with suppress(Died):
            await way(door)
        broken += not set(await door.rows()) <= set(await door.stored())

    assert (broken == 0) is kept
