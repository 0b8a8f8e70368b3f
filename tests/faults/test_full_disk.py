"""A full spool: the declared order, a loud refusal, nothing acknowledged dropped, and recording again by itself (promise R5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from recorder.repair import repair
from recorder.spool import Spool, SpoolFailed, SpoolFull, SpoolLimit
from recorder.spool_folder import SpoolKind, open_parts, sealed_files, stubs
from tests.faults.full_spool import EvictingSpool, Recording, small_disk
from tests.faults.loop_disk import need_root
from tests.faults.plain_segment import HEADER, PLAIN, fragment

MB = 1_000_000
DISK_BYTES = 64 * MB
LIMIT = SpoolLimit(max_bytes=40 * MB, min_free_bytes=8 * MB)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    need_root("mount", "umount")
    with small_disk(tmp_path / "disk", DISK_BYTES) as folder:
        yield folder


Recorded = Callable[[Spool], Recording]


@pytest.fixture
def recorded(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    """Starts recordings and lets their disk go again."""
    if "disk" in request.fixturenames:
        request.getfixturevalue("disk")  # must outlive them
    with ExitStack() as stack:
        yield lambda spool: stack.enter_context(closing(Recording(spool)))


@pytest.mark.root
@pytest.mark.parametrize("limit", [LIMIT, SpoolLimit(1 << 40, 24 * MB)], ids=["limit of the spool", "space kept free"])
async def test_a_full_spool_refuses_and_drops_nothing(disk: Path, recorded: Recorded, limit: SpoolLimit) -> None:
    """When the limit is met new footage is refused loudly, all that was acknowledged is there, and the space kept back is free."""
    recording = recorded(Spool(disk, limit=limit))

    refusal = await recording.fill(DISK_BYTES)

    assert isinstance(refusal, SpoolFull)
    assert "is full" in str(refusal)
    assert recording.spool.full
    assert sum(recording.acknowledged.values()) > 35 * MB
    assert recording.lost() == []
    assert sum(file.stat().st_size for file in disk.glob("*/*/*")) <= 41 * MB


@pytest.mark.root
@pytest.mark.parametrize("indexed", [True, False], ids=["uploaded", "stored, index away"])
async def test_recording_goes_on_by_itself_when_there_is_room(disk: Path, recorded: Recorded, indexed: bool) -> None:
    """Once footage is stored, and is gone or shrunk to its stub, new fragments are acknowledged within 5 s."""
    recording = recorded(Spool(disk, limit=LIMIT))
    await recording.fill(DISK_BYTES)

    recording.upload(3, indexed=indexed)

    assert await recording.resume() <= 5
    assert len(stubs(disk)) == (0 if indexed else 3)
    assert recording.lost() == []


async def test_dropping_the_oldest_to_make_room_is_found_out(tmp_path: Path, recorded: Recorded) -> None:
    """The control: a spool that evicts footage before it is stored loses what it had acknowledged."""
    recording = recorded(EvictingSpool(tmp_path, limit=SpoolLimit(8 * MB, 0)))

    with pytest.raises(AssertionError, match="never refused"):
        await recording.fill(DISK_BYTES // 4)

    assert recording.lost() != []


@pytest.mark.root
async def test_a_disk_that_others_fill_is_met_and_cut_back(disk: Path, recorded: Recorded) -> None:
    """When the kernel itself has no space left, a fragment written in part is cut off again; all acknowledged footage is there."""
    recording = recorded(Spool(disk, limit=SpoolLimit(1 << 40, 0)))
    recording.spool._fits = lambda wanted_bytes: True  # the look at the disk came before others filled it

    refusal = await recording.fill(2 * DISK_BYTES)

    assert isinstance(refusal, SpoolFull | SpoolFailed)
    assert recording.lost() == []
    assert sum(recording.acknowledged.values()) > 55 * MB


@pytest.mark.root
async def test_a_partial_write_leaves_whole_fragments_and_a_segment_that_can_be_sealed(disk: Path) -> None:
    """The piece that did not fit is gone to the last byte, the error says full, and the tail finds the space it left."""
    spool = Spool(disk, limit=SpoolLimit(1 << 40, 0))
    spool._fits = lambda wanted_bytes: True
    segment = spool.begin("gate", "home-a-1-1", 1, 1000, HEADER)
    segment.append(fragment("x", 0, 50 * MB))

    with pytest.raises(SpoolFull):
        segment.append(fragment("x", 1, 20 * MB))

    assert segment.path.stat().st_size == segment.written_bytes
    segment.seal(b"tail")
    assert segment.path.read_bytes() == HEADER + fragment("x", 0, 50 * MB) + b"tail"
    segment.give_up()


@pytest.mark.root
async def test_a_segment_whose_tail_finds_no_room_waits_for_repair(disk: Path, recorded: Recorded) -> None:
    """It is given up with its durable fragments, and repaired when there is room again."""
    recording = recorded(Spool(disk, limit=SpoolLimit(1 << 40, 0)))
    recording.spool._fits = lambda wanted_bytes: True
    camera = recording.cameras[0]
    camera.feed(recording.spool)
    await recording.sync()
    filler = disk / ".filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(MB)):
            pass
    assert camera.segment is not None

    with pytest.raises(SpoolFailed, match="without its tail"):
        camera.segment.seal(b"t" * 10_000)

    [torn] = open_parts(disk)
    assert torn.kind is SpoolKind.TORN
    with pytest.raises(OSError):
        repair(torn.path, PLAIN)
    assert open_parts(disk) == [torn]
    filler.unlink()
    assert repair(torn.path, PLAIN) is not None
    assert len(sealed_files(disk)) == 1
    assert recording.lost() == []
