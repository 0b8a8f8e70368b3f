"""What the uploader writes down of its recorders, and what it says where they cannot."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from recorder import states
from recorder.link import Assign, LeaseIs, StateIs
from segments.clock import US_PER_S
from segments.duty import Duty
from segments.errors import BadInput, TryAgain
from segments.model import CameraState, Cause, StateChange
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_camera
from tests.fakes import SteppedClock, until
from tests.shard_site import LEASE_S, A, site


async def test_states_are_written_in_order(tmp_path: Path) -> None:
    """As the recorder says them."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(StateIs(A, "gate", NOON_US + 1, CameraState.CONNECTING, Cause.RECONNECTING, "not tried yet"))
        recorder.link.send(StateIs(A, "gate", NOON_US + 2, CameraState.RECORDING, None, ""))
        await until(lambda: it.index.life.calls.count("put_state") == 2)

        assert [(change.at_us, change.cause) for change in await it.states()] == [(NOON_US + 1, Cause.RECONNECTING), (NOON_US + 2, None)]
        assert it.server.camera_states() == {"recording": 1}


async def test_states_survive_the_index_being_away(tmp_path: Path) -> None:
    """They wait, in order, and one whose writing was cut short is written again; what the index will never take stops no other."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        it.index.away = True
        for n in range(20):
            recorder.link.send(StateIs(A, "gate", NOON_US + n, CameraState.WAITING, Cause.CAMERA_AWAY, str(n)))
        await it.pass_(30)
        assert await it.states() == []
        it.index.away = False
        it.index.fails["put_state"] = BadInput("never")
        await it.pass_(3)

        assert [change.detail for change in await it.states()] == [str(n) for n in range(1, 20)]


async def test_what_is_being_written_as_the_process_ends_is_not_lost(tmp_path: Path) -> None:
    """The change at the head of the queue waits for its answer when the end comes: the flush writes it."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        it.index.away = True
        recorder.link.send(StateIs(A, "gate", NOON_US + 1, CameraState.RECORDING, None, ""))
        await it.pass_(2)
        it.running[0].cancel()
        it.index.away = False
        await it.server.states.flush()

        assert [change.at_us for change in await it.states()] == [NOON_US + 1]


async def test_too_many_waiting_states_drop_the_oldest(tmp_path: Path) -> None:
    """Memory has a limit."""
    async with site(tmp_path) as it:
        it.running[0].cancel()
        for n in range(states.MAX_WAITING + 5):
            it.server.states.note(StateChange("gate", n, CameraState.RECORDING, None))

        assert len(it.server.states._waiting) == states.MAX_WAITING
        assert it.server.states._waiting[0].at_us == 5


async def test_a_recorder_that_dies_is_away_from_that_moment(tmp_path: Path) -> None:
    """For its enabled cameras."""
    async with site(tmp_path, a_camera(added_us=NOON_US), a_camera("off", enabled=False, added_us=NOON_US)) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        await it.pass_(5)
        await recorder.die()
        await until(lambda: "put_state" in it.index.life.calls)

        assert [(change.at_us, change.cause) for change in await it.states()] == [(NOON_US + 5 * US_PER_S, Cause.RECORDER_AWAY)]
        assert await it.causes("off") == []


async def test_a_camera_added_while_nobody_recorded(tmp_path: Path) -> None:
    """It was without a recorder from its addition on, not before."""
    async with site(tmp_path, a_camera(added_us=NOON_US + 3 * US_PER_S)) as it:
        await it.pass_(6)
        await it.recorder()
        await it.pass_(1)

        assert [(change.at_us, change.cause) for change in await it.states()] == [(NOON_US + 3 * US_PER_S, Cause.RECORDER_AWAY)]


async def test_what_a_recorder_says_comes_after_what_was_before_it(tmp_path: Path) -> None:
    """Its words wait until it is written that nobody recorded before, however long the index takes for that."""
    async with site(tmp_path) as it:
        it.index.fails["state_before"] = TryAgain("by chance")
        await it.pass_(2)
        recorder = await it.recorder()
        await until(lambda: recorder.of(Assign))
        recorder.link.send(StateIs(A, "gate", it.clock.now_us(), CameraState.RECORDING, None, ""))
        await it.pass_(3)

        assert await it.causes() == [Cause.RECORDER_AWAY, None]


async def test_everything_died_at_once_and_came_back(tmp_path: Path) -> None:
    """A power cut: nobody said a word. From the last state on, or the last renewal if that was later, there was no recorder."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(StateIs(A, "gate", NOON_US + 1, CameraState.RECORDING, None, ""))
        await it.pass_(30)
        cut_us = it.clock.now_us()
        await it.die()
        await it.clock.pass_(3600)
        await it.start()
        await it.recorder()
        await it.pass_(1)

        assert await it.causes() == [None, Cause.RECORDER_AWAY]
        assert cut_us - LEASE_S * US_PER_S / 3 <= (await it.states())[-1].at_us <= cut_us


async def test_a_quick_restart_after_a_power_cut(tmp_path: Path) -> None:
    """The old lease has not even run out: still the time without a recorder has its cause."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(StateIs(A, "gate", NOON_US + 1, CameraState.RECORDING, None, ""))
        await it.pass_(20)
        cut_us = it.clock.now_us()
        await it.die()
        await it.clock.pass_(5)
        await it.start()
        await it.recorder()
        await it.pass_(1)

        assert await it.causes() == [None, Cause.RECORDER_AWAY]
        assert (await it.states())[-1].at_us <= cut_us


async def test_an_orderly_end_says_so_once(tmp_path: Path) -> None:
    """The lease is free, nobody goes on: the cause stands from that moment, and a new start adds nothing."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(StateIs(A, "gate", NOON_US + 1, CameraState.RECORDING, None, ""))
        await it.pass_(1)
        await it.leave()
        before = await it.states()
        assert [change.cause for change in before] == [None, Cause.RECORDER_AWAY]
        assert (await it.lease()).free
        assert recorder.duties == set()

        await it.die()
        await it.clock.pass_(60)
        await it.start()
        await it.recorder()
        await it.pass_(1)
        assert await it.states() == before


async def test_a_very_old_lease(tmp_path: Path) -> None:
    """A site switched on after months: away since then, and runs left open in that month are looked for too."""
    async with site(tmp_path, a_camera(added_us=0), duties=()) as it:
        old_us = NOON_US - 70 * 86_400 * US_PER_S
        await it.index.inner.acquire(A, "home", seen=None, now_us=old_us - 15 * US_PER_S, ttl_us=15 * US_PER_S)
        await it.recorder()
        await it.place_duties(A)
        await it.pass_(1)

        (change,) = (await it.index.inner.states("gate", date(2026, 1, 1))).items
        assert (change.at_us, change.cause) == (old_us - 15 * US_PER_S, Cause.RECORDER_AWAY)


# --- who speaks ---


async def test_a_successor_is_not_contradicted(tmp_path: Path) -> None:
    """The place that lost a duty says nothing of its end: the camera is recorded elsewhere, and what it says last would be believed."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(StateIs(A, "gate", NOON_US + 1, CameraState.RECORDING, None, ""))
        await it.pass_(1)
        await it.place_duties()
        await it.pass_(1)
        assert recorder.may_record
        await it.taken_by("another place")
        recording = StateChange("gate", it.clock.now_us(), CameraState.RECORDING, None)
        await it.index.inner.put_state(recording)
        recorder.link.send(StateIs(A, "gate", it.clock.now_us() + 1, CameraState.WAITING, Cause.CAMERA_AWAY, "it sees the end"))
        await it.pass_(3)

        assert recorder.duties == set()
        assert (await it.states())[-1] == recording


async def test_a_successor_that_never_comes_is_said(tmp_path: Path) -> None:
    """The duty is still free when it ends here: from then on nobody records."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(StateIs(A, "gate", NOON_US + 1, CameraState.RECORDING, None, ""))
        await it.pass_(1)
        await it.place_duties()
        await it.pass_(4)

        assert await it.causes() == [None, Cause.RECORDER_AWAY]


async def test_a_site_divided_anew_is_not_contradicted(tmp_path: Path) -> None:
    """The old duty is nobody's any more, but its camera is recorded in a duty of the new division: its word stands."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(StateIs(A, "gate", NOON_US + 1, CameraState.RECORDING, None, ""))
        await it.pass_(1)
        await it.place_duties()
        recording = StateChange("gate", it.clock.now_us(), CameraState.RECORDING, None, "by another place, in a duty of the new division")
        await it.index.inner.put_state(recording)
        await it.pass_(4)

        assert (await it.states())[-1] == recording


async def test_lane_b_is_silent(tmp_path: Path) -> None:
    """Neither its recorder's words nor its loss are the camera's state: that is what lane a sees."""
    async with site(tmp_path, a_camera(twice=True, added_us=NOON_US), duties=(Duty("record-b"),)) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(StateIs(Duty("record-b"), "gate", NOON_US + 1, CameraState.WAITING, Cause.CAMERA_AWAY, ""))
        await it.pass_(2)
        await recorder.die()
        await it.pass_(2)

        assert await it.states() == []
        assert it.server.camera_states() == {}


async def test_a_clock_that_is_behind_the_one_before_is_still_later(tmp_path: Path) -> None:
    """The place before had its clock 20 s ahead: what is said here stands behind what it said."""
    async with site(tmp_path) as it:
        ahead = StateChange("gate", NOON_US + 20 * US_PER_S, CameraState.WAITING, Cause.CAMERA_AWAY)
        await it.index.inner.put_state(ahead)
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(StateIs(A, "gate", NOON_US + 1, CameraState.RECORDING, None, ""))
        await it.pass_(1)

        assert (await it.states())[-1].cause is None


async def test_states_that_wait_as_the_duty_is_lost_are_dropped(tmp_path: Path) -> None:
    """The index was away, another place took the duty and speaks for the camera: what was seen here meanwhile is not its state."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        it.index.away = True
        recorder.link.send(StateIs(A, "gate", NOON_US + 9 * US_PER_S, CameraState.WAITING, Cause.CAMERA_AWAY, "seen from here"))
        await it.pass_(16)
        await it.taken_by("another place")
        recording = StateChange("gate", NOON_US + US_PER_S, CameraState.RECORDING, None)
        await it.index.inner.put_state(recording)
        it.index.away = False
        await it.pass_(8)

        assert (await it.states())[-1] == recording


def test_only_what_waits_of_these_cameras_is_dropped() -> None:
    """The counterpart: other cameras' changes are written as if nothing had been."""
    queue = states.StateQueue(MemoryIndex(), SteppedClock())
    for camera in ("gate", "door", "gate"):
        queue.note(StateChange(camera, NOON_US, CameraState.RECORDING, None))
    queue.drop({"gate"})

    assert [change.camera for change in queue._waiting] == ["door"]
    assert queue.last("gate") is None
