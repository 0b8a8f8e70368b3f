"""Recording under load: the third-party cameras, one recorder process alone, its peer, and how the cost of both is measured.

Both sides read the same shared camera over TCP and write to the same disk. What either has finished is removed as it comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.process_cost import Usage, pss_bytes, usage
from bench.stand_in import StandIn
from deploy.programs import command_for
from deploy.recorder_orders import RecorderOrders
from tests.media import LOAD, Clips
from tests.servers.rtsp import RtspServer

CLIP = replace(LOAD, seconds=10)
SEGMENT_S = 60
STOP_LIMIT_S = 20.0
ARRIVED = 0.85
"""The least share of the cameras' bytes that must have been written for a measurement to count; a window cuts groups of pictures off."""

_START_EVERY_S = 0.04
_FRAGMENTED = "movflags=frag_keyframe+empty_moov"


@dataclass(frozen=True, slots=True)
class Window:
    """How long is waited, and then measured, once all cameras are being recorded."""

    settle_s: float
    measure_s: float


@dataclass(frozen=True, slots=True)
class Cameras:
    """The cameras: one clip for all, each at an address of its own."""

    server: RtspServer
    bits_per_s: float

    def urls(self, count: int) -> list[str]:
        """So many addresses."""
        return [self.server.url(f"load/{n}") for n in range(count)]


@dataclass(frozen=True, slots=True)
class Cost:
    """What recording so many cameras took over a window; `pss_bytes` is the highest of samples taken each second."""

    cameras: int
    seconds: float
    used: Usage
    pss_bytes: int

    @property
    def mcore(self) -> float:
        """Thousandths of a core a camera."""
        return 1000 * self.used.cpu_s / self.seconds / self.cameras

    @property
    def bits_per_s(self) -> float:
        """Bits written a second and camera."""
        return 8 * self.used.written_bytes / self.seconds / self.cameras

    def __str__(self) -> str:
        user, system = (1000 * cpu_s / self.seconds / self.cameras for cpu_s in self.used[:2])
        return (
            f"{self.cameras:3} cameras: {self.mcore:.2f} mcore a camera ({user:.2f} user, {system:.2f} system), "
            f"{self.bits_per_s / 1e6:.2f} Mbit/s a camera written, {self.pss_bytes / 2**20:.0f} MiB"
        )


class NotArrived(RuntimeError):
    """A side did not write what the cameras sent, so that its cost means nothing."""


@contextmanager
def load_cameras() -> Iterator[Cameras]:
    """Starts the camera server, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Clips(Path(folder)).get(clip=CLIP)
        with RtspServer({"load+": clip}) as server:
            yield Cameras(server, 8 * clip.stat().st_size / CLIP.seconds)


async def recorder_cost(cameras: Cameras, count: int, window: Window) -> Cost:
    """Records with one recorder process of ours, to durable; raises NotArrived."""
    with tempfile.TemporaryDirectory() as folder:
        spool = Path(folder) / "spool"
        spool.mkdir(mode=0o700)
        async with recorder(Path(folder), cameras.urls(count)) as (process, stand_in):
            await stand_in.all_recording()
            await watched([process.pid], window.settle_s, lambda: None)
            before = stand_in.durable_bytes
            cost = await measured([process.pid], count, window.measure_s, lambda: None)
            durable = replace(cost, used=cost.used._replace(written_bytes=stand_in.durable_bytes - before))
    must_have_arrived("the recorder", min(cost, durable, key=lambda each: each.bits_per_s), cameras.bits_per_s)
    return cost


async def peer_cost(cameras: Cameras, count: int, window: Window) -> Cost:
    """Records with ffmpeg, one process a camera, to its own files without syncing; raises NotArrived."""
    with tempfile.TemporaryDirectory() as folder:
        async with _peers(Path(folder), cameras.urls(count)) as pids:
            tidy = lambda: _remove_finished(Path(folder))  # noqa: E731
            await watched(pids, window.settle_s, tidy)
            cost = await measured(pids, count, window.measure_s, tidy)
    must_have_arrived("ffmpeg", cost, cameras.bits_per_s)
    return cost


@asynccontextmanager
async def recorder(
    folder: Path, urls: Sequence[str], program: Sequence[str] = ()
) -> AsyncIterator[tuple[asyncio.subprocess.Process, StandIn]]:
    """One recorder process and what stands in for its uploader; `program` takes the place of the command's first three words."""
    socket = folder / "socket"
    orders = RecorderOrders(
        name="bench-recorder-0",
        socket=str(socket),
        spool=str(folder / "spool"),
        max_bytes=1 << 40,
        min_free_bytes=1 << 30,
        segment_s=SEGMENT_S,
        silence_s=10.0,
        networks=(),
        allow_loopback=True,
    )
    command = command_for("recorder", orders)
    async with StandIn(socket, folder / "spool", urls) as stand_in:
        process = await asyncio.create_subprocess_exec(*(program or command[:3]), *command[3:], stdin=asyncio.subprocess.DEVNULL)
        try:
            yield process, stand_in
        finally:
            await _stop([process])


@asynccontextmanager
async def _peers(folder: Path, urls: Sequence[str]) -> AsyncIterator[list[int]]:
    """An ffmpeg for each camera."""
    processes = []
    try:
        for n, url in enumerate(urls):
            place = folder / str(n)
            place.mkdir()
            processes.append(await asyncio.create_subprocess_exec(*_peer_command(url, place), stdin=asyncio.subprocess.DEVNULL))
            await asyncio.sleep(_START_EVERY_S)
        yield [process.pid for process in processes]
    finally:
        await _stop(processes)


def _peer_command(url: str, place: Path) -> list[str]:
    read = ["ffmpeg", "-nostdin", "-loglevel", "fatal", "-rtsp_transport", "tcp", "-i", url]
    write = ["-c", "copy", "-f", "segment", "-segment_time", str(SEGMENT_S), "-segment_format", "mp4"]
    return [*read, *write, "-segment_format_options", _FRAGMENTED, str(place / "%05d.mp4")]


def _remove_finished(folder: Path) -> None:
    """All but the newest file of each camera."""
    for place in folder.iterdir():
        for file in sorted(place.iterdir())[:-1]:
            file.unlink()


async def _stop(processes: Sequence[asyncio.subprocess.Process]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    for process in processes:
        try:
            await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def measured(pids: Sequence[int], count: int, seconds: float, tidy: Callable[[], None]) -> Cost:
    """What these processes take together over so many seconds."""
    before, start = usage(pids), time.monotonic()
    highest = await watched(pids, seconds, tidy)
    used, taken_s = usage(pids).since(before), time.monotonic() - start
    return Cost(count, taken_s, used, highest)


async def watched(pids: Sequence[int], seconds: float, tidy: Callable[[], None]) -> int:
    """Lets time pass; the highest memory of all processes together, in bytes."""
    end = time.monotonic() + seconds
    highest = 0
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(1.0, left))
        highest = max(highest, pss_bytes(pids))
        tidy()
    return highest


def must_have_arrived(side: str, cost: Cost, sent_bits_per_s: float) -> None:
    """Raises NotArrived if a side wrote less than what each camera sent, but for what the window's ends cut off."""
    if cost.bits_per_s < ARRIVED * sent_bits_per_s:
        raise NotArrived(
            f"{side} kept {cost.bits_per_s / 1e6:.2f} of {sent_bits_per_s / 1e6:.2f} Mbit/s of {cost.cameras} cameras; "
            "the measurement does not count: run it on a machine with less other work"
        )
