"""The mark that a run is over."""

from __future__ import annotations

from pathlib import Path

from recorder.run_end import ENDED, ended_runs, forget, mark_end
from segments.model import Cause
from tests.builders import RUN


def a_run_folder(spool: Path, camera: str = "gate", run: str = RUN) -> Path:
    folder = spool / camera / run
    folder.mkdir(parents=True)
    return folder


def test_the_first_cause_stays(tmp_path: Path) -> None:
    """What ended a run is what was said first."""
    a_run_folder(tmp_path)
    mark_end(tmp_path, "gate", RUN, Cause.CAMERA_AWAY)
    mark_end(tmp_path, "gate", RUN, Cause.RECORDER_AWAY)

    (found,) = ended_runs(tmp_path)

    assert (found.camera, found.run, found.cause, found.left) == ("gate", RUN, Cause.CAMERA_AWAY, False)


def test_a_run_without_a_folder_needs_no_mark(tmp_path: Path) -> None:
    """It never wrote anything."""
    mark_end(tmp_path, "gate", RUN, Cause.CAMERA_AWAY)

    assert list(tmp_path.iterdir()) == []
    assert ended_runs(tmp_path) == []


def test_what_is_left_is_told(tmp_path: Path) -> None:
    """Footage beside the mark means that the run is not to be closed yet; what a crash left before it had its name does not."""
    folder = a_run_folder(tmp_path)
    mark_end(tmp_path, "gate", RUN, Cause.CAMERA_AWAY)
    (folder / ".5.0.stub").write_bytes(b"")
    assert [run.left for run in ended_runs(tmp_path)] == [False]

    (folder / "5.0.mp4").write_bytes(b"")
    assert [run.left for run in ended_runs(tmp_path)] == [True]


def test_a_mark_that_was_cut_short_is_still_one(tmp_path: Path) -> None:
    """A power cut left it empty: the run is over, the recorder was the cause."""
    (a_run_folder(tmp_path) / ENDED).write_text("")

    assert [run.cause for run in ended_runs(tmp_path)] == [Cause.RECORDER_AWAY]


def test_forgetting_leaves_nothing_and_nothing_of_others(tmp_path: Path) -> None:
    """Mark and empty folders go; another run's folder stays, and doing it twice is fine."""
    a_run_folder(tmp_path)
    mark_end(tmp_path, "gate", RUN, Cause.CAMERA_AWAY)
    other = a_run_folder(tmp_path, run="home-a-1-2")
    (found,) = ended_runs(tmp_path)

    forget(found)
    forget(found)

    assert list(tmp_path.rglob("*")) == [tmp_path / "gate", other]
