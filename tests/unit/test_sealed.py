"""Reading sealed files and stubs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.sealed import read_sealed, read_stub, write_stub
from segments.boxes import init_segment
from segments.errors import DataDamaged
from segments.keys import SegmentKey
from tests.builders import NOON_US, RUN
from tests.fakes import a_sealed_file
from tests.samples import VIDEO


def test_a_sealed_file_says_its_row_and_run(tmp_path: Path) -> None:
    """Key, times, size, hash and fragments come from the file alone; the init segment is the file's own beginning."""
    made = a_sealed_file(tmp_path, counter=2)

    found = read_sealed(made.path, pool="main")

    row = found.row
    assert row.key == str(SegmentKey("gate", RUN, made.start_us, 2))
    assert (row.start_us, row.end_us, row.size, row.pool, row.version) == (made.start_us, made.end_us, len(made.data), "main", "")
    assert row.sha256 == hashlib.sha256(made.data).hexdigest()
    assert len(row.fragments) == made.fragments
    assert (found.run.init, found.run.start_us, found.run.last_us) == (init_segment([VIDEO]), NOON_US, made.end_us)


def test_without_hashing_it_has_none(tmp_path: Path) -> None:
    """For the live edge a hash of the whole file would cost too much."""
    found = read_sealed(a_sealed_file(tmp_path).path, pool="", hashed=False)

    assert (found.row.sha256, found.row.pool) == ("", "")


@pytest.mark.parametrize("spoil", ["cut", "no tail", "empty", "other"])
def test_what_is_no_whole_segment_is_damage(tmp_path: Path, spoil: str) -> None:
    """A file cut anywhere, or of other bytes, is never taken for a segment."""
    made = a_sealed_file(tmp_path)
    bad = {"cut": made.data[:-1], "no tail": made.data[: len(made.data) // 2], "empty": b"", "other": b"x" * 5_000}[spoil]
    made.path.write_bytes(bad)

    with pytest.raises(DataDamaged):
        read_sealed(made.path, pool="main")


def test_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    """Another process was faster: no damage."""
    made = a_sealed_file(tmp_path)
    made.path.unlink()

    with pytest.raises(FileNotFoundError):
        read_sealed(made.path, pool="main")


def test_a_stub_is_the_segment_without_its_bytes(tmp_path: Path) -> None:
    """Row with the version the store gave, run, attributes: all that the rest of the commit needs."""
    found = read_sealed(a_sealed_file(tmp_path).path, pool="main")
    row = replace(found.row, version="v7")

    assert read_stub(write_stub(found, row)) == replace(found, row=row)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b'{"row": {}, "run": {}, "attributes": []}', b"\xff"])
def test_a_stub_that_is_none_is_damage(data: bytes) -> None:
    """Cut short or of another program."""
    with pytest.raises(DataDamaged):
        read_stub(data)
