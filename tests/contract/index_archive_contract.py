"""What every index promises of batches, cameras and credentials, clause by clause of segments/ports.py."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from segments.clock import day_of
from segments.errors import Conflict, NotFound
from segments.model import BatchState, Sound, Transport
from segments.ports import CameraFilter, Index
from segments.shards import CAMERA_BUCKETS, bucket_of
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

    async def test_a_batch_is_read_back_whole(self, index: Index, second: Index) -> None:
        """Every field, in every state and from each to each; one that is written over another leaves nothing of it."""
        expect = None
        for state in BatchState:
            full = a_batch(state=state, since_us=NOON_US + 1, listed_us=NOON_US - 1, whole=True, policy=7, finding="已保留 v1, v2")
            for batch in (full, a_batch(state=state)):
                await index.put_batch(batch, expect=expect)
                assert await second.batch("gate", DAY) == batch
                expect = state

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
            "a",
            sound=Sound.OMIT,
            transport=Transport.LIBAV,
            enabled=False,
            trust_clock=True,
            twice=True,
            tags=("门口", "a,b"),
            owner="港务局",
            home="harbour",
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


class CameraChangesContract:
    """`CameraChanges`."""

    async def test_every_change_changes_the_stamp_of_its_bucket(self, index: Index, second: Index) -> None:
        """Adding, replacing, removing a camera or its credential: each gives its bucket a text it never had, and no other bucket one."""
        assert await index.camera_stamps() == {}
        changes = [
            lambda: index.add_camera(a_camera()),
            lambda: second.set_camera(a_camera(name="other")),
            lambda: index.put_credential("gate", b"sealed"),
            lambda: second.put_credential("gate", b"again"),
            lambda: index.remove_credential("gate"),
            lambda: second.remove_camera("gate"),
            lambda: index.add_camera(a_camera()),
        ]
        seen = []
        for change in changes:
            await change()
            stamps = await index.camera_stamps()
            assert set(stamps) == {bucket_of("gate")}
            seen.append(stamps[bucket_of("gate")])
        assert len(set(seen)) == len(changes)

    async def test_stamps_of_racing_changes_differ_from_all_before(self, index: Index, second: Index) -> None:
        """Two doors that change cameras of one bucket at once leave a stamp nobody has seen, and both changes are there."""
        await index.add_camera(a_camera())
        for n in range(5):
            before = await index.camera_stamps()
            await asyncio.gather(index.set_camera(a_camera(name=f"n{n}")), second.put_credential("gate", b"%d" % n))
            after = await second.camera_stamps()
            assert after[bucket_of("gate")] != before[bucket_of("gate")]
        assert (await index.camera("gate")).name == "n4"
        assert await index.credential("gate") == b"4"

    async def test_a_bucket_has_its_cameras_and_credentials(self, index: Index) -> None:
        """Over all buckets each camera and each credential comes once, in the bucket its id says, cameras whole and in order of id."""
        cameras = {name: a_camera(name, twice=n % 2 == 0) for n in range(150) if (name := f"cam-{n:03d}")}
        for camera in cameras.values():
            await index.add_camera(camera)
        await index.put_credential("cam-007", b"seven")
        await index.put_credential("nobody", b"of no camera")
        for bucket in range(CAMERA_BUCKETS):
            expected = [camera for name, camera in cameras.items() if bucket_of(name) == bucket]
            assert list(await index.cameras_in(bucket)) == expected
            sealed = {name: text for name, text in (("cam-007", b"seven"), ("nobody", b"of no camera")) if bucket_of(name) == bucket}
            assert await index.credentials_in(bucket) == sealed

    async def test_what_is_removed_is_in_no_bucket(self, index: Index) -> None:
        """A removed camera and a removed credential are gone from their bucket; a replaced one is there as it is now."""
        await index.add_camera(a_camera())
        await index.put_credential("gate", b"sealed")
        await index.set_camera(a_camera(name="other", twice=True))
        bucket = bucket_of("gate")
        assert list(await index.cameras_in(bucket)) == [a_camera(name="other", twice=True)]
        await index.remove_camera("gate")
        await index.remove_credential("gate")
        assert list(await index.cameras_in(bucket)) == []
        assert await index.credentials_in(bucket) == {}
