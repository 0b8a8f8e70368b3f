"""A live service whose store is away until the spool is full: it says so, and nothing acknowledged is lost (stores that fail are R9)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from segments.clock import US_PER_S
from tests.builders import at
from tests.faults.store import BreakingStore, a_bucket_service, objects_in
from tests.faults.witness import Witness, judge
from tests.media import Clip, Clips
from tests.servers.faults_http import Fault, HttpFaults
from tests.servers.rtsp import RtspServer
from tests.servers.s3 import S3Server
from tests.service import Service

pytestmark = [pytest.mark.server, pytest.mark.slow]

HEAVY = Clip(seconds=4, width=1280, height=720, bitrate=8_000_000, noise=True)
"""1 MB a second."""
SPOOL_BYTES = 16 << 20
RESUME_S = 5.0


async def test_a_spool_that_is_full_says_so_and_goes_on(s3_server: S3Server, clips: Clips, tmp_path: Path) -> None:
    """With the store away the spool fills: an alarm, the cause in state and timeline; with it back recording is soon on, nothing lost."""
    store = BreakingStore()
    with RtspServer({"heavy": clips.get(clip=HEAVY)}) as cameras_server:
        cameras = {f"cam{n}": cameras_server.url(f"heavy/{n}") for n in range(2)}
        async with HttpFaults(s3_server.port, store) as proxy:
            spool = {"max_bytes": SPOOL_BYTES, "min_free_bytes": 1 << 20}
            service, bucket = a_bucket_service(
                tmp_path / "service", cameras, s3_server, proxy.port, spool=spool, recording={"segment_s": 2}
            )
            async with service:
                await service.wait_for(lambda: service.is_recording(*cameras))
                began_us = time.time_ns() // 1000
                async with Witness(service, list(cameras)) as witness:
                    store.now = Fault.SLOW_DOWN
                    await service.wait_for(lambda: _is_full(service, cameras), 60)
                    assert sum(path.stat().st_size for path in service.spool.rglob("*") if path.is_file()) <= SPOOL_BYTES
                    store.now = "fine"
                    await service.wait_for(lambda: _has_space(service), 70)
                    resumed_s = await service.wait_for(lambda: service.is_recording(*cameras))
                    await service.wait_for(lambda: _no_alarm(service))
                    await asyncio.sleep(4)
                timelines = [await service.timeline(camera, began_us, time.time_ns() // 1000 - 4 * US_PER_S) for camera in cameras]
                await service.stop()
            judgement = await asyncio.to_thread(judge, witness, objects_in(s3_server, bucket))
    assert judgement.acknowledged >= 8
    assert judgement.wrong == 0, judgement
    assert resumed_s <= RESUME_S
    for spans in timelines:
        gaps = {span["cause"]: at(span["to"]) - at(span["from"]) for span in spans if span["kind"] == "gap"}
        assert gaps["spool-full"] > US_PER_S
        assert gaps.keys() <= {"spool-full", "reconnecting"}


async def _is_full(service: Service, cameras: dict[str, str]) -> bool:
    """Whether all that must be said is said."""
    alarms = (await service.api("/status"))["alarms"]
    states = [await service.state(camera) for camera in cameras]
    return any("spool is full" in alarm for alarm in alarms) and set(states) == {("waiting", "spool-full")}


async def _has_space(service: Service) -> bool:
    """Whether the first uploads have made some."""
    status = await service.api("/status")
    return status["spool"]["bytes"] < 0.8 * status["spool"]["limit"]


async def _no_alarm(service: Service) -> bool:
    return (await service.api("/status"))["alarms"] == []
