"""What kill -9 leaves at any byte is repaired: what was whole is kept, the torn tail goes (that nothing is lost is promise R2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.repair import repair
from recorder.spool import Spool, SpoolLimit
from recorder.spool_folder import SpoolKind, check_spool, open_parts, sealed_files
from segments.errors import BadInput
from tests.faults.plain_segment import HEADER, PLAIN, UNTRIMMED, fragment, tail

RUN = "home-a-1-1"


def torn_spool(folder: Path, *, dropped_bytes: int = 10) -> Path:
    """A spool whose writer died in the middle of its third fragment."""
    check_spool(folder, min_free_bytes=0)
    segment = Spool(folder, limit=SpoolLimit(1 << 30, 0)).begin("gate", RUN, 1, 1000, HEADER)
    for number in range(2):
        segment.append(fragment("x", number, 5000))
    segment.append(fragment("x", 2, 5000)[:dropped_bytes])
    return segment.path


def test_a_torn_tail_is_cut_back_and_sealed(tmp_path: Path) -> None:
    """What was whole is in the sealed segment with a tail behind it; the half fragment and the torn file are gone."""
    path = torn_spool(tmp_path / "spool")
    whole = path.read_bytes()[:-10]

    repaired = repair(path, PLAIN)

    assert repaired is not None
    assert (repaired.fragments, repaired.dropped_bytes) == (2, 10)
    assert repaired.file.path.read_bytes() == whole + tail(1)
    assert [file.path for file in sealed_files(tmp_path / "spool")] == [repaired.file.path]
    assert open_parts(tmp_path / "spool") == []


def test_serving_the_untrimmed_tail_is_found_out(tmp_path: Path) -> None:
    """The control: a repair that keeps the half fragment serves damage, and the judge sees it."""
    path = torn_spool(tmp_path / "spool")

    repaired = repair(path, UNTRIMMED)

    assert repaired is not None
    assert len(PLAIN.scan(repaired.file.path.read_bytes()).fragments) < repaired.fragments


def test_a_segment_with_its_tail_is_kept_as_it_is(tmp_path: Path) -> None:
    """A writer that died between tail and name left a whole segment: its bytes do not change."""
    path = torn_spool(tmp_path / "spool", dropped_bytes=0)
    path.write_bytes(whole := path.read_bytes() + tail(1))

    repaired = repair(path, PLAIN)

    assert repaired is not None
    assert (repaired.dropped_bytes, repaired.file.path.read_bytes()) == (0, whole)


def test_nothing_whole_leaves_nothing(tmp_path: Path) -> None:
    """A segment that never got a whole fragment is removed."""
    path = torn_spool(tmp_path / "spool")
    path.write_bytes(HEADER + b"FRAG")

    assert repair(path, PLAIN) is None
    assert list(path.parent.iterdir()) == []


def test_of_a_torn_file_only_the_durable_bytes_count(tmp_path: Path) -> None:
    """Fragments behind the durable bytes look whole and may be zeros: they are dropped."""
    path = torn_spool(tmp_path / "spool", dropped_bytes=0)
    durable_bytes = path.stat().st_size - 1
    torn = path.rename(path.with_name(f"1000.1.{durable_bytes}.{SpoolKind.TORN}"))

    repaired = repair(torn, PLAIN)

    assert repaired is not None
    assert repaired.fragments == 1
    assert repaired.file.path.read_bytes() == HEADER + fragment("x", 0, 5000) + tail(1)


def test_a_hole_ends_what_was_written(tmp_path: Path) -> None:
    """A file that has its length but not its last blocks, as after a power cut, is cut back to before the hole."""
    path = torn_spool(tmp_path / "spool", dropped_bytes=0)
    size_bytes = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(8192)
        file.truncate(size_bytes)

    repaired = repair(path, PLAIN)

    assert repaired is not None
    assert repaired.fragments == 1


def test_a_crash_between_naming_and_removing_ends_the_same(tmp_path: Path) -> None:
    """Where both files are there the sealed one stands, whatever the torn one holds by now."""
    path = torn_spool(tmp_path / "spool")
    torn = path.read_bytes()
    first = repair(path, PLAIN)
    assert first is not None
    sealed = first.file.path.read_bytes()
    path.write_bytes(torn + b"a writer thought dead goes on")

    second = repair(path, PLAIN)

    assert second is not None
    assert (second.fragments, second.file.path.read_bytes(), path.exists()) == (2, sealed, False)


def test_a_crash_while_the_new_file_is_written_changes_nothing(tmp_path: Path) -> None:
    """A half-written new file has no name of ours; the next repair begins again."""
    path = torn_spool(tmp_path / "spool")
    (path.parent / ".1000.1.mp4").write_bytes(b"half")

    assert sealed_files(tmp_path / "spool") == []
    assert repair(path, PLAIN) is not None
    assert [entry.name for entry in path.parent.iterdir()] == ["1000.1.mp4"]


def test_only_open_segments_are_repaired(tmp_path: Path) -> None:
    """A sealed file, or one that is none of ours, is not touched."""
    with pytest.raises(BadInput, match="not an open segment"):
        repair(tmp_path / "1000.1.mp4", PLAIN)
