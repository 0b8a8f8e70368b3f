"""The recorders of one node, as real processes: another stands in for one that dies, and the uploader's death cuts no run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from segments.clock import US_PER_S, SystemClock
from segments.keys import parse_run
from segments.shards import shard_of
from tests.builders import at
from tests.servers.rtsp import RtspServer
from tests.service import Service

pytestmark = pytest.mark.server

SHARDS = 4
CAMERAS = [next(name for n in range(100) if shard_of(name := f"siblings-{n}", SHARDS) == shard) for shard in range(SHARDS)]
"""A camera of each shard."""
BACK_S = 8.0
"""A recorder is told, connects to its camera and waits for a key frame, on a machine that does much else."""


@pytest.fixture
async def service(rtsp_server: RtspServer, tmp_path: Path) -> AsyncIterator[Service]:
    """Two recorders, four shards, four cameras that are all recorded, and something of each in the spool."""
    cameras = {camera: rtsp_server.url(f"h264/{camera}") for camera in CAMERAS}
    fleet = {"recorders": 2, "shards": SHARDS, "lease_s": 5}
    async with Service(tmp_path, cameras, fleet=fleet, recording={"segment_s": 60, "silence_s": 3}) as service:

        async def ready() -> bool:
            return all([await runs(service, camera) for camera in CAMERAS])

        await service.wait_for(ready)
        yield service


async def runs(service: Service, camera: str) -> list[str]:
    """The runs of a camera in the spool, in order of time."""
    return list(dict.fromkeys(segment["row"]["run"] for segment in await service.live(camera)))


async def gap_s(service: Service, camera: str, since_us: int) -> float:
    """How long a camera was without footage since then."""
    spans = await service.timeline(camera, since_us, SystemClock().now_us() - 4 * US_PER_S)
    return sum((at(span["to"]) - at(span["from"])) / US_PER_S for span in spans if span["kind"] == "gap")


async def test_a_sibling_stands_in_at_once(service: Service) -> None:
    """The dead recorder's cameras go on in new epochs, before it could have been started anew; the other's run goes on."""
    before = {camera: await runs(service, camera) for camera in CAMERAS}
    began_us = SystemClock().now_us()
    service.kill("recorder-0")

    async def all_go_on() -> bool:
        changed = [camera for camera in CAMERAS if await runs(service, camera) != before[camera]]
        return len(changed) == SHARDS // 2

    await service.wait_for(all_go_on)
    await service.wait_for(lambda: SystemClock().now_us() - began_us > (BACK_S + 4) * US_PER_S)
    after = {camera: await runs(service, camera) for camera in CAMERAS}

    moved = [camera for camera in CAMERAS if after[camera] != before[camera]]
    assert len(moved) == SHARDS // 2
    for camera in CAMERAS:
        if camera in moved:
            assert parse_run(after[camera][-1]).epoch > max(parse_run(run).epoch for some in before.values() for run in some)
            assert await gap_s(service, camera, began_us) < BACK_S
        else:
            assert after[camera] == before[camera]
            assert await gap_s(service, camera, began_us) == 0


async def test_recorders_go_on_through_an_uploader_that_died(service: Service) -> None:
    """The new one keeps the leases in their epochs and finds who records what: no run is cut, and no moment is lost."""
    before = {camera: await runs(service, camera) for camera in CAMERAS}
    began_us = SystemClock().now_us()
    pid = service.pid("uploader")
    service.kill("uploader")
    await service.gone([pid])

    async def says_the_same() -> bool:
        return all([await runs(service, camera) == before[camera] for camera in CAMERAS])

    await service.wait_for(says_the_same)
    back_us = SystemClock().now_us()
    await service.wait_for(lambda: SystemClock().now_us() - back_us > 10 * US_PER_S)  # two lives of a lease later it is still so

    assert {camera: await runs(service, camera) for camera in CAMERAS} == before
    assert [await gap_s(service, camera, began_us) for camera in CAMERAS] == [0] * SHARDS
