"""Several cameras on one clock: each shows the picture of the same moment."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from segments.clock import US_PER_S
from tests.builders import NOON_US
from tests.e2e.page.driver import FPS, ROWS, Driven, moment, read_number

pytestmark = pytest.mark.server

_NUMBERS = f"""() => [...document.querySelectorAll(".group video")].filter((v) => v.style.visibility !== "hidden").map((video) => {{
  const canvas = new OffscreenCanvas(video.videoWidth, {ROWS});
  const context = canvas.getContext("2d", {{ willReadFrequently: true }});
  context.drawImage(video, 0, 0);
  const reds = context.getImageData(0, 0, canvas.width, {ROWS}).data.filter((_, i) => i % 4 === 0);
  return [video.dataset.camera, btoa(String.fromCharCode(...reds))];
}})"""
_READY = """() => [...document.querySelectorAll(".group video")].every(
  (v) => v.style.visibility === "hidden" || (v.readyState >= 2 && !v.seeking))"""


def shown_s(driven: Driven) -> float:
    """What the common clock says, in seconds after noon."""
    return float(driven.page.locator("#group-clock").get_attribute("data-shown") or "nan") / 1e3 - NOON_US / US_PER_S


def numbers(driven: Driven) -> dict[str, int]:
    """The number burnt into the picture of each camera that has one."""
    driven.page.wait_for_function(_READY)
    return {camera: read_number(reds) for camera, reds in driven.page.evaluate(_NUMBERS)}


def opened(driven: Driven, cameras: str, at_s: float) -> None:
    """Opens a group at a moment, and pauses once it plays."""
    driven.page.goto("about:blank")
    driven.page.goto(f"{driven.url}#/group/{cameras}/at/{moment(at_s)}")
    start_ms = (NOON_US / 1e6 + at_s) * 1000
    driven.page.wait_for_function(f"+document.getElementById('group-clock').dataset.shown > {start_ms + 1500}")
    driven.page.locator("#group-play").click()


def test_cameras_play_in_step(driven: Driven) -> None:
    """After some seconds of playing and a pause, both show the picture of the same moment, to a tenth of a second."""
    opened(driven, "gate,yard", 3)
    driven.page.wait_for_timeout(300)
    found = numbers(driven)
    assert found.keys() == {"gate", "yard"}
    assert abs(found["gate"] - found["yard"]) <= 0.1 * FPS + 1
    assert abs(found["gate"] / FPS - shown_s(driven)) <= 0.2


def test_a_camera_in_a_gap_says_so_while_the_others_play(driven: Driven) -> None:
    """The yard ends twenty seconds after noon; the gate goes on."""
    opened(driven, "gate,yard", 25)
    expect(driven.page.locator(".group figure").nth(1).locator(".gap")).to_be_visible()
    assert numbers(driven).keys() == {"gate"}


def test_the_clock_goes_over_what_nobody_has(driven: Driven) -> None:
    """From a moment in the gate's gap of three minutes it goes on where the gate has footage again."""
    driven.page.goto(f"{driven.url}#/group/gate,yard/at/{moment(90)}")
    driven.page.wait_for_function(f"+document.getElementById('group-clock').dataset.shown >= {(NOON_US / 1e6 + 240) * 1000}")


def test_cameras_are_picked_in_the_list(driven: Driven) -> None:
    """Two are marked, and play together."""
    driven.open("gate", 5)
    driven.pause()
    driven.page.locator("#pick").click()
    for camera in ("gate", "yard"):
        driven.page.locator(f"[data-camera={camera}]").click()
    driven.page.locator("#pick-play").click()
    expect(driven.page.locator(".group video")).to_have_count(2)
    assert "#/group/gate,yard/at/" in driven.page.url
