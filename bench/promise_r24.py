"""R24: abuse of the API cannot stop recording.

A service records cameras of a third party while a flood of some 600 connections from six addresses, in the names of twelve consumers that
signed in, asks its API for years of timelines, days of playlists, exact pictures, hostile ranges, exports and nonsense, takes no answers
and ends no questions. Every picture of every camera must be in the pool afterwards, in one run; what is over the limits of a consumer must
have been answered with 429 and its RateLimit field, and health all the time. Control: without limits and without the API's lower priority
the same flood gets no 429; what it does to recording then is told.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2

from bench.promise import Form, read_form, report
from playback.identity.sessions import Sessions
from segments.access import EVERYTHING, Role, Subject
from segments.clock import US_PER_DAY, US_PER_S, SystemClock
from segments.stores.file_objects import FileObjects
from segments.stores.sqlite_index import open_sqlite_index
from tests.builders import a_row, a_run, some_rows
from tests.faults.flood import Tally, flooding
from tests.media import Clip, Clips
from tests.servers.rtsp import RtspServer
from tests.service import Service
from tests.stored import breaks, stored_runs

CAMERAS = 4
CLIP = Clip(seconds=8)
PICTURES = 200
SHORT_S, FULL_S, CONTROL_S = 15.0, 600.0, 10.0
RUNS, DAY_ROWS, FRAGMENTS = 2000, 1400, 30
"""History of the camera that is asked for: so many runs over the year, and rows over the last day."""
HEALTH_LIMIT_S = 5.0
CONSUMERS = 12
PER_CONSUMER = ("requests_per_s", "streams", "bytes_per_s", "export_hours_per_day", "timeline_days_per_minute")
LIMITS = {f"consumer.{name}": value for name, value in zip(PER_CONSUMER, (20.0, 4, 2_000_000, 24.0, 2000.0), strict=True)}
NO_LIMITS = {
    **dict.fromkeys(("requests", "requests_per_client"), 100_000),
    **dict.fromkeys(("costly", "costly_per_client"), 1000),
    **{f"consumer.{name}": 0 for name in PER_CONSUMER},
}
BODY_BYTES = 8 << 20
OLD_RUN = "old-a-1-1"
TOKEN = "flooded-" + "t" * 40
AS_IMPORTANT = """
import os
os.nice = lambda increment: 0
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What a flood came to: pictures and breaks in their numbering, runs beyond one a camera, what was answered, the slowest health."""

    pictures: int
    missing: int
    runs: int
    tally: Tally
    health_s: float

    @property
    def refused(self) -> int:
        """How often 429 was answered."""
        return self.tally.statuses[429]

    def __str__(self) -> str:
        limits = ", ".join(f"{count} over {limit}" for limit, count in sorted(self.tally.limited.items()))
        answers = ", ".join(f"{count} of {status}" for status, count in sorted(self.tally.statuses.items()))
        return (
            f"{self.pictures} pictures, {self.missing} breaks, {self.runs} runs beyond one a camera; "
            f"answered {answers} ({limits or 'none over a limit of a consumer'}), {self.tally.hung_up} hung up; "
            f"slowest answer {self.tally.slowest_s:.1f} s, slowest health {self.health_s:.2f} s"
        )


async def flooded(folder: Path, server: RtspServer, seconds: float, **settings: Any) -> Result:
    """Records, floods for so long, stops in order, and counts the pictures in the pool."""
    cameras = {f"camera-{n}": server.url(f"cam/{n}") for n in range(CAMERAS)}
    folder.mkdir(parents=True, exist_ok=True)
    token_file = folder / "api.token"
    token_file.write_text(TOKEN)
    token_file.chmod(0o600)
    service = Service(folder, cameras, **{"limits": LIMITS, "api": {"token_file": str(token_file)}} | settings)
    service.token = TOKEN
    segment = await _history(service.data / "index.sqlite", service.pool, "camera-0")
    cookies = await _consumers(service.data / "index.sqlite")
    async with service:
        await service.wait_for(lambda: service.is_recording(*cameras))
        await asyncio.sleep(2)
        async with flooding(service.api_port, seconds, "camera-0", segment, cookies) as task:
            health_s = await _health(service, seconds)
            tally = await task
        await asyncio.sleep(2)
        await service.stop()
    recorded = await asyncio.to_thread(stored_runs, service.pool)
    found = [run for run in recorded if run.segments and OLD_RUN not in run.segments[0].parts]
    numbers = [await asyncio.to_thread(run.numbers) for run in found]
    return Result(sum(map(len, numbers)), sum(len(breaks(one, PICTURES)) for one in numbers), len(found) - CAMERAS, tally, health_s)


async def _health(service: Service, seconds: float) -> float:
    """The longest that health took to answer, asked each half second from a client of its own; its limit if it once did not."""
    slowest_s, end_s = 0.0, time.monotonic() + seconds
    while time.monotonic() < end_s:
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(HEALTH_LIMIT_S), httpx2.AsyncClient(trust_env=False) as client:
                (await client.get(f"http://127.0.0.1:{service.api_port}/api/v1/health")).raise_for_status()
        except (httpx2.HTTPError, TimeoutError):
            return HEALTH_LIMIT_S
        slowest_s = max(slowest_s, time.monotonic() - began_s)
        await asyncio.sleep(0.5)
    return slowest_s


async def _consumers(path: Path) -> list[str]:
    """The cookies of people who have signed in and may see and export everything."""
    index = await open_sqlite_index(path)
    try:
        sessions = Sessions(index, SystemClock())
        people = [Subject(f"user:{n}", f"user {n}", "", frozenset({Role.OPERATOR}), EVERYTHING) for n in range(CONSUMERS)]
        return [await sessions.begin(one, "flood") for one in people]
    finally:
        await index.close()


async def _history(path: Path, pool: Path, camera: str) -> str:
    """Footage of the past in the index, so that much can be asked for; gives the path of a segment whose bytes are there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    now_us = time.time_ns() // 1000
    index = await open_sqlite_index(path)
    try:
        for n in range(RUNS):
            start_us = now_us - 300 * US_PER_DAY + n * 298 * US_PER_DAY // RUNS
            await index.put_run(a_run(camera=camera, id=f"old-a-1-{n}", start_us=start_us, last_us=start_us + 3600 * US_PER_S, ended=True))
        whole = a_row(camera=camera, run=OLD_RUN, start_us=now_us - 2 * US_PER_DAY, size=BODY_BYTES)
        whole = replace(whole, sha256=hashlib.sha256(bytes(BODY_BYTES)).hexdigest())
        await FileObjects(pool, clock=SystemClock()).put(whole.key, bytes(BODY_BYTES), sha256=whole.sha256, attributes={})
        await index.publish(whole)
        for row in some_rows(DAY_ROWS):
            moved_us = now_us - US_PER_DAY + row.counter * 60 * US_PER_S
            first = row.fragments[0]
            fragments = tuple(first._replace(pts=first.pts + n * 180_000, duration=180_000) for n in range(FRAGMENTS))
            await index.publish(
                replace(row, camera=camera, run=OLD_RUN, start_us=moved_us, end_us=moved_us + 60 * US_PER_S, fragments=fragments)
            )
        return f"cameras/{camera}/segments/{whole.start_us}/{whole.run}/{whole.counter}.mp4"
    finally:
        await index.close()


async def control(folder: Path, server: RtspServer) -> Result:
    """The same without what protects: no limits, and the API as important as the recorders."""
    patches = folder / "patches"
    patches.mkdir(parents=True)
    (patches / "sitecustomize.py").write_text(AS_IMPORTANT)
    keepsight = f"import os; os.environ['PYTHONPATH'] = {str(patches)!r}; from deploy.cli import main; main()"
    return await flooded(folder / "service", server, CONTROL_S, limits=NO_LIMITS, keepsight=[sys.executable, "-c", keepsight])


async def measure(form: Form) -> tuple[Result, Result]:
    """The promise, and its control."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = Clips(folder).get(clip=CLIP)
        with RtspServer({"cam+": clip}) as server:
            print(f"R24: {CAMERAS} cameras are recorded while the API is flooded", flush=True)
            result = await flooded(folder / "promise", server, FULL_S if form.full else SHORT_S)
            print(f"  {result}", flush=True)
            without = await control(folder / "control", server)
            print(f"  control, without limits and priority: {without}", flush=True)
    return result, without


def main() -> bool:
    """Runs the promise; returns whether it is met."""
    form = read_form(__doc__)
    result, without = asyncio.run(measure(form))
    answered = sum(result.tally.statuses.values())
    report_ = report(
        promise="R24",
        form=form.name,
        n=answered,
        value=result.missing,
        unit=f"breaks in {result.pictures} pictures of {CAMERAS} cameras; {result.refused} of {answered} requests "
        f"answered with 429, {result.tally.limited.total()} of them over a consumer's limit",
        gate="gap 0; limits answered with 429",
        control="red" if not without.refused or without.missing or without.runs else "green",
        met=result.missing == 0 and result.runs == 0 and result.tally.limited.total() > 0 and result.health_s < HEALTH_LIMIT_S,
    )
    return bool(report_["met"])


if __name__ == "__main__":
    sys.exit(not main())
