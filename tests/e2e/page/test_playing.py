"""Playing in Chromium: the number burnt into the picture against the moment the page's clock tells."""

from __future__ import annotations

import math
import time
from pathlib import Path

import av
import pytest
from playwright.sync_api import expect

from tests.e2e.page.driver import EARLIER_RUN_S, FPS, RUN_S, SECOND_RUN_S, Driven
from tests.media import read_frame_number

pytestmark = pytest.mark.server


@pytest.mark.parametrize("at_s", [0.0, 17.34, 31.96, 59.9])
def test_a_link_shows_the_picture_of_its_moment(driven: Driven, at_s: float) -> None:
    """The first picture is the one that was on at the moment of the link, and it is what the clock says."""
    driven.hold()
    driven.open("gate", at_s)
    driven.settle()
    assert driven.number() == driven.frame_by_clock() == math.floor(at_s * FPS + 0.01)


def test_a_click_on_the_timeline_plays_that_moment(driven: Driven) -> None:
    """Clicking a place of the timeline shows the picture of the moment drawn there."""
    driven.paused_at("gate", 5)
    driven.page.get_by_role("button", name="10 min").click()
    driven.click(42)
    driven.wait_shown(41, 50)
    driven.pause()
    assert driven.number() == driven.frame_by_clock()
    assert 41 * FPS < driven.number() < 50 * FPS


def test_pictures_with_b_frames_and_sound_keep_the_right_clock(driven: Driven) -> None:
    """Neither reordered pictures nor sound that begins beside them moves the clock off the picture."""
    driven.paused_at("lens", 7.52)
    for _ in range(3):
        before = driven.number()
        assert before == driven.frame_by_clock()
        _step(driven, ".", before + 1)


def test_footage_that_lies_about_its_time_is_found_out(driven: Driven) -> None:
    """Control: with rows two seconds off, the comparison of picture and clock fails by those two seconds."""
    driven.paused_at("liar", 9)
    assert driven.frame_by_clock() - driven.number() == 2 * FPS


def test_steps_go_by_exactly_one_picture(driven: Driven) -> None:
    """On and back, over the border of two fragments too, picture and clock move by one."""
    driven.paused_at("gate", 29.8)
    number = driven.number()
    for key, by in [(".", 1)] * 8 + [(",", -1)] * 12:
        number += by
        _step(driven, key, number)
        assert driven.frame_by_clock() == number


def _step(driven: Driven, key: str, expected: int) -> None:
    """Presses a key and waits for the clock to move, not for the picture expected."""
    before = driven.page.locator("#clock").get_attribute("data-shown")
    driven.press(key)
    driven.page.wait_for_function("(before) => clock.dataset.shown !== before && !video.seeking", arg=before)
    driven.settle()
    assert driven.number() == expected


def test_four_times_speed_plays_faster_than_one(driven: Driven) -> None:
    """Speed is what is asked for, as far as this machine decodes."""
    driven.open("gate", 0)
    driven.wait_shown(1)
    normal = driven.speed(1)
    driven.page.get_by_role("button", name="4×", exact=True).click()
    fast = driven.speed(2)
    assert 0.6 < normal < 1.5
    assert 2.2 < fast < 4.6


def test_sixteen_times_speed_shows_key_frames_with_the_right_clock(driven: Driven) -> None:
    """At high speed key frames alone are shown, each with its own time, and normal play goes on from there."""
    driven.open("gate", 0)
    driven.wait_shown(1)
    driven.page.get_by_role("button", name="16×").click()
    started, first_s = time.monotonic(), driven.shown_s
    driven.wait_shown(first_s + 24)
    assert driven.page.locator("#trick").is_visible()
    assert (driven.shown_s - first_s) / (time.monotonic() - started) > 5
    number, by_clock = driven.next_key_frame()
    assert number % 50 == 0, "a key frame"
    assert number == by_clock
    driven.press("[")
    driven.press("[")
    driven.pause()
    assert driven.number() == driven.frame_by_clock()


def test_a_click_into_a_gap_plays_the_next_footage_and_names_the_cause(driven: Driven) -> None:
    """There is nothing to show in a gap: the page says why and goes to where footage begins again."""
    driven.paused_at("gate", 5)
    driven.page.get_by_role("button", name="10 min").click()
    driven.click(200)
    driven.wait_shown(SECOND_RUN_S, SECOND_RUN_S + 10)
    notice = driven.page.locator("#notice")
    expect(notice).to_contain_text("camera away (connection refused)")
    expect(notice).to_contain_text("12:01:00–12:04:00")
    driven.pause()
    assert driven.number() == driven.frame_by_clock()


def test_playing_goes_over_a_gap_and_the_clock_jumps(driven: Driven) -> None:
    """At the end of a run the next one follows without a stop; the clock never shows a moment of the gap."""
    driven.open("gate", 58.5)
    driven.wait_shown(58.4, RUN_S)
    driven.wait_shown(SECOND_RUN_S)
    expect(driven.page.locator("#notice")).to_contain_text("Skipped 3 min without footage: camera away")
    driven.pause()
    assert driven.number() == driven.frame_by_clock()
    assert driven.shown_s < SECOND_RUN_S + 10


def test_the_window_moves_on_by_itself_and_back_by_a_click(driven: Driven) -> None:
    """Footage an hour and a half apart lies in two windows: playing goes from one to the next, at speed too, and a click goes back."""
    driven.open("yard", EARLIER_RUN_S + 18.5)
    driven.wait_shown(0, 20)
    expect(driven.page.locator("#notice")).to_contain_text("Skipped 1 h 29 min without footage")
    driven.pause()
    assert driven.number() == driven.frame_by_clock()
    driven.page.get_by_role("button", name="16×").click()
    driven.page.locator("#gaps button").first.click()
    driven.wait_shown(EARLIER_RUN_S + 4, 0)
    assert driven.page.locator("#trick").is_visible()
    driven.wait_shown(0)
    driven.page.get_by_role("button", name="1×", exact=True).click()
    driven.pause()
    assert driven.number() == driven.frame_by_clock()


def test_the_end_of_all_footage_is_said(driven: Driven) -> None:
    """Played to the end, the page stops and says so."""
    driven.open("gate", SECOND_RUN_S + RUN_S - 1.5)
    expect(driven.page.locator("#notice")).to_have_text("End of the footage")


def test_a_copied_link_opens_on_the_same_picture(driven: Driven) -> None:
    """Copying a link and opening it elsewhere shows the picture it was copied from."""
    driven.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    driven.paused_at("gate", 23)
    driven.press(".")
    driven.pause()
    number = driven.number()
    driven.page.get_by_title("Copy link").click()
    expect(driven.page.locator("#notice")).to_have_text("Link to this moment copied")
    link = driven.page.evaluate("navigator.clipboard.readText()")
    driven.hold()
    driven.page.goto("about:blank")
    driven.page.goto(link)
    driven.settle()
    assert driven.number() == number


def test_a_snapshot_is_the_picture_on_the_screen(driven: Driven, tmp_path: Path) -> None:
    """The JPEG the service makes carries the number of the picture shown, between key frames too."""
    driven.paused_at("gate", 12.4)
    shown = driven.number()
    with driven.page.expect_download() as download:
        driven.press("s")
    assert download.value.suggested_filename.startswith("gate_2026-03-14_12-00-1")
    path = tmp_path / "snapshot.jpg"
    download.value.save_as(path)
    with av.open(path) as picture:
        assert read_frame_number(next(picture.decode(video=0)).to_ndarray(format="gray")) == shown
