"""The spool as it lies on the disk: names, listings, stubs, its lock and its checks at the start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recorder.spool import OpenSegment, Spool, SpoolFailed, SpoolLimit
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
from segments.errors import BadInput, StartRefused

RUN = "home-a-1-1"
ROOMY = SpoolLimit(max_bytes=1 << 30, min_free_bytes=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "spool"
    check_spool(made, min_free_bytes=0)
    return made


@pytest.fixture
def spool(folder: Path) -> Spool:
    return Spool(folder, limit=ROOMY)


def begun(spool: Spool, camera: str = "gate", counter: int = 1, start_us: int = 1000) -> OpenSegment:
    return spool.begin(camera, RUN, counter, start_us, b"header")


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


def test_a_file_that_is_removed_while_it_is_made_is_made_again(folder: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look for what crashes left may meet it in the moment before its lock; no descriptor is left over."""
    rename, open_before = Path.rename, len(os.listdir("/proc/self/fd"))

    def removed_first(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        self.unlink()
        return self.rename(target)

    monkeypatch.setattr(Path, "rename", removed_first)
    segment = begun(spool)

    assert segment.path.read_bytes() == b"header"
    assert len(os.listdir("/proc/self/fd")) == open_before + 1


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


def test_an_open_segment_is_written_to_until_its_writer_lets_go(spool: Spool) -> None:
    """A living writer holds a lock on its segment; one that was given up, or is gone, holds none."""
    segment = begun(spool)
    assert is_written_to(segment.path)

    segment.give_up()

    assert not is_written_to(segment.path)
    assert not is_written_to(segment.path.with_name("nothing"))


def test_several_programs_look_at_a_spool_at_once(tmp_path: Path) -> None:
    """Programs of a node start together: none trips over what another tries, and nothing of it stays."""
    script = "import sys; from pathlib import Path; from recorder.spool_folder import check_spool\n"
    script += "for _ in range(100): check_spool(Path(sys.argv[1]), min_free_bytes=0)"
    folder = tmp_path / "spool"
    programs = [subprocess.Popen([sys.executable, "-c", script, str(folder)], stderr=subprocess.PIPE) for _ in range(3)]
    assert [program.communicate()[1] for program in programs] == [b""] * 3
    assert list(folder.iterdir()) == []
