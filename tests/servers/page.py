"""The real application with the built page on a loopback port, served by uvicorn in a thread of its own."""

from __future__ import annotations

import asyncio
import functools
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Self

import uvicorn

from playback.app import Services, create_app

CONSOLE = Path(__file__).parents[2] / "playback" / "console"
START_S = 20


class PageServer:
    """Serves an application until its block ends; `url` is the page's address."""

    def __init__(self, services: Services) -> None:
        config = uvicorn.Config(create_app(services), log_level="warning", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=START_S)
        self._socket.close()

    def _serve(self) -> None:
        asyncio.run(self._server.serve([self._socket]))


@functools.cache
def built_console() -> Path:
    """The folder of the page as its sources are now; builds it, once a process. Raises FileNotFoundError without npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("the page is built by npm, which comes with Node 20.19 or newer: install it, or run `make setup`")
    if not (CONSOLE / "node_modules" / "vite").is_dir():
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=CONSOLE, check=True, capture_output=True)
    subprocess.run([npm, "run", "build"], cwd=CONSOLE, check=True, capture_output=True)
    return CONSOLE / "dist"
