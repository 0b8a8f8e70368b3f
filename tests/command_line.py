"""The command `keepsight` on a configuration of its own, in the process of the tests."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from click.testing import Result
from typer import testing

from deploy.cli import app
from deploy.settings import load_settings
from deploy.wiring import camera_sealer, open_stores
from segments.clock import from_datetime
from tests.footage import Take, recorded
from tests.media import Clips
from tests.servers.processes import free_port

testing._get_command = cache(testing._get_command)  # the tree of our commands is built once, and not for each call
PASSWORD = "hunter2"
URL = f"rtsp://admin:{PASSWORD}@192.0.2.10:554/1"


class Keepsight:
    """The command on a configuration of its own, in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "keepsight.toml"
        self.api_port = free_port()
        self.configure()

    def configure(self, text: str = "") -> None:
        self.config.write_text(
            f"[api]\nport = {self.api_port}\n[internal]\nport = {free_port()}\n[spool]\nmin_free_bytes = 0\n"
            f"[cameras]\nallow_loopback = true\n{text}"
        )

    def __call__(self, *words: str, text: str | None = None, code: int = 0) -> Result:
        """Runs it; fails unless it ends with this code, and unless an error is a sentence of ours without a secret."""
        result = testing.CliRunner().invoke(app, [*words, "--config", str(self.config)], input=text)
        assert result.exit_code == code, (result.exit_code, result.output, result.exception)
        assert "Traceback" not in result.output + result.stderr
        assert PASSWORD not in result.output + result.stderr
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def json(self, *words: str, code: int = 0, text: str | None = None) -> Any:
        return json.loads(self(*words, "--json", code=code, text=text).stdout)

    def refused(self, *words: str, code: int, text: str | None = None) -> str:
        """The sentence on stderr; stdout is empty."""
        result = self(*words, code=code, text=text)
        assert result.stdout == ""
        assert result.stderr.startswith("keepsight: ")
        return result.stderr

    def cameras(self) -> list[str]:
        return [camera["id"] for camera in self.json("camera", "list")]

    def credential(self, camera: str) -> str | None:
        """The password as the index keeps it, opened."""

        async def read() -> str | None:
            settings = load_settings(self.config, {})
            async with open_stores(settings) as stores:
                sealed = await stores.index.credential(camera)
                return None if sealed is None else camera_sealer(settings).open(camera, sealed).password

        return asyncio.run(read())

    def fill(self, clips: Clips, start: datetime) -> None:
        """Four seconds of footage of `gate`."""

        async def write() -> None:
            async with open_stores(load_settings(self.config, {})) as stores:
                await recorded(stores.index, stores.pools["main"], clips.get(), Take(start_us=from_datetime(start), segment_s=2))

        asyncio.run(write())


@contextmanager
def answering(port: int, status: int, body: bytes) -> Iterator[list[str]]:
    """Something that answers everything so; gives the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Authorization', '')}".strip())
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
