"""Somebody who asks an API for all it can give: many connections from several addresses, costly and cheap requests, slow readers.

A program of its own, so that its work is not that of what it floods: `python -m tests.faults.flood PORT SECONDS CAMERA`; what was answered
is printed as JSON at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from segments.clock import US_PER_DAY, US_PER_S, iso

CLIENTS = tuple(f"127.0.0.{n}" for n in range(11, 17))
ASKING, STALLING, HALF_SAID = 70, 12, 20
"""Connections of each client: that ask as quickly as they are answered, that ask and do not read, and that never end their question."""
NICENESS = 5
"""The flood comes from elsewhere: where processors are scarce it does not take those of what it floods."""
_SEED = 24
_LIMIT_S = 30.0


@dataclass
class Tally:
    """What was answered: how often each status, and how long the slowest answer took."""

    statuses: Counter[int] = field(default_factory=Counter)
    hung_up: int = 0
    slowest_s: float = 0.0


def questions(camera: str, now_us: int) -> list[str]:
    """What is asked, the costly more often than the cheap."""
    span = lambda start_us, end_us: f"from={quote(iso(start_us))}&to={quote(iso(end_us))}"  # noqa: E731
    year, day, minute = (span(now_us - length, now_us) for length in (399 * US_PER_DAY, US_PER_DAY, 60 * US_PER_S))
    costly = [f"timeline?{year}", f"timeline?{day}", f"hls/media.m3u8?{day}", f"hls/iframes.m3u8?{day}", f"hls/multivariant.m3u8?{day}"]
    costly += [f"hls/media.m3u8?{minute}", f"snapshot.jpg?at={quote(iso(now_us - 5 * US_PER_S))}&exact=true"]
    cheap = ["status", "cameras?limit=1000", "openapi.json", "cameras/none", "cameras?limit=x", f"cameras/{'x' * 4000}"]
    return [f"cameras/{camera}/{name}" for name in costly * 2] + cheap


async def flood(port: int, seconds: float, paths: Sequence[str]) -> Tally:
    """Asks for so long."""
    tally, end_s = Tally(), time.monotonic() + seconds
    dice = random.Random(_SEED)
    work = []
    for client in CLIENTS:
        work += [_asking(client, port, end_s, dice.sample(paths, len(paths)), tally) for _ in range(ASKING)]
        work += [_holding(client, port, end_s, _head(paths[2])) for _ in range(STALLING)]
        work += [_holding(client, port, end_s, _head("status")[:-4]) for _ in range(HALF_SAID)]
    await asyncio.gather(*work)
    return tally


async def _asking(client: str, port: int, end_s: float, paths: Sequence[str], tally: Tally) -> None:
    for path in itertools.cycle(paths):
        if time.monotonic() >= end_s:
            return
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(_LIMIT_S), _connection(client, port) as (reader, writer):
                writer.write(_head(path))
                status = int((await reader.readline()).split(b" ")[1])
                while await reader.read(1 << 16):
                    pass
        except (OSError, TimeoutError, IndexError, ValueError):
            tally.hung_up += 1
            await asyncio.sleep(0.05)
            continue
        tally.statuses[status] += 1
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - began_s)


async def _holding(client: str, port: int, end_s: float, said: bytes) -> None:
    """Says this and then nothing, and takes nothing; begins anew when it is cut off."""
    while time.monotonic() < end_s:
        with contextlib.suppress(OSError):
            async with _connection(client, port) as (_, writer):
                writer.write(said)
                while time.monotonic() < end_s and not writer.is_closing():  # noqa: ASYNC110 - a transport tells no event
                    await asyncio.sleep(0.2)


@asynccontextmanager
async def _connection(client: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(client, 0), limit=1 << 16)
    try:
        yield reader, writer
    finally:
        writer.close()


def _head(path: str) -> bytes:
    return f"GET /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


@asynccontextmanager
async def flooding(port: int, seconds: float, camera: str) -> AsyncIterator[asyncio.Task[Tally]]:
    """Floods from a process of its own meanwhile; the task has the tally."""
    command = [sys.executable, "-m", "tests.faults.flood", str(port), str(seconds), camera]
    process = await asyncio.create_subprocess_exec(*command, cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE)

    async def told() -> Tally:
        said = json.loads((await process.communicate())[0])
        return Tally(Counter({int(status): count for status, count in said["statuses"].items()}), said["hung_up"], said["slowest_s"])

    task = asyncio.create_task(told())
    try:
        yield task
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(task, return_exceptions=True)


def main() -> None:
    """See the module."""
    port, seconds, camera = sys.argv[1:]
    os.nice(NICENESS)
    tally = asyncio.run(flood(int(port), float(seconds), questions(camera, time.time_ns() // 1000)))
    print(json.dumps({"statuses": tally.statuses, "hung_up": tally.hung_up, "slowest_s": tally.slowest_s}))


if __name__ == "__main__":
    main()
