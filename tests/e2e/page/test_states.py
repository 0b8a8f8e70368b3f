"""What the page says when there is nothing to play, when it may not, and while footage is still coming."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from segments.clock import US_PER_S
from tests.api import Api, entrance
from tests.builders import NOON_US, a_camera, a_change
from tests.e2e.page.conftest import Opener, run
from tests.e2e.page.driver import FPS, Driven, moment
from tests.footage import Take, cut
from tests.media import Clips
from tests.servers.page import PageServer, built_console

pytestmark = pytest.mark.server


def test_cameras_are_listed_with_what_they_do_and_why(driven: Driven) -> None:
    """Each camera has its state in words with its cause, and the search finds by name and area."""
    driven.open()
    gate = driven.page.locator("[data-camera=gate]")
    expect(gate).to_contain_text("Gate camera")
    expect(gate).to_contain_text("Waiting · camera away")
    expect(driven.page.locator("#cameras [data-camera]")).to_have_count(6)
    driven.page.locator("#search").fill("xiamen roof")
    expect(driven.page.locator("#cameras [data-camera]")).to_have_count(1)
    driven.page.locator("#search").fill("nothing like it")
    expect(driven.page.locator("#cameras")).to_contain_text("No camera matches")
    driven.page.locator("#search").fill("lens")
    driven.page.locator("#search").press("Enter")
    expect(driven.page.locator(".details h2")).to_have_text("Lens camera")


def test_choosing_a_camera_shows_its_day_and_what_it_is(driven: Driven) -> None:
    """The day of the service's clock is shown, not the browser's, with the camera's facts beside it."""
    driven.open()
    driven.page.locator("[data-camera=gate]").click()
    driven.page.wait_for_function("timeline.dataset.spans > 3")
    expect(driven.page.locator("#date")).to_have_value("2026-03-14")
    expect(driven.page.locator(".details")).to_contain_text("harbour office")
    expect(driven.page.locator("#sum")).to_have_text("2 min footage")
    assert driven.page.url.endswith("#/camera/gate")


def test_no_cameras_and_no_footage_are_said(driven: Driven, tab: Opener) -> None:
    """An empty archive says how to add a camera; a day without footage says so."""
    driven.open("attic")
    expect(driven.page.locator("#message")).to_contain_text("No footage on this day")
    with PageServer(Api().services(console=built_console())) as server:
        empty = tab(server)
        empty.open()
        expect(empty.page.locator("#message")).to_contain_text("keepsight camera add")


def test_footage_this_browser_cannot_decode_is_named_and_shown_as_a_picture(driven: Driven) -> None:
    """H.265 in a browser without it: a sentence, and the service's own picture of the moment."""
    driven.open("roof", 2)
    expect(driven.page.locator("#message")).to_contain_text("This browser cannot decode H.265")
    expect(driven.page.locator("img.photo")).to_be_visible()


def test_a_camera_that_is_not_there_is_said_in_the_words_of_the_service(driven: Driven) -> None:
    """A link to an unknown camera shows the problem's own detail."""
    driven.page.goto(driven.url + "#/camera/cellar")
    expect(driven.page.locator("#message")).to_contain_text("cellar")


def test_a_service_that_does_not_answer_is_said_until_it_does(driven: Driven) -> None:
    """Lost and found again without a reload."""
    driven.open()
    driven.page.route("**/api/**", lambda route: route.abort())
    expect(driven.page.locator("#message")).to_contain_text("The service does not answer")
    driven.page.unroute("**/api/**")
    expect(driven.page.locator("#message")).to_contain_text("Choose a camera")


def test_who_did_not_answer_is_named(driven: Driven) -> None:
    """Beside the gaps stands which other site, and whether the recording side, could not be asked; nothing where all answered."""
    driven.open("gate")
    gaps = driven.page.locator("#gaps")
    expect(gaps).not_to_contain_text("does not answer")
    away = {"Keepsight-Sites-Away": "north", "Keepsight-Live": "away"}
    driven.page.route("**/timeline?**", lambda route: route.fulfill(response=(found := route.fetch()), headers=found.headers | away))
    driven.open("gate")
    expect(gaps).to_contain_text("Site north does not answer: it may have more")
    expect(gaps).to_contain_text("The recording side does not answer")


def test_a_lost_segment_is_told_by_the_problem_of_the_service(driven: Driven) -> None:
    """What the service answers for bytes it cannot give is shown over the picture, with a way to try again."""
    problem = {"type": "about:blank", "title": "Footage is gone", "status": 404, "detail": "its object is not in the pool"}
    driven.page.route("**/segments/**", lambda route: route.fulfill(status=404, json=problem, content_type="application/problem+json"))
    driven.open("gate", 5)
    message = driven.page.locator("#message")
    expect(message).to_contain_text("Footage is gone: its object is not in the pool")
    driven.page.unroute("**/segments/**")
    message.get_by_role("button", name="Try again").click()
    driven.wait_shown(4.9, 20)


def test_a_token_is_asked_for_and_kept_for_the_tab_alone(api: Api, tab: Opener) -> None:
    """A wrong token is refused in words; the right one opens everything, playing included, and is in no lasting storage."""
    with PageServer(api.services(console=built_console(), access=entrance(api.index, api.clock, "open sesame"))) as server:
        driven = tab(server)
        driven.page.goto(driven.url + "#/camera/gate/at/2026-03-14T12:00:05Z")
        driven.page.get_by_text("Use a token instead").click()
        box = driven.page.get_by_label("Token")
        for text, says in (("wrong", "did not accept this token"), ("open sesame", "")):
            box.fill(text)
            box.press("Enter")
            expect(driven.page.locator("#sign-in-box")).to_contain_text(says)
        driven.wait_shown(4.9, 30)
        driven.pause()
        assert driven.number() == driven.frame_by_clock()
        assert "open sesame" not in driven.page.evaluate("JSON.stringify(localStorage) + document.cookie + location.href")
        driven.page.reload()
        driven.wait_shown(0)


def test_the_page_speaks_chinese(tab: Opener, server: PageServer) -> None:
    """A Chinese browser gets Chinese, and the switch gives English and stays so."""
    driven = tab(server, locale="zh-CN")
    driven.open("gate")
    expect(driven.page.locator("nav h2")).to_have_text("摄像机")
    expect(driven.page.locator("[data-camera=gate]")).to_contain_text("等待中 · 摄像机离线")
    driven.page.locator("#language").click()
    expect(driven.page.locator("nav h2")).to_have_text("Cameras")
    driven.page.reload()
    expect(driven.page.locator("nav h2")).to_have_text("Cameras")


def test_nothing_is_asked_of_any_other_machine(tab: Opener, server: PageServer) -> None:
    """Under its own content policy the page plays, and every request of the visit goes to the service."""
    driven = tab(server, bypass_csp=False)
    asked: list[str] = []
    driven.page.on("request", lambda request: asked.append(request.url))
    driven.page.goto(f"{driven.url}#/camera/gate/at/{moment(5)}")
    expect(driven.page.locator("#clock")).to_have_text(re.compile(r"12:00:0[6-9]"))
    assert any("/segments/" in url for url in asked)
    assert [url for url in asked if not url.startswith((driven.url, "blob:" + driven.url, "data:", "about:"))] == []


def test_live_shows_what_is_durable_and_goes_on_as_it_grows(clips: Clips, tab: Opener) -> None:
    """The live edge is met within three fragments, and the playlist is asked again as footage comes."""
    made = cut(clips.get(seconds=60, gop_frames=50), Take("gate", NOON_US, segment_s=60))
    api = Api()
    run(api.index.add_camera(a_camera("gate", added_us=NOON_US - US_PER_S)))
    run(api.index.put_state(a_change(at_us=NOON_US)))

    def grow(fragments: int) -> None:
        api.live.show(made, fragments)
        api.clock.at_us = NOON_US + (2 * fragments + 1) * US_PER_S

    grow(8)
    with PageServer(replace(api.services(), console=built_console())) as server:
        driven = tab(server)
        driven.open("gate")
        driven.press("l")
        driven.wait_shown(9, 16)
        expect(driven.page.locator("#live")).to_have_attribute("aria-pressed", "true")
        grow(12)
        driven.wait_shown(18, 24)
        driven.pause()
        assert driven.number() == driven.frame_by_clock()
        assert driven.number() >= 18 * FPS
