"""Syncing in groups: what a round acknowledges, the order of a seal, and what a failed sync takes with it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from recorder.group_sync import EachFile, GroupSync, WholeDisk, disk_sync
from recorder.spool import OpenSegment, Spool, SpoolFailed, SpoolLimit
from recorder.spool_folder import check_spool

RUN = "home-a-1-1"
ROOMY = SpoolLimit(max_bytes=1 << 30, min_free_bytes=0)


class ScriptedDisk:
    """A disk whose syncs do what the test says; each is noted with what lay in the folder then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[set[str]] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.errors: list[OSError] = []

    def prepared(self, segments: Iterable[OpenSegment]) -> Callable[[], None]:
        return self._sync

    def close(self) -> None:
        """Nothing is held."""

    def _sync(self) -> None:
        self.seen.append({path.name for path in self.folder.glob("*/*/*")})
        self.meanwhile()
        if self.errors:
            raise self.errors.pop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "spool"
    check_spool(made, min_free_bytes=0)
    return made


@pytest.fixture
def spool(folder: Path) -> Spool:
    return Spool(folder, limit=ROOMY)


@pytest.fixture
def disk(folder: Path) -> ScriptedDisk:
    return ScriptedDisk(folder)


@pytest.fixture
def sync(spool: Spool, disk: ScriptedDisk) -> Iterator[GroupSync]:
    made = GroupSync(spool, disk)
    yield made
    made.close()


def begun(spool: Spool, camera: str = "gate", counter: int = 1, start_us: int = 1000) -> OpenSegment:
    return spool.begin(camera, RUN, counter, start_us, b"header")


async def test_an_append_is_acknowledged_by_the_round_after_it(spool: Spool, sync: GroupSync) -> None:
    """A round says how many bytes of each segment were written before it, and only those become durable."""
    segment = begun(spool)
    segment.append(b"one")

    done = await sync.round()

    assert list(done.acknowledged) == [(segment, 9)]
    assert (segment.written_bytes, segment.durable_bytes) == (9, 9)
    assert segment.path.read_bytes() == b"headerone"


async def test_bytes_written_while_a_sync_runs_wait_for_the_next(spool: Spool, sync: GroupSync, disk: ScriptedDisk) -> None:
    """What is appended during a sync may or may not be on the disk, so it is not acknowledged by it."""
    segment = begun(spool)
    disk.meanwhile = lambda: segment.append(b"late")

    first = await sync.round()
    disk.meanwhile = lambda: None
    second = await sync.round()

    assert (list(first.acknowledged), list(second.acknowledged)) == ([(segment, 6)], [(segment, 10)])


async def test_a_round_without_work_syncs_nothing(spool: Spool, sync: GroupSync, disk: ScriptedDisk) -> None:
    """An idle spool leaves the disk alone."""
    begun(spool)
    await sync.round()
    await sync.round()

    assert len(disk.seen) == 1


async def test_a_seal_is_synced_then_named_then_its_name_is_synced(spool: Spool, sync: GroupSync, disk: ScriptedDisk) -> None:
    """Round k syncs the bytes under the old name, round k+1 the new name, and only then the segment is reported sealed."""
    segment = begun(spool)
    segment.seal(b"tail")

    first, second = await sync.round(), await sync.round()

    assert disk.seen == [{"1000.1.part"}, {"1000.1.mp4"}]
    assert (list(first.sealed), list(second.sealed)) == ([], [segment])
    assert segment.path.read_bytes() == b"headertail"
    assert not spool.open


async def test_a_sealed_segment_takes_no_more(spool: Spool) -> None:
    """A segment that has its tail refuses fragments, and says why."""
    segment = begun(spool)
    segment.seal(b"tail")

    with pytest.raises(SpoolFailed, match="has its tail"):
        segment.append(b"more")


async def test_a_failed_sync_gives_up_everything_unsynced_and_nothing_else(spool: Spool, sync: GroupSync, disk: ScriptedDisk) -> None:
    """Segments with bytes not yet durable are poisoned and named torn at their durable byte; a quiet segment goes on."""
    torn, quiet = begun(spool), begun(spool, "yard")
    await sync.round()
    torn.append(b"lost")
    disk.errors = [OSError(5, "Input/output error")]

    done = await sync.round()

    assert (list(done.acknowledged), list(done.failed), done.error.errno if done.error else 0) == ([], [torn], 5)
    assert torn.path.name == "1000.1.6.torn"
    with pytest.raises(SpoolFailed, match="disk failed"):
        torn.append(b"more")
    quiet.append(b"fine")
    assert list((await sync.round()).acknowledged) == [(quiet, 10)]


async def test_bytes_written_while_a_sync_fails_are_given_up_too(spool: Spool, sync: GroupSync, disk: ScriptedDisk) -> None:
    """The kernel tells of an error once, so a segment first written to during the failing sync cannot wait for the next."""
    waiting, other = begun(spool), begun(spool, "yard")
    await sync.round()
    other.append(b"x")
    disk.meanwhile = lambda: waiting.append(b"late")
    disk.errors = [OSError(5, "Input/output error")]

    done = await sync.round()

    assert set(done.failed) == {waiting, other}


async def test_a_sync_that_cannot_even_begin_acknowledges_nothing(
    spool: Spool, sync: GroupSync, disk: ScriptedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a descriptor left for the sync, say, the round fails like one whose sync failed, and the next works."""
    segment = begun(spool)

    def exhausted(segments: Iterable[OpenSegment]) -> Callable[[], None]:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(disk, "prepared", exhausted)
        done = await sync.round()

    assert (list(done.acknowledged), list(done.failed)) == ([], [segment])
    fresh = begun(spool, counter=2)
    assert list((await sync.round()).acknowledged) == [(fresh, 6)]


async def test_a_failure_after_naming_leaves_the_sealed_bytes(spool: Spool, sync: GroupSync, disk: ScriptedDisk) -> None:
    """When only the name could not be made durable, the segment is reported failed but keeps its whole, synced bytes."""
    segment = begun(spool)
    segment.seal(b"tail")
    await sync.round()
    disk.errors = [OSError(5, "Input/output error")]

    done = await sync.round()

    assert (list(done.failed), segment.path.name) == ([segment], "1000.1.mp4")
    assert segment.path.read_bytes() == b"headertail"


async def test_the_error_of_a_cancelled_round_is_not_lost(spool: Spool, sync: GroupSync, disk: ScriptedDisk) -> None:
    """A round that is cancelled while its sync fails leaves the failure to the next round, whose own sync succeeds."""
    segment = begun(spool)
    running, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        running.set()
        go_on.wait(10)
        disk.meanwhile = lambda: None

    disk.meanwhile, disk.errors = hang, [OSError(5, "Input/output error")]
    task = asyncio.create_task(sync.round())
    await asyncio.to_thread(running.wait, 10)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    go_on.set()

    done = await sync.round()

    assert (list(done.acknowledged), list(done.failed)) == ([], [segment])


@pytest.mark.parametrize("kind", [WholeDisk, lambda _: EachFile()], ids=["whole disk", "each file"])
async def test_both_ways_to_sync_do_the_whole_life(spool: Spool, folder: Path, kind: Callable[[Path], WholeDisk | EachFile]) -> None:
    """Syncing the disk and syncing file by file acknowledge and seal alike, and leave no descriptor open."""
    before = len(os.listdir("/proc/self/fd"))
    sync = GroupSync(spool, kind(folder))
    segment = begun(spool)
    segment.append(b"one")
    assert list((await sync.round()).acknowledged) == [(segment, 9)]
    segment.seal(b"tail")
    await sync.round()
    assert list((await sync.round()).sealed) == [segment]
    sync.close()
    assert before == len(os.listdir("/proc/self/fd"))


def test_a_file_system_that_hides_errors_from_syncfs_is_synced_file_by_file(folder: Path) -> None:
    """/proc stands for any file system not known to report write errors through syncfs."""
    assert isinstance(disk_sync(Path("/proc")), EachFile)
