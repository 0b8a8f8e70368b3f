"""A site for measurements of playback: a real API process over SQLite with a month of rows, and SeaweedFS with the bytes they name.

The rows of a month share few objects, so that a disk holds them: what is read is of the size and at the places of real footage.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploy.settings import load_settings
from deploy.wiring import open_stores
from segments.clock import US_PER_DAY, US_PER_S, SystemClock, iso
from segments.media import TIMESCALE
from segments.model import Fragment, Row, Run
from segments.stores.s3_objects import S3Objects
from tests.builders import CODECS, INIT, a_camera
from tests.contract.object_contract import sha256
from tests.servers.processes import Program, free_port
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY
from tests.servers.seaweedfs import SeaweedFs

CAMERA, RUN = "gate", "home-a-1-1"
DAYS = 30
SEGMENT_US = 60 * US_PER_S
FRAGMENTS = 30
FRAGMENT_BYTES = 512 << 10
"""2 s of 2 Mbit/s."""
TOKEN = "canary-token-of-the-played-site-0123456789"
OTHER = "door"
"""Another camera, with the same footage, where there are fewer days than `DAYS`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP server answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class Line:
    """One kept connection: the quickest client there is here, for both sides of a comparison."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def get(self, path: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
        """One request, its answer read to the last byte."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body, named)
        answer = self._connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


_UNLIMITED = ("requests_per_s", "streams", "bytes_per_s", "export_hours_per_day", "timeline_days_per_minute")
"""What one consumer may ask for is not what is measured."""


class PlayedSite:
    """The site; a context manager. `cameras` have the same footage, `objects` different segments of it."""

    def __init__(self, folder: Path, *, days: int = DAYS, objects: int = 16, name: str = "home", **playback: object) -> None:
        self._folder = folder
        self._days, self._objects, self._name, self._playback = days, objects, name, playback
        self.port = free_port()
        self.bucket = ""
        self.keys: list[str] = []
        """Of the objects."""
        self.start_us = SystemClock().now_us() // US_PER_DAY * US_PER_DAY - days * US_PER_DAY
        self._program: Program | None = None
        (folder / "s3").mkdir(parents=True)
        self.pool = SeaweedFs(folder / "s3")

    def __enter__(self) -> Self:
        self.pool.__enter__()
        self.bucket = self.pool.make_bucket()
        self._write_config()
        asyncio.run(self._fill())
        self.start()
        return self

    def start(self, before: str = "") -> None:
        """Starts the API (again); `before` are statements that its process runs first."""
        if self._program is not None:
            self._program.kill()
        program = f"{before}\nimport sys\nfrom deploy.api_process import main\nsys.exit(main(sys.argv[1:]))"
        self._program = Program([sys.executable, "-c", program, str(self.config)])
        self._program.wait_for(self._answers, limit_s=30)

    def __exit__(self, *_: object) -> None:
        if self._program is not None:
            self._program.kill()
        self.pool.__exit__(None, None, None)

    def line(self) -> Line:
        """A connection to the API."""
        return Line(self.port)

    def pool_line(self) -> Line:
        """A connection to the pool."""
        return Line(self.pool.port)

    def moment_us(self, dice: random.Random, window_us: int) -> int:
        """A moment from which on there is so much footage."""
        return self.start_us + dice.randrange(self._days * US_PER_DAY - window_us)

    def _answers(self) -> bool:
        try:
            return self.line().get("/api/v1/health").status == 200
        except OSError:
            return False

    def _write_config(self) -> None:
        for name, text in (("token", TOKEN), ("secret", SECRET_KEY)):
            (self._folder / name).write_text(text)
            (self._folder / name).chmod(0o600)
        values = "\n".join(f"{name} = {json.dumps(value)}" for name, value in self._playback.items())
        self.config = self._folder / "keepsight.toml"
        self.config.write_text(
            f'[site]\nname = "{self._name}"\nfolder = "data"\n[api]\nport = {self.port}\ntoken_file = "token"\n'
            f"[internal]\nport = {free_port()}\n[playback]\n{values}\n"
            "[limits.consumer]\n" + "".join(f"{name} = 0\n" for name in _UNLIMITED) + ""
            f'[pools.main]\nkind = "s3"\nendpoint = "http://127.0.0.1:{self.pool.port}"\nbucket = "{self.bucket}"\n'
            f'access_key_id = "{ACCESS_KEY}"\nsecret_file = "secret"\n'
        )

    async def _fill(self) -> None:
        made = [await self._put(number) for number in range(self._objects)]
        self.keys = [key for key, _, _ in made]
        async with open_stores(load_settings(self.config, {})) as stores:
            for camera in (CAMERA, OTHER) if self._days < DAYS else (CAMERA,):
                await stores.index.add_camera(a_camera(camera, added_us=self.start_us))
                last_us = self.start_us + self._days * US_PER_DAY
                await stores.index.put_run(
                    Run(camera, RUN, self.start_us, last_us, INIT.ljust(1_500, b"\0"), CODECS, 1920, 1080, ended=True)
                )
                for day in range(self._days):
                    await stores.index.publish_many([self._row(camera, day * 1440 + n, made) for n in range(1440)])

    async def _put(self, number: int) -> tuple[str, str, int]:
        data = random.Random(number).randbytes(len(INIT) + FRAGMENTS * FRAGMENT_BYTES)
        store, key = S3Objects(self.pool.settings(self.bucket)), f"{CAMERA}/2026-01-01/{RUN}/00/{number:02d}-00.000000Z.{number}.mp4"
        try:
            await store.put(key, data, sha256=sha256(data), attributes={})
        finally:
            store.close()
        return key, sha256(data), len(data)

    def _row(self, camera: str, number: int, made: list[tuple[str, str, int]]) -> Row:
        start_us, first_pts = self.start_us + number * SEGMENT_US, (10 + 60 * number) * TIMESCALE
        key, digest, size = made[number % len(made)]
        fragments = tuple(
            Fragment(len(INIT) + n * FRAGMENT_BYTES, FRAGMENT_BYTES, FRAGMENT_BYTES // 4, first_pts + 2 * n * TIMESCALE, 2 * TIMESCALE)
            for n in range(FRAGMENTS)
        )
        return Row(camera, start_us, RUN, number, start_us + SEGMENT_US, size, "main", key, "", digest, CODECS, fragments)


def span_query(start_us: int, length_us: int) -> str:
    """`from` and `to` of a span."""
    return f"from={iso(start_us)}&to={iso(start_us + length_us)}"


def timed(work: object) -> tuple[float, object]:
    """How long something took, and what it gave."""
    began_s = time.perf_counter()
    done = work()  # type: ignore[operator]
    return time.perf_counter() - began_s, done
