"""Makes docs/page.png: the page in Chromium over a day of footage drawn here. Run: `python -m docs.make_page_picture`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from playwright.sync_api import Page, sync_playwright

from segments.clock import US_PER_S
from segments.model import CameraState, Cause
from tests.api import Api
from tests.builders import a_camera, a_change, a_loss, at
from tests.footage import Take, recorded
from tests.servers.chromium import ARGUMENTS
from tests.servers.page import PageServer, built_console

PICTURE = Path(__file__).with_name("page.png")
MIDNIGHT_US = at("2026-03-14T00:00:00+08:00")
NOW_US = at("2026-03-14T15:42:00+08:00")
SHOWN = "2026-03-14T06:12:03.400Z"
MINUTE_US = 60 * US_PER_S
FPS, WIDTH, HEIGHT = 2, 1280, 720

RUNS = ((0, 187), (195, 466), (466, 702), (731, 852), (852, 942))
"""Minutes since midnight with footage, run by run."""

CAMERAS = (
    ("35020300001310000001", "Harbour gate", None),
    ("35020300001310000002", "Quay 1 north", None),
    ("35020300001310000003", "Quay 1 south", None),
    ("35020300001310000004", "Container yard A", Cause.CAMERA_AWAY),
    ("35020300001310000005", "Container yard B", None),
    ("35020300001310000006", "Ferry terminal", None),
    ("35020300001310000007", "Fuel pier", Cause.LOGIN_REFUSED),
    ("35020300001310000008", "Breakwater light", None),
    ("35020300001310000009", "Customs entrance", None),
    ("35020300001310000010", "Rail crossing", Cause.DISABLED),
)


def draw(number: int) -> np.ndarray:
    """One picture: a harbour in the last light, a boat on its way across."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    horizon = 400
    share = np.clip(y / horizon, 0, 1)[..., None]
    picture = (1 - share) * np.array([28, 44, 78], np.float32) + share * np.array([226, 148, 96], np.float32)
    glow = np.exp(-(((x - 930) / 260) ** 2 + ((y - horizon) / 120) ** 2))[..., None]
    picture += glow * np.array([70, 60, 20], np.float32)
    water = y >= horizon
    mirrored = picture[np.clip(2 * horizon - y.astype(int), 0, HEIGHT - 1), x.astype(int)] * 0.55
    ripple = 10 * np.sin(y / 3 + number / 2 + 3 * np.sin(x / 70 + y / 40)) * np.clip((y - horizon) / 90, 0, 1)
    picture = np.where(water[..., None], mirrored + ripple[..., None], picture)
    for left in (90, 250, 430):
        _crane(picture, left, horizon)
    picture[horizon - 14 : horizon + 2, :620] = (24, 27, 36)
    _boat(picture, 430 + number * 8, horizon + 96)
    picture[horizon + 210 :, :] = picture[horizon + 210 :, :] * 0.25 + np.array([16, 19, 26])
    return np.clip(picture, 0, 255).astype(np.uint8)


def _crane(picture: np.ndarray, left: int, ground: int) -> None:
    dark = (30, 33, 44)
    picture[ground - 190 : ground, left : left + 9] = dark
    picture[ground - 190 : ground, left + 62 : left + 71] = dark
    picture[ground - 196 : ground - 184, left - 50 : left + 150] = dark
    picture[ground - 240 : ground - 190, left + 30 : left + 39] = dark
    picture[ground - 184 : ground - 120, left + 128 : left + 130] = dark
    picture[ground - 198 : ground - 194, left + 146 : left + 150] = (255, 90, 70)


def _boat(picture: np.ndarray, left: int, line: int) -> None:
    for row in range(34):
        picture[line - 34 + row, left + row : left + 250 - row // 2] = (38, 42, 52) if row > 8 else (196, 200, 204)
    picture[line - 78 : line - 34, left + 150 : left + 215] = (205, 208, 210)
    picture[line - 70 : line - 56, left + 156 : left + 209] = (255, 214, 140)
    picture[line - 110 : line - 78, left + 178 : left + 182] = (60, 64, 72)


def encode(path: Path, seconds: int) -> None:
    """The clip all footage is made of."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "20", "x264-params": "scenecut=0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 2 * FPS, 0
        for number in range(seconds * FPS):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


async def fill(api: Api, clip: Path) -> None:
    """A day of the first camera, each minute of it the same minute, and what the others are doing."""
    for camera, name, cause in CAMERAS:
        await api.index.add_camera(a_camera(camera, name=name, camera_class=1, tier="key-area", added_us=MIDNIGHT_US - 86_400 * US_PER_S))
        state = {None: CameraState.RECORDING, Cause.DISABLED: CameraState.STOPPED}.get(cause, CameraState.WAITING)
        await api.index.put_state(a_change(camera=camera, at_us=MIDNIGHT_US, state=state, cause=cause))
    camera = CAMERAS[0][0]
    for place, (first, end) in enumerate(RUNS):
        take = Take(camera, MIDNIGHT_US + first * MINUTE_US, f"xiamen-a-7-{place + 1}", segment_s=60)
        made = await recorded(api.index, api.objects, clip, take)
        await api.index.put_run(replace(made.run, last_us=MIDNIGHT_US + end * MINUTE_US))
        for minute in range(1, end - first):
            moved = minute * MINUTE_US
            row = made.rows[0]
            await api.index.publish(replace(row, counter=minute, start_us=row.start_us + moved, end_us=row.end_us + moved))
        await api.index.put_state(a_change(camera=camera, at_us=MIDNIGHT_US + first * MINUTE_US))
        detail = "connection refused" if place % 2 else "no answer for 10 s"
        await api.index.put_state(a_loss(camera=camera, at_us=MIDNIGHT_US + end * MINUTE_US - 1, detail=detail))
    await api.index.put_state(a_change(camera=camera, at_us=NOW_US))
    api.live.said = {"cameras": {"recording": 7, "waiting": 2, "stopped": 1}}
    api.clock.at_us = NOW_US


def photograph(page: Page, url: str) -> None:
    """Plays, zooms to six hours, and points at a gap."""
    page.goto(f"{url}#/camera/{CAMERAS[0][0]}/at/{SHOWN}")
    page.wait_for_function("clock.dataset.shown && timeline.dataset.spans > 3")
    page.keyboard.press("Space")
    page.get_by_role("button", name="6 h", exact=True).click()
    page.wait_for_function("timeline.dataset.to - timeline.dataset.from === 21600000 && !video.seeking")
    page.screenshot(path=PICTURE)


def main() -> None:
    """Fills, serves, photographs."""
    api = Api()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "harbour.mp4"
        encode(clip, 60)
        asyncio.run(fill(api, clip))
    with PageServer(api.services(console=built_console(), site="xiamen")) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1440, "height": 810}, timezone_id="Asia/Shanghai", locale="en-GB", bypass_csp=True)
        photograph(context.new_page(), server.url)
        browser.close()
    print(f"{PICTURE.name}: {PICTURE.stat().st_size:,} bytes")  # noqa: T201 (a script says what it did)


if __name__ == "__main__":
    main()
