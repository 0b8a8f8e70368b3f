"""The cameras of another site in our archive."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replication import guests
from replication.guests import EMPTIED, Guests
from segments.errors import DataDamaged, TryAgain
from segments.model import Camera
from segments.shards import bucket_of
from segments.stores.memory_index import MemoryIndex
from tests.builders import a_camera
from tests.fakes import SteppedClock
from tests.peer_site import PeerSite


class Changes:
    """Does as it is told, and remembers what was changed."""

    def __init__(self, index: MemoryIndex) -> None:
        self.index = index
        self.remembered: list[str] = []

    async def fitted(self, camera: Camera) -> Camera:
        return replace(camera, tier="") if camera.tier == "theirs" else camera

    async def change(self, before: Camera, after: Camera) -> None:
        self.remembered.append(before.id)
        await self.index.set_camera(after)

    async def take_out(self, camera: str) -> None:
        self.remembered.append(camera)
        await self.index.remove_camera(camera)


class Two:
    """Ours, and the harbour's archive that is followed."""

    def __init__(self) -> None:
        self.ours = MemoryIndex()
        self.harbour = PeerSite("harbour", SteppedClock())
        self.changes = Changes(self.ours)
        self.begin()

    def begin(self) -> None:
        """A new process."""
        self.guests = Guests("harbour", self.harbour, index=self.ours, changes=self.changes)

    async def has(self, *cameras: Camera) -> None:
        for camera in cameras:
            await self.harbour.index.add_camera(camera)
            await self.harbour.index.put_credential(camera.id, f"sealed {camera.id}".encode())

    async def ids(self) -> list[str]:
        return [camera.id for camera in (await self.ours.cameras()).items]


@pytest.fixture
def two() -> Two:
    return Two()


async def test_cameras_come_with_their_credentials_and_their_home(two: Two) -> None:
    """All that they are, but for the pool, which is one of theirs, and a tier that is none of ours."""
    await two.has(a_camera("quay", pool="deep", twice=True), a_camera("pier", tier="theirs"))
    found = await two.guests.follow()
    assert (found.changed, found.guests, found.conflicts, found.is_whole, found.finding) == (2, 2, (), True, "")
    assert await two.ours.camera("quay") == a_camera("quay", twice=True, home="harbour")
    assert (await two.ours.camera("pier")).tier == ""
    assert await two.ours.credential("quay") == b"sealed quay"


async def test_only_what_changed_is_read_again(two: Two) -> None:
    """Nothing is asked for while nothing changes; then one bucket."""
    await two.has(*(a_camera(f"c{n}") for n in range(5)))
    await two.guests.follow()
    two.harbour.asked = 0
    assert (await two.guests.follow()).changed == two.harbour.asked == 0
    await two.harbour.index.set_camera(a_camera("c3", name="East"))
    await two.harbour.index.put_credential("c3", b"new")
    assert ((await two.guests.follow()).changed, two.harbour.asked) == (1, 1)
    assert (await two.ours.camera("c3")).name == "East"
    assert await two.ours.credential("c3") == b"new"
    assert two.changes.remembered == ["c3"]


async def test_a_camera_that_is_removed_there_is_removed_here(two: Two) -> None:
    """With its credential, and what it was is remembered; also if that happened while we did not look."""
    await two.has(a_camera("quay"), a_camera("pier"))
    await two.guests.follow()
    await two.harbour.index.remove_camera("quay")
    two.begin()
    assert (await two.guests.follow()).guests == 1
    assert await two.ids() == ["pier"]
    assert await two.ours.credential("quay") is None
    assert two.changes.remembered == ["quay"]


async def test_ours_is_never_overwritten(two: Two) -> None:
    """A camera of ours, or of a third site, stays with its credential and is named; it stays also when theirs goes."""
    await two.ours.add_camera(a_camera("gate", name="Ours"))
    await two.ours.put_credential("gate", b"ours")
    await two.ours.add_camera(a_camera("pier", home="island"))
    await two.has(a_camera("gate"), a_camera("pier"))
    found = await two.guests.follow()
    assert (found.changed, found.guests, found.conflicts) == (0, 0, ("gate", "pier"))
    assert await two.ours.camera("gate") == a_camera("gate", name="Ours")
    assert await two.ours.credential("gate") == b"ours"
    await two.harbour.index.remove_camera("gate")
    assert (await two.guests.follow()).conflicts == ("pier",)
    assert await two.ids() == ["gate", "pier"]


async def test_what_a_site_knows_of_others_is_not_taken_for_its_own(two: Two) -> None:
    """Else each would hand ours back to us as its guests."""
    await two.harbour.index.add_camera(a_camera("gate", home="ours"))
    assert (await two.guests.follow()).guests == 0
    assert await two.ids() == []


async def test_an_archive_made_anew_takes_nothing_from_ours(two: Two) -> None:
    """The index of that site was lost: ours is the only one that knows its cameras. Those it has again are followed."""
    await two.has(*(a_camera(f"c{n}") for n in range(8)))
    await two.guests.follow()
    assert len({bucket_of(f"c{n}") for n in range(8)}) > 1
    two.harbour.index = MemoryIndex()
    await two.has(a_camera("c3", name="Again"))
    for _ in range(2):
        found = await two.guests.follow()
        assert (found.finding, found.guests) == (EMPTIED, 8)
        assert await two.ids() == [f"c{n}" for n in range(8)]
        two.begin()
    assert (await two.ours.camera("c3")).name == "Again"
    assert await two.ours.credential("c5") == b"sealed c5"


async def test_a_large_archive_is_read_in_pieces(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round takes some buckets; a fault loses none of them."""
    monkeypatch.setattr(guests, "BUCKETS_A_ROUND", 2)
    await two.has(*(a_camera(f"c{n}") for n in range(12)))
    assert not (await two.guests.follow()).is_whole
    two.harbour.away = True
    with pytest.raises(TryAgain):
        await two.guests.follow()
    two.harbour.away = False
    for _ in range(20):
        if (await two.guests.follow()).is_whole:
            break
    assert len(await two.ids()) == 12


async def test_an_end_halfway_leaves_what_the_next_look_mends(two: Two) -> None:
    """The credential is there before the camera, so that none is opened without its password."""
    await two.has(a_camera("quay"))
    await two.ours.put_credential("quay", b"older")
    assert (await two.guests.follow()).changed == 1
    assert await two.ours.credential("quay") == b"sealed quay"
    await two.harbour.index.remove_credential("quay")
    await two.guests.follow()
    assert await two.ours.credential("quay") is None


async def test_a_bucket_that_makes_no_sense_holds_up_no_other(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than are read in a round: the others are followed, what was known of these stays, and it is told until they change."""
    named = {}
    for number in range(2000):
        named.setdefault(bucket_of(f"c{number}"), f"c{number}")
    first, *others = (named[bucket] for bucket in sorted(named))
    await two.has(a_camera(first))
    await two.guests.follow()
    await two.has(*(a_camera(camera) for camera in others))
    bad = {bucket_of(camera) for camera in (first, *others[: guests.BUCKETS_A_ROUND])}
    cameras_in = two.harbour.cameras_in

    async def read(bucket: int):
        if bucket in bad:
            raise DataDamaged("that is no camera")
        return await cameras_in(bucket)

    monkeypatch.setattr(two.harbour, "cameras_in", read)
    two.guests.forget()
    found = [await two.guests.follow() for _ in range(len(named) // guests.BUCKETS_A_ROUND + 1)][-1]
    assert set(await two.ids()) == {first, *others[guests.BUCKETS_A_ROUND :]}
    assert "that is no camera" in found.finding
    bad.clear()
    two.guests.forget()
    while not (found := await two.guests.follow()).is_whole:
        pass
    assert (set(await two.ids()), found.finding) == ({first, *others}, "")
