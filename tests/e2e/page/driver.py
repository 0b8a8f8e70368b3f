"""The page in a browser as a test drives it: what it shows, read from its pixels and from what it tells screen readers."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from typing import Any

import numpy as np
from playwright.sync_api import Page, expect

from segments.clock import US_PER_S, iso
from tests.builders import NOON_US
from tests.media import read_frame_number

RUN_S = 60
SECOND_RUN_S = 240
"""The gate camera has footage for so long from noon on, and again from so long after noon on; the other cameras from noon on."""

EARLIER_RUN_S = -5400
"""The yard camera has some before noon too."""

FPS = 25
WAIT_MS = 15_000
TOLD_TRIES = 15
"""Twice so many refreshes are half a second."""

ROWS = 48
"""Of the picture, counted from the top: its number stands there."""

_READ = f"""(id) => {{
  const video = document.getElementById(id);
  const canvas = new OffscreenCanvas(video.videoWidth, {ROWS});
  const context = canvas.getContext("2d", {{ willReadFrequently: true }});
  context.drawImage(video, 0, 0);
  const reds = context.getImageData(0, 0, canvas.width, {ROWS}).data.filter((_, i) => i % 4 === 0);
  return [clock.dataset.shown, btoa(String.fromCharCode(...reds))];
}}"""

_READ_NEXT = f"""(id) => new Promise((done) => document.getElementById(id).requestVideoFrameCallback(
  () => requestAnimationFrame(() => done(({_READ})(id)))))"""

_VIEW = """() => new Promise((done) => requestAnimationFrame(
  () => requestAnimationFrame(() => done([timeline.dataset.from, timeline.dataset.to]))))"""

_COLOUR = """(x) => {
  const scale = timeline.width / timeline.clientWidth;
  const [left, top, height] = [x, 30, 32].map((n) => Math.round(n * scale));
  const data = timeline.getContext("2d").getImageData(left, top, 1, height).data;
  return [0, 1, 2].map((n) => data.filter((_, i) => i % 4 === n).reduce((a, b) => a + b) / (data.length / 4));
}"""

_TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

_SETTLED = """() => {
  const video = document.getElementById("video");
  return clock.dataset.shown && !video.seeking && video.readyState >= 2 && still.hidden;
}"""

_FOLLOW = """(seconds) => new Promise((resolve) => {
  const [video, start] = [document.getElementById("video"), performance.now()];
  const first = video.currentTime;
  const look = () => {
    const passed = (performance.now() - start) / 1000;
    if (passed >= seconds) resolve((video.currentTime - first) / passed);
    else setTimeout(look, 50);
  };
  look();
})"""


def moment(seconds: float) -> str:
    """The moment so many seconds after noon, as addresses have it."""
    return iso(NOON_US + round(seconds * US_PER_S))


def _frame_at(seconds: float) -> int:
    start_s = max(start for start in (EARLIER_RUN_S, 0, SECOND_RUN_S) if start <= seconds + 0.001)
    return round((seconds - start_s) * FPS)


def read_number(reds: str) -> int:
    """The number burnt into a picture, from the reds of its first rows."""
    picture = np.frombuffer(b64decode(reds), np.uint8)
    return read_frame_number(picture.reshape(ROWS, -1))


@dataclass
class Driven:
    """One page in one browser tab; seconds count from noon."""

    page: Page
    url: str

    def open(self, camera: str = "", at_s: float | None = None) -> None:
        """Opens an address of the page."""
        place = f"#/camera/{camera}" if camera else ""
        self.page.goto("about:blank")
        self.page.goto(self.url + place + (f"/at/{moment(at_s)}" if at_s is not None else ""))
        if camera:
            self.page.wait_for_function("timeline.dataset.spans > 0", timeout=WAIT_MS)

    def paused_at(self, camera: str, at_s: float) -> None:
        """Opens a link and pauses on one of the first pictures."""
        self.open(camera, at_s)
        self.pause()

    def hold(self) -> None:
        """From the next page on, nothing plays: the first picture shown stays."""
        self.page.add_init_script("HTMLMediaElement.prototype.play = () => Promise.resolve();")

    def settle(self) -> None:
        """Waits for the picture asked for."""
        self.page.wait_for_function(_SETTLED, timeout=WAIT_MS)
        self.page.evaluate(_TWO_FRAMES)

    def pause(self) -> None:
        """Waits for a picture and pauses there."""
        self.settle()
        if self.page.get_by_role("button", name="Pause").count():
            self.page.keyboard.press("Space")
        self.page.wait_for_function("video.paused && trick.hidden", timeout=WAIT_MS)
        self.settle()
        for _ in range(TOLD_TRIES):  # a busy browser tells the page of the last picture some refreshes after it has shown it
            if self.number() == self.frame_by_clock():
                break
            self.page.evaluate(_TWO_FRAMES)

    @property
    def shown_s(self) -> float:
        """What the clock says."""
        return float(self.page.locator("#clock").get_attribute("data-shown") or "nan") / 1e3 - NOON_US / US_PER_S

    def frame_by_clock(self) -> int:
        """The number of the picture the clock speaks of; each run begins with picture 0."""
        return _frame_at(self.shown_s)

    def number(self) -> int:
        """The number burnt into the picture on the screen."""
        return read_number(self.page.evaluate(_READ, "video")[1])

    def next_key_frame(self) -> tuple[int, int]:
        """Of the next picture of fast play: the number burnt into it, and the one the clock speaks of at that moment."""
        shown_ms, reds = self.page.evaluate(_READ_NEXT, "trick")
        return read_number(reds), _frame_at(float(shown_ms) / 1e3 - NOON_US / US_PER_S)

    def wait_shown(self, at_least_s: float, before_s: float = 1e9) -> None:
        """Waits until the clock shows something in this stretch."""
        low, high = ((NOON_US / 1e6 + s) * 1000 for s in (at_least_s, before_s))
        self.page.wait_for_function(f"+clock.dataset.shown >= {low} - 1 && +clock.dataset.shown < {high}", timeout=WAIT_MS)

    def press(self, key: str) -> None:
        """One key on the page."""
        self.page.keyboard.press(key)

    def speed(self, seconds: float) -> float:
        """Media seconds played a second, measured in the browser over so many."""
        return self.page.evaluate(_FOLLOW, seconds)

    # --- timeline ---------------------------------------------------------------------------------------------------

    @property
    def view_s(self) -> tuple[float, float]:
        """The stretch the timeline shows."""
        found = self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => done([timeline.dataset.from, timeline.dataset.to])))"
        )
        first, last = (float(text) / 1e3 - NOON_US / US_PER_S for text in found)
        return first, last

    def x_of(self, at_s: float) -> float:
        """Where a moment stands on the timeline, in pixels from its left."""
        first, last = self.view_s
        return (at_s - first) / (last - first) * self.box["width"]

    @property
    def box(self) -> Any:
        """Where the timeline stands in the window."""
        return self.page.locator("#timeline").bounding_box()

    def hover(self, at_s: float) -> str:
        """Points at a moment of the timeline; returns what the tooltip says."""
        self.page.mouse.move(self.box["x"] + self.x_of(at_s), self.box["y"] + 45)
        expect(self.page.locator("#tip")).to_be_visible()
        return self.page.locator("#tip").inner_text()

    def click(self, at_s: float) -> None:
        """Clicks a moment of the timeline."""
        self.page.mouse.click(self.box["x"] + self.x_of(at_s), self.box["y"] + 45)

    def colour(self, at_s: float) -> tuple[int, int, int]:
        """The colour drawn at a moment, averaged over the height of the lane."""
        red, green, blue = self.page.evaluate(_COLOUR, self.x_of(at_s))
        return red, green, blue
