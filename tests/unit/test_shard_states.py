"""What the uploader writes down of its recorders, and what it says where they cannot."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from recorder import states
from recorder.link import LeaseIs, StateIs
from segments.clock import US_PER_S
from segments.errors import BadInput
from segments.model import CameraState, Cause, StateChange
from tests.builders import NOON_US, a_camera
from tests.fakes import until
from tests.shard_site import MARCH, site


async def test_states_are_written_in_order(tmp_path: Path) -> None:
    """As the recorder says them."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(StateIs("gate", NOON_US + 1, CameraState.CONNECTING, Cause.RECONNECTING, "not tried yet"))
        recorder.link.send(StateIs("gate", NOON_US + 2, CameraState.RECORDING, None, ""))
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
            recorder.link.send(StateIs("gate", NOON_US + n, CameraState.WAITING, Cause.CAMERA_AWAY, str(n)))
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
        recorder.link.send(StateIs("gate", NOON_US + 1, CameraState.RECORDING, None, ""))
        await it.pass_(2)
        it.writing.cancel()
        it.index.away = False
        await it.server.states.flush()

        assert [change.at_us for change in await it.states()] == [NOON_US + 1]


async def test_too_many_waiting_states_drop_the_oldest(tmp_path: Path) -> None:
    """Memory has a limit."""
    async with site(tmp_path) as it:
        it.writing.cancel()
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
    async with site(tmp_path, a_camera(added_us=NOON_US + 30 * US_PER_S)) as it:
        await it.clock.pass_(60)
        await it.recorder()
        await it.pass_(1)

        assert [(change.at_us, change.cause) for change in await it.states()] == [(NOON_US + 30 * US_PER_S, Cause.RECORDER_AWAY)]


async def test_everything_died_at_once_and_came_back(tmp_path: Path) -> None:
    """A power cut: nobody said a word. From the last state on, or the last renewal if that was later, there was no recorder."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(StateIs("gate", NOON_US + 1, CameraState.RECORDING, None, ""))
        await it.pass_(100)
        renewed_us = it.clock.now_us()
        it.server._connected.clear()  # nobody is there to say that it went
        await it.die()
        await it.clock.pass_(3600)
        await it.start()
        await it.recorder()
        await it.pass_(1)

        assert await it.causes() == [None, Cause.RECORDER_AWAY]
        assert renewed_us - US_PER_S <= (await it.states())[-1].at_us <= renewed_us


async def test_a_quick_restart_after_a_power_cut(tmp_path: Path) -> None:
    """The old lease has not even run out: still the time without a recorder has its cause."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        recorder.link.send(StateIs("gate", NOON_US + 1, CameraState.RECORDING, None, ""))
        await it.pass_(60)
        cut_us = it.clock.now_us()
        it.server._connected.clear()
        await it.die()
        await it.clock.pass_(5)
        await it.start()
        await it.recorder()
        await it.pass_(1)

        assert await it.causes() == [None, Cause.RECORDER_AWAY]
        assert (await it.states())[-1].at_us <= cut_us


async def test_what_was_said_at_the_end_is_not_said_again(tmp_path: Path) -> None:
    """After an orderly stop the cause stands; the new start adds nothing."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        await it.server.release()
        await it.server.states.flush()
        before = await it.states()
        it.server._connected.clear()
        await it.die()
        await it.clock.pass_(60)
        await it.start()
        await it.recorder()
        await it.pass_(1)

        assert await it.states() == before


async def test_a_very_old_lease(tmp_path: Path) -> None:
    """A site switched on after months: away since then, and runs left open in that month are looked for too."""
    async with site(tmp_path, a_camera(added_us=0)) as it:
        old_us = NOON_US - 70 * 86_400 * US_PER_S
        await it.index.inner.acquire(0, "x", now_us=old_us - 15 * US_PER_S, ttl_us=15 * US_PER_S)
        await it.recorder()
        await it.pass_(1)

        (change,) = (await it.index.inner.states("gate", date(2026, 1, 1))).items
        assert (change.at_us, change.cause) == (old_us - 15 * US_PER_S, Cause.RECORDER_AWAY)
        assert it.ended == [(2, ["gate"], [date(2026, 1, 1), MARCH])]
