"""Leases and assignments: the uploader's side, with fake recorders at its socket and a memory index that can be away."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from recorder import shards as module
from recorder.link import Assign, Counts, Durable, LeaseIs, Sealed
from recorder.placement import shard_of
from recorder.session import RunAbout
from segments.clock import US_PER_S
from segments.errors import TryAgain
from segments.model import Cause
from segments.secrets import Sealer
from tests.builders import NOON_US, RUN, a_camera, a_credential, some_fragments
from tests.fakes import until
from tests.shard_site import LEASE_S, MARCH, SEALER, site

# --- leases and epochs ---


async def test_a_recorder_gets_epoch_cameras_and_lease(tmp_path: Path) -> None:
    """In this order, and the lease again each second."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))

        assert recorder.told == [Assign("home", 1, recorder.told[0].cameras), LeaseIs(1, LEASE_S, answers=True)]
        assert recorder.cameras == ["gate"]
        await it.pass_(3)
        assert len(recorder.of(LeaseIs)) == 4
        assert len(recorder.of(Assign)) == 1
        assert (await it.index.inner.lease(0)).expires_us == it.clock.now_us() + 15 * US_PER_S


async def test_each_start_of_a_recorder_is_a_new_epoch(tmp_path: Path) -> None:
    """Its runs are counted from one, so an epoch must never be used twice."""
    async with site(tmp_path) as it:
        epochs = []
        for _ in range(4):
            recorder = await it.recorder()
            await until(partial(recorder.of, LeaseIs))
            epochs.append(recorder.epoch)
            await recorder.die()

        assert epochs == [1, 2, 3, 4]


async def test_an_uploader_started_anew_keeps_the_epoch(tmp_path: Path) -> None:
    """Its recorders went on in it; their runs are not cut. The cameras are sent again."""
    async with site(tmp_path) as it:
        first = await it.recorder()
        await until(lambda: first.of(LeaseIs))
        await it.die()
        await it.pass_(60)  # the lease has run out, nobody took the shard
        await it.start()
        again = await it.recorder(epoch=first.epoch)
        await until(lambda: again.of(LeaseIs))

        assert again.epoch == first.epoch
        assert again.may_record
        assert it.ended == [(1, ["gate"], [MARCH])]


async def test_a_shard_taken_by_another_is_not_taken_back(tmp_path: Path) -> None:
    """The recorder that comes with an older epoch is told to stop, and gets a new one when the other's lease is over."""
    async with site(tmp_path) as it:
        await it.index.inner.spend_epochs(5)
        other = await it.index.inner.acquire(0, "another node", now_us=it.clock.now_us(), ttl_us=5 * US_PER_S)
        recorder = await it.recorder(epoch=1)
        await it.pass_(2)
        assert recorder.of(Assign) == []
        await it.pass_(5)

        assert recorder.epoch > other.epoch


async def test_a_higher_epoch_stops_it_at_once(tmp_path: Path) -> None:
    """A lease lost while it was held is told with the next renewal, and no word after that lets it go on."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        lease = await it.index.inner.lease(0)
        await it.index.inner.release(lease, now_us=it.clock.now_us())
        await it.index.inner.acquire(0, "another node", now_us=it.clock.now_us(), ttl_us=3600 * US_PER_S)
        await it.pass_(1.5)
        assert not recorder.may_record

        it.index.away = True
        await it.pass_(30)
        assert not recorder.may_record
        assert recorder.epoch == 1


async def test_two_recorders_of_one_shard_never_share_an_epoch(tmp_path: Path) -> None:
    """The newer connection has the shard, the older one stops and does not fight for it, and takes over when the newer one goes."""
    async with site(tmp_path) as it:
        old = await it.recorder()
        await until(lambda: old.of(LeaseIs))
        new = await it.recorder()
        await until(lambda: new.of(LeaseIs))
        await it.pass_(10)

        assert (old.epoch, new.epoch) == (1, 2)
        assert (old.may_record, new.may_record) == (False, True)
        assert (await it.index.inner.lease(0)).epoch == 2
        await new.die()
        await it.pass_(2)
        assert (old.epoch, old.may_record) == (3, True)


async def test_the_index_away_lets_recorders_go_on(tmp_path: Path) -> None:
    """They hear that it does not answer; when it is back the same epoch is renewed, however late."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        it.index.away = True
        await it.pass_(120)
        assert recorder.may_record
        assert recorder.of(LeaseIs)[-1].answers is False

        it.index.away = False
        await it.pass_(2)
        assert recorder.of(LeaseIs)[-1] == LeaseIs(1, LEASE_S, answers=True)
        assert len(recorder.of(Assign)) == 1


async def test_the_index_away_at_the_first_word(tmp_path: Path) -> None:
    """A recorder in an epoch goes on in it; one without an epoch waits, and gets one when the index answers."""
    async with site(tmp_path, shards=2) as it:
        it.index.away = True
        going, fresh = await it.recorder(epoch=5), await it.recorder(shard=1, name="other")
        await it.pass_(3)
        assert going.may_record
        assert fresh.told == []

        it.index.away = False
        await it.pass_(2)
        assert fresh.epoch > 0


@pytest.mark.parametrize("call", ["acquire", "cameras", "credential", "state_before"])
async def test_a_fault_in_the_middle_of_taking_is_finished_later(tmp_path: Path, call: str) -> None:
    """The epoch taken before it is used, not burnt, and what was unsaid is said: that nobody recorded until then."""
    async with site(tmp_path) as it:
        it.index.fails[call] = TryAgain("by chance")
        await it.clock.pass_(60)
        recorder = await it.recorder()
        await it.pass_(3)

        assert recorder.epoch == 1
        assert await it.causes() == [Cause.RECORDER_AWAY]
        assert it.ended == [(1, ["gate"], [MARCH])]


async def test_an_orderly_end_gives_the_lease_back(tmp_path: Path) -> None:
    """Another may take the shard at once, and the states say from when nobody recorded."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        await it.server.release()
        await it.server.states.flush()

        assert (await it.index.inner.lease(0)).expires_us == it.clock.now_us()
        assert [(change.at_us, change.cause) for change in await it.states()][-1] == (it.clock.now_us(), Cause.RECORDER_AWAY)


# --- cameras ---


async def test_each_shard_gets_its_own_cameras_and_passwords(tmp_path: Path) -> None:
    """All are recorded once, and the credentials of other shards are never opened."""
    cameras = [a_camera(f"camera-{n}", added_us=NOON_US) for n in range(30)]
    async with site(tmp_path, *cameras, shards=3) as it:
        for camera in cameras:
            await it.index.inner.put_credential(camera.id, SEALER.seal(camera.id, a_credential(user=camera.id)))
        recorder = await it.recorder(shard=1)
        await until(lambda: recorder.of(LeaseIs))

        mine = [camera.id for camera in cameras if shard_of(camera.id, 3) == 1]
        assert sorted(recorder.cameras) == sorted(mine)
        assert set(it.opened) == set(mine)
        assert [(item.user, item.password) for item in recorder.of(Assign)[0].cameras] == [
            (item.camera.id, "correct horse") for item in recorder.of(Assign)[0].cameras
        ]


async def test_changes_of_the_archive_arrive(tmp_path: Path) -> None:
    """Within seconds: switched off and on, changed, added, removed, a new password; and nothing is sent while nothing changes."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        index = it.index.inner
        sent = []
        for change in (
            lambda: index.set_camera(a_camera(enabled=False)),
            lambda: index.set_camera(a_camera(enabled=True)),
            lambda: index.add_camera(a_camera("door")),
            lambda: index.put_credential("gate", SEALER.seal("gate", a_credential())),
            lambda: index.remove_camera("gate"),
        ):
            await change()
            await it.pass_(5)
            sent.append([(item.camera.id, item.camera.enabled, item.password) for item in recorder.of(Assign)[-1].cameras])
        assert sent == [
            [("gate", False, "")],
            [("gate", True, "")],
            [("door", True, ""), ("gate", True, "")],
            [("door", True, ""), ("gate", True, "correct horse")],
            [("door", True, "")],
        ]
        assert len(recorder.of(Assign)) == 6


async def test_a_credential_that_does_not_open_is_an_alarm(tmp_path: Path) -> None:
    """The camera is recorded without it (and refuses); the alarm names it, and goes when it is set again."""
    async with site(tmp_path) as it:
        await it.index.inner.put_credential("gate", Sealer(b"x" * 32).seal("gate", a_credential()))
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        assert recorder.of(Assign)[0].cameras[0].password == ""
        assert "camera gate" in it.server.alarms[0]

        await it.index.inner.put_credential("gate", SEALER.seal("gate", a_credential()))
        await it.pass_(5)
        assert it.server.alarms == []
        assert recorder.of(Assign)[-1].cameras[0].password == "correct horse"


async def test_more_cameras_than_one_recorder_can_take_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones are recorded, and the alarm says how to record all."""
    monkeypatch.setattr(module, "MAX_CAMERAS", 3)
    async with site(tmp_path, *(a_camera(f"camera-{n}") for n in range(5))) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))

        assert len(recorder.cameras) == 3
        assert "raise fleet.recorders" in it.server.alarms[0]


# --- what else they say ---


async def test_durable_sealed_and_counts_reach_their_places(tmp_path: Path) -> None:
    """A sealed segment hints the uploader; counts are kept; a durable fragment of a file that is gone is passed over."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        recorder.link.send(Counts(1, 2, spool_full=True))
        recorder.link.send(Durable("gate", RUN, 0, NOON_US, NOON_US + 1, RunAbout(NOON_US, "", 0, 0, ()), some_fragments(1)))
        recorder.link.send(Sealed("gate", RUN, 0))
        await until(lambda: it.hints)

        assert it.server.counts() == [Counts(1, 2, spool_full=True)]


@pytest.mark.parametrize("first", [b"nonsense\n", b'["Counts",{"buffered":0,"durable":0,"spool_full":false}]\n', b""])
async def test_who_does_not_greet_is_dropped(tmp_path: Path, first: bytes) -> None:
    """And gets no camera."""
    async with site(tmp_path) as it:
        reader, writer = await asyncio.open_unix_connection(str(it.folder / "s"))
        writer.write(first)
        if not first:
            writer.write_eof()

        assert await reader.read() == b""
        writer.close()
        assert it.server.counts() == []


async def test_nonsense_in_the_middle_ends_the_connection(tmp_path: Path) -> None:
    """A recorder that was taken over reaches nothing with it; its cameras are without a recorder from then on."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(Sealed("../..", RUN, 0))
        await until(lambda: recorder.reading.done())
        await until(lambda: "put_state" in it.index.life.calls)

        assert (await it.causes())[-1] is Cause.RECORDER_AWAY
