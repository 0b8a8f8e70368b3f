"""What dead recorders left is mended, what live ones write is left alone."""

from __future__ import annotations

import fcntl
from datetime import date
from pathlib import Path

import pytest

from recorder.mend import end_runs_before, highest_epoch, mend
from recorder.run_end import ended_runs
from recorder.sealed import read_sealed
from recorder.spool_folder import open_parts, sealed_files
from segments.model import Cause
from tests.builders import NOON_US, RUN, a_lease, a_run
from tests.fakes import Sealed, SwitchedIndex, a_sealed_file

MARCH = date(2026, 3, 1)


def a_torn_file(folder: Path, *, cut_bytes: int = 20, torn_at: int | None = None, **fields: object) -> Sealed:
    """A segment whose recorder died: its tail and some bytes of its last fragment are missing; or given up after so many durable bytes."""
    made = a_sealed_file(folder, **fields)
    fragments = read_sealed(made.path, pool="main").row.fragments
    whole = fragments[-1].offset + fragments[-1].length
    made.path.write_bytes(made.data[: whole - cut_bytes])
    ending = "part" if torn_at is None else f"{torn_at}.torn"
    made.path.rename(made.path.with_name(f"{made.start_us}.{made.counter}.{ending}"))
    return made


async def test_a_torn_segment_is_cut_to_its_last_whole_fragment(tmp_path: Path) -> None:
    """It is sealed, one fragment shorter, and its run is marked as over."""
    made = a_torn_file(tmp_path)

    assert await mend(tmp_path, SwitchedIndex()) == 1

    (file,) = sealed_files(tmp_path)
    found = read_sealed(file.path, pool="main")
    assert len(found.row.fragments) == made.fragments - 1
    assert found.row.end_us == NOON_US + 2_000_000
    assert [(run.run, run.cause) for run in ended_runs(tmp_path)] == [(RUN, Cause.RECORDER_AWAY)]
    assert open_parts(tmp_path) == []


async def test_the_index_knows_more_of_the_run(tmp_path: Path) -> None:
    """The run's true start and its notes come from the index, where it answers; where it does not, mending goes on without."""
    index = SwitchedIndex()
    await index.inner.put_run(a_run(start_us=NOON_US - 7, notes=("sound left out",)))
    a_torn_file(tmp_path, counter=1)
    await mend(tmp_path, index)
    (file,) = sealed_files(tmp_path)
    run = read_sealed(file.path, pool="main").run
    assert (run.start_us, run.notes) == (NOON_US - 7, ("sound left out",))

    index.away = True
    a_torn_file(tmp_path, counter=2)
    assert await mend(tmp_path, index) == 1


async def test_a_live_writer_is_left_alone(tmp_path: Path) -> None:
    """Its file is locked while its process lives; when it is dead, the file is mended."""
    made = a_torn_file(tmp_path)
    part = made.path.with_suffix(".part")
    with part.open("ab") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        before = part.read_bytes()

        assert await mend(tmp_path, SwitchedIndex()) == 0
        assert part.read_bytes() == before
        assert ended_runs(tmp_path) == []

    assert await mend(tmp_path, SwitchedIndex()) == 1


async def test_a_segment_given_up_is_mended_while_its_recorder_lives(tmp_path: Path) -> None:
    """And only what was durable of it is believed."""
    whole = a_sealed_file(tmp_path, counter=9)
    first = read_sealed(whole.path, pool="main").row.fragments[0]
    whole.path.unlink()
    a_torn_file(tmp_path, cut_bytes=0, torn_at=first.offset + first.length + 10)

    assert await mend(tmp_path, SwitchedIndex()) == 1

    (file,) = sealed_files(tmp_path)
    assert len(read_sealed(file.path, pool="main").row.fragments) == 1


async def test_nothing_whole_leaves_nothing(tmp_path: Path) -> None:
    """A segment that died before its first fragment goes; the run's end is still marked."""
    made = a_sealed_file(tmp_path)
    made.path.unlink()
    made.path.with_suffix(".part").write_bytes(made.data[:100])

    assert await mend(tmp_path, SwitchedIndex()) == 0
    assert open_parts(tmp_path) == sealed_files(tmp_path) == []
    assert len(ended_runs(tmp_path)) == 1


async def test_what_a_crash_left_unnamed_goes(tmp_path: Path) -> None:
    """A recorder died before its new file had its name: nobody would ever read it. One that is just being made is left alone."""
    left, made = tmp_path / "gate" / RUN / ".5.0.part", tmp_path / "door" / RUN / ".6.0.part"
    for unnamed in (left, made):
        unnamed.parent.mkdir(parents=True)
        unnamed.write_bytes(b"")
    with made.open("ab") as maker:
        fcntl.flock(maker, fcntl.LOCK_EX)

        await mend(tmp_path, SwitchedIndex())

        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [made]
        assert not left.parent.parent.exists()
    await mend(tmp_path, SwitchedIndex())

    assert list(tmp_path.iterdir()) == []


async def test_one_that_cannot_be_mended_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails under one file is said; the next one is mended."""
    bad, good = a_torn_file(tmp_path, counter=0), a_torn_file(tmp_path, counter=1)
    (bad.path.with_name(f".{bad.path.name}")).mkdir()  # in the way of the file that repair writes

    assert await mend(tmp_path, SwitchedIndex()) == 1

    assert [file.counter for file in sealed_files(tmp_path)] == [good.counter]
    assert [file.counter for file in open_parts(tmp_path)] == [bad.counter]


async def test_runs_of_older_epochs_are_ended(tmp_path: Path) -> None:
    """Those the index has open in an epoch before this one; not those of this epoch, of the other lane, ended ones, not another's."""
    index = SwitchedIndex()
    for run, ended in (
        ("home-a-3-1", False),
        ("home-a-4-1", False),
        ("home-b-4-1", False),
        ("home-a-5-1", False),
        ("home-a-2-1", True),
        ("camera-own", False),
    ):
        await index.inner.put_run(a_run(id=run, ended=ended))
    await index.inner.put_run(a_run(camera="door", id="home-a-3-2"))

    await end_runs_before(tmp_path, a_lease(epoch=5), ["gate"], [MARCH], index)

    assert sorted(run.run for run in ended_runs(tmp_path)) == ["home-a-3-1", "home-a-4-1"]
    assert {run.camera for run in ended_runs(tmp_path)} == {"gate"}


async def test_all_pages_of_runs_are_looked_at(tmp_path: Path) -> None:
    """More runs in a month than a page holds."""
    index = SwitchedIndex()
    for n in range(1_050):
        await index.inner.put_run(a_run(id=f"home-a-1-{n}", start_us=NOON_US + n))

    await end_runs_before(tmp_path, a_lease(epoch=2), ["gate"], [MARCH], index)

    assert len(ended_runs(tmp_path)) == 1_050


def test_the_highest_epoch_of_a_spool(tmp_path: Path) -> None:
    """An index made anew must give no epoch that is in a name already."""
    assert highest_epoch(tmp_path) == 0
    for run in ("home-a-3-1", "home-a-12-1", "not-ours"):
        (tmp_path / "gate" / run).mkdir(parents=True)

    assert highest_epoch(tmp_path) == 12
