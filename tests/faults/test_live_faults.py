"""Faults of the machine under a live service: killed, stopped and locked out, it loses nothing that it acknowledged."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from segments.clock import US_PER_S
from tests.builders import at
from tests.faults.absent_index import Absence, EachIndex
from tests.faults.live_kills import kill_live
from tests.faults.witness import Witness, judge, objects_of
from tests.servers.rtsp import RtspServer
from tests.service import Service

pytestmark = [pytest.mark.server, pytest.mark.slow]

BACK_S = 5.0
LOGGED_IN_S = 15.0
"""The same where both processes die and the new uploader has to log in to a Cassandra first, whose check of a password takes a core."""
AWAY_S = 20.0
PAUSED_S = 2.0
HUNG_S = 5.0
"""A recorder that is silent for so long is ended."""
CLIP_PICTURES = 100


def urls(server: RtspServer, test: str) -> list[str]:
    """Three cameras, one with sound."""
    return [server.url(f"{kind}/{test}-{n}") for n, kind in enumerate(("h264", "h264", "aac"))]


@pytest.mark.parametrize("each_index", ["cassandra"], indirect=True)
async def test_killed_processes_lose_nothing_acknowledged(rtsp_server: RtspServer, each_index: EachIndex, tmp_path: Path) -> None:
    """Recorder, uploader and both killed (on SQLite: R9): each acknowledged fragment is stored once, index and pool agree."""
    done = await kill_live(tmp_path, urls(rtsp_server, f"kill-{each_index.name}"), 6, index=await each_index.section())

    assert done.judgement.acknowledged > 30
    assert done.judgement.wrong == 0, done.judgement
    assert done.back_p99_s <= (BACK_S if each_index.name == "sqlite" else LOGGED_IN_S), done.back_s
    assert done.causes <= {"recorder-away", "reconnecting"}


async def test_a_service_killed_whole_comes_back(rtsp_server: RtspServer, tmp_path: Path) -> None:
    """The parent is killed: its processes end by themselves, a new service finds spool and ports free, and nothing acknowledged is lost."""
    cameras = {"gate": rtsp_server.url("h264/whole")}
    service = Service(tmp_path, cameras)
    async with service:
        await service.wait_for(lambda: service.is_recording("gate"))
        began_us = time.time_ns() // 1000
        async with Witness(service, ["gate"]) as witness:
            await asyncio.sleep(6)
            old = service.pids()
            service.kill("serve")
            await service.gone(old.values())
            await service.start()
            await service.wait_for(lambda: service.is_recording("gate"))
            await asyncio.sleep(6)
        spans = await service.timeline("gate", began_us, time.time_ns() // 1000 - 4 * US_PER_S)
        await service.stop()
    assert {span.get("cause") for span in spans} <= {None, "recorder-away", "reconnecting"}
    judgement = judge(witness, objects_of(service.pool))
    assert judgement.acknowledged > 3
    assert judgement.wrong == 0, judgement


async def test_a_stopped_recorder_and_an_absent_index_lose_nothing(rtsp_server: RtspServer, each_index: EachIndex, tmp_path: Path) -> None:
    """A recorder that stands still for good is ended and replaced, one that only paused is not; while the index is away for 20 s recording
    goes on, and all is indexed after."""
    cameras = {f"cam{n}": url for n, url in enumerate(urls(rtsp_server, f"stop-{each_index.name}"))}
    service = Service(tmp_path, cameras, index=await each_index.section())
    async with service:
        await service.wait_for(lambda: service.is_recording(*cameras))
        began_us = time.time_ns() // 1000
        async with Witness(service, list(cameras)) as witness:
            before = service.pid("recorder-0")
            await asyncio.sleep(4)
            service.kill("recorder-0", number=signal.SIGSTOP)
            await asyncio.sleep(PAUSED_S)
            service.kill("recorder-0", number=signal.SIGCONT)
            await asyncio.sleep(4)
            paused = service.pid("recorder-0")
            service.kill("recorder-0", number=signal.SIGSTOP)
            stopped_us = time.time_ns() // 1000
            await asyncio.sleep(HUNG_S + BACK_S + 2)
            replaced = service.pid("recorder-0")
            locked_us = time.time_ns() // 1000
            await asyncio.to_thread(hold, each_index.absence(service), AWAY_S)
            freed_us = time.time_ns() // 1000
            indexed_s = await service.wait_for(lambda: _indexed(service, cameras, freed_us), 60)
        until_us = time.time_ns() // 1000 - 4 * US_PER_S  # what came later may not be durable yet
        timelines = {camera: await service.timeline(camera, began_us, until_us) for camera in cameras}
        await service.stop()
    judgement = judge(witness, objects_of(service.pool))
    assert judgement.acknowledged > 50
    assert before == paused != replaced
    assert judgement.wrong == 0, judgement
    assert indexed_s < 40
    for spans in timelines.values():
        footage = [(at(span["from"]), at(span["to"])) for span in spans if span["kind"] == "footage"]
        assert "unknown" not in {span.get("cause") for span in spans}
        assert next(start for start, _ in footage if start > stopped_us) <= stopped_us + (HUNG_S + BACK_S) * US_PER_S
        until_ms = min(freed_us, until_us) // 1000  # the API says milliseconds
        assert any(start < locked_us and end // 1000 >= until_ms for start, end in footage), (spans, locked_us, freed_us)


async def _indexed(service: Service, cameras: dict[str, str], until_us: int) -> bool:
    """Whether everything up to a moment has left the spool."""
    for camera in cameras:
        if any(segment["row"]["start_us"] < until_us for segment in await service.live(camera)):
            return False
    return True


def hold(absence: Absence, seconds: float) -> None:
    """Keeps the index away for so long."""
    with absence():
        time.sleep(seconds)
