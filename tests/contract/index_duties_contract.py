"""What every index promises of leases, places and placings, clause by clause of segments/ports.py."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from segments.duty import Duty
from segments.errors import NotFound
from segments.model import Lease
from segments.ports import Index
from tests.builders import a_place, a_placing

RECORD = Duty("record-a", 3, 8)
OTHER = Duty("record-a", 4, 8)
SUPERVISE = Duty("supervise")


async def taken(index: Index, duty: Duty = RECORD, holder: str = "one", *, now_us: int = 100, ttl_us: int = 50) -> Lease:
    """A duty taken as it is seen just now."""
    lease = await index.acquire(duty, holder, seen=await index.lease(duty), now_us=now_us, ttl_us=ttl_us)
    assert lease is not None
    return lease


class LeasesContract:
    """`Leases`."""

    async def test_a_duty_nobody_ever_had_is_taken(self, index: Index, second: Index) -> None:
        """The first holder gets a lease that every door reads back whole."""
        assert await index.lease(RECORD) is None
        lease = await index.acquire(RECORD, "one", seen=None, now_us=100, ttl_us=50)
        assert lease == Lease(RECORD, "one", epoch=1, expires_us=150, ttl_us=50)
        assert await index.lease(RECORD) == lease
        assert await second.lease(RECORD) == lease

    async def test_a_duty_is_taken_only_as_it_was_seen(self, index: Index) -> None:
        """Who saw none, an older epoch, fewer renewals or a lease not yet given back gets None and changes nothing; its end is nothing."""
        first = await taken(index)
        for seen in (None, replace(first, epoch=0), replace(first, renewals=1), replace(first, free=True)):
            assert await index.acquire(RECORD, "two", seen=seen, now_us=10**9, ttl_us=50) is None
        assert await index.acquire(OTHER, "two", seen=replace(first, duty=OTHER), now_us=100, ttl_us=50) is None
        assert await index.lease(RECORD) == first
        assert await index.lease(OTHER) is None
        again = await index.acquire(RECORD, "two", seen=first, now_us=101, ttl_us=70)
        assert again == Lease(RECORD, "two", epoch=2, expires_us=171, ttl_us=70, previous_expires_us=101)

    async def test_a_renewal_is_seen(self, index: Index, second: Index) -> None:
        """Each renewal counts up, so that who watches it sees that it is kept, and nobody who saw it before can take it."""
        first = await taken(index)
        renewed = await index.renew(first, now_us=120, ttl_us=60)
        assert renewed == replace(first, expires_us=180, ttl_us=60, renewals=1)
        assert await second.lease(RECORD) == renewed
        assert await second.acquire(RECORD, "two", seen=first, now_us=500, ttl_us=50) is None
        assert await second.acquire(RECORD, "two", seen=renewed, now_us=500, ttl_us=50) is not None

    async def test_a_lease_is_renewed_while_its_epoch_holds(self, index: Index) -> None:
        """However long ago it ran out, if nobody came; also by who knows only an older renewal of it; and by a clock that went back."""
        first = await taken(index)
        assert await index.renew(first, now_us=9_000, ttl_us=50) == replace(first, expires_us=9_050, renewals=1)
        assert await index.renew(first, now_us=8_000, ttl_us=50) == replace(first, expires_us=8_050, renewals=2)
        assert await index.lease(RECORD) == replace(first, expires_us=8_050, renewals=2)

    async def test_a_lost_lease_is_not_renewed_or_released(self, index: Index) -> None:
        """Once a higher epoch was given the old holder gets None, and its release gives nothing back."""
        old = await taken(index)
        new = await taken(index, holder="two")
        assert await index.renew(old, now_us=200, ttl_us=50) is None
        await index.release(old, now_us=200)
        assert await index.lease(RECORD) == new

    async def test_a_released_duty_is_free(self, index: Index) -> None:
        """Release marks the lease as given back and ends it at its moment, never later; twice is once; anyone may see it and take it."""
        first = await taken(index, now_us=100, ttl_us=50)
        await index.release(first, now_us=120)
        given = replace(first, free=True, expires_us=120)
        assert await index.lease(RECORD) == given
        await index.release(first, now_us=110)
        assert await index.lease(RECORD) == given
        assert await index.acquire(RECORD, "two", seen=first, now_us=130, ttl_us=50) is None
        new = await index.acquire(RECORD, "two", seen=given, now_us=130, ttl_us=50)
        assert new == Lease(RECORD, "two", epoch=2, expires_us=180, ttl_us=50, previous_expires_us=120)

    async def test_a_late_release_does_not_prolong(self, index: Index) -> None:
        """A lease given back after its end has ended then."""
        first = await taken(index, now_us=100, ttl_us=50)
        await index.release(first, now_us=900)
        assert await index.lease(RECORD) == replace(first, free=True)

    async def test_what_was_given_back_is_not_renewed(self, index: Index) -> None:
        """A renewal that comes late, after the release, does not hold the successor up."""
        first = await taken(index)
        await index.release(first, now_us=120)
        assert await index.renew(first, now_us=121, ttl_us=50) is None
        assert (await taken(index, holder="two")).epoch == 2

    async def test_a_new_holder_sees_when_the_last_lease_ran_out(self, index: Index) -> None:
        """Over renewals and a release, `previous_expires_us` says when the lease before ended, and never a time to come."""
        first = await taken(index, now_us=0, ttl_us=10)
        await index.renew(first, now_us=8, ttl_us=10)
        second = await taken(index, holder="two", now_us=1000, ttl_us=10)
        assert second.previous_expires_us == 18
        third = await taken(index, now_us=1003, ttl_us=10)
        assert third.previous_expires_us == 1003

    async def test_the_same_holder_begins_a_new_epoch(self, index: Index) -> None:
        """A holder that takes its own duty again is in a new epoch; its old lease is over."""
        old = await taken(index)
        new = await taken(index)
        assert new.epoch > old.epoch
        assert await index.renew(old, now_us=200, ttl_us=50) is None
        assert await index.lease(RECORD) == new

    async def test_duties_are_told_apart_by_kind_shard_and_division(self, index: Index) -> None:
        """The same shard of another kind, or of another division, is another duty."""
        duties = [RECORD, OTHER, Duty("record-b", 3, 8), Duty("record-a", 3, 16), SUPERVISE]
        leases = [await taken(index, duty, str(duty)) for duty in duties]
        assert [await index.lease(duty) for duty in duties] == leases

    async def test_epochs_rise_over_all_duties(self, index: Index, second: Index) -> None:
        """Whatever duty and whoever asks: each epoch is higher than all before, and none is given twice."""
        epochs = [(await taken((index, second)[n % 2], Duty("record-a", n % 5, 5), f"holder-{n}")).epoch for n in range(12)]
        assert epochs == sorted(set(epochs))
        assert min(epochs) >= 1

    async def test_a_lease_nobody_has_is_not_renewed(self, index: Index) -> None:
        """An index that knows nothing of a duty prolongs and gives back nothing (it was made anew meanwhile)."""
        elsewhere = replace(await taken(index), duty=OTHER)
        assert await index.renew(elsewhere, now_us=1, ttl_us=10) is None
        await index.release(elsewhere, now_us=1)
        assert await index.lease(OTHER) is None

    @pytest.mark.parametrize("kept", [False, True])
    async def test_of_many_racing_holders_one_wins(self, index: Index, second: Index, kept: bool) -> None:
        """Twenty at once over two doors, for a duty nobody has or one that somebody had: one lease, and the losers are told so."""
        seen = await taken(index, holder="the first") if kept else None
        tries = [(index, second)[n % 2].acquire(RECORD, f"holder-{n}", seen=seen, now_us=100, ttl_us=10) for n in range(20)]
        won = [lease for lease in await asyncio.gather(*tries) if lease is not None]
        assert won == [await index.lease(RECORD)]

    async def test_racing_duties_get_epochs_of_their_own(self, index: Index, second: Index) -> None:
        """Duties taken at once over two doors never share an epoch."""
        tries = [taken((index, second)[n % 2], Duty("record-a", n, 16)) for n in range(16)]
        epochs = [lease.epoch for lease in await asyncio.gather(*tries)]
        assert len(set(epochs)) == 16

    async def test_a_renewal_and_a_taking_that_race_do_not_both_win(self, index: Index, second: Index) -> None:
        """Whoever comes second is told so: the old epoch renewed and a new one given on what was seen before never both succeed."""
        for _ in range(10):
            seen = await taken(index)
            renewal = index.renew(seen, now_us=110, ttl_us=50)
            kept, took = await asyncio.gather(renewal, second.acquire(RECORD, "two", seen=seen, now_us=110, ttl_us=50))
            assert (kept is None) != (took is None)
            assert await index.lease(RECORD) == (kept or took)

    async def test_spent_epochs_are_not_given(self, index: Index) -> None:
        """After a rebuild no epoch that is in keys comes again; spending lower ones changes nothing."""
        await index.spend_epochs(41)
        await index.spend_epochs(7)
        assert (await taken(index)).epoch == 42
        await index.spend_epochs(42)
        assert (await taken(index, OTHER)).epoch == 43


class PlacesContract:
    """`Places`."""

    async def test_a_place_is_read_back_whole(self, index: Index, second: Index) -> None:
        """Every field comes back by every door, in order of name; a later report takes the place of the one before."""
        full, bare = a_place("b"), a_place("a", url="", kinds=(), spooled=(), recorders=0, room=0, load=0)
        for place in (full, bare):
            await index.put_place(place)
        assert list(await index.places()) == [bare, full]
        later = replace(full, beat=full.beat + 1, kinds=("sweep",), recorders=1, room=7, load=2, spooled=(1,), of=2, url="http://[::1]:1")
        await index.put_place(later)
        assert list(await second.places()) == [bare, later]

    async def test_a_report_does_not_touch_what_the_administrator_wants(self, index: Index, second: Index) -> None:
        """A place that is to be emptied stays so whatever it says of itself, until it is told otherwise."""
        await index.put_place(a_place(draining=True))
        assert [place.draining for place in await index.places()] == [False]
        await second.set_draining("node-1", draining=True)
        await index.put_place(a_place(beat=9))
        assert list(await second.places()) == [a_place(beat=9, draining=True)]
        await index.set_draining("node-1", draining=False)
        assert list(await index.places()) == [a_place(beat=9)]

    async def test_an_unknown_place_is_not_drained(self, index: Index) -> None:
        """The wish for a place that was never heard of is NotFound and makes none."""
        with pytest.raises(NotFound):
            await index.set_draining("node-1", draining=True)
        assert list(await index.places()) == []

    async def test_a_place_is_forgotten_with_its_placings(self, index: Index) -> None:
        """Removing takes the place, its placings and the wish to drain it, and nothing of others; removing none is fine."""
        for name in ("node-1", "node-2"):
            await index.put_place(a_place(name))
            await index.set_draining(name, draining=True)
            await index.put_placing(a_placing(place=name))
        await index.remove_place("node-1")
        await index.remove_place("node-1")
        assert [place.name for place in await index.places()] == ["node-2"]
        assert list(await index.placings("node-1")) == []
        assert list(await index.placings("node-2")) == [a_placing(place="node-2")]
        await index.put_place(a_place("node-1"))
        assert [place.draining for place in await index.places()] == [False, True]

    async def test_placings_are_listed_in_order(self, index: Index, second: Index) -> None:
        """All of a place and only those, in order of kind, shard (as number) and division, by every door; a place need not be known."""
        duties = [Duty(kind, shard, of) for kind in ("record-a", "record-b") for shard in (0, 2, 10) for of in (11, 16)]
        placings = [a_placing(duty=duty, standby=duty.shard == 2) for duty in duties]
        for placing in reversed(placings):
            await index.put_placing(placing)
        await index.put_placing(a_placing(place="node-2"))
        assert list(await index.placings("node-1")) == placings
        assert list(await second.placings("node-1")) == placings

    async def test_a_place_has_one_placing_of_a_duty(self, index: Index) -> None:
        """Who stands by and then does it has one placing, the last one written; removing it takes it whatever it says."""
        await index.put_placing(a_placing(standby=True))
        await index.put_placing(a_placing())
        assert list(await index.placings("node-1")) == [a_placing()]
        await index.remove_placing(a_placing(standby=True))
        await index.remove_placing(a_placing())
        assert list(await index.placings("node-1")) == []

    async def test_a_duty_may_have_several_places(self, index: Index) -> None:
        """The placings of other places of the same duty stay when one is removed."""
        for name in ("node-1", "node-2"):
            await index.put_placing(a_placing(place=name, standby=name == "node-2"))
        await index.remove_placing(a_placing())
        assert list(await index.placings("node-2")) == [a_placing(place="node-2", standby=True)]
