"""Somebody who asks an API for all it can give: many connections from several addresses and consumers, costly and cheap requests, hostile
ranges, exports, slow readers.

A program of its own, so that its work is not that of what it floods: `python -m tests.faults.flood PORT SECONDS CAMERA SEGMENT`, the
cookies of the consumers as JSON in the environment; what was answered is printed as JSON at the end.
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
from typing import NamedTuple
from urllib.parse import quote

from segments.clock import US_PER_DAY, US_PER_S, iso

CLIENTS = tuple(f"127.0.0.{n}" for n in range(11, 17))
ASKING, STALLING, HALF_SAID = 70, 12, 20
"""Connections of each client: that ask as quickly as they are answered, that ask and do not read, and that never end their question."""
NICENESS = 5
"""The flood comes from elsewhere: where processors are scarce it does not take those of what it floods."""
COOKIES = "FLOOD_COOKIES"
_SEED = 24
_LIMIT_S = 30.0


@dataclass
class Tally:
    """What was answered: how often each status, and how long the slowest answer took."""

    statuses: Counter[int] = field(default_factory=Counter)
    limited: Counter[str] = field(default_factory=Counter)
    """Of those with 429, by the limit of a consumer that their RateLimit field names."""
    hung_up: int = 0
    slowest_s: float = 0.0


class Question(NamedTuple):
    """What is asked: a path under /api/v1, lines of the head beside it, and a body."""

    path: str
    more: str = ""
    body: str = ""


RANGES = (
    "bytes=0-0,-1",
    f"bytes={','.join(f'{n}-{n + 9}' for n in range(1000))}",
    "bytes=0-999999,0-999999,0-999999,0-999999",
    f"bytes={'9' * 5000}-",
    "bytes=0-999999999999999999999",
    "bytes=99999999-",
    "bytes=5-4",
    "bytes=-0",
    "bytes=0-",
)
"""Ranges as somebody sends them who means no good."""


def questions(camera: str, segment: str, now_us: int) -> list[Question]:
    """What is asked, the costly more often than the cheap."""
    span = lambda start_us, end_us: f"from={quote(iso(start_us))}&to={quote(iso(end_us))}"  # noqa: E731
    year, day, minute = (span(now_us - length, now_us) for length in (399 * US_PER_DAY, US_PER_DAY, 60 * US_PER_S))
    costly = [f"timeline?{year}", f"timeline?{day}", f"hls/media.m3u8?{day}", f"hls/iframes.m3u8?{day}", f"hls/multivariant.m3u8?{day}"]
    costly += [f"hls/media.m3u8?{minute}", f"snapshot.jpg?at={quote(iso(now_us - 5 * US_PER_S))}&exact=true"]
    cheap = ["status", "cameras?limit=1000", "openapi.json", "cameras/none", "cameras?limit=x", f"cameras/{'x' * 4000}"]
    asked = [Question(f"cameras/{camera}/{name}") for name in costly * 2] + [Question(path) for path in cheap]
    asked += [Question(segment, f"Range: {header}\r\n") for header in RANGES]
    asked += [Question(f"cameras/{camera}/footage.mp4?{day}"), Question(f"cameras/{camera}/footage?{day}")]
    items = [{"camera": camera, "from": iso(now_us - US_PER_DAY), "to": iso(now_us)}]
    return [
        *asked,
        Question("exports", "Content-Type: application/json\r\n", json.dumps({"form": "zip", "items": items, "reason": "flood"})),
    ]


async def flood(port: int, seconds: float, asked: Sequence[Question], cookies: Sequence[str] = ()) -> Tally:
    """Asks for so long, each connection in the name of the next consumer; of none without cookies."""
    tally, end_s = Tally(), time.monotonic() + seconds
    dice = random.Random(_SEED)
    names = itertools.cycle([f"Cookie: keepsight_session={cookie}\r\n" for cookie in cookies] or [""])
    heavy = [asked[2], next(one for one in asked if one.more.endswith("bytes=0-\r\n"))]
    work = []
    for client in CLIENTS:
        work += [
            _asking(client, port, end_s, [_head(one, next(names)) for one in dice.sample(asked, len(asked))], tally) for _ in range(ASKING)
        ]
        work += [_holding(client, port, end_s, _head(heavy[n % 2], next(names))) for n in range(STALLING)]
        work += [_holding(client, port, end_s, _head(Question("status"), next(names))[:-4]) for _ in range(HALF_SAID)]
    await asyncio.gather(*work)
    return tally


async def _asking(client: str, port: int, end_s: float, heads: Sequence[bytes], tally: Tally) -> None:
    for head in itertools.cycle(heads):
        if time.monotonic() >= end_s:
            return
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(_LIMIT_S), _connection(client, port) as (reader, writer):
                writer.write(head)
                status = int((await reader.readline()).split(b" ")[1])
                limit = await _limit(reader)
                while await reader.read(1 << 16):
                    pass
        except (OSError, TimeoutError, IndexError, ValueError):
            tally.hung_up += 1
            await asyncio.sleep(0.05)
            continue
        tally.statuses[status] += 1
        if status == 429 and limit:
            tally.limited[limit] += 1
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


async def _limit(reader: asyncio.StreamReader) -> str:
    """Reads the head of an answer; gives the policy its RateLimit field names."""
    found = ""
    while (line := await reader.readline()).strip():
        if line.lower().startswith(b"ratelimit:"):
            found = line.split(b'"')[1].decode()
    return found


def _head(one: Question, name: str = "") -> bytes:
    length = f"Sec-Fetch-Site: same-origin\r\nContent-Length: {len(one.body)}\r\n" if one.body else ""
    method = "POST" if one.body else "GET"
    return (
        f"{method} /api/v1/{one.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{name}{one.more}{length}\r\n{one.body}".encode()
    )


@asynccontextmanager
async def flooding(port: int, seconds: float, camera: str, segment: str, cookies: Sequence[str] = ()) -> AsyncIterator[asyncio.Task[Tally]]:
    """Floods from a process of its own meanwhile; the task has the tally."""
    command = [sys.executable, "-m", "tests.faults.flood", str(port), str(seconds), camera, segment]
    environment = {**os.environ, COOKIES: json.dumps(list(cookies))}
    folder = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE)

    async def told() -> Tally:
        said = json.loads((await process.communicate())[0])
        statuses = Counter({int(status): count for status, count in said["statuses"].items()})
        return Tally(statuses, Counter(said["limited"]), said["hung_up"], said["slowest_s"])

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
    port, seconds, camera, segment = sys.argv[1:]
    os.nice(NICENESS)
    asked = questions(camera, segment, time.time_ns() // 1000)
    tally = asyncio.run(flood(int(port), float(seconds), asked, json.loads(os.environ.get(COOKIES, "[]"))))
    print(json.dumps(vars(tally)))


if __name__ == "__main__":
    main()
