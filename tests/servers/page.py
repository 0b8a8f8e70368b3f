"""The real application with the built page on a loopback port, served by uvicorn in a thread of its own."""

from __future__ import annotations

import asyncio
import functools
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
    """The folder of the page as its sources are now; what is older is built anew by `make console`, once a process."""
    built = CONSOLE / "dist" / "index.html"
    sources = [*CONSOLE.glob("src/**/*"), *CONSOLE.glob("*.ts"), *CONSOLE.glob("*.json"), CONSOLE / "index.html"]
    if not built.exists() or built.stat().st_mtime < max(path.stat().st_mtime for path in sources):
        subprocess.run(["make", "console"], cwd=CONSOLE.parents[1], check=True, capture_output=True)
    return built.parent
