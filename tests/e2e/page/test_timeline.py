"""The timeline in Chromium: what is drawn where, and how it moves under hand and keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.page.conftest import Opener
from tests.e2e.page.driver import RUN_S, SECOND_RUN_S, Driven
from tests.servers.page import PageServer

pytestmark = pytest.mark.server


@pytest.fixture
def gate(driven: Driven) -> Driven:
    """The gate camera paused in its first run, ten minutes in view: all its footage and some of the time around."""
    driven.paused_at("gate", 30)
    driven.page.get_by_role("button", name="10 min").click()
    return driven


def test_footage_and_gaps_are_drawn_where_they_are(gate: Driven) -> None:
    """Footage is blue from its first second to its last, a gap is not, and the future is empty."""
    footage = gate.colour(45)
    for inside in (2, RUN_S - 2, SECOND_RUN_S + 2, SECOND_RUN_S + RUN_S - 2):
        assert gate.colour(inside) == footage
    assert footage[2] > footage[0] + 60, "blue"
    for outside in (-3, RUN_S + 3, SECOND_RUN_S - 3, SECOND_RUN_S + RUN_S + 3):
        red, _, blue = gate.colour(outside)
        assert red > blue or abs(red - blue) < 30, f"footage drawn at {outside} s"


def test_the_tooltip_names_time_cause_and_ends_of_a_gap(gate: Driven) -> None:
    """Pointing at a gap says why there is nothing and from when to when; pointing at footage says so."""
    gap = gate.hover(200)
    assert "camera away (connection refused)" in gap
    assert "12:01:00 – 12:04:00" in gap
    assert gap.startswith("12:03:")
    assert "Footage" in gate.hover(20)


def test_the_wheel_zooms_around_the_pointer(gate: Driven) -> None:
    """The moment under the pointer stays where it is, and less of the day is shown."""
    before, x = gate.view_s, gate.x_of(100)
    gate.hover(100)
    gate.page.mouse.wheel(0, -400)
    gate.page.wait_for_function("(width) => timeline.dataset.to - timeline.dataset.from < width", arg=(before[1] - before[0]) * 600)
    assert abs(gate.x_of(100) - x) < 1
    gate.page.mouse.wheel(0, 100_000)
    gate.page.wait_for_function("timeline.dataset.to - timeline.dataset.from === 86400000")


def test_dragging_pans_and_does_not_play(gate: Driven) -> None:
    """The footage follows the hand; the playing moment stays."""
    before, shown = gate.view_s, gate.shown_s
    box = gate.box
    gate.page.mouse.move(box["x"] + 500, box["y"] + 45)
    gate.page.mouse.down()
    gate.page.mouse.move(box["x"] + 350, box["y"] + 45, steps=5)
    gate.page.mouse.up()
    after = gate.view_s
    shift_s = 150 / box["width"] * (before[1] - before[0])
    assert after[0] - before[0] == pytest.approx(shift_s, rel=0.02)
    assert after[1] - after[0] == pytest.approx(before[1] - before[0])
    assert gate.shown_s == shown


def test_buttons_show_a_day_and_parts_of_it(gate: Driven) -> None:
    """Each button shows so much around the playing moment."""
    for name, seconds in (("Day", 86_400), ("6 h", 21_600), ("1 h", 3_600), ("10 min", 600)):
        gate.page.get_by_role("button", name=name, exact=True).click()
        first, last = gate.view_s
        assert last - first == seconds
        assert first <= gate.shown_s <= last


def test_days_are_changed_by_button_and_by_date(gate: Driven) -> None:
    """The day before has no footage, which is said; the date picker goes back."""
    gate.page.get_by_role("button", name="Previous day").click()
    expect(gate.page.locator("#date")).to_have_value("2026-03-13")
    gate.page.wait_for_function("timeline.dataset.spans > 0")
    assert gate.view_s == (-129_600, -43_200)
    gate.page.locator("#date").fill("2026-03-14")
    gate.page.wait_for_function("timeline.dataset.spans > 3")
    assert gate.view_s == (-43_200, 43_200)
    gate.page.get_by_role("button", name="Next day").click()
    expect(gate.page.locator("#date")).to_have_value("2026-03-15")


def test_gaps_are_listed_with_their_causes_and_lead_to_the_footage_behind_them(gate: Driven) -> None:
    """The list beside the picture has the day's gaps; one pressed plays what follows it."""
    gap = gate.page.locator("#gaps button").filter(has_text="12:01:00 – 12:04:00")
    expect(gap).to_contain_text("3 min")
    expect(gap).to_contain_text("camera away (connection refused)")
    gap.click()
    gate.wait_shown(SECOND_RUN_S, SECOND_RUN_S + 10)


def test_keys_play_move_and_change_speed(gate: Driven) -> None:
    """Space plays and pauses, arrows go five seconds, brackets change speed; letters typed in the search do none of it."""
    before = gate.shown_s
    gate.press("ArrowRight")
    gate.wait_shown(before + 4.9, before + 8)
    gate.press("Space")
    gate.page.wait_for_function("video.paused")
    gate.press("ArrowLeft")
    gate.wait_shown(20, before + 4)
    gate.press("Space")
    gate.page.wait_for_function("video.paused")
    for key, speed in (("]", "2"), ("]", "4"), ("[", "2")):
        gate.press(key)
        expect(gate.page.locator("#speeds [aria-pressed=true]")).to_have_attribute("data-speed", speed)
    gate.page.locator("#search").press_sequentially("l s[")
    expect(gate.page.locator("#speeds [aria-pressed=true]")).to_have_attribute("data-speed", "2")
    assert gate.page.evaluate("video.paused")


def test_times_are_shown_in_local_time_or_in_utc(tab: Opener, server: PageServer) -> None:
    """The same moment reads 12:00 in UTC and 20:00 in Shanghai; the day shown is the local one."""
    driven = tab(server, timezone_id="Asia/Shanghai")
    driven.paused_at("gate", 5)
    assert driven.page.locator("#clock").inner_text().startswith("20:00:0")
    assert driven.view_s == (-72_000, 14_400)
    driven.page.get_by_role("button", name="UTC").click()
    assert driven.page.locator("#clock").inner_text().startswith("12:00:0")
    assert driven.view_s == (-43_200, 43_200)
