"""One camera: states with their causes, runs, and what lies in the spool afterwards; real session, spool and group sync, a fake camera."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from recorder.backoff import BackoffSettings, ConnectRate
from recorder.group_sync import GroupSync
from recorder.mend import mend
from recorder.run_end import ended_runs
from recorder.runner import STEADY_US, CameraRunner
from recorder.sealed import read_sealed
from recorder.session import Session
from recorder.source import Source, SourceEnded
from recorder.spool import Spool, SpoolLimit
from recorder.spool_folder import open_parts, sealed_files
from segments.clock import US_PER_S
from segments.media import TIMESCALE, AccessUnit
from segments.model import CameraState, Cause
from tests.builders import NOON_US
from tests.fakes import FakeDisk, FakeSource, SteppedClock, SwitchedIndex, settled, synthetic_units
from tests.media import Clips, access_units, frame_numbers
from tests.recording import a_session
from tests.samples import VIDEO

ROOMY = SpoolLimit(1 << 30, 0)
BACKOFF = BackoffSettings(first_s=1, longest_s=60, after_refusal_s=30)


class Listening:
    """Keeps what a runner says."""

    def __init__(self) -> None:
        self.states: list[tuple[int, CameraState, Cause | None, str]] = []
        self.fragments = 0
        self.torn_ones = 0

    def state(self, camera: str, at_us: int, state: CameraState, cause: Cause | None, detail: str) -> None:
        self.states.append((at_us, state, cause, detail))

    def buffered(self, segment, fragment, end_us, about) -> None:
        self.fragments += 1

    def torn(self, segment) -> None:
        self.torn_ones += 1

    @property
    def causes(self) -> list[Cause | None]:
        return [cause for _, _, cause, _ in self.states]


class Running:
    """A runner that runs, and all around it."""

    def __init__(self, folder: Path, limit: SpoolLimit = ROOMY, session: Session | None = None) -> None:
        self.clock = SteppedClock()
        self.spool = Spool(folder, limit=limit, clock=self.clock)
        self.disk = FakeDisk()
        self.sync = GroupSync(self.spool, self.disk)
        self.heard = Listening()
        self.sources: list[FakeSource] = []
        self.tracks = [VIDEO]
        self.refusal: Exception | None = None
        self.runner = CameraRunner(
            "gate", session=session or a_session(), source=self.opened, spool=self.spool, listener=self.heard, clock=self.clock
        )
        self.task: asyncio.Task[None] | None = None

    async def opened(self) -> Source:
        if self.refusal is not None:
            raise self.refusal
        self.sources.append(FakeSource(self.tracks))
        return self.sources[-1]

    async def start(self) -> FakeSource:
        self.task = asyncio.create_task(self.runner.run(ConnectRate(self.clock), BACKOFF))
        await settled()
        return self.sources[-1] if self.sources else FakeSource([])

    async def round(self) -> None:
        done = await self.sync.round()
        for segment in done.failed:
            self.runner.segment_failed(segment)

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait([self.task])
        for _ in range(2):
            await self.round()

    def rows(self):
        return [read_sealed(file.path, pool="main").row for file in sealed_files(self.spool.folder)]


@asynccontextmanager
async def running(folder: Path, **options) -> AsyncIterator[Running]:
    it = Running(folder, **options)
    try:
        yield it
    finally:
        if it.task is not None:
            await it.stop()
        it.sync.close()


async def test_states_come_with_their_causes_in_order(tmp_path: Path) -> None:
    """Connecting, recording from the first picture on, lost at the end of the last one, recording again, ended by the stop."""
    async with running(tmp_path) as it:
        source = await it.start()
        source.feed(synthetic_units(10))
        source.end(Cause.CAMERA_AWAY, "connection reset")
        await it.clock.pass_(20)
        it.sources[-1].feed(synthetic_units(10, first_s=30))
        await it.stop()

        assert [(state, cause) for _, state, cause, _ in it.heard.states] == [
            (CameraState.CONNECTING, Cause.RECONNECTING),
            (CameraState.RECORDING, None),
            (CameraState.CONNECTING, Cause.CAMERA_AWAY),
            (CameraState.RECORDING, None),
            (CameraState.CONNECTING, Cause.RECORDER_AWAY),
        ]
        starts = [at_us for at_us, *_ in it.heard.states]
        assert starts[1] == NOON_US
        assert starts[2] == it.rows()[2].end_us == NOON_US + 10 * US_PER_S
        assert starts[4] == NOON_US + 40 * US_PER_S


async def test_a_real_clip_is_whole_in_the_spool(tmp_path: Path, clips: Clips) -> None:
    """H.264 with sound: every picture fed is shown by libav, by its number, and all sound is there but what comes before the first one."""
    tracks, units = access_units(clips.get(audio="aac", seconds=6))
    async with running(tmp_path) as it:
        it.tracks = tracks
        source = await it.start()
        source.feed(unit._replace(dts=None) for unit in units)
        await it.stop()

        assert [number for file in sealed_files(tmp_path) for number in frame_numbers(file.path)] == list(range(150))
        data = b"".join(file.path.read_bytes() for file in sealed_files(tmp_path))
        missing = [unit for unit in units if unit.track == 1 and bytes(unit.data) not in data]
        assert len(missing) <= 2
        assert all(unit.pts <= units[0].pts for unit in missing)


async def test_stopping_seals_and_ends_the_run(tmp_path: Path) -> None:
    """A cancelled runner leaves nothing open: the last fragment is there, the run marked, the camera closed."""
    async with running(tmp_path) as it:
        source = await it.start()
        source.feed(synthetic_units(7.4))
        await it.stop()

        assert source.closed
        assert open_parts(tmp_path) == []
        assert it.rows()[-1].end_us == NOON_US + 7_400_000
        assert [(run.run, run.cause) for run in ended_runs(tmp_path)] == [("home-a-1-1", Cause.RECORDER_AWAY)]
        assert it.heard.fragments == sum(len(row.fragments) for row in it.rows())


async def test_a_camera_away_for_long_is_one_state(tmp_path: Path) -> None:
    """It is tried with growing waits up to the longest, and each try is no change: a month of them must fit into a timeline."""
    async with running(tmp_path) as it:
        it.refusal = SourceEnded(Cause.CAMERA_AWAY, "no route to host")
        tries = []
        it.clock.sleep, sleep = lambda s: tries.append(s) or sleep(s), it.clock.sleep
        await it.start()
        await it.clock.pass_(600)

        assert it.heard.causes == [Cause.RECONNECTING, Cause.CAMERA_AWAY]
        assert 10 < len(tries) < 40
        assert tries[0] <= 1
        assert max(tries) <= 60
        assert all(wait >= 30 for wait in tries[8:])


async def test_a_long_recording_forgets_old_failures(tmp_path: Path) -> None:
    """After a minute of footage the next loss is the first one again; after a moment of it, it is not."""
    for seconds, steady in ((STEADY_US / 1e6 + 1, True), (2, False)):
        async with running(tmp_path) as it:
            it.refusal = SourceEnded(Cause.CAMERA_AWAY, "no route")
            await it.start()
            await it.clock.pass_(200)
            it.refusal = None
            await it.clock.pass_(61)
            it.sources[-1].feed(synthetic_units(4))
            await it.clock.pass_(seconds)
            before = len(it.sources)
            it.sources[-1].end()
            await it.clock.pass_(1.1)
            assert (len(it.sources) > before) is steady


async def test_a_refused_login_is_not_tried_at_once(tmp_path: Path) -> None:
    """The camera might lock the account."""
    async with running(tmp_path) as it:
        it.refusal = SourceEnded(Cause.LOGIN_REFUSED, "the camera refuses user and password")
        await it.start()
        it.refusal = None
        await it.clock.pass_(14.9)
        assert it.sources == []
        await it.clock.pass_(15.2)
        assert len(it.sources) == 1


async def test_a_full_spool_ends_the_run_and_room_begins_a_new_one(tmp_path: Path) -> None:
    """What was there stays, the camera is left alone, the state says why; with room it goes on in a new run without being asked."""
    async with running(tmp_path, limit=SpoolLimit(8 << 20, 0)) as it:
        source = await it.start()
        big = [unit._replace(data=bytes(200_000)) for unit in synthetic_units(20)]
        source.feed(big)
        await settled()
        assert source.closed
        assert it.heard.states[-1][1:3] == (CameraState.WAITING, Cause.SPOOL_FULL)
        await it.clock.pass_(10)
        assert len(it.sources) == 1
        kept = sum(path.stat().st_size for path in tmp_path.rglob("*.*"))
        assert kept > 6 << 20

        for _ in range(2):
            await it.round()
        for file in sealed_files(tmp_path):
            file.path.unlink()
        await it.clock.pass_(3)
        it.sources[-1].feed(synthetic_units(4, first_s=60))
        assert it.heard.causes[-1] is None
        await it.stop()
        assert {row.run for row in it.rows()} == {"home-a-1-2"}


async def test_what_was_open_when_the_spool_filled_is_mended(tmp_path: Path) -> None:
    """Its durable part becomes a whole segment while the recorder lives on: nothing acknowledged waits for a restart."""
    async with running(tmp_path, limit=SpoolLimit(8 << 20, 0)) as it:
        source = await it.start()
        for unit in (unit._replace(data=bytes(200_000)) for unit in synthetic_units(20)):
            source.feed([unit])
            if unit.pts % (2 * TIMESCALE) == 0:
                await it.round()
        durable = {file.path.name: file.durable_bytes for file in open_parts(tmp_path)}
        assert [name.endswith(".torn") for name in durable] == [True]

        assert await mend(tmp_path, SwitchedIndex()) == 1
        assert open_parts(tmp_path) == []
        assert it.heard.torn_ones == 1


async def test_a_failed_sync_begins_a_new_run(tmp_path: Path) -> None:
    """What may not have reached the disk is given up and said; the camera is opened anew."""
    async with running(tmp_path) as it:
        source = await it.start()
        source.feed(synthetic_units(3))
        it.disk.error = OSError(errno.EIO, "I/O error")
        await it.round()
        await settled()

        assert source.closed
        assert it.heard.states[-1][2] is Cause.RECORDER_AWAY
        assert "durable" in it.heard.states[-1][3]
        await it.clock.pass_(2)
        it.sources[-1].feed(synthetic_units(4, first_s=10))
        await it.stop()
        assert {row.run for row in it.rows()} == {"home-a-1-2"}


async def test_a_disk_that_takes_no_mark_does_not_stop_it(tmp_path: Path) -> None:
    """The end of a run that cannot be marked is mended by the next epoch; the camera goes on."""
    async with running(tmp_path) as it:
        source = await it.start()
        source.feed(synthetic_units(3))

        def full(camera: str, run: str, cause: Cause) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        it.spool.end_run = full
        source.end()
        await it.clock.pass_(2)
        assert len(it.sources) == 2


class Foul(Session):
    """A session with a bug that some input brings out."""

    def unit(self, unit: AccessUnit, arrival_us: int):
        if unit.data == b"foul":
            raise IndexError("rtsp://admin:secret@192.0.2.10/")
        return super().unit(unit, arrival_us)


def a_foul_session() -> Session:
    runs = iter(range(1, 100))
    return Foul("gate", trust_clock=False, new_run=lambda: f"home-a-1-{next(runs)}", clock_synced=lambda: True)


async def test_a_bug_that_a_stream_brings_out_is_a_loss_like_any(tmp_path: Path) -> None:
    """It raises nothing into who delivers, ends the run in order, is said without the error's own text, and is tried again."""
    async with running(tmp_path, session=a_foul_session()) as it:
        source = await it.start()
        source.feed([*synthetic_units(3), AccessUnit(0, 3 * TIMESCALE, None, key=True, data=b"foul")])
        await it.clock.pass_(2)

        assert len(it.sources) == 2
        assert "IndexError in test_runner.py" in it.heard.states[-1][3]
        assert "secret" not in str(it.heard.states)
        await it.stop()
        assert it.rows()[0].end_us == NOON_US + 3 * US_PER_S


async def test_a_bug_in_a_source_is_a_loss_like_any(tmp_path: Path) -> None:
    """An error nobody foresaw ends this connection only."""
    async with running(tmp_path) as it:
        source = await it.start()
        source.fail(ZeroDivisionError("secret"))
        await it.clock.pass_(2)

        assert len(it.sources) == 2
        assert "ZeroDivisionError" in it.heard.states[-1][3]
        assert "secret" not in str(it.heard.states)


async def test_a_source_that_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    """An address outside the camera networks, say: the state says why, and a changed setting is picked up by a new runner."""
    async with running(tmp_path) as it:
        it.refusal = SourceEnded(Cause.UNSUPPORTED, "8.8.8.8 is not in the camera networks")
        await it.start()

        assert it.heard.states[-1][2:] == (Cause.UNSUPPORTED, "8.8.8.8 is not in the camera networks")


async def test_pause_drops_and_resume_records_from_the_next_key_frame(tmp_path: Path) -> None:
    """While the lease may be another's nothing is written; afterwards a new run begins with a key frame."""
    async with running(tmp_path) as it:
        source = await it.start()
        source.feed(synthetic_units(3))
        it.runner.pause(Cause.RECORDER_AWAY, "the lease ran out")
        source.feed(synthetic_units(2.4, first_s=3))
        it.runner.resume()
        source.feed(synthetic_units(4.6, first_s=5.4))
        await it.stop()

        assert [(row.run, (row.start_us - NOON_US) / 1e6, (row.end_us - NOON_US) / 1e6) for row in it.rows()][:2] == [
            ("home-a-1-1", 0, 3),
            ("home-a-1-2", 6, pytest.approx(10, abs=4)),
        ]
        assert it.heard.causes == [Cause.RECONNECTING, None, Cause.RECORDER_AWAY, None, Cause.RECORDER_AWAY]


async def test_a_stop_in_the_moment_of_a_failure_is_a_stop(tmp_path: Path) -> None:
    """The source is being cancelled for a failed sync as the runner is cancelled: it ends, and does not try again."""
    async with running(tmp_path) as it:
        source = await it.start()
        source.feed(synthetic_units(3))
        (segment,) = it.spool.open
        segment.give_up()
        it.runner.segment_failed(segment)
        it.task.cancel()
        done, _ = await asyncio.wait([it.task], timeout=1)

        assert done
        assert len(it.sources) == 1


async def test_units_without_pictures_say_why(tmp_path: Path) -> None:
    """A camera that sends but never a key frame has the state that tells."""
    async with running(tmp_path) as it:
        source = await it.start()
        source.feed(unit._replace(key=False) for unit in synthetic_units(15))

        assert it.heard.states[-1][1:3] == (CameraState.CONNECTING, Cause.NO_KEY_FRAME)
        assert sealed_files(tmp_path) == open_parts(tmp_path) == []
