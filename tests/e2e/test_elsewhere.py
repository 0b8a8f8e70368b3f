"""Two sites as programs meet them: a player asks one over HTTP, which asks the other one over TLS with their key."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import av
import httpx2
import pytest

from deploy.web_server import Listening, serve_http
from playback.app import PREFIX
from replication.elsewhere import PeerElsewhere
from segments.clock import SystemClock
from tests.api import Api, asked
from tests.asked_site import AskedSite, a_client, served
from tests.builders import NOON_US
from tests.footage import Recorded, Take, recorded
from tests.m3u8 import read_playlist
from tests.media import Clips, read_frame_number
from tests.servers.processes import free_port


@asynccontextmanager
async def south(elsewhere: PeerElsewhere) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the site that is asked by players; it has nothing itself."""
    port = free_port()
    serving = asyncio.create_task(serve_http(Api().app(elsewhere=elsewhere), Listening("127.0.0.1", port, None)))
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}{PREFIX}/", trust_env=False) as client, asyncio.timeout(60):
            while True:
                try:
                    await client.get("health")
                    break
                except httpx2.ConnectError:
                    await asyncio.sleep(0.02)
            yield client
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture
async def north(clips: Clips) -> tuple[AskedSite, Recorded]:
    """The site that has footage: 8 s from noon on."""
    site = AskedSite()
    return site, await recorded(site.index, site.objects, clips.get(seconds=8), Take(start_us=NOON_US, segment_s=4))


async def test_footage_of_north_plays_in_south(north: tuple[AskedSite, Recorded], tmp_path: Path) -> None:
    """Timeline, playlist, init, every entry, whole segments and a picture; every frame is seen. Then north goes, and that is said."""
    site, made = north
    async with AsyncExitStack() as stack:
        serving = await stack.enter_async_context(AsyncExitStack())
        client = a_client(*await serving.enter_async_context(served(site, tmp_path)))
        stack.push_async_callback(client.close)
        http = await stack.enter_async_context(south(PeerElsewhere({"north": client}, SystemClock())))

        (span, *_) = (await http.get("cameras/gate/timeline", params=asked(0, 8))).json()["spans"]
        assert (span["run"], span["sites"]) == (made.run.id, ["north"])
        assert [frame async for frame in _played(http)] == list(range(200))
        for row in made.rows:
            whole = await http.get(f"cameras/gate/segments/{row.start_us}/{row.run}/{row.counter}.mp4")
            assert whole.content == made.objects[row.key]
        assert (await http.get("cameras/gate/snapshot.jpg", params={"at": asked(5, 6)["from"]})).status_code == 200

        await serving.aclose()
        for route in ("timeline", "hls/media.m3u8"):
            began_s = time.monotonic()
            answer = await http.get(f"cameras/gate/{route}", params=asked(0, 8))
            assert (answer.status_code, "may be some at north" in answer.json()["detail"]) == (404, True)
            assert time.monotonic() - began_s < 2


async def _played(http: httpx2.AsyncClient) -> AsyncIterator[int]:
    """The numbers of the pictures a player gets to see."""
    playlist = read_playlist((await http.get("cameras/gate/hls/media.m3u8", params=asked(0, 8))).text)
    film = b""
    for entry in playlist.entries:
        head = (await http.get(f"cameras/gate/hls/{entry.init}")).content if not film else b""
        wanted = f"bytes={entry.offset}-{entry.offset + entry.length - 1}"
        film += head + (await http.get(f"cameras/gate/hls/{entry.uri}", headers={"Range": wanted})).content
    with av.open(io.BytesIO(film)) as container:
        for frame in container.decode(video=0):
            yield read_frame_number(frame.to_ndarray(format="gray"))
