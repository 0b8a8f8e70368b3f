"""A browser, the page, and the footage it shows: cameras whose pictures carry their numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from segments.clock import US_PER_S
from tests.api import Api
from tests.builders import NOON_US, a_camera, a_change, a_loss
from tests.e2e.page.driver import EARLIER_RUN_S, RUN_S, SECOND_RUN_S, WAIT_MS, Driven
from tests.footage import Take, recorded
from tests.media import Clips
from tests.servers.chromium import ARGUMENTS
from tests.servers.page import PageServer, built_console
from tests.servers.processes import require_program

T = TypeVar("T")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, one for all these tests; it ends before asyncio tests need this thread. Missing parts skip, but fail in CI."""
    path = require_program("chromium", "chromium")
    require_program("npm", "npm")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, headless=True, args=ARGUMENTS)
        yield running
        running.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine beside the browser, whose driver has the event loop of this thread."""
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def api(clips: Clips) -> Api:
    """The footage of all tests that only look; its clock stands at one o'clock.

    gate: a minute at noon, three minutes without the camera, a minute again. lens: B-frames and sound that begins before the pictures.
    yard: twenty seconds at half past ten and at noon. roof: H.265.
    attic: nothing yet, stopped. liar: rows that say two seconds later than its pictures were taken.
    """
    made = Api()
    run(_fill(made, clips))
    return made


async def _fill(api: Api, clips: Clips) -> None:
    long = clips.get(seconds=RUN_S, gop_frames=50)
    for name in ("gate", "lens", "yard", "roof", "attic", "liar"):
        await api.index.add_camera(a_camera(name, name=f"{name.capitalize()} camera", added_us=NOON_US - 7200 * US_PER_S))
    await recorded(api.index, api.objects, long, Take("gate", NOON_US, "home-a-1-1"))
    await recorded(api.index, api.objects, long, Take("gate", NOON_US + SECOND_RUN_S * US_PER_S, "home-a-1-2"))
    await recorded(api.index, api.objects, clips.get(seconds=20, b_frames=2, audio="aac"), Take("lens", NOON_US, "home-a-1-3"))
    await recorded(api.index, api.objects, clips.get(seconds=20), Take("yard", NOON_US + EARLIER_RUN_S * US_PER_S, "home-a-1-6"))
    await recorded(api.index, api.objects, clips.get(seconds=20), Take("yard", NOON_US, "home-a-1-7"))
    await recorded(api.index, api.objects, clips.get(seconds=4, codec="h265"), Take("roof", NOON_US, "home-a-1-4"))
    await recorded(api.index, api.objects, clips.get(seconds=20), Take("liar", NOON_US + 2 * US_PER_S, "home-a-1-5"))
    for change in (
        a_change(at_us=NOON_US),
        a_loss(at_us=NOON_US + RUN_S * US_PER_S),
        a_change(at_us=NOON_US + SECOND_RUN_S * US_PER_S),
        a_loss(at_us=NOON_US + (SECOND_RUN_S + RUN_S) * US_PER_S, detail="no route to host"),
    ):
        await api.index.put_state(change)


@pytest.fixture(scope="session")
def server(api: Api) -> Iterator[PageServer]:
    """The real application and the built page over that footage."""
    with PageServer(api.services(console=built_console())) as running:
        yield running


Opener = Callable[..., Driven]


@pytest.fixture
def tab(browser: Browser) -> Iterator[Opener]:
    """Opens tabs on a server, each in a context of its own: `tab(server, locale="zh-CN")`. An error in the page fails the test.

    The page's content policy is set aside for what the driver evaluates, but for a test that asks for it.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def opened(server: PageServer, **options: Any) -> Driven:
        settings = {"viewport": {"width": 1600, "height": 900}, "timezone_id": "UTC", "locale": "en-GB", "bypass_csp": True} | options
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return Driven(page, server.url)

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def driven(tab: Opener, server: PageServer) -> Driven:
    """A tab on the shared server."""
    return tab(server)
