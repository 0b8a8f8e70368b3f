"""Two sites, each with processes, index, pool and spool of its own: what one records is at the other within seconds, byte for byte.

It plays there, cut off or alone, and is watched live; holds bind at both; and a site tells how far it is behind.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from playback.elsewhere import SITES_AWAY_HEADER
from segments.clock import US_PER_S, SystemClock, iso
from segments.model import Row
from tests.builders import NOON_US
from tests.servers.processes import require_program
from tests.servers.rtsp import RtspServer
from tests.servers.toxiproxy import Toxiproxy
from tests.servers.two_sites import PROMISED_S, TwoSites
from tests.service import Service, moment

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]

CAMERAS = (("gate", "north", "south"), ("quay", "south", "north"))
"""Each with its home, and where it is copied to."""
RECORDED_S = 60.0
"""A few segments are committed by then, on a machine that does much else."""
NEWS_S = 15.0
"""News are asked for each 2 s, and gathered each second."""
CAUGHT_UP_S = 200.0
TOLD_S = 90.0
LATE_S = 20
BEHIND_S = 25
"""Where the other site answers, less is missing."""
PULLED_S = 30.0
"""A site asks for holds every few seconds."""
MIN_FPS = 8
"""The clips have 10 pictures a second, or more."""
PLACE = ("hold", "place", "--from", iso(NOON_US), "--reason", "collision", "--by", "Li", "--area", "harbour", "--json", "--case")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sites(rtsp_server: RtspServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoSites]:
    """North records a camera, south another."""
    cameras = {home: {camera: rtsp_server.url(f"h264/sites-{camera}")} for camera, home, _ in CAMERAS}
    recording = {"segment_s": 2}
    settings = {
        "north": {"recording": recording, "replication": {"backup_pool": "main"}},
        "south": {"recording": recording, "replication": {"late_s": LATE_S}},
    }
    with Toxiproxy() as toxiproxy:
        async with TwoSites(tmp_path_factory.mktemp("sites"), cameras, toxiproxy, settings) as made:
            yield made


async def recorded(sites: TwoSites, name: str, camera: str, count: int, limit_s: float = RECORDED_S) -> float:
    """Waits until a site has so many segments of a camera; the seconds it took."""

    async def there() -> bool:
        return len(await sites.rows(name, camera)) >= count

    return await sites.site(name).wait_for(there, limit_s)


async def all_copied(sites: TwoSites, limit_s: float = PROMISED_S) -> None:
    """Waits until both have what is there now."""
    for camera, home, _ in CAMERAS:
        await recorded(sites, home, camera, 2)
    await asyncio.gather(*(sites.copied(*one, limit_s) for one in CAMERAS))


async def said(site: Service, *words: str) -> Any:
    """What a command prints, by JSON."""
    done = await asyncio.to_thread(site.keepsight, *words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def pictures(place: str | Path) -> int:
    """How many pictures ffprobe decodes of a file, or of a playlist."""
    asked = [require_program("ffprobe", "ffmpeg"), "-v", "error", "-count_frames", "-select_streams", "v:0"]
    told = subprocess.run(
        [*asked, "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", str(place)], capture_output=True, text=True, check=True
    )
    return int(told.stdout.split()[0].strip(","))


async def played(sites: TwoSites, name: str, camera: str, rows: Sequence[Row]) -> int:
    """How many pictures of these segments a site plays, by its playlist."""
    span = f"from={moment(rows[0].start_us + 1000)}&to={moment(rows[-1].end_us)}"
    url = f"http://127.0.0.1:{sites.site(name).api_port}/api/v1/cameras/{camera}/hls/multivariant.m3u8?{span}"
    return await asyncio.to_thread(pictures, url)


def metric(site: Service, name: str) -> float:
    """The greatest value of a metric that a site's uploader tells; 0 where it tells none."""
    key = (site.data / "keys" / "metrics.key").read_text().strip()
    asked = urllib.request.Request(f"http://127.0.0.1:{site.internal_port}/metrics", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked, timeout=5) as answer:
        text = answer.read().decode()
    found = [sample.value for family in text_string_to_metric_families(text) for sample in family.samples if sample.name == name]
    return max(found, default=0.0)


async def missing(sites: TwoSites, at_least_s: float) -> None:
    """Waits until south tells that so much of north's footage is not here."""
    await sites.south.wait_for(lambda: metric(sites.south, "keepsight_copy_rpo_seconds") > at_least_s, TOLD_S)


async def test_lag_is_seconds_and_is_told(sites: TwoSites) -> None:
    """Copies follow their commits by news, not by the next comparing; report, command and metrics say what the rows say."""
    await all_copied(sites)
    for _ in range(2):
        count = len(await sites.rows("north", "gate")) + 1
        await recorded(sites, "north", "gate", count)
        print(f"copied {await recorded(sites, 'south', 'gate', count, NEWS_S):.2f} s after it was seen at its source")

    await missing(sites, 0)
    assert '"cameras": 1' in json.dumps(await said(sites.south, "site", "lag", "north"))
    lines: list[dict[str, str]] = []

    async def reported() -> bool:
        done = await asyncio.to_thread(sites.south.keepsight, "site", "report", "--format", "csv")
        lines[:] = csv.DictReader(io.StringIO(done.stdout))
        return sum(int(line["segments"]) for line in lines) >= 3

    await sites.south.wait_for(reported, TOLD_S)
    print(f"on average {lines[0]['mean_s']} s from commit to commit")
    assert {(line["from"], line["to"]) for line in lines} == {("north", "south")}
    assert sum(int(line["segments"]) for line in lines) <= len(await sites.rows("south", "gate"))


async def test_footage_of_each_is_at_the_other(sites: TwoSites, tmp_path: Path) -> None:
    """With the bytes it was stored with; the other plays it, cut off; what a cut kept back is told meanwhile, and follows."""
    await all_copied(sites)
    sites.cut()

    for camera, home, other in CAMERAS:
        rows = {row.position: row for row in await sites.rows(home, camera)}
        copies = await sites.rows(other, camera)
        for copy in copies:
            data = sites.stored(other, copy)
            assert data == sites.stored(home, rows[copy.position])
            assert (hashlib.sha256(data).hexdigest(), len(data)) == (copy.sha256, copy.size)
        (tmp_path / f"{camera}.mp4").write_bytes(data)
        assert pictures(tmp_path / f"{camera}.mp4") > 0
        last = copies[-2:]
        assert await played(sites, other, camera, last) >= sum(copy.end_us - copy.start_us for copy in last) / US_PER_S * MIN_FPS

    await recorded(sites, "north", "gate", len(await sites.rows("north", "gate")) + 2)
    with pytest.raises(TimeoutError):
        await sites.copied("gate", "north", "south", limit_s=1)
    await missing(sites, BEHIND_S)
    assert sites.south.keepsight("site", "lag").returncode == 1
    sites.mend()
    await all_copied(sites, CAUGHT_UP_S)


async def test_a_camera_of_north_is_watched_live_in_south(sites: TwoSites) -> None:
    """Seconds after it was filmed; a cut link is marked, and mended it plays on."""
    now_us = SystemClock().now_us
    began_us = now_us()

    async def seen() -> bool:
        """Whether south shows a picture of the last ten seconds."""
        answer = await sites.south.get(f"/cameras/gate/snapshot.jpg?at={moment(now_us())}")
        return answer.status_code == 200 and answer.content.startswith(b"\xff\xd8")

    await sites.south.wait_for(seen, 60)
    span = f"from={moment(began_us - 60 * US_PER_S)}&to={moment(now_us() + 60 * US_PER_S)}"
    spans = (await sites.south.api(f"/cameras/gate/timeline?{span}&sites=true"))["spans"]
    assert "north" in {site for one in spans if one["kind"] == "footage" for site in one["sites"]}

    sites.cut("south")
    answer = await sites.south.get(f"/cameras/gate/timeline?{span}&sites=true")
    assert answer.headers.get(SITES_AWAY_HEADER) == "north" or "may be some at north" in answer.text
    sites.mend("south")
    await sites.south.wait_for(seen, 60)


async def standing(site: Service) -> set[str]:
    """The cases of the holds that stand at a site."""
    return {each["case"] for each in await said(site, "hold", "list", "--standing")}


async def test_a_hold_binds_at_both_sites(sites: TwoSites) -> None:
    """At once where the other can be told; where it cannot it is named, and learns of it when it asks; lifted at the other, it is here."""
    placed = await said(sites.north, *PLACE, "told")
    assert [(each["site"], each["bound"], each["gone"]) for each in placed["sites"]] == [("south", True, [])]
    assert await standing(sites.south) == {"told"}
    sites.cut("north")
    (missed,) = (await said(sites.north, *PLACE, "pulled"))["sites"]
    assert (missed["site"], missed["bound"]) == ("south", False)
    async with asyncio.timeout(PULLED_S):
        while "pulled" not in await standing(sites.south):  # noqa: ASYNC110 - a command tells no event
            await asyncio.sleep(0.1)
    sites.mend()
    lifted = await said(sites.south, "hold", "lift", placed["hold"]["id"], "--reason", "closed", "--by", "Wang", "--yes")
    assert (lifted["waits_for_approval"], [(each["site"], each["bound"]) for each in lifted["sites"]]) == (False, [("north", True)])
    assert await standing(sites.north) == {"pulled"}


async def test_footage_of_a_site_that_is_lost_plays_at_the_other(sites: TwoSites) -> None:
    """And what it records when it is back follows."""
    await all_copied(sites)
    await sites.lose("north")
    left = await sites.rows("south", "gate")
    assert await played(sites, "south", "gate", left[-1:]) > 0
    await sites.north.start()
    await recorded(sites, "north", "gate", len(await sites.rows("north", "gate")) + 2)
    await sites.copied("gate", "north", "south", limit_s=CAUGHT_UP_S)
    assert len(await said(sites.north, "backup", "list")) == 1, "a backup is made by itself"
