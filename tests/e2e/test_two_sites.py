"""Two sites, each with processes, index, pool and spool of its own: what one records is at the other, byte for byte, and plays there."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from segments.clock import US_PER_S
from segments.model import Row
from tests.servers.processes import require_program
from tests.servers.rtsp import RtspServer
from tests.servers.toxiproxy import Toxiproxy
from tests.servers.two_sites import PROMISED_S, TwoSites
from tests.service import moment

pytestmark = pytest.mark.server

RECORDED_S = 40.0
"""A few segments are committed by then, on a machine that does much else."""
CAUGHT_UP_S = 200.0
"""After a cut: who does not answer is asked seldom, once a minute in the end."""
MIN_FPS = 8
"""The clips have 10 pictures a second, or more."""


@pytest.fixture(scope="module")
def toxiproxy() -> Iterator[Toxiproxy]:
    """The links between the sites."""
    with Toxiproxy() as running:
        yield running


@pytest.fixture
async def sites(rtsp_server: RtspServer, tmp_path: Path, toxiproxy: Toxiproxy) -> AsyncIterator[TwoSites]:
    """North records a camera, south another."""
    cameras = {"north": {"gate": rtsp_server.url("h264/sites-gate")}, "south": {"quay": rtsp_server.url("h264/sites-quay")}}
    settings = {"north": {"replication": {"backup_pool": "main"}}}
    async with TwoSites(tmp_path, cameras, toxiproxy, settings) as made:
        yield made


async def has_rows(sites: TwoSites, name: str, camera: str, count: int) -> bool:
    """Whether a site has so many segments of a camera."""
    return len(await sites.rows(name, camera)) >= count


def pictures(place: str | Path) -> int:
    """How many pictures ffprobe decodes of a file, or of a playlist."""
    asked = [require_program("ffprobe", "ffmpeg"), "-v", "error", "-count_frames", "-select_streams", "v:0"]
    told = subprocess.run(
        [*asked, "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", str(place)], capture_output=True, text=True, check=True
    )
    return int(told.stdout.split()[0].strip(","))


async def played(sites: TwoSites, name: str, camera: str, rows: Sequence[Row]) -> int:
    """How many pictures of these segments a site plays, by its playlist."""
    at = sites.site(name)
    span = f"from={moment(rows[0].start_us + 1000)}&to={moment(rows[-1].end_us)}"
    url = f"http://127.0.0.1:{at.api_port}/api/v1/cameras/{camera}/hls/multivariant.m3u8?{span}"
    return await asyncio.to_thread(pictures, url)


async def test_footage_of_each_is_at_the_other(sites: TwoSites, tmp_path: Path) -> None:
    """Within the promise, with the bytes it was stored with; the other plays it, cut off or alone; what a cut or loss kept back follows."""
    await sites.north.wait_for(lambda: has_rows(sites, "north", "gate", 2), RECORDED_S)
    await sites.south.wait_for(lambda: has_rows(sites, "south", "quay", 2), RECORDED_S)
    assert await sites.copied("gate", "north", "south") < PROMISED_S
    assert await sites.copied("quay", "south", "north") < PROMISED_S
    sites.cut()

    for camera, source, target in (("gate", "north", "south"), ("quay", "south", "north")):
        rows = {row.position: row for row in await sites.rows(source, camera)}
        copies = await sites.rows(target, camera)
        for copy in copies:
            data = sites.stored(target, copy)
            assert data == sites.stored(source, rows[copy.position])
            assert (hashlib.sha256(data).hexdigest(), len(data)) == (copy.sha256, copy.size)
        (tmp_path / f"{camera}.mp4").write_bytes(data)
        assert pictures(tmp_path / f"{camera}.mp4") > 0
        assert await played(sites, target, camera, copies) >= sum(copy.end_us - copy.start_us for copy in copies) / US_PER_S * MIN_FPS

    count = len(await sites.rows("north", "gate"))
    await sites.north.wait_for(lambda: has_rows(sites, "north", "gate", count + 2), RECORDED_S)
    with pytest.raises(TimeoutError):
        await sites.copied("gate", "north", "south", limit_s=1)
    sites.mend()
    await sites.copied("gate", "north", "south", limit_s=CAUGHT_UP_S)

    await sites.lose("north")
    left = await sites.rows("south", "gate")
    assert await played(sites, "south", "gate", left[-1:]) > 0
    await sites.north.start()
    count = len(await sites.rows("north", "gate"))
    await sites.north.wait_for(lambda: has_rows(sites, "north", "gate", count + 2), RECORDED_S)
    await sites.copied("gate", "north", "south", limit_s=CAUGHT_UP_S)
    assert len(json.loads(sites.north.keepsight("backup", "list", "--json").stdout)) == 1, "a backup is made by itself"
