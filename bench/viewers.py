"""What a hundred viewers cost: CPU of the API process for each, and how long one more waits for its first picture meanwhile.

A camera of 1080p25 at 2 Mbit/s with sound lies in a folder, or with `--s3` in an S3 server. The viewers are a program of their own: each
plays from a place of its own, a fragment of 2 s each 2 s, from ten addresses. One more viewer opens the footage at random places: the two
playlists, init, first fragment. It is timed alone, then while the others play; so is the CPU of the API. No promise hangs on it: figures
are printed as one line of JSON, like those of promises.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, urljoin

import httpx2

from bench.promise import commit, machine
from bench.promise_s6 import footage, keep
from segments.clock import US_PER_S, SystemClock, iso
from segments.stores.file_objects import FileObjects
from segments.stores.s3_objects import S3Objects
from tests.builders import NOON_US
from tests.m3u8 import read_playlist
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY
from tests.servers.seaweedfs import SeaweedFs
from tests.service import Service

MINUTES = 15
ADDRESSES = 10
FRAGMENT_S = 2.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_SEED = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """A fragment as a playlist names it."""

    path: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Played:
    """What the viewers got: fragments, bytes, and how many came later than they were needed."""

    fragments: int
    bytes: int
    late: int
    failed: int


def span(start_s: float, end_s: float) -> str:
    """The query of a span of the footage."""
    start, end = (quote(iso(NOON_US + round(s * US_PER_S))) for s in (start_s, end_s))
    return f"from={start}&to={end}"


async def entries_of(service: Service) -> list[Entry]:
    """All fragments, as a player finds them."""
    answer = await service.get(f"/cameras/gate/hls/media.m3u8?{span(0, MINUTES * 60)}")
    answer.raise_for_status()
    base = "/api/v1/cameras/gate/hls/"
    return [Entry(urljoin(base, one.uri), one.offset, one.offset + one.length) for one in read_playlist(answer.text).entries]


# --- the viewers, a program of their own -----------------------------------------------------------------------------


async def play(port: int, viewers: int, seconds: float, entries: Sequence[Entry]) -> Played:
    """So many viewers play for so long."""
    dice, end_s = random.Random(_SEED), time.monotonic() + seconds
    done = await asyncio.gather(
        *(
            _viewer(port, f"127.0.1.{1 + n % ADDRESSES}", dice.randrange(len(entries)), dice.random(), end_s, entries)
            for n in range(viewers)
        )
    )
    return Played(*(sum(column) for column in zip(*done, strict=True)))


async def _viewer(port: int, address: str, at: int, phase: float, end_s: float, entries: Sequence[Entry]) -> tuple[int, int, int, int]:
    fragments = received = late = failed = 0
    transport = httpx2.AsyncHTTPTransport(local_address=address)
    async with httpx2.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        due_s = time.monotonic() + phase * FRAGMENT_S
        while due_s < end_s:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            entry = entries[at % len(entries)]
            try:
                answer = await client.get(entry.path, headers={"Range": f"bytes={entry.start}-{entry.end - 1}"})
                good = answer.status_code == 206 and len(answer.content) == entry.end - entry.start
            except httpx2.HTTPError:
                good = False
            due_s += FRAGMENT_S
            at += 1
            fragments, failed = fragments + good, failed + (not good)
            received += entry.end - entry.start if good else 0
            late += time.monotonic() > due_s
    return fragments, received, late, failed


@asynccontextmanager
async def playing(port: int, viewers: int, seconds: float, entries: Sequence[Entry], folder: Path) -> AsyncIterator[asyncio.Task[Played]]:
    """They play meanwhile; the task has what they got."""
    names = folder / "entries.json"
    names.write_text(json.dumps([asdict(entry) for entry in entries]))
    command = [sys.executable, "-m", "bench.viewers", "--play", str(port), str(viewers), str(seconds), str(names)]
    process = await asyncio.create_subprocess_exec(*command, cwd=Path(__file__).parents[1], stdout=asyncio.subprocess.PIPE)
    task = asyncio.create_task(process.communicate())

    async def told() -> Played:
        return Played(**json.loads((await task)[0]))

    result = asyncio.create_task(told())
    try:
        yield result
    finally:
        if process.returncode is None:
            process.kill()
        await asyncio.gather(result, return_exceptions=True)


# --- what is measured ------------------------------------------------------------------------------------------------


def cpu_s(pid: int) -> float:
    """CPU seconds a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


async def first_picture_s(service: Service, at_s: float) -> float:
    """One more viewer opens five minutes of footage at this second: until its first fragment is there whole."""
    began_s = time.perf_counter()
    base = f"http://127.0.0.1:{service.api_port}/api/v1/cameras/gate/hls/"
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as client:
        asked = span(at_s, at_s + 300)
        (await client.get(f"{base}multivariant.m3u8?{asked}")).raise_for_status()
        media = await client.get(f"{base}media.m3u8?{asked}")
        media.raise_for_status()
        first = read_playlist(media.text).entries[0]
        (await client.get(urljoin(base, first.init))).raise_for_status()
        last = first.offset + first.length - 1
        (await client.get(urljoin(base, first.uri), headers={"Range": f"bytes={first.offset}-{last}"})).raise_for_status()
    return time.perf_counter() - began_s


async def opened(service: Service, times: int) -> list[float]:
    """So many first pictures, one after the other, in milliseconds."""
    dice = random.Random(_SEED)
    return [1000 * await first_picture_s(service, dice.uniform(0, MINUTES * 60 - 301)) for _ in range(times)]


async def measure(service: Service, viewers: int, seconds: float, times: int, folder: Path) -> dict[str, object]:
    """All figures of one place."""
    entries = await entries_of(service)
    await opened(service, 3)
    alone = await opened(service, times)
    pid = service.pid("api")
    async with playing(service.api_port, viewers, seconds + 6, entries, folder) as task:
        await asyncio.sleep(4)  # until all have begun
        began_s, before_s = time.monotonic(), cpu_s(pid)
        beside: list[float] = []
        while time.monotonic() < began_s + seconds and len(beside) < times:
            beside += await opened(service, 1)
            await asyncio.sleep(0.3)
        await asyncio.sleep(max(0.0, began_s + seconds - time.monotonic()))
        cpu = (cpu_s(pid) - before_s) / (time.monotonic() - began_s)
        played = await task
    return {
        "viewers": viewers,
        "played": asdict(played),
        "api_cpu_percent": round(100 * cpu, 1),
        "cpu_percent_per_viewer": round(100 * cpu / viewers, 2),
        "first_picture_alone_ms": _three(alone),
        "first_picture_beside_ms": _three(beside),
        "n": [len(alone), len(beside)],
    }


def _three(found: Sequence[float]) -> dict[str, float]:
    ordered = sorted(found)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return {"p50": round(statistics.median(ordered), 1), "p95": round(p95, 1), "worst": round(ordered[-1], 1)}


async def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Stores the footage, and measures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pool = footage(MINUTES, folder)
        how = (arguments.viewers, arguments.seconds, arguments.times, folder)
        if not arguments.s3:
            service = Service(folder / "site")
            service.pool.mkdir(parents=True)
            await keep(pool, FileObjects(service.pool, clock=SystemClock()), service.data / "index.sqlite")
            async with service:
                return await measure(service, *how)
        with SeaweedFs(folder) as server:
            bucket = server.make_bucket()
            secret = folder / "secret"
            secret.touch(mode=0o600)
            secret.write_text(SECRET_KEY)
            section = {"kind": "s3", "endpoint": f"http://127.0.0.1:{server.port}", "bucket": bucket, "access_key_id": ACCESS_KEY}
            service = Service(folder / "site", pools={"main": {**section, "secret_file": str(secret)}})
            service.data.mkdir(parents=True)
            await keep(pool, S3Objects(server.settings(bucket)), service.data / "index.sqlite")
            async with service:
                return await measure(service, *how)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--s3", action="store_true", help="the footage lies in an S3 server")
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--times", type=int, default=20, help="how many first pictures are timed")
    parser.add_argument("--play", nargs=4, metavar=("PORT", "VIEWERS", "SECONDS", "ENTRIES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.play:
        port, viewers, seconds, names = arguments.play
        entries = [Entry(**one) for one in json.loads(Path(names).read_text())]
        print(json.dumps(asdict(asyncio.run(play(int(port), int(viewers), float(seconds), entries)))))
        return
    found = asyncio.run(run(arguments))
    print(json.dumps({**found, "pool": "s3" if arguments.s3 else "folder", "machine": machine(), "commit": commit()}))


if __name__ == "__main__":
    main()
