"""Some seconds of fuzzing the RTSP client in every run of the tests; by hand it runs as long as one likes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.quirk_camera import VIDEO

pytest.importorskip("atheris", reason="fuzzing needs atheris: pip install '.[fuzz]'")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["fuzz_rtp", "fuzz_sdp"])
def test_readers_of_a_camera_survive_some_seconds_of_fuzzing(tmp_path: Path, target: str) -> None:
    """Some thousand spoiled packets and texts end in values or in errors of ours."""
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    (seeds / "description").write_bytes(b"\0" + VIDEO.encode())
    (seeds / "packets").write_bytes(
        b"\x10\x10\x04\1\x7c\x85\xaa\xbb\x10\x04\0\x7c\x05\xaa\xbb\x90\x04\0\x7c\x45\xaa\xbb\x90\x03\1\x41\x9a\1"
    )
    command = [
        sys.executable,
        "-m",
        f"tests.fuzz.{target}",
        "-max_total_time=5",
        "-max_len=4096",
        f"-artifact_prefix={tmp_path}/",
        str(seeds),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-4_000:]
    assert "DONE" in done.stderr
