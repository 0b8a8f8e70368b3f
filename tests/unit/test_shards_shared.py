"""Several recorders and several duties at one place: how duties are shared out, move, linger and come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recorder import absence
from recorder.connections import end_process
from recorder.link import Assign, LeaseIs, TakeAway
from segments.duty import Duty
from segments.model import Cause
from segments.shards import shard_of
from tests.builders import NOON_US, a_camera
from tests.fakes import until
from tests.shard_site import A, site


async def test_duties_are_shared_by_cameras(tmp_path: Path) -> None:
    """Recorders that are expected are waited for, and then each carries about as many cameras; each duty has its own epoch."""
    cameras = [a_camera(f"camera-{n}", added_us=NOON_US) for n in range(60)]
    async with site(tmp_path, *cameras, shards=6, expected=2) as it:
        one = await it.recorder()
        await it.pass_(0.5)
        assert one.told == []
        two = await it.recorder(name="two")
        await until(lambda: len(one.duties) + len(two.duties) == 6)

        carried = [sum(len(message.cameras) for message in recorder.of(Assign)) for recorder in (one, two)]
        assert sum(carried) == 60
        assert abs(carried[0] - carried[1]) <= 15
        assert one.duties.isdisjoint(two.duties)
        assert len({holding.epoch for recorder in (one, two) for holding in recorder.holds}) == 6


async def test_a_sibling_takes_over_at_once(tmp_path: Path) -> None:
    """The duties of a recorder that died go on in new epochs at another of the node, whose own go on as they were."""
    cameras = [a_camera(f"camera-{n}", added_us=NOON_US) for n in range(20)]
    async with site(tmp_path, *cameras, shards=2, expected=2) as it:
        one, two = await it.recorder(), await it.recorder(name="two")
        await until(lambda: one.duties and two.duties)
        before = dict(two.holds) | dict(one.holds)
        await one.die()
        await until(lambda: len(two.duties) == 2)

        after = dict(two.holds)
        (orphan,) = one.duties
        (own,) = two.duties - one.duties
        assert after[own] == before[own]
        assert after[orphan] > max(before.values())
        assert len(two.of(Assign, own)) == 1


async def test_what_a_hung_recorder_had_goes_to_a_sibling(tmp_path: Path) -> None:
    """After five seconds without a word, and not before; one that speaks is left alone however long it does nothing else."""
    async with site(tmp_path, shards=1, expected=2) as it:
        one, two = await it.recorder(), await it.recorder(name="two")
        await until(lambda: one.duties)
        await it.pass_(20)
        assert two.duties == set()
        one.hung = True
        await it.pass_(4)
        assert two.duties == set()
        await it.pass_(1.5)
        await until(lambda: two.duties == {A})


async def test_nobody_was_silent_while_the_uploader_stood_still(tmp_path: Path) -> None:
    """A minute passes for both at once, as when a whole node is stopped: the recorder goes on in its epoch."""
    async with site(tmp_path, shards=1, expected=2) as it:
        one, two = await it.recorder(), await it.recorder(name="two")
        await until(lambda: one.duties)
        it.clock.stand_still(60)
        await it.pass_(2)

        assert (one.duties, two.duties) == ({A}, set())


def test_only_another_process_is_ended() -> None:
    """Not this one, nor one that is not seen from here; one that is gone is fine."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as hung:
        for pid in (0, os.getpid(), hung.pid):
            end_process(pid)
        assert hung.wait(10) == -signal.SIGKILL
    end_process(hung.pid)


async def test_a_recorder_that_comes_back_stays_without_what_moved(tmp_path: Path) -> None:
    """Its connection broke and it went on: another has its duty in a newer epoch, so it must end."""
    async with site(tmp_path, shards=1, expected=2) as it:
        one, two = await it.recorder(), await it.recorder(name="two")
        await until(lambda: one.duties)
        await one.die()
        await until(lambda: two.duties)
        back = await it.recorder(*one.holds)
        await until(lambda: back.of(TakeAway))

        assert back.of(TakeAway)[0].epoch == 1
        assert two.duties == {A}


async def test_a_connection_that_broke_costs_no_epoch(tmp_path: Path) -> None:
    """With nobody else to take over, the recorder that comes back goes on as it was."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        await recorder.die()
        await it.pass_(1)
        back = await it.recorder(*recorder.holds)
        await until(lambda: back.of(Assign))

        assert back.epoch == 1


async def test_an_uneven_load_is_relieved_without_a_break(tmp_path: Path) -> None:
    """After some calm a duty moves to a recorder that came later: first the new one begins, then the old one ends."""
    cameras = [a_camera(f"camera-{n}", added_us=NOON_US) for n in range(40)]
    async with site(tmp_path, *cameras, shards=4, capacity=40) as it:
        one = await it.recorder()
        await until(lambda: len(one.duties) == 4)
        two = await it.recorder(name="two")
        await it.pass_(9)
        assert two.duties == set()
        await it.pass_(1.5)
        (moved,) = two.duties
        assert moved in one.duties
        await it.pass_(2.5)
        assert moved not in one.duties
        await it.pass_(25)

        carried = [sum(len(recorder.of(Assign, duty)[-1].cameras) for duty in recorder.duties) for recorder in (one, two)]
        assert sum(carried) == 40
        assert abs(carried[0] - carried[1]) <= 10


async def test_a_duty_placed_elsewhere_lingers(tmp_path: Path) -> None:
    """It is given back at once and goes on for 2 s, so that its successor begins before it ends."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        await it.place_duties()
        await it.pass_(1)
        assert (await it.lease()).free
        assert recorder.may_record
        await it.pass_(2)

        assert recorder.duties == set()


async def test_a_duty_that_comes_back_while_it_lingers_is_not_taken_away(tmp_path: Path) -> None:
    """Its new epoch is another's business than the end of the old one."""
    async with site(tmp_path) as it:
        recorder = await it.recorder()
        await until(lambda: recorder.of(LeaseIs))
        await it.place_duties()
        await it.pass_(1)
        await it.place_duties(A)
        await it.pass_(5)

        assert recorder.epoch == 2
        assert recorder.of(TakeAway)[-1].epoch == 1
        assert [cause for cause in await it.causes() if cause is Cause.RECORDER_AWAY] == [Cause.RECORDER_AWAY]


async def test_lanes_are_duties_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lane b has the cameras that are recorded twice, at another recorder of the node if there is one."""
    monkeypatch.setattr(absence, "OTHERS_END_S", 1.0)
    cameras = [a_camera("gate", twice=True, added_us=NOON_US), a_camera("door", added_us=NOON_US)]
    b = Duty("record-b")
    async with site(tmp_path, *cameras, expected=2, duties=(A, b)) as it:
        one, two = await it.recorder(), await it.recorder(name="two")
        await until(lambda: one.duties and two.duties)

        given = {duty: message for recorder in (one, two) for message in recorder.of(Assign) for duty in [message.duty]}
        assert [item.camera.id for item in given[A].cameras] == ["door", "gate"]
        assert [item.camera.id for item in given[b].cameras] == ["gate"]
        assert one.duties != two.duties
        await it.pass_(2)
        assert sorted((lane, ids) for _, lane, ids, _ in it.ended) == [("a", ["door", "gate"]), ("b", ["gate"])]


async def test_the_place_says_what_it_carries(tmp_path: Path) -> None:
    """Recorders, room and load; the shards it records and those of footage that is left in its spool."""
    cameras = [a_camera(f"camera-{n}", added_us=NOON_US) for n in range(20)]
    async with site(tmp_path, *cameras, shards=4, duties=()) as it:
        await it.recorder()
        left = next(camera.id for camera in cameras if shard_of(camera.id, 4) == 2)
        (tmp_path / left).mkdir()
        duty = Duty("record-a", 1, 4)
        await it.place_duties(duty)
        await it.pass_(2)

        (place,) = await it.index.inner.places()
        mine = sum(shard_of(camera.id, 4) == 1 for camera in cameras)
        assert (place.name, place.url, place.recorders, place.room, place.load) == ("home", "http://uploader", 1, 256, mine)
        assert (place.spooled, place.of, place.kinds) == ((1, 2), 4, ("record-a", "record-b"))
