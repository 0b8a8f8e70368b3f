"""What every index promises of batches, cameras, credentials and leases, clause by clause of segments/ports.py."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date

import pytest

from segments.clock import day_of
from segments.errors import Conflict, NotFound
from segments.model import BatchState, Sound, Transport
from segments.ports import CameraFilter, Index
from tests.builders import NOON_US, a_batch, a_camera, a_change, a_row, a_run
from tests.contract.index_footage_contract import all_pages

DAY = day_of(NOON_US)
MONTH = DAY.replace(day=1)


class BatchesContract:
    """`Batches`."""

    async def test_a_batch_is_written_where_there_is_none(self, index: Index) -> None:
        """A first write expects none; a second one that does so is a Conflict and changes nothing."""
        assert await index.batch("gate", DAY) is None
        await index.put_batch(a_batch(), expect=None)
        with pytest.raises(Conflict):
            await index.put_batch(a_batch(state=BatchState.HELD), expect=None)
        assert await index.batch("gate", DAY) == a_batch()
        assert await index.batch("gate", date(2026, 3, 15)) is None
        assert await index.batch("yard", DAY) is None

    async def test_a_batch_changes_only_from_the_expected_state(self, index: Index) -> None:
        """Compare and set: from another state, or from none, it is a Conflict and changes nothing."""
        with pytest.raises(Conflict):
            await index.put_batch(a_batch(), expect=BatchState.PENDING)
        await index.put_batch(a_batch(), expect=None)
        claimed = a_batch(state=BatchState.DELETING, decided_us=NOON_US + 5)
        with pytest.raises(Conflict):
            await index.put_batch(claimed, expect=BatchState.HELD)
        assert await index.batch("gate", DAY) == a_batch()
        await index.put_batch(claimed, expect=BatchState.PENDING)
        assert await index.batch("gate", DAY) == claimed

    async def test_a_batch_is_forgotten_only_in_the_expected_state(self, index: Index) -> None:
        """Forgetting compares too; afterwards there is none, and one can be written anew."""
        with pytest.raises(Conflict):
            await index.forget_batch("gate", DAY, expect=BatchState.DELETING)
        await index.put_batch(a_batch(), expect=None)
        with pytest.raises(Conflict):
            await index.forget_batch("gate", DAY, expect=BatchState.DELETING)
        assert await index.batch("gate", DAY) == a_batch()
        await index.forget_batch("gate", DAY, expect=BatchState.PENDING)
        assert await index.batch("gate", DAY) is None
        await index.put_batch(a_batch(), expect=None)

    async def test_of_many_racing_writers_one_wins(self, index: Index, second: Index) -> None:
        """A hold and a sweep that both expect *pending* never both succeed."""
        await index.put_batch(a_batch(), expect=None)
        wanted = [a_batch(state=state) for state in (BatchState.HELD, BatchState.DELETING)] * 4
        writers = [store.put_batch(batch, expect=BatchState.PENDING) for store in (index, second) for batch in wanted]
        results = await asyncio.gather(*writers, return_exceptions=True)
        assert [result for result in results if not isinstance(result, Conflict)] == [None]


class CamerasContract:
    """`Cameras` and `Credentials`."""

    async def test_a_camera_is_read_back_whole(self, index: Index) -> None:
        """Every field comes back; a camera of which little is known too."""
        full = a_camera(
            "a", sound=Sound.OMIT, transport=Transport.LIBAV, enabled=False, trust_clock=True, tags=("门口", "a,b"), owner="港务局"
        )
        bare = a_camera("b", latitude=None, longitude=None, tags=(), area="", owner="", tier="")
        for camera in (full, bare):
            await index.add_camera(camera)
            assert await index.camera(camera.id) == camera
        assert (await index.cameras()).items == [full, bare]

    async def test_an_id_is_given_once(self, index: Index) -> None:
        """Adding a known id is a Conflict and changes nothing; a removed one is free again."""
        await index.add_camera(a_camera())
        with pytest.raises(Conflict):
            await index.add_camera(a_camera(name="other"))
        assert await index.camera("gate") == a_camera()
        await index.remove_camera("gate")
        await index.add_camera(a_camera(name="other"))
        assert (await index.camera("gate")).name == "other"

    async def test_what_is_not_there_cannot_be_changed(self, index: Index) -> None:
        """Reading, replacing and removing an unknown camera is NotFound."""
        with pytest.raises(NotFound):
            await index.camera("gate")
        with pytest.raises(NotFound):
            await index.set_camera(a_camera())
        with pytest.raises(NotFound):
            await index.remove_camera("gate")
        assert (await index.cameras()).items == []

    async def test_footage_stays_when_its_camera_goes(self, index: Index) -> None:
        """Removing a camera takes no row, run or state."""
        await index.add_camera(a_camera())
        await index.publish(a_row())
        await index.put_run(a_run())
        await index.put_state(a_change())
        await index.remove_camera("gate")
        assert (await index.rows("gate", DAY)).items == [a_row()]
        assert (await index.runs("gate", MONTH)).items == [a_run()]
        assert await index.state_before("gate", NOON_US) == a_change()

    async def test_cameras_are_narrowed_to_class_and_area(self, index: Index) -> None:
        """An area has all below it, but not one whose name merely begins alike; class and area narrow together."""
        places = {"a": ("fujian", 1), "b": ("fujian/xiamen", 2), "c": ("fujian/xiamen/siming", 1), "d": ("fujian/xiamen2", 1), "e": ("", 1)}
        for name, (area, camera_class) in places.items():
            await index.add_camera(a_camera(name, area=area, camera_class=camera_class))

        async def ids(only: CameraFilter) -> str:
            return "".join(camera.id for camera in (await index.cameras(only)).items)

        assert await ids(CameraFilter()) == "abcde"
        assert await ids(CameraFilter(camera_class=1)) == "acde"
        assert await ids(CameraFilter(area="fujian")) == "abcd"
        assert await ids(CameraFilter(area="fujian/xiamen")) == "bc"
        assert await ids(CameraFilter(camera_class=1, area="fujian/xiamen")) == "c"
        assert await ids(CameraFilter(area="xiamen")) == ""
        assert await ids(CameraFilter(camera_class=9)) == ""

    async def test_a_camera_that_moves_is_found_where_it_is(self, index: Index) -> None:
        """After a change of area and class it is listed in the new ones and in the old ones no more; after removal nowhere."""
        await index.add_camera(a_camera(area="north/a", camera_class=1))
        moved = a_camera(area="south/b", camera_class=2, name="moved")
        await index.set_camera(moved)
        for only in (CameraFilter(area="north"), CameraFilter(camera_class=1), CameraFilter(1, "south")):
            assert (await index.cameras(only)).items == []
        for only in (CameraFilter(area="south"), CameraFilter(camera_class=2), CameraFilter(2, "south/b"), CameraFilter()):
            assert (await index.cameras(only)).items == [moved]
        await index.remove_camera("gate")
        assert (await index.cameras(CameraFilter(2, "south/b"))).items == []

    @pytest.mark.parametrize("only", [CameraFilter(), CameraFilter(1), CameraFilter(area="x"), CameraFilter(1, "x")])
    async def test_pages_of_cameras_leave_nothing_out(self, index: Index, only: CameraFilter) -> None:
        """Pages give every camera once, in order of id (as text, by code point)."""
        names = sorted(["Z", "a", "a.b", "a-b", "a1", "a10", "a2"])
        for name in reversed(names):
            await index.add_camera(a_camera(name, area="x/y", camera_class=1))
        for limit in (1, 3, 7):
            listed = await all_pages(index.cameras, only, first={"after": ""}, cursor="after", limit=limit)
            assert [camera.id for camera in listed] == names

    async def test_credentials_are_kept_apart(self, index: Index) -> None:
        """The sealed bytes come back, are replaced and removed; they need no camera, and removing none is fine."""
        assert await index.credential("gate") is None
        await index.put_credential("gate", b"\x00\xffsealed")
        await index.put_credential("gate", b"\x00\xffagain")
        assert await index.credential("gate") == b"\x00\xffagain"
        assert await index.credential("yard") is None
        await index.remove_credential("gate")
        await index.remove_credential("gate")
        assert await index.credential("gate") is None


class LeasesContract:
    """`Leases`."""

    async def test_a_free_shard_is_taken(self, index: Index) -> None:
        """The first holder gets the lease until its end; nobody else does before that, and at it the shard is free."""
        assert await index.lease(3) is None
        lease = await index.acquire(3, "one", now_us=100, ttl_us=50)
        assert lease is not None
        assert (lease.shard, lease.holder, lease.expires_us, lease.previous_expires_us) == (3, "one", 150, 0)
        assert await index.lease(3) == lease
        assert await index.acquire(3, "two", now_us=149, ttl_us=50) is None
        assert await index.lease(3) == lease
        later = await index.acquire(3, "two", now_us=150, ttl_us=50)
        assert later is not None
        assert (later.holder, later.expires_us, later.previous_expires_us) == ("two", 200, 150)
        assert later.epoch > lease.epoch

    async def test_a_new_holder_sees_when_the_last_lease_ran_out(self, index: Index) -> None:
        """Long after, and over renewals and a release, `previous_expires_us` says when the lease before ended."""
        first = await index.acquire(0, "one", now_us=0, ttl_us=10)
        assert first is not None
        await index.renew(first, now_us=8, ttl_us=10)
        second = await index.acquire(0, "two", now_us=1000, ttl_us=10)
        assert second is not None
        assert second.previous_expires_us == 18
        await index.release(second, now_us=1003)
        third = await index.acquire(0, "one", now_us=1003, ttl_us=10)
        assert third is not None
        assert third.previous_expires_us == 1003

    async def test_the_same_holder_begins_a_new_epoch(self, index: Index) -> None:
        """A recorder that starts again takes its own shard at once, in a new epoch; its old lease is over from then on."""
        old = await index.acquire(0, "one", now_us=0, ttl_us=100)
        new = await index.acquire(0, "one", now_us=10, ttl_us=100)
        assert old is not None
        assert new is not None
        assert new.epoch > old.epoch
        assert new.previous_expires_us == 10
        assert await index.renew(old, now_us=11, ttl_us=100) is None
        assert await index.lease(0) == new

    async def test_epochs_rise_over_all_shards(self, index: Index, second: Index) -> None:
        """Whatever shard and whoever asks: each epoch is higher than all before, and none is given twice."""
        epochs = []
        for n in range(12):
            lease = await (index, second)[n % 2].acquire(n % 5, f"holder-{n}", now_us=100 * n, ttl_us=10)
            assert lease is not None
            epochs.append(lease.epoch)
        assert epochs == sorted(set(epochs))
        assert min(epochs) >= 1

    async def test_a_lease_is_renewed_while_its_epoch_holds(self, index: Index) -> None:
        """Renewal prolongs and keeps the epoch, even after the end if nobody came; it never shortens."""
        lease = await index.acquire(0, "one", now_us=0, ttl_us=10)
        assert lease is not None
        renewed = await index.renew(lease, now_us=5, ttl_us=10)
        assert renewed == replace(lease, expires_us=15)
        assert await index.renew(lease, now_us=900, ttl_us=10) == replace(lease, expires_us=910)
        assert await index.renew(lease, now_us=0, ttl_us=10) == replace(lease, expires_us=910)
        assert await index.lease(0) == replace(lease, expires_us=910)

    async def test_a_lost_lease_is_not_renewed_or_released(self, index: Index) -> None:
        """Once a higher epoch was given the old holder gets None, and its release ends nothing."""
        old = await index.acquire(0, "one", now_us=0, ttl_us=10)
        new = await index.acquire(0, "two", now_us=20, ttl_us=10)
        assert old is not None
        assert await index.renew(old, now_us=21, ttl_us=10) is None
        await index.release(old, now_us=21)
        assert await index.lease(0) == new

    async def test_a_released_shard_is_free_at_once(self, index: Index) -> None:
        """Release ends the lease at its moment and never prolongs one that ran out before."""
        lease = await index.acquire(0, "one", now_us=0, ttl_us=10)
        assert lease is not None
        await index.release(lease, now_us=4)
        assert await index.lease(0) == replace(lease, expires_us=4)
        await index.release(lease, now_us=9)
        assert await index.lease(0) == replace(lease, expires_us=4)
        assert await index.acquire(0, "two", now_us=4, ttl_us=10) is not None

    async def test_a_lease_nobody_has_is_not_renewed(self, index: Index) -> None:
        """An index that knows nothing of a shard prolongs nothing (it was made anew meanwhile)."""
        lease = await index.acquire(0, "one", now_us=0, ttl_us=10)
        assert lease is not None
        elsewhere = replace(lease, shard=1)
        assert await index.renew(elsewhere, now_us=1, ttl_us=10) is None
        await index.release(elsewhere, now_us=1)
        assert await index.lease(1) is None

    async def test_of_many_racing_holders_one_wins(self, index: Index, second: Index) -> None:
        """Twenty holders at once over two connections: one lease, and the losers are told so."""
        tries = [(index, second)[n % 2].acquire(0, f"holder-{n}", now_us=100, ttl_us=10) for n in range(20)]
        won = [lease for lease in await asyncio.gather(*tries) if lease is not None]
        assert won == [await index.lease(0)]

    async def test_spent_epochs_are_not_given(self, index: Index) -> None:
        """After a rebuild no epoch that is in keys comes again; spending lower ones changes nothing."""
        await index.spend_epochs(41)
        await index.spend_epochs(7)
        lease = await index.acquire(0, "one", now_us=0, ttl_us=10)
        assert lease is not None
        assert lease.epoch == 42
