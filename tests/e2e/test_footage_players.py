"""The footage file over HTTP as players of others see it: every sample as the camera sent it, the right picture after a seek, the clock."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playback.services import Services
from segments.clock import US_PER_S, iso
from tests.api import Api
from tests.builders import NOON_US, a_camera
from tests.footage import Take, recorded
from tests.media import Clips, access_units, read_frame_number
from tests.servers.chromium import chromium_page
from tests.servers.page import PageServer
from tests.servers.processes import require_program

pytestmark = pytest.mark.server

RUN_S, SECOND_RUN_S, FPS = 20, 60, 25
"""Two runs of so many seconds, the second from so long after the first began."""

_SHOWN = """async (seconds) => {
  const video = document.querySelector("video");
  await new Promise((done, failed) => {
    video.onseeked = done;
    video.onerror = () => failed(new Error(video.error.message));
    video.currentTime = seconds;
  });
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const canvas = new OffscreenCanvas(video.videoWidth, 48);
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const reds = context.getImageData(0, 0, canvas.width, 48).data.filter((_, i) => i % 4 === 0);
  return btoa(String.fromCharCode(...reds));
}"""

_PLAYED = """async () => {
  const video = document.querySelector("video");
  video.currentTime = 18;
  await video.play();
  await new Promise((done, failed) => {
    video.onerror = () => failed(new Error(video.error.message));
    video.ontimeupdate = () => video.currentTime > 21 && done();
  });
  return video.currentTime;
}"""


@pytest.fixture(scope="module")
def clip(clips: Clips) -> Path:
    """B-frames and sound."""
    return clips.get(seconds=RUN_S, b_frames=2, audio="aac")


@pytest.fixture(scope="module")
def url(clip: Path, clips: Clips) -> Iterator[str]:
    """The cameras `gate` (two runs, H.264) and `roof` (H.265) behind a real server."""
    with PageServer(asyncio.run(_filled(clip, clips.get(codec="h265", seconds=RUN_S, b_frames=2, audio="aac")))) as server:
        yield server.url


async def _filled(clip: Path, other: Path) -> Services:
    api = Api()
    for camera in ("gate", "roof"):
        await api.index.add_camera(a_camera(camera))
    await recorded(api.index, api.objects, clip, Take(start_us=NOON_US, segment_s=6))
    later = Take(start_us=NOON_US + SECOND_RUN_S * US_PER_S, run="home-a-1-2", segment_s=6)
    await recorded(api.index, api.objects, clip, later)
    await recorded(api.index, api.objects, other, Take(camera="roof", start_us=NOON_US, segment_s=6))
    return api.services()


def file(url: str, camera: str = "gate", **more: str) -> str:
    """The address of all there is of a camera."""
    query = "&".join([f"from={iso(NOON_US)}", f"to={iso(NOON_US + 100 * US_PER_S)}", *(f"{name}={value}" for name, value in more.items())])
    return f"{url}api/v1/cameras/{camera}/footage.mp4?{query}"


def probe(address: str, *options: str) -> Any:
    """What ffprobe finds; fails if it says a word."""
    command = [require_program("ffprobe", "ffmpeg"), "-v", "warning", *options, "-of", "json", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("camera", ["gate", "roof"])
def test_every_sample_is_the_cameras(url: str, clips: Clips, clip: Path, camera: str) -> None:
    """ffprobe reads the packets of both tracks, in order, byte for byte what was recorded, B-frames, H.265 and sound included."""
    source = clip if camera == "gate" else clips.get(codec="h265", seconds=RUN_S, b_frames=2, audio="aac")
    found = probe(file(url, camera), "-show_packets", "-show_data_hash", "sha256", "-show_entries", "packet=stream_index,data_hash")[
        "packets"
    ]
    tracks, units = access_units(source)
    for track in range(len(tracks)):
        sent = [f"SHA256:{hashlib.sha256(unit.data).hexdigest()}" for unit in units if unit.track == track]
        assert [packet["data_hash"] for packet in found if packet["stream_index"] == track] == sent * (2 if camera == "gate" else 1)


def test_ffprobe_tells_the_wall_clock(url: str) -> None:
    """When it was made is when the first picture was; chapters tell where the second run begins, and when that was."""
    found = probe(file(url), "-show_format", "-show_streams", "-show_chapters")
    assert found["format"]["tags"]["creation_time"] == "2026-03-14T12:00:00.000000Z"
    assert {stream["tags"]["creation_time"] for stream in found["streams"]} == {"2026-03-14T12:00:00.000000Z"}
    chapters = {each["tags"]["title"]: float(each["start_time"]) for each in found["chapters"]}
    assert chapters["2026-03-14T12:00:06.000Z"] == pytest.approx(6, abs=0.1)
    assert chapters["2026-03-14T12:01:00.000Z"] == pytest.approx(RUN_S, abs=0.1)
    assert len(chapters) == 8


@pytest.mark.parametrize(("seconds", "gaps", "number"), [(3.2, "out", 80), (27.4, "out", 185), (67.4, "hold", 185)])
def test_ffmpeg_seeks_to_the_right_picture(url: str, seconds: float, gaps: str, number: int) -> None:
    """Over HTTP, into the first run and the second, with gaps left out and held; without a word."""
    command = [require_program("ffmpeg", "ffmpeg"), "-v", "warning", "-ss", f"{seconds + 0.02}", "-i", file(url, gaps=gaps)]
    command += ["-map", "0:v", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    picture = np.frombuffer(done.stdout, np.uint8).reshape(360, 640)
    assert read_frame_number(picture) in (number, number + 1)


async def test_chromium_plays_and_seeks(url: str) -> None:
    """As a plain `<video src>`: it plays from one run into the next, and shows the right picture after each seek."""
    async with chromium_page() as page:
        await page.goto(f"{url}api/v1/health")
        await page.set_content(f'<video muted src="{file(url)}"></video>')
        await page.wait_for_function("document.querySelector('video').readyState >= 2")
        assert await page.evaluate("document.querySelector('video').duration") == pytest.approx(2 * RUN_S, abs=0.2)
        for seconds, number in ((3.2, 80), (27.4, 185), (0.0, 0), (15.0, 375)):
            reds = np.frombuffer(base64.b64decode(await page.evaluate(_SHOWN, seconds + 0.02)), np.uint8)
            assert abs(read_frame_number(reds.reshape(48, -1)) - number) <= 1
        assert await page.evaluate(_PLAYED) > 21


@pytest.mark.parametrize("camera", ["gate", "roof"])
def test_gstreamer_discovers_it(url: str, camera: str) -> None:
    """Its length, both tracks, and that it can be sought in."""
    discoverer = require_program("gst-discoverer-1.0", "gstreamer1.0-plugins-base-apps")
    done = subprocess.run([discoverer, "-v", file(url, camera)], capture_output=True, text=True, timeout=60, check=True)
    assert re.search(r"Seekable: yes", done.stdout)
    seconds = re.search(r"Duration: 0:00:(\d+\.\d+)", done.stdout)
    assert seconds
    assert float(seconds[1]) == pytest.approx(2 * RUN_S if camera == "gate" else RUN_S, abs=0.2)
    assert {"gate": "H.264", "roof": "H.265"}[camera] in done.stdout
    assert "AAC" in done.stdout
