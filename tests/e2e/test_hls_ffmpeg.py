"""HLS played by real players, ffmpeg from the system and libav in PyAV, over HTTP: the numbers in the pictures say what was shown."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from urllib.parse import urlencode

import av
import numpy as np
import pytest

from playback.delivery import Delivery, PoolLinks
from segments.clock import US_PER_S
from segments.errors import NotFound
from segments.stores.s3_objects import S3Objects
from tests.api import Api, asked
from tests.builders import NOON_US, a_camera
from tests.footage import Recorded, Take, cut, recorded
from tests.media import Clips, frame_numbers, read_frame_number
from tests.servers.page import PageServer
from tests.servers.processes import require_program
from tests.servers.s3 import S3Server

pytestmark = pytest.mark.server

FPS = 25
GOP = 50


@contextmanager
def served(api: Api) -> Iterator[str]:
    """The address of the camera's playlists while its application is served."""
    with PageServer(api.services()) as server:
        yield f"{server.url}api/v1/cameras/gate/hls/"


def address(base: str, name: str, start_s: float, end_s: float) -> str:
    """A playlist of a span in seconds after noon."""
    return f"{base}{name}.m3u8?{urlencode(asked(start_s, end_s))}"


async def an_api(clips: Clips, *takes: tuple[Take, dict[str, object]]) -> Api:
    """A camera with these takes, each of a clip given by what differs from 12 s with sound."""
    api = Api()
    await api.index.add_camera(a_camera())
    for take, clip in takes:
        path = clips.get(**{"seconds": 12, "gop_frames": GOP, "audio": "aac", **clip})
        await recorded(api.index, api.objects, path, replace(take, start_us=take.start_us or NOON_US, segment_s=4))
    return api


def numbers_by_ffmpeg(url: str, *options: str) -> list[int]:
    """The numbers of all pictures that the system's ffmpeg shows of a playlist of 640x360; fails if it says a word."""
    command = [require_program("ffmpeg", "ffmpeg"), "-v", "error", *options, "-i", url, "-map", "v:0", "-fps_mode", "passthrough"]
    done = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "gray", "-"], capture_output=True, timeout=60, check=False)
    assert done.stderr == b""
    pictures = np.frombuffer(done.stdout, np.uint8).reshape(-1, 360, 640)
    return [read_frame_number(picture) for picture in pictures]


@pytest.mark.parametrize("clip", [{}, {"codec": "h265"}, {"b_frames": 2}, {"gop_frames": 150}])
@pytest.mark.parametrize("name", ["multivariant", "media"])
async def test_ffmpeg_plays_every_picture_once(clips: Clips, clip: dict[str, object], name: str) -> None:
    """Over three segments of a run every picture comes, in order, without a word of complaint."""
    api = await an_api(clips, (Take(), clip))
    with served(api) as base:
        assert numbers_by_ffmpeg(address(base, name, 0, 60)) == list(range(12 * FPS))


async def test_a_window_plays_the_fragments_it_touches(clips: Clips) -> None:
    """Five seconds from within a fragment begin at its key frame and end with the fragment they end in."""
    api = await an_api(clips, (Take(), {}))
    with served(api) as base:
        assert numbers_by_ffmpeg(address(base, "media", 3, 8)) == list(range(2 * FPS, 8 * FPS))


async def test_long_windows_play_the_same_pictures(clips: Clips) -> None:
    """Entries of six seconds, as a window of a day has them, hold the same pictures."""
    api = await an_api(clips, (Take(), {}))
    with served(api) as base:
        assert numbers_by_ffmpeg(address(base, "media", -3 * 3600, 3000)) == list(range(12 * FPS))


async def test_seeking_finds_the_right_entry(clips: Clips) -> None:
    """A player that seeks to seven seconds gets the key frame before it.

    libav 8 of PyAV: ffmpeg 5 cannot seek in fragmented MP4 over HLS, not even in playlists that it made itself.
    """
    api = await an_api(clips, (Take(), {}))
    with served(api) as base, av.open(address(base, "media", 0, 60)) as container:
        container.seek(container.start_time + 7 * av.time_base)
        picture = next(container.decode(video=0))
    assert read_frame_number(picture.to_ndarray(format="gray")) == 6 * FPS


async def test_a_gap_is_played_over(clips: Clips) -> None:
    """With the middle segment missing its pictures are missing, and nothing else."""
    api = await an_api(clips, (Take(), {}))
    api.index = WithoutRow(api.index, counter=1)
    with served(api) as base:
        shown = frame_numbers(address(base, "media", 0, 60))
    assert shown == [*range(4 * FPS), *range(8 * FPS, 12 * FPS)]


class WithoutRow:
    """An index that lost a row."""

    def __init__(self, inner: object, counter: int) -> None:
        self._inner, self._counter = inner, counter

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def rows(self, *args: object, **options: object) -> object:
        page = await self._inner.rows(*args, **options)
        return replace(page, items=[row for row in page.items if row.counter != self._counter])

    async def row(self, camera: str, position: object) -> object:
        row = await self._inner.row(camera, position)
        if row.counter == self._counter:
            raise NotFound("lost")
        return row


async def test_runs_of_different_size_play_one_after_the_other(clips: Clips) -> None:
    """After a change of resolution a new run plays with its own init, each picture in its own size.

    libav knows no DISCONTINUITY and drops the first fragment of a run whose media time begins before the end of the last one.
    """
    later = Take(run="home-a-1-2", start_us=NOON_US + 20 * US_PER_S)
    api = await an_api(clips, (Take(), {}), (later, {"seconds": 4, "width": 1280, "height": 720}))
    with served(api) as base:
        assert frame_numbers(address(base, "media", 0, 60)) == [*range(12 * FPS), *range(GOP, 4 * FPS)]
        assert frame_numbers(address(base, "media", 15, 60)) == list(range(4 * FPS))


async def test_times_of_packets_go_on_over_segments(clips: Clips) -> None:
    """ffprobe sees picture and sound without a leap where one segment ends and the next begins, and both as long as they were."""
    api = await an_api(clips, (Take(), {}))
    with served(api) as base:
        packets = probe_packets(address(base, "media", 0, 60))
    for kind, step in (("video", 1 / FPS), ("audio", 1024 / 48_000)):
        times = [float(packet["pts_time"]) for packet in packets if packet["codec_type"] == kind]
        steps = [b - a for a, b in pairwise(times)]
        assert max(steps) - step < 0.001
        assert min(steps) > 0
        assert times[-1] - times[0] + step == pytest.approx(12, abs=0.05)


def probe_packets(url: str) -> list[dict[str, str]]:
    """All packets of a playlist as ffprobe reads them."""
    command = [require_program("ffprobe", "ffmpeg"), "-v", "error", "-show_entries", "packet=codec_type,pts_time", "-of", "json", url]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)["packets"]


@pytest.mark.parametrize(("shift", "right"), [(0, True), (-1, False)])
async def test_bytes_that_are_off_by_one_do_not_play(clips: Clips, shift: int, right: bool) -> None:
    """The negative control: with offsets one byte off the same check is red."""
    api = await an_api(clips, (Take(), {}))
    api.index = Shifted(api.index, shift)
    with served(api) as base:
        try:
            numbers = numbers_by_ffmpeg(address(base, "media", 0, 60))
        except AssertionError:
            numbers = []
    assert (numbers == list(range(12 * FPS))) is right


class Shifted(WithoutRow):
    """An index whose fragments lie a little beside the real ones."""

    def __init__(self, inner: object, shift: int) -> None:
        super().__init__(inner, counter=-1)
        self._shift = shift

    async def rows(self, *args: object, **options: object) -> object:
        page = await super().rows(*args, **options)
        return replace(page, items=[self._moved(row) for row in page.items])

    def _moved(self, row):
        return replace(row, fragments=tuple(f._replace(offset=f.offset + self._shift) for f in row.fragments))


class GrowingApi(Api):
    """A recording that grows by two fragments each time somebody looks, and is indexed at its end."""

    made: Recorded
    looks = 0

    async def look(self, camera: str) -> list[object]:
        """What `LiveFootage.segments` says now."""
        self.looks += 1
        fragments = min(2 * self.looks, len(self.made.rows[0].fragments))
        self.clock.at_us = NOON_US + fragments * 2 * US_PER_S + 1
        self.live.show(self.made, fragments)
        return self.live.found


@pytest.mark.slow
async def test_the_live_edge_plays_to_its_end(clips: Clips) -> None:
    """A player that follows a growing playlist out of the spool sees every picture once and stops by itself."""
    api = GrowingApi()
    api.clock.at_us = NOON_US
    api.made = cut(clips.get(seconds=12, gop_frames=GOP, audio="aac"), Take(start_us=NOON_US, segment_s=60))
    api.live.segments = api.look
    with served(api) as base:
        assert numbers_by_ffmpeg(address(base, "media", 0, 12), "-live_start_index", "0") == list(range(12 * FPS))
    assert api.looks >= 3


@pytest.mark.slow
async def test_the_sliding_playlist_plays_to_the_end_of_what_there_was(clips: Clips) -> None:
    """A player that follows `live.m3u8` sees every picture once, in order, until nothing new comes any more."""
    api = GrowingApi()
    api.clock.at_us = NOON_US + 4 * US_PER_S
    api.made = cut(clips.get(seconds=12, gop_frames=GOP, audio="aac"), Take(start_us=NOON_US, segment_s=60))
    api.live.segments = api.look
    await api.index.add_camera(a_camera())
    with served(api) as base:
        assert numbers_by_ffmpeg(f"{base}live.m3u8", "-live_start_index", "0", "-m3u8_hold_counters", "3") == list(range(12 * FPS))
    assert api.looks >= 3


async def test_a_link_plays_without_a_header(clips: Clips) -> None:
    """ffmpeg plays the address of a link of ours as it stands."""
    api = await an_api(clips, (Take(), {}))
    api.token = "canary-token"
    async with api.client() as client:
        wanted = {**asked(2, 10), "use": "hls"}
        made = await client.post("cameras/gate/links", json=wanted, headers={"Authorization": f"Bearer {api.token}"})
    services = api.app().state.services
    with PageServer(services) as server:
        assert numbers_by_ffmpeg(server.url.rstrip("/") + made.json()["address"]) == list(range(GOP, 10 * FPS))


async def test_the_pool_itself_sends_the_entries(clips: Clips, s3_server: S3Server) -> None:
    """In link mode ffmpeg follows each redirect to the pool, with its Range header; this service reads no object then."""
    bucket = s3_server.make_bucket()
    store, api = S3Objects(s3_server.settings(bucket)), Api()
    await api.index.add_camera(a_camera())
    await recorded(api.index, store, clips.get(seconds=12, gop_frames=GOP), Take(start_us=NOON_US, segment_s=4))
    try:
        with PageServer(api.services(pools={}, links=PoolLinks({"main": store}, Delivery.LINKS))) as server:
            base = f"{server.url}api/v1/cameras/gate/hls/"
            apart = ("-http_persistent", "0")  # else it grumbles that the next address is of another host, and connects anew
            assert numbers_by_ffmpeg(address(base, "multivariant", 0, 60), *apart) == list(range(12 * FPS))
    finally:
        store.close()
