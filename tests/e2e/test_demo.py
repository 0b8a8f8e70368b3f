"""`keepsight demo` as a newcomer starts it: in an empty folder, with nothing but the Python packages."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.servers.processes import Program, require_program

pytestmark = [pytest.mark.server, pytest.mark.slow]

KEEPSIGHT = str(Path(sys.executable).with_name("keepsight"))
LIMIT_S = 180
"""The machine may be busy; the demo takes about 35 s."""


@contextmanager
def demo(cwd, *arguments, command=(KEEPSIGHT, "demo")):
    """A demo started in an empty folder, whose temporary folder is one of the test's own; nothing but Python is on its PATH."""
    temporary = Path(tempfile.mkdtemp())  # short: a socket's path in it has at most 100 characters
    home = {"HOME": str(cwd), "TMPDIR": str(temporary), "PATH": str(Path(sys.executable).parent), "KEEPSIGHT_API__PORT": "1"}
    program = Program([*command, *arguments], env=home, cwd=cwd)
    try:
        yield program
    finally:
        program.stop(limit_s=30)
    assert list(cwd.iterdir()) == []
    temporary.rmdir()  # nothing was left in it


def ended(program) -> int:
    """Its exit code, when it ends by itself."""
    return program._process.wait(LIMIT_S)


def test_a_demo_of_some_seconds_checks_itself(tmp_path):
    """It ends with code 0 after every check of every camera was green, and leaves nothing behind."""
    with demo(tmp_path, "--for", "25s") as program:
        code = ended(program)
    text = "\n".join(program.log)
    assert code == 0, text
    assert len(re.findall(r"│ ok +│", text)) == 4 * 4 + 2, text
    assert "all is there and plays" in text
    assert re.search(r"yard +│ plays +│ ok +│ \d+ fragments, \d+ pictures, \d+ pieces of sound", text), text


def test_a_silent_camera_is_found_and_named(tmp_path):
    """Negative control: one camera sends nothing; the demo ends with code 1 and says which, and why."""
    script = "import sys; from deploy.demo import run_demo; sys.exit(run_demo('20s', 2, silent='yard'))"
    with demo(tmp_path, command=(sys.executable, "-c", script)) as program:
        code = ended(program)
    text = "\n".join(program.log)
    assert code == 1, text
    assert re.search(r"^yard: timeline: there is no footage .*sent no video", text, re.MULTILINE), text
    assert "gate: " not in text, text


def test_ctrl_c_ends_it_in_order(tmp_path):
    """While it records, as its page shows, SIGINT ends it with code 0; cameras and service are gone with it."""
    with demo(tmp_path, "--cameras", "1") as program:
        line = program.wait_for_line("1 cameras are being recorded", limit_s=LIMIT_S)
        address = re.search(r"http://127\.0\.0\.1:\d+/", line)[0]
        program.wait_for(lambda: any(" recording " in line for line in program.log), limit_s=LIMIT_S)
        state = httpx2.get(f"{address}api/v1/cameras/gate", trust_env=False).json()["state"]["state"]
        os.kill(program.pid, signal.SIGINT)
        assert ended(program) == 0
    assert state == "recording"
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"{address}api/v1/health", trust_env=False)


EXPECTED = {
    "yard": [
        "stream|codec_name=h264|width=640|height=360|r_frame_rate=15/1",
        "stream|codec_name=aac|sample_rate=16000|r_frame_rate=0/0",
    ],
    "quay": ["stream|codec_name=hevc|width=640|height=360|r_frame_rate=12/1"],
}


@pytest.mark.parametrize("camera", EXPECTED)
def test_ffmpeg_plays_a_demo_camera(camera):
    """A third-party client logs in and finds the codecs, size and rate that the camera is said to have."""
    ffprobe = require_program("ffprobe", "ffmpeg")
    command = [sys.executable, "-m", "deploy.demo_cameras", "--cameras", "3"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as cameras:
        cameras.stdin.write("secret\n")
        cameras.stdin.flush()
        port = int(cameras.stdout.readline().split()[1])
        shown = "stream=codec_name,width,height,sample_rate,r_frame_rate"
        asked = [ffprobe, "-v", "error", "-rtsp_transport", "tcp", "-show_entries", shown, "-of", "compact"]
        url = f"rtsp://demo:secret@127.0.0.1:{port}/{camera}"
        told = subprocess.run([*asked, url], capture_output=True, text=True, timeout=60, check=False)
        cameras.stdin.close()
        assert cameras.wait(10) == 0
    assert told.stdout.split() == EXPECTED[camera], told.stderr
