"""hls.js itself, on a page of the test's own: the live edge, entries that the pool sends, and a playlist of a day."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page

from playback.delivery import PoolLinks
from segments.clock import US_PER_S
from segments.stores.s3_objects import S3Objects
from tests.api import Api, asked
from tests.builders import NOON_US, a_camera, a_change
from tests.e2e.page.conftest import run
from tests.e2e.page.driver import FPS, ROWS, WAIT_MS, read_number
from tests.footage import Take, cut, recorded
from tests.media import Clips
from tests.servers.page import CONSOLE, PageServer, built_console
from tests.servers.s3 import S3Server

pytestmark = pytest.mark.server

DAY_S = 24 * 3600
MINUTES = 24 * 60

_OPEN = """(url) => {
  window.fatal = "";
  window.hls = new Hls({ liveSyncDurationCount: 2 });
  hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) fatal = data.details; });
  hls.attachMedia(video);
  hls.loadSource(url);
}"""
_DETAILS = "hls.levels[Math.max(hls.currentLevel, 0)]?.details"
_OPENED = f"fatal || ({_DETAILS} && video.readyState >= 2 && !video.seeking)"
_SEEK = f"""(at) => {{
  const f = {_DETAILS}.fragments.find((f) => f.programDateTime <= at && at < f.programDateTime + f.duration * 1000);
  video.currentTime = f.start + (at - f.programDateTime) / 1000;
}}"""
_SHOWN = f"""() => {{
  const [t, fragments] = [video.currentTime, {_DETAILS}.fragments];
  const f = fragments.find((f) => f.start <= t && t < f.start + f.duration);
  const canvas = new OffscreenCanvas(video.videoWidth, {ROWS});
  const context = canvas.getContext("2d", {{ willReadFrequently: true }});
  context.drawImage(video, 0, 0);
  const reds = context.getImageData(0, 0, canvas.width, {ROWS}).data.filter((_, i) => i % 4 === 0);
  return [f.programDateTime + (t - f.start) * 1000, btoa(String.fromCharCode(...reds))];
}}"""
_TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass
class Player:
    """hls.js in a tab; seconds count from noon."""

    page: Page

    def open(self, address: str) -> None:
        """Opens a playlist and waits for its first picture."""
        self.page.evaluate(_OPEN, address)
        self._settle()

    def seek(self, frame: int, begin_s: float = 0) -> None:
        """Shows a picture: the one so many after a moment at which pictures were counted from 0."""
        self.page.evaluate(_SEEK, (NOON_US / US_PER_S + begin_s + (frame + 0.5) / FPS) * 1000)
        self._settle()

    @property
    def shown(self) -> tuple[float, int]:
        """Which moment the playlist says is shown, and the number burnt into the picture."""
        at_ms, reds = self.page.evaluate(_SHOWN)
        return at_ms / 1000 - NOON_US / US_PER_S, read_number(reds)

    def details(self, field: str) -> float:
        """What the playlist was read as."""
        return self.page.evaluate(f"{_DETAILS}.{field}")

    def _settle(self) -> None:
        self.page.wait_for_function(_OPENED, timeout=2 * WAIT_MS)
        assert self.page.evaluate("fatal") == ""
        self.page.evaluate(_TWO_FRAMES)


Opener = Callable[[PageServer], Player]


@pytest.fixture
def player(browser: Browser) -> Iterator[Opener]:
    """Opens a page of the service's own origin, which has nothing but hls.js as the console was built with."""
    built_console()
    context = browser.new_context()

    def opened(server: PageServer) -> Player:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{server.url}api/v1/cameras")  # really fetched: else Chromium takes the page for one that may not ask this machine
        page.set_content("<video id=video muted></video>")
        page.add_script_tag(path=CONSOLE / "node_modules" / "hls.js" / "dist" / "hls.min.js")
        return Player(page)

    yield opened
    context.close()


def playlist(server: PageServer, name: str, **query: str) -> str:
    """The address of a playlist of the gate."""
    return f"{server.url}api/v1/cameras/gate/hls/{name}.m3u8?{urlencode(query)}"


def test_the_sliding_playlist_is_followed(clips: Clips, player: Opener) -> None:
    """While a camera is recorded, hls.js plays near the end of `live.m3u8`, and goes on as entries come and old ones go."""
    made = cut(clips.get(seconds=60, gop_frames=50), Take("gate", NOON_US, segment_s=60))
    api = Api()
    run(api.index.add_camera(a_camera("gate", added_us=NOON_US - US_PER_S)))
    run(api.index.put_state(a_change(at_us=NOON_US)))

    def grow(fragments: int) -> None:
        api.live.show(made, fragments)
        api.clock.at_us = NOON_US + (2 * fragments + 7) * US_PER_S

    grow(10)
    with PageServer(api.services()) as server:
        found = player(server)
        found.open(playlist(server, "live"))
        assert found.shown[0] >= 20 - 3 * 2 - 1
        first_number = found.details("startSN")
        for fragments in range(12, 31, 6):
            grow(fragments)
            newest_ms = (NOON_US / US_PER_S + 2 * fragments - 2) * 1000
            found.page.wait_for_function(f"{_DETAILS}.fragments.at(-1).programDateTime >= {newest_ms} - 1")
            frame = 2 * fragments * FPS - 30
            found.seek(frame)
            at_s, number = found.shown
            assert (int(at_s * FPS), number) == (frame, frame)
        assert found.details("startSN") > first_number
        assert found.details("live")


def test_entries_of_the_pool_play_across_origins(clips: Clips, s3_server: S3Server, player: Opener) -> None:
    """With `delivery=links` hls.js follows each redirect to the bucket, another origin, with its range; nothing is sent by this service."""
    store, api = S3Objects(s3_server.settings(s3_server.make_bucket())), Api()
    run(_fill(api, store, clips))
    answers: list[tuple[str, int]] = []
    try:
        with PageServer(api.services(pools={}, links=PoolLinks({"main": store}))) as server:
            found = player(server)
            found.page.on("response", lambda answer: answers.append((answer.url, answer.status)))
            found.open(playlist(server, "multivariant", **asked(0, 60), delivery="links"))
            for frame in (7, 205):
                found.seek(frame)
                at_s, number = found.shown
                assert (int(at_s * FPS), number) == (frame, frame)
    finally:
        store.close()
    entries = [(url.startswith(server.url), status) for url, status in answers if "/home-a-1-1/" in url and "init.mp4" not in url]
    assert set(entries) == {(True, 307), (False, 206)}


async def _fill(api: Api, store: S3Objects, clips: Clips) -> None:
    await api.index.add_camera(a_camera("gate", added_us=NOON_US - US_PER_S))
    await recorded(api.index, store, clips.get(seconds=20), Take("gate", NOON_US))


def test_a_playlist_of_a_day_is_opened_and_sought(clips: Clips, player: Opener) -> None:
    """24 h of footage are one playlist; a place anywhere in it is found, and what is fetched for it is of that minute."""
    api = Api()
    run(_fill_day(api, clips))
    fetched: list[str] = []
    with PageServer(api.services()) as server:
        found = player(server)
        found.page.on("request", lambda request: fetched.append(request.url))
        found.open(playlist(server, "media", **asked(-DAY_S / 2, DAY_S / 2)))
        assert found.details("totalduration") == pytest.approx(DAY_S, abs=1)
        dice = random.Random(7)
        for _ in range(3):
            minute, frame = dice.randrange(MINUTES), dice.randrange(60 * FPS)
            fetched.clear()
            found.seek(frame, begin_s=minute * 60 - DAY_S / 2)
            at_s, number = found.shown
            assert (int((at_s + DAY_S / 2) // 60), number) == (minute, frame)
            assert any(f"/{run_of(minute)}/" in address for address in fetched)


def run_of(minute: int) -> str:
    """The run of a minute of the day."""
    return f"home-a-1-{minute + 1}"


async def _fill_day(api: Api, clips: Clips) -> None:
    """A run each minute of the day, all of the same six segments."""
    midnight_us = NOON_US - DAY_S // 2 * US_PER_S
    await api.index.add_camera(a_camera("gate", added_us=midnight_us))
    made = await recorded(api.index, api.objects, clips.get(seconds=60, gop_frames=50), Take("gate", midnight_us, run_of(0)))
    for minute in range(1, MINUTES):
        later_us, name = minute * 60 * US_PER_S, run_of(minute)
        await api.index.put_run(replace(made.run, id=name, start_us=made.run.start_us + later_us, last_us=made.run.last_us + later_us))
        for row in made.rows:
            await api.index.publish(replace(row, run=name, start_us=row.start_us + later_us, end_us=row.end_us + later_us))
    api.clock.at_us = midnight_us + (DAY_S + 3600) * US_PER_S
