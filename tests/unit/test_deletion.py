"""One camera-day on its way out, step by step: what is removed, what is led back, and what is said of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from retention.look import look
from retention.sweep import Sweep
from retention.sweep_values import Step
from segments.clock import US_PER_DAY, US_PER_S
from segments.errors import TryAgain
from segments.model import BatchState
from segments.receipt import Gone
from segments.tier import Term
from tests.builders import NOON_US
from tests.retention_builders import a_policy, write_policy
from tests.sweep_site import DAY, DUE_US, MONTH, SHARD, a_site, closing_of, footage
from tests.versioned_objects import VersionedObjects

LATE_US = NOON_US + 12 * 3600 * US_PER_S - 30 * US_PER_S
"""Half a minute before midnight: a segment from here ends on the next day."""
MIDNIGHT_US = NOON_US + 12 * 3600 * US_PER_S


async def test_what_is_due_goes_with_all_that_belongs_to_it() -> None:
    """Rows, objects and the closing of the run are gone, the sums are counted, the batch is forgotten, and one receipt says so."""
    rows = footage()
    site = await a_site(rows)
    await site.run(site.sweep())

    assert await site.rows() == []
    assert await site.keys() == set()
    assert await site.batches() == []
    assert await site.index.usage(MONTH, 0) == []
    (receipt,) = await site.receipts()
    assert [segment.key for segment in receipt.segments] == [row.key for row in rows]
    assert receipt.segments[0] == Gone("main", rows[0].key, "", rows[0].size, rows[0].sha256, rows[0].start_us, rows[0].end_us)
    assert receipt.closings == (closing_of(rows[-1]),)
    assert (receipt.reasons, receipt.rule, receipt.policy) == ({"due": 3}, "tier general (the default, policy 1)", 1)
    assert (receipt.chain, receipt.place, receipt.number, receipt.holds) == ("sweep.0-of-1", "node-1", 1, 0)
    assert site.steps() == [Step.BEGUN, Step.LISTED, Step.UNPUBLISHED, Step.CLAIMED, Step.DELETED]


async def test_each_step_waits_for_its_time() -> None:
    """Listed a commit deadline and ten seconds after it was decided; its rows go with that, the objects an hour later and not before."""
    site = await a_site()
    sweep = site.sweep()
    seen = {}
    for second in range(0, 3900, 10):
        await sweep.round()
        (batch,) = await site.batches() or [None]
        seen.setdefault(batch and batch.state, (second, len(await site.rows()), len(await site.keys())))
        site.clock.stand_still(10)

    assert seen == {
        BatchState.PENDING: (0, 3, 4),
        BatchState.UNPUBLISHED: (80, 0, 4),
        None: (3690, 0, 0),
    }


async def test_moments_of_a_receipt_follow_each_other() -> None:
    """Decided, listed, claimed, holds looked at, confirmed: in this order, with the waits between them."""
    site = await a_site()
    await site.run(site.sweep())
    (receipt,) = await site.receipts()

    assert receipt.decided_us == DUE_US
    assert receipt.listed_us >= receipt.decided_us + 60 * US_PER_S
    assert receipt.claimed_us >= receipt.listed_us + 3600 * US_PER_S
    assert receipt.confirmed_us >= receipt.holds_us >= receipt.claimed_us


async def test_what_is_held_stays_and_the_rest_goes() -> None:
    """A hold over the second of three segments keeps it, its object, and the run's closing, which is not needed less."""
    rows = footage()
    site = await a_site(rows)
    await site.hold(rows[1:2])
    await site.run(site.sweep())

    assert await site.rows() == [rows[1]]
    assert await site.keys() == {rows[1].key, closing_of(rows[-1])}
    (receipt,) = await site.receipts()
    assert [segment.key for segment in receipt.segments] == [rows[0].key, rows[2].key]
    assert receipt.closings == ()
    assert (await site.index.row_sums("gate", DAY))["main"].segments == 1


@pytest.mark.parametrize("rounds", range(1, 64, 6))
async def test_a_hold_that_comes_before_the_claim_takes_the_day_back(rounds: int) -> None:
    """Whenever its record is written before the claim, nothing of what it covers is lost, though nobody else leads the batch back."""
    rows = footage()
    site = await a_site(rows)
    sweep = site.sweep()
    for _ in range(rounds):
        await sweep.round()
        site.clock.stand_still(57)
    await site.hold(rows[1:2])
    await site.run(sweep, hours=26, every_s=307)

    assert rows[1] in await site.rows()
    assert rows[1].key in await site.keys()
    assert rows[0].key not in await site.keys()


async def test_a_day_that_is_held_whole_is_led_back_whole() -> None:
    """The hold came while its rows were out of the index: they are there again, and there is no receipt."""
    rows = footage()
    site = await a_site(rows)
    sweep = site.sweep()
    await site.run(sweep, hours=0.5)
    assert await site.rows() == []
    await site.hold()
    await site.run(sweep)

    assert await site.rows() == rows
    assert await site.receipts() == []
    assert await site.batches() == []
    assert site.steps()[-2:] == [Step.TAKEN_BACK, Step.GIVEN_BACK]


@pytest.mark.parametrize("hours", [0.01, 0.5])
async def test_a_lengthening_takes_the_day_back(hours: float) -> None:
    """A policy that keeps longer binds what is in a batch, too: before it is listed, and until it is claimed."""
    rows = footage()
    site = await a_site(rows)
    sweep = site.sweep()
    await site.run(sweep, hours=hours, every_s=30)
    longer = {name: replace(tier, keep_for=Term(60), ceiling=Term(70)) for name, tier in a_policy().tiers.items() if name == "general"}
    await write_policy(site.index, a_policy(version=2, tiers=a_policy().tiers | longer))
    await site.run(sweep)

    assert await site.rows() == rows
    assert await site.receipts() == []


async def test_late_footage_stays_and_has_its_turn() -> None:
    """What is committed after the listing keeps its row and object when the batch ends, and goes by a batch of its own."""
    early, late = footage(2), footage(1, start_us=NOON_US + 7200 * US_PER_S, run="home-a-2-1")
    site = await a_site(early)
    sweep = site.sweep()
    await site.run(sweep, hours=0.5)
    await site.keep(late)
    await site.run(sweep, hours=0.7)
    assert await site.rows() == late
    assert await site.keys() == {late[0].key}

    await site.run(sweep, hours=4)
    assert await site.keys() == set()
    assert [len(receipt.segments) for receipt in await site.receipts()] == [2, 1]


async def test_a_row_that_is_in_the_index_again_keeps_its_object() -> None:
    """Somebody published a row of the batch again: what has a row is not deleted, whatever the batch says."""
    rows = footage()
    site = await a_site(rows)
    sweep = site.sweep()
    await site.run(sweep, hours=0.9)
    await site.index.publish(rows[0])
    await site.run(sweep, hours=0.3)

    assert rows[0].key in await site.keys()
    assert await site.rows() == [rows[0]]
    assert [segment.key for segment in (await site.receipts())[0].segments] == [row.key for row in rows[1:]]


async def test_a_segment_is_judged_by_its_end() -> None:
    """One that ends after midnight falls due a day later than the rest of its camera-day, which waits for it: then all goes at once."""
    rows = [*footage(2), *footage(1, start_us=LATE_US, counter=2)]
    site = await a_site(rows)
    site.clock.start_us = MIDNIGHT_US + 31 * US_PER_DAY + 10 * US_PER_S
    sweep = site.sweep()
    await site.run(sweep, hours=23.5)
    assert await site.rows() == rows
    await site.run(sweep, hours=4)

    assert await site.keys() == set()
    assert len(await site.receipts()) == 1


async def test_what_is_at_its_ceiling_waits_for_nothing() -> None:
    """Where a tier leaves no time between due and gone, the first part goes by itself, and the rest when it is due."""
    rows = [*footage(2), *footage(1, start_us=LATE_US, counter=2)]
    site = await a_site(rows)
    at_once = {name: replace(tier, ceiling=tier.keep_for) for name, tier in a_policy().tiers.items()}
    await write_policy(site.index, a_policy(version=2, tiers=at_once))
    site.index._records["policy"].pop("1")
    site.clock.start_us = MIDNIGHT_US + 31 * US_PER_DAY + 10 * US_PER_S
    sweep = site.sweep()
    await site.run(sweep)
    assert await site.rows() == rows[2:]
    assert rows[2].key in await site.keys()
    await site.run(sweep, hours=23)

    assert [len(receipt.segments) for receipt in await site.receipts()] == [2, 1]


async def test_a_closing_beyond_midnight_goes_with_its_last_segment() -> None:
    """No other footage of the next day would take it along."""
    rows = footage(1, start_us=LATE_US)
    site = await a_site(rows)
    assert closing_of(rows[0]).split("/")[1] != DAY.isoformat()
    await site.run(site.sweep())

    assert await site.keys() == set()
    assert (await site.receipts())[0].closings == (closing_of(rows[0]),)


async def test_older_versions_and_marks_go_too() -> None:
    """Of a bucket with versions nothing is left; the receipt counts what else there was."""
    objects = VersionedObjects()
    rows = footage(2, version="v1")
    objects.add(rows[0].key, "v0")
    site = await a_site(rows, objects=objects)
    objects.add(rows[1].key, "mark1", 0)
    await site.run(site.sweep())

    assert objects.kept == []
    (receipt,) = await site.receipts()
    assert receipt.older == 2
    assert [segment.version for segment in receipt.segments] == ["v1", "v1"]


async def test_what_a_pool_refuses_keeps_the_batch_open() -> None:
    """The refused object is named with its reason, tried again each round, and there is no receipt before it is gone."""
    objects = VersionedObjects()
    rows = footage(3, version="v1")
    site = await a_site(rows, objects=objects)
    objects.stuck = {rows[1].key: "Object is WORM protected"}
    sweep = site.sweep()
    await site.run(sweep, hours=2)

    (batch,) = await site.batches()
    assert batch.state is BatchState.DELETING
    assert rows[1].key in batch.finding
    assert "WORM" in batch.finding
    assert await site.receipts() == []
    left = [event for event in site.events if event.step is Step.LEFT]
    assert len(left) > 5
    assert left[0].segments == 1

    objects.stuck = {}
    await site.run(sweep, hours=0.1)
    assert await site.batches() == []
    assert len((await site.receipts())[0].segments) == 3


async def test_a_pool_that_only_says_so_gets_no_receipt() -> None:
    """Deletes are answered well and nothing goes: that is seen by asking the pool, and told."""
    objects = VersionedObjects()
    site = await a_site(footage(1, version="v1"), objects=objects)
    objects.deaf = True
    await site.run(site.sweep())

    assert await site.receipts() == []
    assert "still there" in (await site.batches())[0].finding


async def test_a_pool_nobody_configured_is_said() -> None:
    """The batch stays claimed, and the fault names the pool."""
    site = await a_site(footage(1, pool="gone"))
    await site.run(site.sweep())

    assert "'gone'" in next(event.text for event in site.events if event.step is Step.LEFT)
    assert await site.receipts() == []


class HoldWhileDeleting(VersionedObjects):
    """A hold is placed, and time passes, when the first thousand have just been deleted."""

    site: object = None

    async def delete_versions(self, doomed):
        answer = await super().delete_versions(doomed)
        if self.site is not None:
            site, self.site = self.site, None
            site.clock.stand_still(11)
            await site.hold([self.held])
        return answer


async def test_the_holds_are_looked_at_again_when_the_last_look_is_old() -> None:
    """A look is good for 10 s: what was to go with the next request is spared, what went before is named as too late."""
    rows = footage(1300, version="v1", start_us=NOON_US - 11 * 3600 * US_PER_S)
    objects = HoldWhileDeleting()
    site = await a_site(rows, objects=objects)
    objects.site, objects.held = site, rows[1200]
    await site.run(site.sweep())

    assert await site.rows() == [rows[1200]]
    assert rows[1200].key in await site.keys()
    (receipt,) = await site.receipts()
    assert len(receipt.segments) == 1299
    assert "too-late" not in receipt.reasons


async def test_what_went_before_a_hold_is_named_as_too_late() -> None:
    """The hold covers a segment that is gone, of a batch that is claimed: the receipt counts it apart, and the event says it."""
    rows = footage(1300, version="v1", start_us=NOON_US - 11 * 3600 * US_PER_S)
    objects = HoldWhileDeleting()
    site = await a_site(rows, objects=objects)
    objects.site, objects.held = site, rows[5]
    await site.run(site.sweep())

    (receipt,) = await site.receipts()
    assert receipt.reasons == {"due": 1299, "too-late": 1}
    assert [event.segments for event in site.events if event.step is Step.TOO_LATE] == [1]
    assert await site.keys() == set()


async def test_a_batch_of_somebody_else_that_is_held_waits_for_their_requests() -> None:
    """Found claimed, and covered: only after two minutes is it published again, since a request of before may still come into effect."""
    rows = footage()
    site = await a_site(rows)
    first = site.deletion()
    batch = await _claimed(site, first)
    await site.hold(rows[:1])
    second = site.deletion()

    assert await second.delete(batch) == batch
    site.clock.stand_still(119)
    assert await second.delete(batch) == batch
    assert await site.keys() == {*(row.key for row in rows), closing_of(rows[-1])}
    site.clock.stand_still(2)
    assert await second.delete(batch) is None
    assert await site.rows() == rows[:1]
    assert [segment.key for segment in (await site.receipts())[0].segments] == [row.key for row in rows[1:]]


async def test_without_a_policy_nothing_goes_on() -> None:
    """The policy was taken back while a batch was open: nothing binds, so nothing is deleted."""
    site = await a_site()
    sweep = site.sweep()
    await site.run(sweep, hours=0.5)
    site.index._records["policy"].clear()
    done = await site.run(sweep)

    assert len(await site.keys()) == 4
    assert "no retention policy" in done.idle


async def test_a_lost_answer_is_tried_again() -> None:
    """Each write of a whole life answers once with a fault after it took effect: the end is the same."""
    site = await a_site()
    parts = site._parts()
    for name in ("put_batch", "put_batch_rows", "unpublish", "put_receipt", "put_usage", "remove_batch_rows", "forget_batch"):
        parts["index"].fails_after[name] = TryAgain(f"{name}: no answer")
    sweep = Sweep(SHARD, **parts)
    for _ in range(4):
        with suppress(TryAgain):
            await site.run(sweep)

    assert await site.keys() == set()
    assert await site.batches() == []
    assert len(await site.receipts()) == 1


async def _claimed(site, deletion):
    """Leads the day of noon up to its claim."""
    await deletion.begin(await look(site.index, site.clock), "gate", DAY)
    (batch,) = await site.batches()
    while batch.state is not BatchState.DELETING:
        site.clock.stand_still(3601)
        batch = await deletion.prepare(batch)
    return batch
