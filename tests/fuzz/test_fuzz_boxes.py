"""Some seconds of fuzzing in every run of the tests; by hand it runs as long as one likes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris", reason="fuzzing needs atheris: pip install '.[fuzz]'")


@pytest.mark.slow
def test_box_readers_survive_some_seconds_of_fuzzing(tmp_path: Path) -> None:
    """A few thousand spoiled segments end in values or in errors of ours."""
    command = [sys.executable, "-m", "tests.fuzz.fuzz_boxes", "-max_total_time=5", "-max_len=8192", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-4_000:]
    assert "DONE" in done.stderr
