"""When pools fill, in the page: a picture and dates for planners, and the service's own words where there is no forecast yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import expect

from segments.errors import BadInput
from tests.api import Api
from tests.e2e.page.conftest import Opener
from tests.servers.page import PageServer, built_console

pytestmark = pytest.mark.server

NEVER = {"earliest": None, "likely": None, "latest": None}
FORECAST = {
    "history": {"first": "2026-01-01", "days": 60, "cameras": 12},
    "model": "levels",
    "tried_from_days": 2,
    "error": {"levels": 0.02},
    "new_hold_share": 0.0,
    "retention": True,
    "said": ["12 cameras, 60 days of history"],
    "picture": '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20"/></svg>',
}
FILLING = {
    "what": "pool",
    "name": "main",
    "pools": ["main"],
    "now_bytes": 27_000_000_000_000,
    "size_bytes": 40_000_000_000_000,
    "mark_bytes": 38_000_000_000_000,
    "pressed": {"earliest": "2026-04-01", "likely": "2026-05-01", "latest": None},
    "full": {"earliest": "2026-06-01", "likely": None, "latest": None},
    "floor_breaks": NEVER,
    "first_hit": [],
    "whose": [],
    "at_the_end": {"day": "2027-03-01", "low_90": 1, "low_50": 2, "likely": 3, "high_50": 4, "high_90": 5},
}


class Knowing:
    """Has a forecast of a year, and of no other time."""

    async def answer(self, question: str, asked: Mapping[str, Any]) -> Any:
        """See `Planner`."""
        if (question, asked["days"]) != ("forecast", 365):
            raise BadInput("3 days of history: ask again on 2026-03-20")
        return {**FORECAST, "days": 365, "fillings": [FILLING]}


@pytest.fixture(scope="module")
def planned(api: Api) -> Iterator[PageServer]:
    """The page over a service that knows when its pool fills."""
    with PageServer(api.services(console=built_console(), planner=Knowing())) as server:
        yield server


def test_planners_see_when_a_pool_fills(tab: Opener, planned: PageServer) -> None:
    """Dates as far as there are any, and the picture; what the service refuses is shown in its words."""
    driven = tab(planned, bypass_csp=False)
    driven.open()
    driven.page.locator("#capacity").click()
    cells = driven.page.locator("tr[data-filling=main] td")
    expect(cells).to_have_text(["pool main", "27 TB / 40 TB", "2026-05-01", "perhaps from 2026-06-01", "not in 365 days"])
    picture = driven.page.locator("#capacity-picture")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 40
    driven.page.locator("#capacity-days button").first.click()
    expect(driven.page.locator("#capacity-wrong")).to_contain_text("ask again on 2026-03-20")
    expect(picture).to_be_hidden()
