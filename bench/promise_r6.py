"""R6: the store is away, slow, resetting, busy or refusing: nothing is lost, recording does not notice, and the backlog goes quickly.

A live service records cameras into a bucket behind two proxies. The store is gone (full form: 30 min), then slow, resets connections,
answers 503, and answers 403; then it is back. Every fragment that was acknowledged must be in the bucket, once; the timelines must have no
gap; and the time until the backlog is gone gives the rate of catching up. Control: an uploader that removes the spool file and then
commits.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from bench.promise import read_form, report
from tests.faults import careless
from tests.faults.away import Away, Outcome, Phase, all_ways, store_away
from tests.media import Clips
from tests.servers.rtsp import RtspServer
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SeaweedFs

SHORT, FULL = (16, 3), (1800, 60)
"""Seconds: gone, and each of the other ways."""
CAMERAS, FULL_CAMERAS = 3, 8
LEAST_CATCH_UP = 3.0
LONGEST_BACKLOG_S = 900


async def measure(place: Path, cameras: dict[str, str], server: S3Server, seconds: tuple[float, float]) -> tuple[Outcome, bool]:
    """What came of it, and whether the control lost something."""
    found = await store_away(place / "service", cameras, server, all_ways(*seconds))
    print(f"  {found.judgement}; gap {found.gap_s:.2f} s; the status said so: {found.said}", flush=True)
    print(f"  backlog {found.backlog_bytes >> 20} MiB, gone in {found.caught_up_s:.1f} s: {found.catch_up:.1f} times ingest", flush=True)
    control = await store_away(place / "control", cameras, server, [Phase(Away.GONE, 6)], keepsight=careless.COMMAND)
    print(f"  control, which removes before it commits: {control.judgement.lost} lost", flush=True)
    return found, control.judgement.lost > 0


def main() -> bool:
    """Measures and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    seconds, count = (FULL, FULL_CAMERAS) if form.full else (SHORT, CAMERAS)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("clips", "s3"):
            (place / name).mkdir()
        with RtspServer({"h264": Clips(place / "clips").get()}) as cameras, SeaweedFs(place / "s3") as server:
            urls = {f"cam{n}": cameras.url(f"h264/{n}") for n in range(count)}
            print(
                f"R6: {count} cameras, the store gone for {seconds[0]:g} s, then away in four other ways for {seconds[1]:g} s each",
                flush=True,
            )
            found, red = asyncio.run(measure(place, urls, server, seconds))
    wrong = found.judgement.wrong
    result = report(
        promise="R6",
        form=form.name,
        n=found.judgement.acknowledged,
        value=wrong,
        unit=f"acknowledged fragments lost or doubled; gap {found.gap_s:g} s; caught up at {found.catch_up:.1f} times ingest",
        gate="0 lost, no gap; backlog gone within 15 min, at >= 3 times ingest",
        ratio=found.catch_up,
        control="red" if red else "green",
        met=wrong == 0 and found.gap_s == 0 and found.catch_up >= LEAST_CATCH_UP and found.caught_up_s <= LONGEST_BACKLOG_S,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
