"""`keepsight demo`: cameras of its own, the whole service over them in a folder that is thrown away, and a look at both."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx2
from rich.console import Console
from rich.table import Table

from deploy.api_process import CONSOLE
from deploy.archive import entry_of
from deploy.demo_cameras.cameras import DemoCamera, demo_cameras
from deploy.demo_cameras.child import CameraPlace, camera_process
from deploy.demo_checks import CameraCheck, Check, check_status
from deploy.fleet.child import run_until_told
from deploy.live_table import Watcher, shown
from deploy.logs import set_up_logs
from deploy.serve import serve
from deploy.settings import ENVIRONMENT_PREFIX, Settings, load_settings
from deploy.wiring import camera_sealer, open_stores
from segments.clock import US_PER_S, SystemClock, day_of
from segments.compare import Level
from segments.errors import BadInput, StartRefused, TryAgain
from segments.model import Span
from segments.stored_segment import Pool
from segments.verify import Sides, camera_days, verify

LEAST_S, MOST_S = 15, 24 * 3600
CHECKED_S = 600
"""The checks look at so much of the end of what was recorded."""

_UP_LIMIT_S = 60
_LOOK_EVERY_S = 1.0
_LOG_LINES = 15
_UNITS_S = {"s": 1, "m": 60, "h": 3600}


def run_demo(for_: str, cameras: int, *, silent: str = "") -> int:
    """Runs the demo until Ctrl-C, or for so long (`60s`, `5m`, `1h`; empty: until Ctrl-C) and then checks what was recorded.

    Returns the exit code: 0; 1 if a check found something; 2 for a duration that cannot be read; 3 if the service will not start.
    `silent` names a camera that connects and sends nothing: the demo must find it.
    """
    console = Console()
    try:
        for_s = duration_s(for_) if for_ else None
    except BadInput as error:
        Console(stderr=True).print(f"keepsight: {error}", style="red", markup=False, highlight=False)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="keepsight-demo-"))
    demo = _Demo(demo_cameras(cameras, silent), for_s, folder, console)
    try:
        with _errors_in(folder / "service.log"):
            code = run_until_told(demo.run) or demo.code
        if code:
            _print_end(console, folder / "service.log")
        return code
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def duration_s(text: str, option: str = "--for") -> int:
    """Seconds of `60s`, `5m` or `1h`, given to an option; raises BadInput."""
    found = re.fullmatch(r"(\d{1,6})([smh])", text.strip())
    if found is None:
        raise BadInput(f"{option} {text!r} is no duration: write it as 60s, 5m or 1h")
    seconds = int(found[1]) * _UNITS_S[found[2]]
    if not LEAST_S <= seconds <= MOST_S:
        raise BadInput(f"{option} {text}: must lie between {LEAST_S}s and 24h")
    return seconds


class _Demo:
    """One run of the demo; `code` is its exit code."""

    def __init__(self, cameras: list[DemoCamera], for_s: int | None, folder: Path, console: Console) -> None:
        self.code = 0
        self._cameras = cameras
        self._for_s = for_s
        self._folder = folder
        self._console = console
        self._clock = SystemClock()
        self._checks: list[Check] = []

    async def run(self) -> None:
        """Runs until the time is over or it is cancelled; ends the service before the cameras."""
        async with camera_process(self._cameras) as place:
            config = self._folder / "keepsight.toml"
            config.write_text(_configuration(self._folder))
            settings = load_settings(config, {})
            await self._add_cameras(settings, place)
            service = asyncio.create_task(serve(settings, config))
            try:
                await _beside(service, self._watch(settings))
            finally:
                self._console.print("ending the service", style="dim")
                service.cancel()
                await asyncio.gather(service, return_exceptions=True)
            self._checks.append(await self._verify(settings))
            self._report()

    async def _add_cameras(self, settings: Settings, place: CameraPlace) -> None:
        sealer = camera_sealer(settings)
        async with open_stores(settings) as stores:
            for camera in self._cameras:
                values = {"id": camera.id, "name": camera.name, "area": camera.area, "url": place.url(camera), "trust_clock": "true"}
                entry = entry_of(values, now_us=self._clock.now_us())
                assert entry.credential is not None
                await stores.index.put_credential(camera.id, sealer.seal(camera.id, entry.credential))
                await stores.index.add_camera(entry.camera)

    async def _watch(self, settings: Settings) -> None:
        page = f"http://127.0.0.1:{settings.api.port}/"
        async with httpx2.AsyncClient(base_url=f"{page}api/v1/", timeout=30, trust_env=False) as client:
            await _until_up(client)
            up_us = self._clock.now_us()
            self._greet(page)
            await self._show(Watcher(client, up_us), page)
            await self._check(client, up_us)

    def _greet(self, page: str) -> None:
        say = self._console.print
        say(f"{len(self._cameras)} cameras are being recorded; watch them at {page}", style="bold", highlight=False)
        if not (CONSOLE / "index.html").exists():
            say("the page is not built here (make console builds it); the API answers at the same address", highlight=False)
        end = "Ctrl-C ends it" if self._for_s is None else f"it ends by itself after {self._for_s} s"
        say(f"everything lies in {self._folder}, which is removed at the end; {end}", style="dim", highlight=False, soft_wrap=True)

    async def _show(self, watcher: Watcher, page: str) -> None:
        until_ns = None if self._for_s is None else self._clock.monotonic_ns() + self._for_s * 10**9
        with shown(self._console, page) as show:
            while until_ns is None or self._clock.monotonic_ns() < until_ns:
                with suppress(TryAgain):  # what ended is started again; the next look will tell
                    show(await watcher.look(self._clock.now_us()))
                await self._clock.sleep(_LOOK_EVERY_S)

    async def _check(self, client: httpx2.AsyncClient, up_us: int) -> None:
        end_us = self._clock.now_us()
        span = Span(max(up_us, end_us - CHECKED_S * US_PER_S), end_us)
        self._console.print("checking what was recorded", highlight=False)
        found = await asyncio.gather(*(CameraCheck(client, camera, span).all() for camera in self._cameras))
        self._checks += [check for checks in found for check in checks]
        self._checks.append(await check_status(client))

    async def _verify(self, settings: Settings) -> Check:
        """After the orderly end: index and pool must name the same objects, of the same size."""
        today = day_of(self._clock.now_us())
        async with open_stores(settings) as stores:
            sides = Sides(Pool(settings.default_pool, stores.pools[settings.default_pool]), stores.index, self._clock)
            first = day_of(self._clock.now_us() - MOST_S * US_PER_S)
            report = await verify(sides, camera_days(sides, first, today), Level.SIZE)
        if report.findings:
            return Check("all", "verify", fine=False, said="; ".join(f"{one.kind}: {one.key} {one.detail}" for one in report.findings[:5]))
        return Check("all", "verify", fine=report.rows > 0, said=f"{report.rows} segments in index and pool")

    def _report(self) -> None:
        bad = [check for check in self._checks if not check.fine]
        table = Table("camera", "check", "", "what was found")
        for camera, what, fine, said in self._checks:
            table.add_row(camera, what, "[green]ok[/]" if fine else "[red]WRONG[/]", said)
        self._console.print(table)
        for check in bad:
            line = f"{check.camera}: {check.what}: {check.said}"
            self._console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
        end = f"{len(bad)} of {len(self._checks)} checks failed" if bad else "all is there and plays"
        self._console.print(end, style="bold", highlight=False)
        self.code = 1 if bad else 0


# --- parts ---


async def _beside(service: asyncio.Task[None], work: Awaitable[None]) -> None:
    """Does work while the service runs; raises what ended the service if that comes first."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({service, task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if service.done():
        await service
        raise TryAgain("the service ended by itself")
    task.result()


async def _until_up(client: httpx2.AsyncClient) -> None:
    """Waits until the API answers; raises StartRefused if it does not in time."""
    try:
        async with asyncio.timeout(_UP_LIMIT_S):
            while True:
                try:
                    if (await client.get("health")).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise StartRefused(f"the service did not answer within {_UP_LIMIT_S} s") from None


def _configuration(folder: Path) -> str:
    """The service's configuration: all in this folder, on free ports of loopback, with cameras on loopback allowed."""
    api, internal = _free_ports(2)
    return f"""\
[site]
name = "demo"
folder = {json.dumps(str(folder))}
[spool]
max_bytes = {512 << 20}
min_free_bytes = {64 << 20}
[api]
port = {api}
[access]
open = true
[internal]
port = {internal}
[recording]
segment_s = 10
silence_s = 5
[cameras]
allow_loopback = true
"""


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def _errors_in(log: Path) -> Iterator[None]:
    """What this process and its children write to stderr goes to a file, so that it does not cut the table up.

    Settings of the environment are those of the user's service, and left out here.
    """
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        del os.environ[name]
    kept = os.dup(2)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        set_up_logs("demo")
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _print_end(console: Console, log: Path) -> None:
    lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    console.print("the end of what the service wrote:", style="dim")
    for line in lines:
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True, style="dim")
