"""`/capacity` of an installation: what planners are told is what its commands say, in the form that is described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.capacity_answers import ANSWERS
from deploy.settings import Settings
from segments.clock import day_start_us
from segments.stores.memory_index import MemoryIndex
from segments.usage import UsageSum
from tests.api import Api
from tests.backup_site import settings_in
from tests.builders import a_camera, a_run
from tests.retention_builders import write_policy

FIRST, DAYS = date(2026, 1, 1), 60
TODAY = FIRST + timedelta(days=DAYS)
GB = 10**9


@dataclass
class Here:
    """Works questions out in this process, of an index in memory."""

    settings: Settings
    index: MemoryIndex

    async def answer(self, question: str, asked: Mapping[str, Any]) -> Any:
        """See `Planner`."""
        return await ANSWERS[question](self.settings, self.index, day_start_us(TODAY) + 3 * 3600 * 1_000_000, asked)


@pytest.fixture
async def here(tmp_path: Path) -> Here:
    """Sixty days of twelve cameras in two areas, one of them at ten times the rate of the others."""
    index = MemoryIndex()
    await write_policy(index)
    start_us = day_start_us(FIRST)
    for number in range(12):
        camera = f"c{number:02d}"
        await index.add_camera(a_camera(camera, area="harbour" if number % 2 else "hill", pool="main"))
        await index.put_run(a_run(camera=camera, start_us=start_us, last_us=day_start_us(TODAY), codecs="avc1.640028"))
        for day in range(DAYS):
            await index.put_usage(camera, FIRST + timedelta(days=day), {"main": UsageSum(1440, (400 if number == 11 else 40) * GB)})
    return Here(settings_in(tmp_path), index)


async def ask(here: Here, method: str, path: str, **options: Any) -> httpx2.Response:
    """The answer to a question of a planner."""
    transport = httpx2.ASGITransport(app=Api().app(planner=here))
    async with httpx2.AsyncClient(transport=transport, base_url="http://keepsight/api/v1/capacity") as client:
        return await client.request(method, path, **options)


async def test_usage_is_told_by_area(here: Here) -> None:
    """Thirty days up to yesterday, counted by hand."""
    said = (await ask(here, "GET", "/usage", params={"by": "area"})).json()
    assert (said["first"], said["last"], said["days"], said["groups"]) == ("2026-01-31", "2026-03-01", 30, 2)
    found = {line["of"]["area"]: (line["cameras"], line["recorded_bytes"], line["segments"]) for line in said["lines"]}
    assert found == {"harbour": (6, 30 * (5 * 40 + 400) * GB, 30 * 6 * 1440), "hill": (6, 30 * 6 * 40 * GB, 30 * 6 * 1440)}


async def test_a_long_answer_is_cut_and_says_how_long_it_is(here: Here) -> None:
    """The cameras that record most come first."""
    said = (await ask(here, "GET", "/usage", params={"by": ["camera", "kind"], "limit": 1})).json()
    assert said["groups"] == 12
    assert [line["of"]["camera"] for line in said["lines"]] == ["c11"]


@pytest.mark.parametrize("query", [{"by": ["area", "area"]}, {"by": "colour"}, {"until": "1200-01-01"}, {"days": 0}])
async def test_wrong_questions_of_usage_are_refused(here: Here, query: dict[str, Any]) -> None:
    """422 with what is wrong."""
    assert (await ask(here, "GET", "/usage", params=query)).status_code == 422


async def test_a_misconfigured_encoder_is_found(here: Here) -> None:
    """The one at ten times the rate; and where the rates of its kind lie."""
    said = (await ask(here, "GET", "/encoders")).json()
    assert [(each["camera"], each["factor"]) for each in said["hot"]] == [("c11", 10.0)]
    assert [each["cameras"] for each in said["bitrates"]] == [12]


async def test_before_the_first_day_there_is_nothing(tmp_path: Path) -> None:
    """An installation that has just begun is no error for usage."""
    said = (await ask(Here(settings_in(tmp_path), MemoryIndex()), "GET", "/usage")).json()
    assert (said["first"], said["days"], said["lines"]) == (None, 0, [])


PLANNED = '[pools.main]\nsize = "40 TB"\n'


async def test_a_forecast_says_when_a_pool_fills(here: Here) -> None:
    """A pool of 40 TB that gets 840 GB a day and is kept for a month keeps 27 TB; twice the cameras are too many for it."""
    said = (await ask(here, "POST", "/forecast", json={"days": 60, "planned": PLANNED, "picture": True})).json()
    (pool,) = said["fillings"]
    assert (pool["name"], pool["size_bytes"], pool["full"]["earliest"]) == ("main", 40_000 * GB, None)
    assert pool["at_the_end"]["likely"] == pytest.approx(32 * 840 * GB, rel=0.1)
    assert said["picture"].startswith("<?xml")
    more = f'{PLANNED}[cameras.spring]\npool = "main"\ntier = "general"\ncount = 12\nfrom = 2026-03-05\nto = 2026-03-06\n'
    filled = (await ask(here, "POST", "/forecast", json={"days": 60, "planned": more})).json()["fillings"][0]
    assert date(2026, 3, 5) < date.fromisoformat(filled["full"]["likely"]) < date(2026, 4, 10)
    assert [each["tier"] for each in filled["whose"]] == ["general", "general"]


async def test_a_backtest_says_how_wrong_each_model_was(here: Here) -> None:
    """On days that are all alike none was."""
    said = (await ask(here, "POST", "/backtest", json={"days": 14})).json()
    assert said["pools"]["in_use"] in said["pools"]["models"]
    assert said["pools"]["models"]["levels"]["error"] < 0.01


async def test_too_little_history_is_said_in_days(tmp_path: Path) -> None:
    """422, until the first whole day is over and after it."""
    said = await ask(Here(settings_in(tmp_path), MemoryIndex()), "POST", "/forecast", json={})
    assert (said.status_code, "no whole day" in said.json()["detail"]) == (422, True)


@pytest.mark.parametrize("text", ["[pools.main]\nsize = 'huge'\n", "a = " + "[" * 20_000, "nothing", "[pools.main]\nsize = inf\n"])
async def test_what_is_wrong_with_what_is_planned_is_said(here: Here, text: str) -> None:
    """422, with the line where there is one."""
    said = await ask(here, "POST", "/forecast", json={"planned": text})
    assert (said.status_code, said.json()["detail"].startswith("planned")) == (422, True), said.text[:300]


async def test_placement_says_what_to_move_and_moves_nothing(here: Here) -> None:
    """From a pool that is too small to one with room, as little as is needed."""
    settings = Settings.model_validate(here.settings.model_dump() | {"pools": {"main": {"kind": "files"}, "second": {"kind": "files"}}})
    sizes = '[pools.main]\nsize = "20 TB"\n[pools.second]\nsize = "90 TB"\n'
    said = (await ask(Here(settings, here.index), "POST", "/placement", json={"planned": sizes, "limit": 1})).json()
    assert "main" in said["too_full_if_nothing_is_moved"]
    assert said["too_full_all_the_same"].keys() <= {"main"}
    assert said["cameras"] >= 1
    assert [(each["source"], each["target"]) for each in said["moves"]] == [("main", "second")]
    assert {camera.pool for camera in (await here.index.cameras()).items} == {"main"}
