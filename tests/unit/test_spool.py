"""The spool: appending, syncing in groups, sealing, limits, names, stubs, its lock and its checks."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from recorder.group_sync import EachFile, GroupSync, WholeDisk, disk_sync
from recorder.spool import OpenSegment, Spool, SpoolFailed, SpoolFull, SpoolLimit
from recorder.spool_folder import (
    SpoolFile,
    SpoolKind,
    check_spool,
    is_written_to,
    open_parts,
    remove,
    sealed_files,
    shrink_to_stub,
    spool_file,
    spool_lock,
    spool_usage,
    stubs,
)
from segments.clock import SystemClock
from segments.errors import BadInput, StartRefused

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


class HandClock(SystemClock):
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.ns = 0

    def monotonic_ns(self) -> int:
        return self.ns


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


# --- appending and syncing ---


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


# --- limits ---


def test_a_full_spool_refuses_before_it_writes(folder: Path) -> None:
    """Bytes over the limit leave the segment as it was; it can still be sealed, out of the space kept back."""
    spool = Spool(folder, limit=SpoolLimit(max_bytes=20, min_free_bytes=0))
    segment = begun(spool)

    with pytest.raises(SpoolFull, match="full"):
        segment.append(b"x" * 15)

    assert segment.path.read_bytes() == b"header"
    segment.seal(b"t" * 100)
    assert segment.path.stat().st_size == 106


def test_a_full_spool_takes_bytes_again_when_there_is_room(folder: Path) -> None:
    """After files are removed the question for room, asked each second, lets appending go on by itself."""
    clock = HandClock()
    limit_bytes = 64 << 10
    spool = Spool(folder, limit=SpoolLimit(limit_bytes, 0), clock=clock)
    old = begun(spool)
    old.append(b"x" * (60 << 10))
    segment = begun(spool, "yard")
    with pytest.raises(SpoolFull):
        segment.append(b"y" * (10 << 10))
    with pytest.raises(SpoolFull):
        segment.append(b"y")  # refused until the question for room is answered with yes

    old.path.unlink()
    clock.ns += 1_000_000_000

    assert spool.has_room(10 << 10)
    segment.append(b"y" * (10 << 10))


def test_room_is_kept_free_on_the_disk(folder: Path) -> None:
    """Footage never takes the bytes of the disk that are kept back."""
    spool = Spool(folder, limit=SpoolLimit(1 << 60, 1 << 60))

    assert not spool.has_room(1)
    with pytest.raises(SpoolFull, match="kept back"):
        begun(spool)
    assert open_parts(folder) == []


def test_what_others_write_is_counted_in_time(folder: Path) -> None:
    """Another recorder's bytes are unknown for 30 s at most."""
    clock = HandClock()
    spool = Spool(folder, limit=SpoolLimit(100 << 10, 0), clock=clock)
    begun(Spool(folder, limit=ROOMY)).append(b"x" * (200 << 10))

    assert spool.has_room(1)
    clock.ns += 30_000_000_000
    assert not spool.has_room(1)


# --- the folder ---


def test_names_say_what_a_file_is(folder: Path, spool: Spool) -> None:
    """A path is taken apart into camera, run, time, counter and kind; foreign names are nothing of ours."""
    segment = begun(spool)

    assert SpoolFile(segment.path, "gate", RUN, 1000, 1, SpoolKind.PART) == spool_file(segment.path)
    torn = spool_file(segment.path.with_name("5.2.77.torn"))
    assert torn is not None
    assert torn.durable_bytes == 77
    for name in ("5.2.torn", "5.2.77.part", ".5.2.mp4", "a.1.mp4", "5.mp4", "ended", "5.2.mp4.x"):
        assert spool_file(segment.path.with_name(name)) is None


def test_listings_are_oldest_first_over_all_cameras(folder: Path) -> None:
    """The segment that began first is first, whatever its camera is called; open segments are listed apart."""
    for camera, name in (
        ("a", "30.1.mp4"),
        ("b", "7.2.mp4"),
        ("c", "200.1.mp4"),
        ("a", "1.9.part"),
        ("b", "2.9.5.torn"),
        ("b", "3.9.stub"),
    ):
        (folder / camera / RUN).mkdir(parents=True, exist_ok=True)
        (folder / camera / RUN / name).touch()

    assert [file.start_us for file in sealed_files(folder)] == [7, 30, 200]
    assert [file.start_us for file in open_parts(folder)] == [1, 2]
    assert [file.start_us for file in stubs(folder)] == [3]


def test_only_the_owner_may_read_the_spool(folder: Path, spool: Spool) -> None:
    """Folders are made 0700 and files 0600, whatever the process's mask allows."""
    segment = begun(spool)

    assert segment.path.stat().st_mode & 0o777 == 0o600
    assert {folder.stat().st_mode & 0o777 for folder in list(segment.path.parents)[:3]} == {0o700}


def test_shrinking_leaves_the_stub_in_place_of_the_bytes(folder: Path) -> None:
    """After shrinking the stub holds what it was given and the segment is gone; doing it again changes nothing."""
    path = folder / "gate" / RUN / "1000.1.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"footage")
    file = sealed_files(folder)[0]

    for _ in range(2):
        stub = shrink_to_stub(file, b'{"key": "k"}')

    assert (sealed_files(folder), stubs(folder)) == ([], [stub])
    assert stub.path.read_bytes() == b'{"key": "k"}'


def test_a_stub_that_cannot_be_written_leaves_the_segment(folder: Path) -> None:
    """The bytes go only when the stub is there."""
    path = folder / "gate" / RUN / "1000.1.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"footage")
    path.with_name("1000.1.stub").mkdir()

    with pytest.raises(OSError):
        shrink_to_stub(sealed_files(folder)[0], b"{}")

    assert path.read_bytes() == b"footage"
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["1000.1.mp4", "1000.1.stub"]


def test_removing_the_last_file_removes_its_folders_and_a_new_run_makes_them_again(folder: Path, spool: Spool) -> None:
    """Folders of ended runs do not pile up."""
    remove(SpoolFile(begun(spool).path, "gate", RUN, 1000, 1, SpoolKind.PART))

    assert not (folder / "gate").exists()
    assert begun(spool, counter=2).path.exists()


def test_usage_counts_allocated_bytes_of_every_file(folder: Path, spool: Spool) -> None:
    """Leftovers under other names take room too, and a hole in a file takes none."""
    segment = begun(spool)
    segment.append(b"x" * 100_000)
    os.truncate(segment.path, 1 << 30)
    (segment.path.parent / ".leftover").write_bytes(b"y" * 50_000)

    assert 150_000 <= spool_usage(folder) < 200_000


@pytest.mark.parametrize("camera", ["..", "a/b", "", ".lock", "a" * 65])
def test_a_name_that_is_no_camera_makes_no_file(folder: Path, spool: Spool, camera: str) -> None:
    """No camera id or run id reaches a path that could leave the spool."""
    with pytest.raises(BadInput):
        begun(spool, camera)
    with pytest.raises(BadInput):
        spool.begin("gate", "../../x", 1, 0, b"")


def test_a_run_never_writes_a_segment_twice(spool: Spool) -> None:
    """A segment that is there already is not overwritten."""
    begun(spool)

    with pytest.raises(SpoolFailed, match="exists"):
        begun(spool)


# --- starting ---


def test_a_spool_that_others_may_read_is_refused(folder: Path) -> None:
    """The refusal names the folder and the command that helps; the same folder closed is fine."""
    folder.chmod(0o750)
    with pytest.raises(StartRefused, match=f"chmod 700 {folder}"):
        check_spool(folder, min_free_bytes=0)

    folder.chmod(0o700)
    check_spool(folder, min_free_bytes=0)


def test_a_spool_without_free_space_is_refused(folder: Path) -> None:
    """The refusal says how much is there and how much is needed."""
    with pytest.raises(StartRefused, match=f"needs {1 << 60}"):
        check_spool(folder, min_free_bytes=1 << 60)


def test_a_spool_that_cannot_be_written_is_refused() -> None:
    """A path that takes no files, whoever we are, is refused with the reason."""
    with pytest.raises(StartRefused, match="cannot be written"):
        check_spool(Path("/proc/spool"), min_free_bytes=0)


def test_two_services_on_one_spool_are_refused(folder: Path) -> None:
    """The second is refused while the first runs, and not after it."""
    with spool_lock(folder), pytest.raises(StartRefused, match="in use by another"), spool_lock(folder):
        pass
    with spool_lock(folder):
        pass


# --- a writer that lives ---


def test_an_open_segment_is_written_to_until_its_writer_lets_go(spool: Spool) -> None:
    """A living writer holds a lock on its segment; one that was given up, or is gone, holds none."""
    segment = begun(spool)
    assert is_written_to(segment.path)

    segment.give_up()

    assert not is_written_to(segment.path)
    assert not is_written_to(segment.path.with_name("nothing"))
