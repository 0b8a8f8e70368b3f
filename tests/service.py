"""The real service for tests: `keepsight serve` with all its processes in a folder of its own, on ports found at run time.

async with Service(tmp_path, {"gate": server.url("h264/gate")}) as service:
    await service.wait_for(lambda: service.is_recording("gate"))
    service.kill("recorder-0")
    timeline = await service.api("/cameras/gate/timeline?from=...&to=...")
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import inspect
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx2

from segments.clock import iso
from tests.servers.processes import Program, free_port

LIMIT_S = 30.0
START_LIMIT_S = 60.0
STOP_S = 45.0


class Service:
    """One service.

    `cameras`: a URL, or values of the camera archive, by id. `settings`: sections of the configuration, laid over the tests' own.
    `keepsight`: another program in the place of the command.
    """

    def __init__(
        self,
        folder: Path,
        cameras: Mapping[str, str | Mapping[str, str]] | None = None,
        *,
        keepsight: Sequence[str] | None = None,
        **settings: Mapping[str, Any],
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.spool = self.data / "spool"
        self.pool = self.data / "pools" / "main"
        self.config = folder / "keepsight.toml"
        self.token = ""
        """The bearer token of the API, where one is set."""
        self._cameras = cameras or {}
        self._settings = settings
        self._keepsight = list(keepsight or KEEPSIGHT)
        self._program: Program | None = None
        self._client: httpx2.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_config()
        await asyncio.to_thread(self.add, self._cameras)
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        if self._client is not None:
            await self._client.aclose()

    # --- life ---

    async def start(self) -> None:
        """Starts it (again) on what its folder holds, and waits until the API answers; raises RuntimeError with its log if it does not."""
        if self._program is not None:
            self._program.kill()
        self._program = Program([*self._keepsight, "serve", "--config", str(self.config)])
        await self.wait_for(self._answers, START_LIMIT_S)

    async def stop(self) -> int:
        """Ends it in order (SIGTERM), by force after a time; returns its exit code."""
        assert self._program is not None
        left = list(self.pids().values()) if self._program.returncode is None else []
        if self._program.returncode is None:
            os.kill(self._program.pid, signal.SIGTERM)
        end_s = time.monotonic() + STOP_S
        while self._program.returncode is None and time.monotonic() < end_s:  # noqa: ASYNC110 - a process tells no event
            await asyncio.sleep(0.05)
        code = self._program.returncode
        self._program.kill()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return -signal.SIGKILL if code is None else code

    def pids(self) -> dict[str, int]:
        """The processes that run now, by the names `uploader`, `recorder-0`..., `api`."""
        assert self._program is not None
        found = {}
        for child in _children(self._program.pid):
            with contextlib.suppress(OSError, ValueError):
                words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
                module, argument = words[words.index("-m") + 1 :][:2]
                found[_program_name(module, argument)] = child
        return found

    def pid(self, name: str) -> int:
        """The process of this name; `serve` is the parent of all."""
        assert self._program is not None
        return self._program.pid if name == "serve" else self.pids()[name]

    def kill(self, *names: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Sends a signal, at one moment, to processes that run."""
        assert self._program is not None
        present = {**self.pids(), "serve": self._program.pid}
        for name in names:
            if name in present:
                os.kill(present[name], number)

    async def gone(self, pids: Iterable[int], limit_s: float = LIMIT_S) -> None:
        """Waits until these processes have ended; raises TimeoutError."""
        async with asyncio.timeout(limit_s):
            while any(Path(f"/proc/{pid}").exists() for pid in pids):  # noqa: ASYNC110 - a process tells no event
                await asyncio.sleep(0.05)

    @property
    def log(self) -> str:
        """All that its processes have said."""
        assert self._program is not None
        return "\n".join(self._program.log)

    # --- asking ---

    async def api(self, path: str) -> Any:
        """The JSON of a route under /api/v1; raises httpx2.HTTPError for anything but an answer of 200."""
        answer = await self.get(path)
        answer.raise_for_status()
        return answer.json()

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        """The answer of a route under /api/v1, whatever it is; with `token` if one is set and no other `headers` are given."""
        if options.get("headers") is None:
            options["headers"] = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return await self._http().get(f"http://127.0.0.1:{self.api_port}/api/v1{path}", **options)

    async def live(self, camera: str) -> list[dict[str, Any]]:
        """What the uploader says of the camera's spool: acknowledged fragments only."""
        return (await self._local(f"/live/{camera}")).json()

    async def live_bytes(self, row: Mapping[str, Any], start: int, end: int) -> bytes:
        """Acknowledged bytes of a segment of `live`."""
        place = f"/live/{row['camera']}/{row['start_us']}/{row['run']}/{row['counter']}"
        return (await self._local(f"{place}?start={start}&end={end}")).content

    async def timeline(self, camera: str, start_us: int, end_us: int) -> list[dict[str, Any]]:
        """Exact spans."""
        return (await self.api(f"/cameras/{camera}/timeline?from={moment(start_us)}&to={moment(end_us)}"))["spans"]

    async def state(self, camera: str) -> tuple[str, str | None]:
        """What a camera does now, and the cause."""
        state = (await self.api(f"/cameras/{camera}"))["state"]
        return state["state"], state["cause"]

    async def is_recording(self, *cameras: str) -> bool:
        """Whether all these cameras are recorded now."""
        return all([(await self.state(camera))[0] == "recording" for camera in cameras])

    def waiting(self) -> list[str]:
        """What waits in the spool, by its paths: segments not indexed, ended runs not closed. Its folders may go meanwhile."""
        return [str(Path(folder, name)) for folder, _, names in os.walk(self.spool) for name in names if name != ".lock"]

    async def wait_for(self, condition: Callable[[], Any], limit_s: float = LIMIT_S) -> float:
        """Asks until the condition (plain, or awaited) holds; returns the seconds it took. Raises RuntimeError with the log's end."""
        started_s = time.monotonic()
        while time.monotonic() - started_s < limit_s:
            again_s = 0.05
            try:
                answer = condition()
                if await answer if inspect.isawaitable(answer) else answer:
                    return time.monotonic() - started_s
            except httpx2.HTTPStatusError as refused:  # who is told to wait and asks on is limited for ever
                again_s = float(refused.response.headers.get("Retry-After", again_s))
            except (httpx2.HTTPError, KeyError):
                pass
            assert self._program is not None
            if self._program.returncode is not None:
                break
            await asyncio.sleep(again_s)
        raise RuntimeError(f"not so within {limit_s:g} s; the log ends:\n" + "\n".join(self.log.splitlines()[-30:]))

    # --- command line ---

    def keepsight(self, *arguments: str, text: str | None = None, config: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command of `keepsight` on this service's configuration."""
        command = [*KEEPSIGHT, *arguments, "--config", str(config or self.config)]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=180, check=False)

    def add(self, cameras: Mapping[str, str | Mapping[str, str]]) -> None:
        """Puts cameras into the archive, by `camera import`; raises AssertionError with its words if it refuses."""
        if not cameras:
            return
        lines = [{"id": id_, **({"url": values} if isinstance(values, str) else values)} for id_, values in cameras.items()]
        names = list(dict.fromkeys(name for line in lines for name in line))
        text = io.StringIO()
        table = csv.DictWriter(text, names, restval="")
        table.writeheader()
        table.writerows(lines)
        done = self.keepsight("camera", "import", "-", text=text.getvalue())
        assert done.returncode == 0, done.stdout + done.stderr

    # --- parts ---

    def _write_config(self) -> None:
        if self.config.exists():
            return
        self.api_port, self.internal_port = free_port(), free_port()
        sections: dict[str, dict[str, Any]] = {
            "site": {"name": "home", "folder": "data"},
            "spool": {"min_free_bytes": 1 << 20},
            "api": {"port": self.api_port},
            "internal": {"port": self.internal_port},
            "fleet": {"lease_s": 5},
            "recording": {"segment_s": 5, "silence_s": 3},
            "cameras": {"allow_loopback": True, "networks": []},
        }
        for name, values in self._settings.items():
            sections[name] = {**sections.get(name, {}), **values}
        if sections["api"].get("token_file") is None:
            sections.setdefault("access", {"open": True})
        self.config.write_text(_toml(sections))

    async def _answers(self) -> bool:
        return (await self.get("/health")).status_code == 200 and "recorder-0" in self.pids()

    async def _local(self, path: str) -> httpx2.Response:
        key = (self.data / "keys" / "internal.key").read_text().strip()
        headers = {"Authorization": f"Bearer {key}"}
        answer = await self._http().get(f"http://127.0.0.1:{self.internal_port}{path}", headers=headers)
        answer.raise_for_status()
        return answer

    def _http(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=10, trust_env=False)
        return self._client


KEEPSIGHT = [sys.executable, "-c", "from deploy.cli import main; main()"]


def _program_name(module: str, argument: str) -> str:
    """By the words that start it: `deploy.uploader_process CONFIG`, `deploy.recorder_process ORDERS`, or a test's module and `uploader`."""
    if module == "deploy.recorder_process":
        return str(json.loads(argument)["name"].partition("-")[2])
    return module.removeprefix("deploy.").removesuffix("_process") if module.startswith("deploy.") else argument


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def moment(us: int) -> str:
    """A time as it stands in a query."""
    return quote(iso(us))


def _toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """TOML of sections whose values are JSON's; sections named `pools` and `sites` have sections of their own."""
    lines = []
    for name, values in sections.items():
        nested = name in ("pools", "sites")
        for table, items in [(f"{name}.{part}", items) for part, items in values.items()] if nested else [(name, values)]:
            lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in items.items() if value is not None), ""]
    return "\n".join(lines)
