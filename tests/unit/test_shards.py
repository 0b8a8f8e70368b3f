"""Duties and recorders: the uploader's side, with recorders' ends at its socket, a real duty holder and a memory index that can be away."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from recorder import absence, camera_archive
from recorder.link import Assign, Counts, Durable, LeaseIs, Sealed, TakeAway
from recorder.session import RunAbout
from segments.clock import US_PER_S
from segments.duty import Duty
from segments.errors import TryAgain
from segments.model import Cause
from segments.secrets import Sealer
from segments.shards import bucket_of, shard_of
from tests.builders import NOON_US, RUN, a_camera, a_credential, some_fragments
from tests.fakes import until
from tests.shard_site import LEASE_S, MARCH, SEALER, A, site

# --- leases and epochs ---


async def test_a_recorder_gets_epoch_cameras_and_lease(tmp_path: Path) -> None:
    """In this order, and the lease again each second."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))

        assert recorder.told == [Assign("home", A, 1, recorder.told[0].cameras), LeaseIs(A, 1, LEASE_S, answers=True)]
        assert recorder.cameras == ["gate"]
        await it.pass_(3)
        assert len(recorder.of(LeaseIs)) == 4
        assert len(recorder.of(Assign)) == 1


async def test_each_start_of_a_recorder_is_a_new_epoch(tmp_path: Path) -> None:
    """Its runs are counted from one, so an epoch must never be used twice."""
    async with site(tmp_path) as it:
        epochs = []
        for _ in range(4):
            recorder = await it.recorder()
            await until(partial(recorder.of, Assign))
            epochs.append(recorder.epoch)
            await recorder.die()

        assert epochs == [1, 2, 3, 4]


async def test_an_uploader_started_anew_keeps_the_epoch(tmp_path: Path) -> None:
    """Its recorders went on in it; their runs are not cut. The cameras are sent again."""
    async with site(tmp_path) as it:
        first = await it.recorder()
        await until(lambda: first.of(LeaseIs))
        await it.die()
        await it.clock.pass_(60)  # the lease has run out, nobody took the duty
        await it.start()
        again = await it.recorder(*first.holds)
        await until(lambda: again.of(LeaseIs))

        assert again.epoch == first.epoch == 1
        assert again.may_record
        assert it.ended == []


async def test_an_uploader_started_anew_waits_for_who_goes_on(tmp_path: Path) -> None:
    """A recorder that is there first and knows nothing of the duty does not get it while another may still come with it."""
    async with site(tmp_path, expected=2) as it:
        first, _ = await it.recorder(), await it.recorder()
        await until(lambda: first.of(LeaseIs))
        holds = first.holds
        await it.die()
        await it.start()
        fresh = await it.recorder()
        await it.pass_(1)
        assert fresh.of(Assign) == []
        again = await it.recorder(*holds)
        await until(lambda: again.of(LeaseIs))

        assert (again.epoch, fresh.of(Assign)) == (1, [])


async def test_who_does_not_come_is_not_waited_for_long(tmp_path: Path) -> None:
    """After some 1.5 s another recorder gets the duty, in a new epoch; who comes too late with the old one is told to end it."""
    async with site(tmp_path, expected=2) as it:
        first, _ = await it.recorder(), await it.recorder()
        await until(lambda: first.of(LeaseIs))
        holds = first.holds
        await it.die()
        await it.start()
        fresh = await it.recorder()
        await it.pass_(2)
        assert fresh.epoch == 2
        late = await it.recorder(*holds)
        await until(lambda: late.told)

        assert late.told == [TakeAway(A, 1, Cause.RECORDER_AWAY, "another recorder goes on")]


async def test_a_duty_taken_by_another_place_is_not_gone_on_with(tmp_path: Path) -> None:
    """The recorder that comes with an older epoch is told to end it, some seconds after the index was first heard."""
    async with site(tmp_path) as it:
        first = await it.recorder()
        await until(lambda: first.of(LeaseIs))
        await it.die()
        await it.taken_by("another place")
        await it.place_duties()
        await it.start()
        recorder = await it.recorder(*first.holds)
        await it.pass_(5)
        assert recorder.told == []
        await it.pass_(10)

        assert [type(message) for message in recorder.told] == [TakeAway]


async def test_a_higher_epoch_ends_it_at_once(tmp_path: Path) -> None:
    """A lease that another place took is told with the next renewal, and no word after that lets it go on."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        await it.taken_by("another place")
        await it.pass_(6)
        assert recorder.duties == set()

        it.index.away = True
        await it.pass_(30)
        assert not recorder.may_record
        assert recorder.epoch == 1


async def test_the_index_away_lets_recorders_go_on(tmp_path: Path) -> None:
    """They hear that it does not answer; when it is back the same epoch is renewed, however late."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        it.index.away = True
        await it.pass_(30)
        assert recorder.may_record
        assert recorder.of(LeaseIs)[-1].answers is False

        it.index.away = False
        await it.pass_(2)
        assert recorder.of(LeaseIs)[-1].answers is True
        assert recorder.may_record
        assert len(recorder.of(Assign)) == 1


async def test_the_index_away_at_the_first_word(tmp_path: Path) -> None:
    """A recorder in an epoch goes on in it, for as long as it takes; one without waits, and gets a duty when the index answers."""
    async with site(tmp_path, shards=2, expected=2) as it:
        first, _ = await it.recorder(), await it.recorder(name="other")
        await until(lambda: first.of(LeaseIs))
        (kept,) = first.holds
        await it.die()
        it.index.away = True
        await it.start()
        going, fresh = await it.recorder(kept), await it.recorder(name="other")
        await it.pass_(20)
        assert going.told[-1] == LeaseIs(kept.duty, kept.epoch, 0.0, answers=False)
        assert fresh.told == []

        it.index.away = False
        await it.pass_(3)
        assert going.holds == (kept,)
        assert fresh.epoch > kept.epoch


@pytest.mark.parametrize("call", ["acquire", "camera_stamps", "cameras_in", "credentials_in", "state_before", "put_state"])
async def test_a_fault_in_the_middle_of_a_beginning_is_finished_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """The epoch taken is used, not burnt, and what was unsaid is said: that nobody recorded until then."""
    monkeypatch.setattr(absence, "OTHERS_END_S", 1.0)
    async with site(tmp_path) as it:
        it.index.fails[call] = TryAgain("by chance")
        await it.pass_(2)
        recorder = await it.recorder()
        await it.pass_(3)

        assert recorder.epoch == 1
        assert await it.causes() == [Cause.RECORDER_AWAY]
        assert it.ended == [(1, "a", ["gate"], [MARCH])]


async def test_runs_of_another_place_are_ended_only_after_it_had_time_to(tmp_path: Path) -> None:
    """It goes on for a moment after it lost the duty; those of a recorder of our own that died are over at once."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await it.pass_(10)
        assert it.ended == []
        await recorder.die()
        await it.recorder()
        await it.pass_(1)

        assert it.ended == [(2, "a", ["gate"], [MARCH])]


# --- cameras ---


async def test_each_shard_gets_its_own_cameras_and_passwords(tmp_path: Path) -> None:
    """All are recorded once, and the credentials of other shards are never opened."""
    cameras = [a_camera(f"camera-{n}", added_us=NOON_US) for n in range(30)]
    duty = Duty("record-a", 1, 3)
    async with site(tmp_path, *cameras, shards=3, duties=(duty,)) as it:
        for camera in cameras:
            await it.index.inner.put_credential(camera.id, SEALER.seal(camera.id, a_credential(user=camera.id)))
        recorder = await it.recorder()
        await it.pass_(3)

        mine = [camera.id for camera in cameras if shard_of(camera.id, 3) == 1]
        assert sorted(recorder.cameras) == sorted(mine)
        assert set(it.opened) == set(mine)
        assert [(item.user, item.password) for item in recorder.of(Assign)[-1].cameras] == [
            (item.camera.id, "correct horse") for item in recorder.of(Assign)[-1].cameras
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


async def test_only_what_changed_is_read_again(tmp_path: Path) -> None:
    """While nothing changes only the stamps are read; a change costs one bucket, and its credentials are opened, not all."""
    cameras = [a_camera(f"camera-{n}", added_us=NOON_US) for n in range(200)]
    buckets = {bucket_of(camera.id) for camera in cameras}
    async with site(tmp_path, *cameras) as it:
        for camera in cameras:
            await it.index.inner.put_credential(camera.id, SEALER.seal(camera.id, a_credential()))
        await it.recorder()
        await it.pass_(5)
        calls = it.index.life.calls
        assert calls.count("cameras_in") == len(buckets)
        it.opened.clear()
        calls.clear()
        await it.pass_(20)
        assert calls.count("camera_stamps") == 10
        assert not {"cameras", "cameras_in", "credential", "credentials_in"} & set(calls)

        await it.index.inner.set_camera(a_camera("camera-7", name="new", added_us=NOON_US))
        await it.pass_(5)
        assert (calls.count("cameras_in"), calls.count("credentials_in")) == (1, 1)
        assert set(it.opened) == {camera.id for camera in cameras if bucket_of(camera.id) == bucket_of("camera-7")}


async def test_a_credential_that_does_not_open_is_an_alarm(tmp_path: Path) -> None:
    """The camera is recorded without it (and refuses); the alarm names it, and goes when it is set again."""
    async with site(tmp_path) as it:
        await it.index.inner.put_credential("gate", Sealer(b"x" * 32).seal("gate", a_credential()))
        recorder = await it.recorder()
        await it.pass_(3)
        assert recorder.of(Assign)[-1].cameras[0].password == ""
        assert "camera gate" in it.server.alarms[0]

        await it.index.inner.put_credential("gate", SEALER.seal("gate", a_credential()))
        await it.pass_(5)
        assert it.server.alarms == []
        assert recorder.of(Assign)[-1].cameras[0].password == "correct horse"


async def test_more_cameras_than_a_message_holds_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones are recorded, and the alarm says how to record all."""
    monkeypatch.setattr(camera_archive, "MAX_CAMERAS", 3)
    async with site(tmp_path, *(a_camera(f"camera-{n}") for n in range(5))) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))

        assert len(recorder.cameras) == 3
        assert "raise fleet.shards" in it.server.alarms[0]


async def test_more_cameras_than_a_recorder_is_meant_for_are_said(tmp_path: Path) -> None:
    """All are recorded all the same: better slowly than not at all."""
    cameras = [a_camera(f"camera-{n}") for n in range(5)]
    async with site(tmp_path, *cameras, capacity=4) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))

        assert len(recorder.cameras) == 5
        assert it.server.alarms == ["recorder home-recorder-0 carries 5 cameras and is meant for 4: raise fleet.recorders, or add a node"]


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
        assert (await it.lease()).expires_us > NOON_US + US_PER_S
