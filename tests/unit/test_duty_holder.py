"""A place and its duties: taken, kept, handed over and begun anew, whatever the index and the process go through; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from itertools import pairwise
from typing import Any

import pytest

from segments.duty import SUPERVISE, Duty
from segments.errors import TryAgain, Unknown
from tests.fakes import SwitchedIndex
from tests.fleet_model.places import TTL_S, APlace, now_s, placed
from tests.fleet_model.world import Gate, NodeClock
from tests.virtual_time import run_virtual

ONE, TWO = Duty("record-a", 0, 2), Duty("record-a", 1, 2)


def virtually(test: Callable[[SwitchedIndex], Awaitable[None]]) -> Callable[[], None]:
    """The test over an empty index, in virtual time."""

    @wraps(test)
    def run() -> None:
        run_virtual(test(SwitchedIndex()))

    del run.__wrapped__  # pytest would ask for its argument
    return run


class Hanging(SwitchedIndex):
    """Calls about one duty never come back while `hangs`."""

    hangs: Duty | None = None

    def __getattr__(self, name: str) -> Any:
        inner = super().__getattr__(name)

        async def call(*arguments: Any, **named: Any) -> Any:
            about = arguments[0] if arguments else None
            if self.hangs is not None and self.hangs in (about, getattr(about, "duty", None)):
                await asyncio.Event().wait()
            return await inner(*arguments, **named)

        return call


@virtually
async def test_what_is_placed_is_taken_and_renewed(index: SwitchedIndex) -> None:
    """It is held as soon as the placing is read, and its lease renewed three times in its life; the handler hears how it stands."""
    await placed(index, ONE, "n1")
    place = APlace("n1", index)
    await asyncio.sleep(0.01)
    assert [one.duty for one in place.handler.of("held")] == [ONE]
    await asyncio.sleep(30)
    lease = await index.inner.lease(ONE)
    assert (lease.holder, lease.epoch) == ("n1", 1)
    assert 28 <= lease.renewals <= 32
    said = place.handler.of("stands")
    assert all(one.left_s > 2 * TTL_S / 3 - 0.2 and one.answers for one in said)
    assert max(after.at_s - before.at_s for before, after in pairwise(said)) <= 1
    assert place.handler.turns == ["held"]


@virtually
async def test_only_kinds_it_has_are_taken(index: SwitchedIndex) -> None:
    """A placing of a kind of duty that this program does not know is left alone."""
    await placed(index, Duty("sweep"), "n1")
    place = APlace("n1", index)
    await asyncio.sleep(5)
    assert place.does == set()


@virtually
async def test_a_placing_is_followed_at_a_hint_or_soon(index: SwitchedIndex) -> None:
    """Without a hint within half a second, with one at once."""
    place = APlace("n1", index)
    await asyncio.sleep(0.1)
    await placed(index, ONE, "n1")
    place.holder.hint()
    await asyncio.sleep(0.01)
    assert place.does == {str(ONE)}
    await placed(index, TWO, "n1")
    await asyncio.sleep(0.51)
    assert place.does == {str(ONE), str(TWO)}


@virtually
async def test_a_duty_placed_elsewhere_is_given_back_and_lingers(index: SwitchedIndex) -> None:
    """Its lease is free at once, so that the successor begins while the old place still goes on."""
    await placed(index, ONE, "n1")
    old, new = APlace("n1", index), APlace("n2", index)
    await asyncio.sleep(1)
    await placed(index, ONE, "n2")
    await index.inner.remove_placing((await index.inner.placings("n1"))[0])
    begun_s = now_s()
    await asyncio.sleep(1.1)
    assert [(one.what, one.linger_s) for one in old.handler.heard if one.what == "lost"] == [("lost", 2.0)]
    assert new.handler.of("held")[0].at_s - begun_s < 1.1
    assert new.does == {str(ONE)}
    assert old.does == set()


@virtually
async def test_a_standby_takes_over_when_the_holder_is_gone(index: SwitchedIndex) -> None:
    """It watches the lease, and takes the duty in a new epoch when it was silent for its ttl: 2 to 3.6 s after the death."""
    await placed(index, ONE, "n1")
    old = APlace("n1", index)
    await asyncio.sleep(0.1)
    await placed(index, ONE, "n2", standby=True)
    new = APlace("n2", index)
    for phase_s in (5.0, 5.3, 5.7, 6.0):
        await asyncio.sleep(phase_s)
        await old.die()
        died_s, epoch = now_s(), (await index.inner.lease(ONE)).epoch
        await asyncio.sleep(4)
        assert 1.9 <= new.handler.of("held")[-1].at_s - died_s <= 3.6
        assert (await index.inner.lease(ONE)).epoch == epoch + 1
        old, new = new, APlace(old.name, index)


@virtually
async def test_an_orderly_end_hands_over_at_once(index: SwitchedIndex) -> None:
    """The leases are given back, the standby begins within its look, and the old place goes on for its linger meanwhile."""
    await placed(index, ONE, "n1")
    old = APlace("n1", index)
    await asyncio.sleep(0.1)
    await placed(index, ONE, "n2", standby=True)
    new = APlace("n2", index)
    await asyncio.sleep(5)
    begun_s = now_s()
    await old.holder.leave()
    assert now_s() - begun_s == pytest.approx(2.0, abs=0.1)
    assert new.handler.of("held")[0].at_s - begun_s < 0.3
    assert [one.linger_s for one in old.handler.of("lost")] == [2.0]
    assert next((place.name, place.kinds) for place in await index.inner.places()) == ("n1", ())


@virtually
async def test_an_orderly_end_without_others_does_not_linger(index: SwitchedIndex) -> None:
    """Nobody could take over: it ends at once, also when others there were are dead, and twice is fine."""
    await placed(index, ONE, "n1")
    place, other = APlace("n1", index), APlace("n2", index)
    await asyncio.sleep(3)
    await other.die()
    await asyncio.sleep(4)
    begun_s = now_s()
    await place.holder.leave()
    await place.holder.leave()
    assert now_s() - begun_s < 0.1
    assert [one.linger_s for one in place.handler.of("lost")] == [0.0]
    assert (await index.inner.lease(ONE)).free


@virtually
async def test_after_leaving_nothing_is_taken(index: SwitchedIndex) -> None:
    """Placings that come later are no business of a place that leaves."""
    place = APlace("n1", index)
    await asyncio.sleep(0.1)
    await place.holder.leave()
    await placed(index, ONE, "n1")
    await asyncio.sleep(5)
    assert place.does == set()


@virtually
async def test_a_higher_epoch_ends_the_duty(index: SwitchedIndex) -> None:
    """When the index says that another has it, the handler is told to end now, and the place watches again."""
    await placed(index, ONE, "n1")
    place = APlace("n1", index)
    await asyncio.sleep(0.1)
    seen = await index.inner.lease(ONE)
    await index.inner.acquire(ONE, "n2", seen=seen, now_us=0, ttl_us=3_000_000)
    await asyncio.sleep(1.1)
    assert [(one.what, one.linger_s) for one in place.handler.heard if one.what == "lost"] == [("lost", 0.0)]
    await asyncio.sleep(4)
    assert place.handler.turns == ["held", "lost", "held"]


@virtually
async def test_an_index_that_is_away_changes_nothing(index: SwitchedIndex) -> None:
    """The duty goes on in its epoch however long, the handler hears that nobody answers, and all is as before when it is back."""
    await placed(index, ONE, "n1")
    await placed(index, ONE, "n2", standby=True)
    holder, standby = APlace("n1", index), APlace("n2", index)
    await asyncio.sleep(5)
    index.away = True
    await asyncio.sleep(60)
    assert [one.answers for one in holder.handler.of("stands")[-3:]] == [False] * 3
    index.away = False
    await asyncio.sleep(10)
    assert holder.handler.turns == ["held"]
    assert standby.handler.turns == []
    assert (await index.inner.lease(ONE)).epoch == 1
    assert holder.handler.of("stands")[-1].answers


def test_a_call_that_hangs_stops_no_other_duty() -> None:
    """While renewals of one duty never come back, that one is still heard of each second, and the other is renewed."""

    async def scenario() -> None:
        index = Hanging()
        for duty in (ONE, TWO):
            await placed(index, duty, "n1")
        place = APlace("n1", index)
        await asyncio.sleep(2)
        renewals = (await index.inner.lease(TWO)).renewals
        index.hangs = ONE
        since_s = now_s()
        await asyncio.sleep(12)
        said = [one for one in place.handler.of("stands", ONE) if one.at_s > since_s]
        assert max(after.at_s - before.at_s for before, after in pairwise(said)) <= 1.01
        assert [one.answers for one in said[-5:]] == [False] * 5
        assert said[-1].left_s < 0
        assert (await index.inner.lease(TWO)).renewals >= renewals + 11
        index.hangs = None
        await asyncio.sleep(2)
        assert place.handler.turns == ["held", "held"]

    run_virtual(scenario())


def test_after_a_pause_longer_than_the_lease_it_stands_still_until_told() -> None:
    """The first words after a stop are that nothing is left, while the index answers: nobody writes on before it was asked."""

    async def scenario() -> None:
        index, gate = SwitchedIndex(), Gate()
        await placed(index, ONE, "n1")
        place = APlace("n1", Gated(index, gate), clock=NodeClock(1.0, gate))
        await asyncio.sleep(5)
        gate.until_s = now_s() + 10
        await asyncio.sleep(12)
        woken = [one for one in place.handler.of("stands") if one.at_s >= gate.until_s]
        assert (woken[0].left_s < 0, woken[0].answers) == (True, True)
        assert woken[-1].left_s > 0

    run_virtual(scenario())


class Gated:
    """An index that is heard only while the process runs."""

    def __init__(self, inner: SwitchedIndex, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            answer = await getattr(self._inner, name)(*arguments, **named)
            await self._gate.passed()
            return answer

        return call


@virtually
async def test_a_restarted_place_resumes_its_epochs(index: SwitchedIndex) -> None:
    """A lease in its name that was not given back is renewed and told as resumed, with no wait and in the same epoch."""
    await placed(index, ONE, "n1")
    first = APlace("n1", index)
    await asyncio.sleep(1)
    await first.die()
    again = APlace("n1", index)
    await asyncio.sleep(0.01)
    assert [(one.epoch, one.resumed) for one in again.handler.of("held")] == [(1, True)]
    await again.holder.leave()
    third = APlace("n1", index)
    await asyncio.sleep(0.01)
    assert [(one.epoch, one.resumed) for one in third.handler.of("held")] == [(2, False)]


@virtually
async def test_a_resumption_without_an_answer_is_tried_again(index: SwitchedIndex) -> None:
    """A renewal that fails at the start does not cost the epoch."""
    await placed(index, ONE, "n1")
    first = APlace("n1", index)
    await asyncio.sleep(1)
    await first.die()
    index.fails_after["renew"] = Unknown("no answer")
    again = APlace("n1", index)
    await asyncio.sleep(1)
    assert [(one.epoch, one.resumed) for one in again.handler.of("held")] == [(1, True)]


@virtually
async def test_a_taking_without_an_answer_is_not_resumed(index: SwitchedIndex) -> None:
    """A lease that turns out to be ours after all was never told to anybody: it is taken again in a new epoch."""
    await placed(index, ONE, "n1")
    index.fails_after["acquire"] = Unknown("no answer")
    place = APlace("n1", index)
    await asyncio.sleep(1)
    assert [(one.epoch, one.resumed) for one in place.handler.of("held")] == [(2, False)]


@virtually
async def test_a_fresh_epoch_is_given_for_what_we_hold(index: SwitchedIndex) -> None:
    """It is a higher one, at once, renewed from then on, and the handler hears nothing of it; there is none for what is not ours."""
    await placed(index, ONE, "n1")
    place = APlace("n1", index)
    await asyncio.sleep(1)
    lease = await place.holder.fresh_epoch(ONE)
    assert (lease.epoch, lease.holder) == (2, "n1")
    assert place.holder.held()[ONE].epoch == 2
    assert await place.holder.fresh_epoch(TWO) is None
    await asyncio.sleep(5)
    assert place.handler.turns == ["held"]
    assert place.handler.of("stands")[-1].epoch == 2


@virtually
async def test_no_fresh_epoch_without_the_index(index: SwitchedIndex) -> None:
    """It is None while the index is away, and comes when asked again; one whose answer was lost is not kept."""
    await placed(index, ONE, "n1")
    place = APlace("n1", index)
    await asyncio.sleep(1)
    index.fails["acquire"] = TryAgain("away")
    assert await place.holder.fresh_epoch(ONE) is None
    assert (await place.holder.fresh_epoch(ONE)).epoch == 2
    index.fails_after["acquire"] = Unknown("no answer")
    assert await place.holder.fresh_epoch(ONE) is None
    await asyncio.sleep(3)
    assert place.handler.turns == ["held", "lost", "held"]
    assert place.holder.held()[ONE].epoch == 4


class SlowToRelease(SwitchedIndex):
    """Takes its time to take a lease back."""

    async def release(self, *arguments: Any, **named: Any) -> None:
        """See `Leases`."""
        await asyncio.sleep(0.8)
        await self.inner.release(*arguments, **named)


def test_a_duty_that_comes_back_begins_after_its_end_was_told() -> None:
    """Taken away and given again before the release is answered: the handler hears held, lost, held, the second in a new epoch."""

    async def scenario() -> None:
        index = SlowToRelease()
        await placed(index, ONE, "n1")
        place = APlace("n1", index)
        await asyncio.sleep(1)
        await index.inner.remove_placing((await index.inner.placings("n1"))[0])
        place.holder.hint()
        await asyncio.sleep(0.01)
        await placed(index, ONE, "n1")
        place.holder.hint()
        await asyncio.sleep(2)
        assert place.handler.turns == ["held", "lost", "held"]
        assert [(one.epoch, one.resumed) for one in place.handler.of("held")] == [(1, False), (2, False)]

    run_virtual(scenario())


@virtually
async def test_supervising_needs_no_placing(index: SwitchedIndex) -> None:
    """Every place that can stands by for it: one has it, and another when that one is gone."""
    first, second = APlace("n1", index, shards=1), APlace("n2", index, shards=1)
    await asyncio.sleep(3)
    name = str(Duty(SUPERVISE))
    has, other = (first, second) if name in first.does else (second, first)
    assert name not in other.does
    await has.die()
    await asyncio.sleep(4)
    assert name in other.does


@virtually
async def test_a_place_says_that_it_lives(index: SwitchedIndex) -> None:
    """Each second with a higher beat, with the kinds it has handlers for; and a new life has other beats than the one before."""
    place = APlace("n1", index)
    beats = []
    for _ in range(4):
        await asyncio.sleep(1)
        beats.append((await index.inner.places())[0].beat)
    assert beats == sorted(set(beats))
    assert (await index.inner.places())[0].kinds == ("record-a", "record-b")
    await place.die()
    APlace("n1", index)
    await asyncio.sleep(0.5)
    assert (await index.inner.places())[0].beat not in beats
