"""A failed sync is never acknowledged and never retried on the same file (promise R4, short form)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recorder.repair import repair
from recorder.spool import Spool, SpoolLimit
from recorder.spool_folder import check_spool, sealed_files, shrink_to_stub, stubs
from tests.faults.failing_sync import build_shim, drive
from tests.faults.plain_segment import HEADER, PLAIN, fragment, tail

ROUNDS = 9


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shim(tmp_path_factory.mktemp("shim"))


@pytest.mark.parametrize("fails_at", range(1, 8))
def test_a_failed_sync_of_the_disk_acknowledges_nothing(shim: Path, tmp_path: Path, fails_at: int) -> None:
    """Whichever syncfs fails, its round acknowledges nothing, the files of that round never are, and new segments work."""
    assert drive(shim, tmp_path / "spool", "disk", fails_at, rounds=ROUNDS) == []


@pytest.mark.slow
@pytest.mark.parametrize("fails_at", range(1, 21))
def test_a_failed_sync_of_a_file_is_not_tried_again(shim: Path, tmp_path: Path, fails_at: int) -> None:
    """Whichever sync of a file or folder fails, no file is synced a second time after it, and nothing of its round is acknowledged."""
    assert drive(shim, tmp_path / "spool", "file", fails_at, rounds=ROUNDS) == []


@pytest.mark.parametrize("kind", ["disk", "file"])
def test_retrying_is_found_out(shim: Path, tmp_path: Path, kind: str) -> None:
    """The control: calling a failed sync again and believing it is seen by the judge."""
    assert drive(shim, tmp_path / "spool", kind, 3, rounds=ROUNDS, retry=True) != []


def torn(folder: Path) -> Path:
    """A segment whose writer died after its first fragment."""
    check_spool(folder, min_free_bytes=0)
    segment = Spool(folder, limit=SpoolLimit(1 << 30, 0)).begin("gate", "home-a-1-1", 1, 1000, HEADER)
    segment.append(fragment("x", 0, 5000))
    return segment.path


def test_a_failed_sync_of_a_repair_leaves_the_torn_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is thrown away, the old one stays as it was, and the next repair makes another new file."""
    part = torn(tmp_path / "spool")
    before = part.read_bytes()
    fail_next_sync(monkeypatch)

    with pytest.raises(OSError, match="sync failed"):
        repair(part, PLAIN)

    assert [entry.name for entry in part.parent.iterdir()] == [part.name]
    assert part.read_bytes() == before
    assert repair(part, PLAIN) is not None


def test_a_failed_sync_of_a_stub_leaves_the_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes go only after the stub is durable."""
    part = torn(tmp_path / "spool")
    part.write_bytes(part.read_bytes() + tail(1))
    repaired = repair(part, PLAIN)
    assert repaired is not None
    fail_next_sync(monkeypatch)

    with pytest.raises(OSError, match="sync failed"):
        shrink_to_stub(repaired.file, b"{}")

    assert (len(sealed_files(tmp_path / "spool")), stubs(tmp_path / "spool")) == (1, [])
    shrink_to_stub(repaired.file, b"{}")
    assert (sealed_files(tmp_path / "spool"), len(stubs(tmp_path / "spool"))) == ([], 1)


def fail_next_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next `os.fsync` of this process fails, those after it work."""
    real = os.fsync

    def fail(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", real)
        raise OSError(5, "sync failed")

    monkeypatch.setattr(os, "fsync", fail)
