"""The third-party camera server of the tests: starts rtsp_cameras.py and speaks to its control port."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.processes import Program, require

_SCRIPT = Path(__file__).with_name("rtsp_cameras.py")
_PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer, Gst; Gst.init(None)"
_INSTALL = (
    "no python3 on PATH can import GStreamer's RTSP server; install it: apt-get install gir1.2-gst-rtsp-server-1.0 "
    "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad python3-gi"
)


@cache
def _system_python() -> str | None:
    """The first python3 on PATH that has GStreamer's RTSP server; a virtual environment has none."""
    for folder in os.get_exec_path():
        python = Path(folder) / "python3"
        if python.exists() and subprocess.run([python, "-c", _PROBE], capture_output=True, timeout=60).returncode == 0:
            return str(python)
    return None


class RtspServer:
    """Cameras by name, each a clip looped for ever; `name+` shares one running pipeline (load tests).

    A path is `<name>/<anything>`; each anything is a camera of its own to `drop` and `freeze`. `auth` is (user, password), asked for by
    Digest. Used as a context manager; `kill` and `start` play a server that dies and comes back on another port.
    """

    def __init__(self, cameras: Mapping[str, Path], *, auth: tuple[str, str] | None = None) -> None:
        python = require(_system_python(), _INSTALL)
        login = ["--auth", ":".join(auth)] if auth else []
        self._command = [python, str(_SCRIPT), *login, *(f"{name}={path}" for name, path in cameras.items())]
        self._login = f"{auth[0]}:{auth[1]}@" if auth else ""
        self._program: Program | None = None
        self.port = 0
        self._control_port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._program.stop()

    def start(self) -> None:
        """Starts the server and waits until it serves; raises RuntimeError with its log if it does not."""
        self._program = Program(self._command)
        _, port, control = self._program.wait_for_line("ready").split()
        self.port, self._control_port = int(port), int(control)

    def kill(self) -> None:
        """The server is lost at once."""
        self._program.kill()

    @property
    def pid(self) -> int:
        """Its process id, for measuring its CPU."""
        return self._program.pid

    def url(self, path: str, *, login: bool = True) -> str:
        """`rtsp://127.0.0.1:port/path`, with user and password unless `login` is False."""
        return f"rtsp://{self._login if login else ''}127.0.0.1:{self.port}/{path}"

    def drop(self, path: str) -> None:
        """Outage: readers of the path are closed, new ones get 404 until `restore`."""
        self._control("drop", path)

    def restore(self, path: str) -> None:
        """Ends an outage."""
        self._control("restore", path)

    def freeze(self, path: str) -> None:
        """The camera hangs: connection and RTCP live on, media stops."""
        self._control("freeze", path)

    def thaw(self, path: str) -> None:
        """The camera goes on, at the present time."""
        self._control("thaw", path)

    def _control(self, word: str, path: str) -> None:
        with socket.create_connection(("127.0.0.1", self._control_port), timeout=15) as line:
            line.sendall(f"{word} /{path}\n".encode())
            answer = line.makefile().readline().strip()
        if answer != "ok":
            raise RuntimeError(f"{word} {path}: {answer}")
