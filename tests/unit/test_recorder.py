"""What a recorder records, in which epoch, and what it says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.link import Assign, Counts, Durable, Hello, LeaseIs, Sealed, StateIs, TakeAway
from recorder.run_end import ended_runs
from recorder.spool_folder import open_parts
from segments.duty import Duty
from segments.model import CameraState, Cause
from tests.builders import NOON_US
from tests.fakes import synthetic_units, until
from tests.recorder_site import A, assigned, site

B = Duty("record-b")


async def test_it_greets_and_records_what_it_is_assigned(tmp_path: Path) -> None:
    """It holds nothing after a start; then runs named by site and epoch, states, durable fragments in their order, and sealed segments."""
    async with site(tmp_path) as it:
        assert it.uploader.heard[0] == Hello("home-recorder-0", ())
        await it.assign(assigned())
        it.feed("gate", 0, 9)
        await it.pass_(3)
        await until(lambda: it.uploader.of(Sealed))

        durable = it.uploader.of(Durable)
        assert {message.run for message in durable} == {"home-a-7-1"}
        offsets = [fragment.offset for message in durable if message.counter == 0 for fragment in message.fragments]
        assert offsets == sorted(set(offsets))
        assert [(s.run, s.counter) for s in it.uploader.of(Sealed)] == [("home-a-7-1", row.counter) for row in it.rows()]
        assert it.uploader.last_state("gate").state is CameraState.RECORDING
        assert it.uploader.of(Counts)[-1].durable == sum(len(message.fragments) for message in durable)


async def test_nothing_is_called_durable_before_it_is(tmp_path: Path) -> None:
    """Written is not durable: between two rounds of syncing nothing new is said."""
    async with site(tmp_path) as it:
        await it.assign(assigned())
        it.feed("gate", 0, 5)
        await until(lambda: it.uploader.last_state("gate") is not None)
        assert it.uploader.of(Durable) == []
        syncs = it.disk.syncs
        await it.pass_(1.25)
        await until(lambda: it.uploader.of(Durable))
        assert it.disk.syncs > syncs


async def test_changes_touch_only_their_cameras(tmp_path: Path) -> None:
    """A new one starts, a removed one stops, one with another password starts anew; a renamed one and the others go on in their runs."""
    async with site(tmp_path) as it:
        await it.assign(assigned("same"), assigned("renamed"), assigned("gone"), assigned("changed"))
        for camera in ("same", "renamed", "gone", "changed"):
            it.feed(camera, 0, 3)

        await it.assign(assigned("same"), assigned("renamed", name="x"), assigned("changed", password="b"), assigned("new"))
        await until(lambda: len(it.sources["changed"]) == 2)

        assert {camera: len(sources) for camera, sources in it.sources.items()} == {
            "same": 1,
            "renamed": 1,
            "gone": 1,
            "changed": 2,
            "new": 1,
        }
        assert it.sources["gone"][0].closed
        assert it.sources["changed"][0].closed
        assert not it.sources["same"][0].closed
        assert not it.sources["renamed"][0].closed
        ends = {run.camera: run.cause for run in ended_runs(it.spool_folder)}
        assert ends == {"gone": Cause.DISABLED, "changed": Cause.RECONNECTING}


async def test_switched_off_is_said_once_and_switched_on_records(tmp_path: Path) -> None:
    """Other changes of the archive do not repeat it."""
    async with site(tmp_path) as it:
        await it.assign(assigned("gate"), assigned("door"))
        it.feed("gate", 0, 3)
        off = assigned("gate", enabled=False)
        await it.assign(off, assigned("door"))
        await it.assign(off, assigned("door", name="x"))
        await it.assign(off, assigned("door", name="y"))
        await until(lambda: it.uploader.last_state("gate").state is CameraState.STOPPED)
        await it.assign(assigned("gate"), assigned("door"))

        assert len([state for state in it.uploader.of(StateIs) if state.state is CameraState.STOPPED]) == 1
        assert it.uploader.of(StateIs)[-1].cause is not Cause.DISABLED or it.is_open("gate")
        assert len(it.sources["gate"]) == 2


async def test_a_new_epoch_is_a_new_run(tmp_path: Path) -> None:
    """On the same connection to the camera, without a restart; numbers begin anew since the epoch is in the id."""
    async with site(tmp_path) as it:
        await it.assign(assigned())
        it.feed("gate", 0, 3)
        await it.assign(assigned(), epoch=9)
        await until(lambda: ended_runs(it.spool_folder))
        it.feed("gate", 3, 3)
        await it.stop()

        assert [row.run for row in it.rows()] == ["home-a-7-1", "home-a-9-1"]
        assert len(it.sources["gate"]) == 1


async def test_several_duties_have_their_own_epochs_and_cameras(tmp_path: Path) -> None:
    """Each in its lane, its runs numbered in its epoch; a camera in two lanes is recorded twice; what is said of it names the duty."""
    async with site(tmp_path) as it:
        await it.assign(assigned("gate"), assigned("door"))
        await it.assign(assigned("gate"), duty=B, epoch=9)
        assert [len(it.sources[camera]) for camera in ("gate", "door")] == [2, 1]
        for source in it.sources["gate"]:
            source.feed(synthetic_units(5))
        it.feed("door", 0, 5)
        await it.pass_(3)
        await it.assign(assigned("door"), duty=B, epoch=9)  # not the gate any more, in this lane
        await it.stop()

        assert sorted({row.run for row in it.rows()}) == ["home-a-7-1", "home-b-9-1"]
        assert {row.run for row in it.rows("door")} == {"home-a-7-2"}
        causes = {(state.duty, state.camera): state.cause for state in it.uploader.of(StateIs)}
        assert causes == {(A, "gate"): Cause.RECORDER_AWAY, (A, "door"): Cause.RECORDER_AWAY, (B, "gate"): Cause.DISABLED} | {
            (B, "door"): causes[B, "door"]
        }


async def test_a_duty_taken_away_ends_its_cameras_only(tmp_path: Path) -> None:
    """For the cause that is given; a word about an older epoch than the one it is in ends nothing."""
    async with site(tmp_path) as it:
        await it.assign(assigned("gate"))
        await it.assign(assigned("door"), duty=B, epoch=9)
        it.feed("gate", 0, 3)
        it.feed("door", 0, 3)
        it.uploader.say(TakeAway(A, 7, Cause.RECORDER_AWAY, "it moved"))
        it.uploader.say(TakeAway(B, 8, Cause.RECORDER_AWAY, "long ago"))
        await it.pass_(1)

        assert (it.is_open("gate"), it.is_open("door")) == (False, True)
        assert [(run.camera, run.cause) for run in ended_runs(it.spool_folder)] == [("gate", Cause.RECORDER_AWAY)]
        assert it.uploader.last_state("gate").detail == "it moved"


async def test_a_number_is_never_used_twice_in_an_epoch(tmp_path: Path) -> None:
    """Also if a duty is taken away and comes back in the same epoch."""
    async with site(tmp_path) as it:
        for second in (0, 3):
            await it.assign(assigned("gate"))
            it.feed("gate", second, 3)
            it.uploader.say(TakeAway(A, 7, Cause.RECORDER_AWAY, "it moved"))
            await it.pass_(2)
        await it.stop()

        assert [row.run for row in it.rows()] == ["home-a-7-1", "home-a-7-2"]


async def test_a_camera_that_changes_its_duty_is_opened_when_it_is_closed(tmp_path: Path) -> None:
    """Some cameras take one connection only: the new one waits for the end of the old one, and nothing else waits for either."""
    async with site(tmp_path) as it:
        release = asyncio.Event()
        it.closing = release.wait
        await it.assign(assigned("gate"))
        it.uploader.say(Assign("home", A, 8, ()))
        await it.assign(assigned("door"), duty=B, epoch=9)
        it.uploader.say(Assign("home", B, 9, (assigned("door"), assigned("gate"))))
        await it.pass_(2)
        assert len(it.sources["gate"]) == 1
        release.set()
        await it.pass_(1)

        assert len(it.sources["gate"]) == 2


async def test_an_older_epoch_is_not_listened_to(tmp_path: Path) -> None:
    """A word that was under way when a newer one came changes nothing."""
    async with site(tmp_path) as it:
        await it.assign(assigned())
        it.uploader.say(Assign("home", A, 6, ()))
        await it.pass_(1)

        assert it.is_open("gate")


async def test_stopping_leaves_everything_sealed_and_says_so(tmp_path: Path) -> None:
    """All runs ended and durable, the last words said to the uploader before the process goes."""
    async with site(tmp_path) as it:
        await it.assign(assigned("gate"), assigned("door"))
        for camera in ("gate", "door"):
            it.feed(camera, 0, 6.2)
        await it.stop()
        await until(lambda: len(it.uploader.of(Sealed)) >= 2)

        assert open_parts(it.spool_folder) == []
        assert {row.camera: row.end_us for camera in ("gate", "door") for row in it.rows(camera)} == dict.fromkeys(
            ("gate", "door"), NOON_US + 6_200_000
        )
        for camera in ("gate", "door"):
            assert it.uploader.last_state(camera).cause is Cause.RECORDER_AWAY
            assert it.uploader.last_state(camera).at_us == NOON_US + 6_200_000
        sealed = {(message.camera, message.counter) for message in it.uploader.of(Sealed)}
        assert sealed == {(camera, row.counter) for camera in ("gate", "door") for row in it.rows(camera)}


async def test_a_stop_while_cameras_are_being_stopped_is_a_stop(tmp_path: Path) -> None:
    """An assignment takes a camera away whose source closes slowly; the recorder is told to end meanwhile, and ends."""
    async with site(tmp_path) as it:
        release = asyncio.Event()
        it.closing = release.wait
        await it.assign(assigned())
        it.feed("gate", 0, 2)
        it.uploader.say(Assign("home", A, 8, ()))
        await it.pass_(0.5)
        it.task.cancel()
        await it.pass_(0.25)
        release.set()
        done, _ = await asyncio.wait([it.task], timeout=2)

        assert done


async def test_words_it_cannot_read_end_the_connection_only(tmp_path: Path) -> None:
    """It goes on recording and connects again."""
    async with site(tmp_path) as it:
        await it.assign(assigned())
        it.uploader.say_raw(b"nonsense\n")
        await it.pass_(2)
        await until(lambda: it.uploader.connections == 2)

        assert it.is_open("gate")


async def test_a_failed_sync_is_not_acknowledged(tmp_path: Path) -> None:
    """The fragments of that round are never called durable, and the camera is recorded in a new run."""
    async with site(tmp_path) as it:
        await it.assign(assigned())
        it.feed("gate", 0, 3)
        it.disk.error = OSError(5, "I/O error")
        await it.pass_(1.25)
        assert it.uploader.of(Durable) == []
        await it.pass_(3)
        await until(lambda: len(it.sources["gate"]) == 2)
        it.feed("gate", 10, 3)
        await it.pass_(1.25)
        await until(lambda: it.uploader.of(Durable))

        assert {message.run for message in it.uploader.of(Durable)} == {"home-a-7-2"}
        assert it.uploader.of(Counts)[-1].buffered == 0


async def test_a_password_is_in_nothing_it_says(tmp_path: Path) -> None:
    """It comes down the socket and goes nowhere."""
    async with site(tmp_path) as it:
        await it.assign(replace(assigned(), password="hunter2"))
        it.feed("gate", 0, 3)
        it.sources["gate"][0].fail(ValueError("rtsp://admin:hunter2@192.0.2.10/"))
        await it.pass_(2)

        assert "hunter2" not in repr(it.uploader.heard)


@pytest.mark.parametrize("cameras", [300])
async def test_hundreds_of_cameras_start_at_a_limited_rate(tmp_path: Path, cameras: int) -> None:
    """25 a second, so that neither network nor processor is hit by all at once."""
    async with site(tmp_path) as it:
        it.uploader.say(Assign("home", A, 7, tuple(assigned(f"camera-{n}") for n in range(cameras))))
        it.uploader.say(LeaseIs(A, 7, 600.0, answers=True))
        await it.pass_(2)
        assert 20 <= len(it.sources) <= 60
        await it.pass_(11)
        assert len(it.sources) == cameras
