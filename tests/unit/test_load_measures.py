"""The measures of the load promises: what the kernel's counts are read as, and when a measurement does not count."""

from __future__ import annotations

import collections
import mmap
import os
import resource
import time
from pathlib import Path

import pytest

from bench.load import Cost, NotArrived, must_have_arrived
from bench.process_cost import Usage, cpu_ticks, pss_bytes, thread_cpu_s, usage
from bench.profile_recorder import table
from bench.promise_s1 import spread
from bench.stand_in import EPOCH, StandIn
from recorder.link import Assign, Durable, Hello, LeaseIs, Sealed, StateIs, connect
from recorder.session import RunAbout
from segments.duty import Duty
from segments.model import CameraState, Fragment

GOOD = Cost(cameras=50, seconds=10.0, used=Usage(0.5, 0.25, 250_000_000), pss_bytes=100 << 20)


def test_cpu_time_is_what_the_process_itself_is_told():
    """A busy moment shows with the size that getrusage(2) tells of, to a tick or two."""
    before, told_before = usage([os.getpid()]), resource.getrusage(resource.RUSAGE_SELF)
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    after, told = usage([os.getpid()]), resource.getrusage(resource.RUSAGE_SELF)
    told_s = told.ru_utime + told.ru_stime - told_before.ru_utime - told_before.ru_stime
    assert after.since(before).cpu_s == pytest.approx(told_s, abs=0.04)
    assert sum(thread_cpu_s(os.getpid()).values()) <= after.cpu_s + 0.04


def test_written_bytes_are_files_bytes(tmp_path: Path):
    """What goes to files counts, and it counts once."""
    before = usage([os.getpid()])
    (tmp_path / "file").write_bytes(bytes(3_000_000))
    assert usage([os.getpid()]).since(before).written_bytes == pytest.approx(3_000_000, abs=100_000)


def test_memory_grows_by_what_is_touched():
    """Twenty MiB in use are twenty MiB more."""
    before = pss_bytes([os.getpid()])
    with mmap.mmap(-1, 20 << 20) as block:  # fresh pages: an allocator may give back what was touched before
        for place in range(0, len(block), mmap.PAGESIZE):
            block[place] = 1
        assert pss_bytes([os.getpid()]) - before > 18 << 20


def test_a_process_that_is_gone_is_no_saving():
    """Asked for a process that ended, the measure fails instead of leaving it out."""
    with pytest.raises(FileNotFoundError):
        usage([os.getpid(), 1 << 30])


def test_a_name_with_brackets_shifts_nothing(tmp_path: Path):
    """The fields of a stat file are counted behind the last bracket, for a program may call itself anything."""
    stat = tmp_path / "stat"
    stat.write_text("7 (a) b) (c) S " + " ".join(str(n) for n in range(4, 53)))
    assert cpu_ticks(stat) == (14, 15)


def test_a_cost_is_by_camera_and_second():
    """0.75 CPU seconds in 10 s at 50 cameras are 1.5 thousandths of a core each; 250 MB are 4 Mbit/s each."""
    assert GOOD.mcore == pytest.approx(1.5)
    assert GOOD.bits_per_s == pytest.approx(4e6)
    assert "1.50 mcore a camera (1.00 user, 0.50 system), 4.00 Mbit/s" in str(GOOD)


def test_a_side_that_loses_footage_is_not_measured():
    """A side that keeps up passes; one that drops a fifth of the footage is told that it does not count."""
    must_have_arrived("ours", GOOD, 4.1e6)
    with pytest.raises(NotArrived, match=r"ours kept 4\.00 of 5\.00 Mbit/s of 50 cameras"):
        must_have_arrived("ours", GOOD, 5e6)


def test_the_spread_is_counted_from_the_middle():
    """85 and 115 lie 15 % from their middle, whatever lies between."""
    assert spread([115.0, 100.0, 85.0]) == pytest.approx(0.15)
    assert spread([2.0]) == 0


def test_a_profile_counts_a_function_once_a_sample():
    """Shares are of all samples; a function that calls itself is counted once a stack."""
    text = table(collections.Counter({(("m.inner", 3), ("m.outer", 9), ("m.outer", 8)): 3, (("m.outer", 7),): 1}))
    alone, whole = text.split("with all they call:")
    assert " 75.0 %  m.inner" in alone
    assert " 25.0 %  m.outer" in alone
    assert " 100.0 %  m.outer" in whole
    assert " 75.0 %  m.inner:3" in whole


async def test_the_stand_in_assigns_counts_and_removes(tmp_path: Path):
    """A recorder gets its cameras and an endless lease; its acknowledged bytes are counted, its sealed files removed."""
    file = tmp_path / "camera-0000" / "bench-a-1-1" / "1000.2.mp4"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"sealed")
    async with StandIn(tmp_path / "socket", tmp_path, ["rtsp://127.0.0.1/x"]) as stand_in:
        link = await connect(str(tmp_path / "socket"))
        link.send(Hello("r", ()))
        assign = await link.receive()
        assert isinstance(assign, Assign)
        assert [item.camera.url for item in assign.cameras] == ["rtsp://127.0.0.1/x"]
        assert isinstance(lease := await link.receive(), LeaseIs)
        assert not lease.answers
        about = RunAbout(0, "avc1.64001f", 64, 64, ())
        link.send(Durable("camera-0000", "bench-a-1-1", 2, 1000, 2000, about, (Fragment(0, 70, 7, 0, 1), Fragment(70, 30, 7, 1, 1))))
        link.send(Sealed("camera-0000", "bench-a-1-1", 2))
        link.send(StateIs(Duty("record-a"), "camera-0000", 0, CameraState.RECORDING, None, ""))
        await stand_in.all_recording()
        assert (stand_in.durable_bytes, stand_in.sealed, file.exists()) == (100, 1, False)
        assert assign.epoch == lease.epoch == EPOCH
        link.close()
