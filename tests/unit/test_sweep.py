"""Rounds of a sweep: what it finds, how it goes on after any death, and that two at once do no harm."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from retention.clock_notes import accept_clocks, clocks_held
from retention.deletion import Deletion
from retention.dry_run import dry_run, why
from retention.look import look
from retention.sweep import Sweep
from retention.sweep_values import Step, SweepShard
from segments.clock import US_PER_DAY, US_PER_S
from segments.errors import Conflict, TryAgain
from segments.shards import bucket_of
from tests.builders import NOON_US, a_camera
from tests.fakes import Died, Life, SteppedClock, SwitchedIndex, SwitchedObjects
from tests.retention_builders import a_policy, write_policy
from tests.sweep_site import DAY, DUE_US, SETTINGS, SHARD, Site, a_site, footage

TIERS = a_policy().tiers
ROUND_S = 181
"""Between the rounds of the many lives: few of them only wait."""


async def _life(calls: int | None, *, held: bool) -> Site:
    """A site whose sweep dies at this call, and is followed by another that lives."""
    rows = footage()
    site = await a_site(rows, life=Life(calls))
    if held:
        await site.hold(rows[1:2])
    with suppress(Died):
        await site.run(site.sweep(), every_s=ROUND_S)
    site.life = Life()
    await site.run(site.sweep(), every_s=ROUND_S)
    return site


async def _end(site: Site) -> tuple[object, ...]:
    receipts = [(each.number, each.segments, each.closings, each.reasons) for each in await site.receipts()]
    return await site.rows(), await site.keys(), await site.batches(), receipts, dict(site.index._batch_rows)


@pytest.mark.parametrize("held", [False, True])
async def test_a_sweep_may_die_at_any_call(held: bool) -> None:
    """Killed behind any call of any port, the next one comes to the same end: same rows, objects and receipt, nothing left open."""
    whole = await _life(None, held=held)
    expected = await _end(whole)
    names = await _calls_of_a_life(held)
    for number in _deaths_that_differ(names):
        assert await _end(await _life(number, held=held)) == expected, f"killed behind call {number}, {names[number - 1]}"


async def _calls_of_a_life(held: bool) -> list[str]:
    rows = footage()
    site = await a_site(rows)
    if held:
        await site.hold(rows[1:2])
    await site.run(site.sweep(), every_s=ROUND_S)
    return site.life.calls


def _deaths_that_differ(names: list[str]) -> list[int]:
    """Each call that writes, and the two behind it; of the many readings in rounds that only wait, some."""
    writes = {"put_batch", "put_batch_rows", "unpublish", "delete", "delete_versions", "put_receipt", "put_usage", "remove_batch_rows"}
    near = {number + more for number, name in enumerate(names, 1) if name in writes | {"forget_batch"} for more in (0, 1, 2)}
    return sorted(number for number in near | set(range(1, len(names), 97)) if number <= len(names))


@pytest.mark.parametrize("seed", range(8))
async def test_two_sweeps_of_one_shard_do_no_harm(seed: int) -> None:
    """One that lost its lease and does not know it, call by call beside its successor: the same end, and one receipt a batch."""
    days = [replace_day(number) for number in range(2)]
    site = await a_site([row for day in days for row in day], ended=False)
    chance = random.Random(seed)
    one, other = (Sweep(SHARD, **site._parts() | {"index": Yielding(site.index, chance)}) for _ in range(2))
    for number in range(130):
        for done in await asyncio.gather(one.round(), other.round(), return_exceptions=True):
            assert not isinstance(done, BaseException) or isinstance(done, TryAgain), done
        if number == 40:
            await site.hold(days[0])
        site.clock.stand_still(61)

    assert await site.keys() == {row.key for row in days[0]}
    assert await site.rows(days[0][0].day) == days[0]
    assert await site.batches() == []
    assert [each.day for each in await site.receipts()] == [days[1][0].day]


class Yielding(SwitchedIndex):
    """Lets others go first, for some steps, before and after each call."""

    def __init__(self, inner, chance: random.Random) -> None:
        super().__init__(inner)
        self._chance = chance

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            for _ in range(self._chance.randrange(5)):
                await asyncio.sleep(0)
            answer = await method(*arguments, **named)
            for _ in range(self._chance.randrange(3)):
                await asyncio.sleep(0)
            return answer

        return call


async def test_a_zombie_that_wakes_up_does_no_harm() -> None:
    """A sweep that slept through the whole of its batches' lives finds them changed, and leaves them."""
    site = await a_site()
    zombie = site.deletion()
    (batch,) = await _begun(site, zombie)
    await site.run(site.sweep())

    with pytest.raises(Conflict):
        await _to_the_end(site, zombie, batch)
    assert len(await site.receipts()) == 1


async def test_no_more_than_so_many_batches_are_open() -> None:
    """The oldest days go first, and the next ones when there is room."""
    rows = [row for number in range(4) for row in replace_day(number)]
    site = await a_site(rows, ended=False, settings=replace(SETTINGS, open_batches=2))
    done = await site.sweep().round()

    assert done.open_batches == 2
    assert sorted(batch.day for batch in await site.batches()) == sorted({row.day for row in rows})[:2]
    await site.run(site.sweep(), hours=4)
    assert await site.keys() == set()


async def test_open_batches_are_remembered() -> None:
    """Between two searches, an hour apart, a round reads the batches it has begun by key and never lists them."""
    site = await a_site(settings=replace(SETTINGS, grace_s=7200))
    sweep = site.sweep()
    await sweep.round()
    before = len(site.life.calls)
    for _ in range(50):
        site.clock.stand_still(61)
        assert (await sweep.round()).open_batches == 1

    assert "partitions" not in site.life.calls[before:]


async def test_a_batch_whose_answer_was_lost_is_led_on() -> None:
    """It may stand in the index, so it is looked for, without waiting for the next search."""
    site = await a_site()
    parts = site._parts()
    parts["index"].fails_after["put_batch"] = TryAgain("the answer was lost")
    sweep = Sweep(SHARD, **parts)
    await sweep.round()
    site.clock.stand_still(61)

    assert (await sweep.round()).open_batches == 1
    await site.run(sweep)
    assert (await site.rows(), len(await site.receipts())) == ([], 1)


async def test_a_shard_leaves_the_cameras_of_others_alone() -> None:
    """Of two shards each takes its own; together they take all."""
    site = await a_site()
    mine = bucket_of("gate") % 2
    for shard, left in ((1 - mine, 3), (mine, 0)):
        await site.run(Sweep(SweepShard(shard, 2), **site._parts()))
        assert len(await site.rows()) == left


async def test_what_no_sum_knows_of_is_found_by_the_walk() -> None:
    """A camera-day whose count was lost is deleted all the same, and counted meanwhile."""
    site = await a_site()
    await site.index.put_usage("gate", DAY, {})
    await site.sweep().round()

    assert [batch.day for batch in await site.batches()] == [DAY]
    assert (await site.index.usage(DAY.replace(day=1), bucket_of("gate")))[0].sum.segments == 3


async def test_what_is_held_is_not_planned_each_round() -> None:
    """Its rows are read a few times a day, not each minute."""
    site = await a_site()
    await site.hold()
    await site.run(site.sweep(), hours=24)

    assert 2 <= site.life.calls.count("rows") <= 4


async def test_footage_of_a_camera_that_was_removed_goes_by_the_longest_tier() -> None:
    """Nobody knows what it was: after 40 days it stays, after a hundred it goes."""
    site = await a_site()
    await site.index.remove_camera("gate")
    await site.run(site.sweep())
    assert len(await site.rows()) == 3
    site.clock.stand_still(60 * 86_400)
    await site.run(site.sweep())

    assert await site.keys() == set()


async def test_what_is_pressed_goes_before_it_is_due() -> None:
    """A day that is named as pressed goes when its floor is over; the receipt says why. One below its floor stays."""
    site = await a_site()
    longer = {
        name: replace(tier, keep_for=tier.keep_for._replace(more_days=30), ceiling=tier.ceiling._replace(more_days=40))
        for name, tier in TIERS.items()
    }
    await write_policy(site.index, a_policy(version=2, tiers=longer))
    young = footage(1, start_us=NOON_US + 20 * US_PER_DAY, run="home-a-2-1")
    await site.keep(young)
    await site.run(site.sweep())
    assert len(await site.rows()) == 3

    pressed = {("gate", DAY), ("gate", young[0].day)}
    await site.run(site.sweep(pressed=lambda: pressed))
    assert await site.rows() == []
    assert await site.rows(young[0].day) == young
    assert [receipt.reasons for receipt in await site.receipts()] == [{"pressure": 3}]


async def test_a_clock_that_runs_ahead_deletes_nothing() -> None:
    """Set forward by 40 days it is not believed; set right again, or steady for six hours, it is."""
    site = await a_site()
    site.clock.start_us -= 35 * US_PER_DAY
    sweep = site.sweep()
    await sweep.round()
    site.clock.start_us += 35 * US_PER_DAY
    done = await site.run(sweep, hours=5.9)
    assert "set forward" in done.idle
    assert len(await site.rows()) == 3
    assert await site.batches() == []

    await site.run(sweep)
    assert await site.rows() == []


async def test_a_clock_that_somebody_accepts_is_believed() -> None:
    """An administrator says it is right: the sweep goes on at once, and the note says who."""
    site = await a_site()
    site.clock.start_us -= 35 * US_PER_DAY
    sweep = site.sweep()
    await sweep.round()
    site.clock.start_us += 35 * US_PER_DAY
    await sweep.round()
    assert [name for name, _ in await clocks_held(site.index)] == ["sweep.0-of-1"]
    assert await accept_clocks(site.index, "Chen") == ["sweep.0-of-1"]
    await site.run(sweep)

    assert await site.rows() == []
    assert (await site.index.record("sweep-clock", "sweep.0-of-1")).values["accepted_by"] == "Chen"


async def test_open_batches_stand_still_while_the_clock_is_not_believed() -> None:
    """What was begun by the right clock is not led on by the wrong one."""
    site = await a_site()
    sweep = site.sweep()
    await site.run(sweep, hours=0.5)
    site.clock.start_us += 3 * US_PER_DAY
    await site.run(sweep, hours=5)

    assert len(await site.keys()) == 4
    await site.run(sweep, hours=3)
    assert await site.keys() == set()


async def test_a_jump_never_shortens_a_wait() -> None:
    """A clock that gains 50 minutes is within what is believed, and still nothing goes sooner than links and requests have run out."""
    site = await a_site()
    sweep = site.sweep()
    await site.run(sweep, hours=0.1)
    assert await site.rows() == []
    site.clock.start_us += 3500 * US_PER_S
    gone_s = 0
    while await site.keys():
        await sweep.round()
        site.clock.stand_still(1)
        gone_s += 1

    assert gone_s > 50


async def test_a_dry_run_says_what_a_round_begins() -> None:
    """The same camera-days and segments, with reasons, and nothing is written."""
    rows = [row for number in range(3) for row in replace_day(number)]
    site = await a_site(rows, ended=False)
    await site.hold(rows[:1])
    await site.index.add_camera(a_camera("yard", tier="key-area"))
    await site.keep(footage(camera="yard"))
    planned = [each async for each in dry_run(site.index, site.clock)]
    assert await site.batches() == []
    await site.sweep().round()

    assert [(each.camera, each.day) for each in planned] == sorted(
        [(each.camera, each.day) for each in await site.batches()], key=lambda each: each[1]
    )
    begun = {(event.camera, event.day): event.segments for event in site.events if event.step is Step.BEGUN}
    assert {(each.camera, each.day): len(each.going) for each in planned} == begun
    assert why(planned[-1])[0].startswith("1 segment: goes: due since")
    assert [each async for each in dry_run(site.index, site.clock)] == []


async def test_a_fault_of_one_camera_day_is_no_fault_of_others() -> None:
    """The pool of one does not answer; the other goes."""
    site = await a_site()
    away = SwitchedObjects(life=Life())
    away.away = True
    await site.index.add_camera(a_camera("yard", tier=""))
    await site.keep(footage(camera="yard", pool="far"))
    parts = site._parts()
    parts["pools"]["far"] = away
    done = await site.run(Sweep(SHARD, **parts))

    assert done.steps[Step.RETRIED] == 1
    assert [receipt.camera for receipt in await site.receipts()] == ["gate"]
    assert done.open_batches == 1


class TickingClock(SteppedClock):
    """Time passes with every reading, as it does."""

    def monotonic_ns(self) -> int:
        self.passed_ns += 1000
        return self.passed_ns


async def test_claims_share_one_look_at_the_holds() -> None:
    """Of many camera-days that are claimed together the rules are read once before the claims and once after, not for each."""
    clock = TickingClock(DUE_US)
    site = await a_site([row for number in range(12) for row in replace_day(number)], ended=False, clock=clock)
    sweep = site.sweep()
    while not site.steps().count(Step.DELETED):
        before = len(site.life.calls)
        await sweep.round()
        site.clock.stand_still(61)

    assert site.steps().count(Step.DELETED) == 12
    assert site.life.calls[before:].count("records") == 3 * 3


def replace_day(number: int):
    """A segment of a run of its own, so many days before noon's, the longest ago first."""
    return footage(1, start_us=NOON_US - number * US_PER_DAY, run=f"home-a-{number + 1}-1")


async def _begun(site: Site, deletion: Deletion):
    await deletion.begin(await look(site.index, site.clock), "gate", DAY)
    return await site.batches()


async def _to_the_end(site: Site, deletion: Deletion, batch) -> None:
    while batch is not None:
        site.clock.stand_still(3601)
        batch = await deletion.advance(batch)
