"""`GET /reports/retention` and `keepsight report retention`: the same report, in every form, to those who may see it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from deploy.settings import load_settings
from deploy.wiring import open_index
from retention.civil_days import civil_day
from retention.report import Order, retention_report
from retention.report_routes import MOST_CAMERAS
from retention.report_tables import as_json
from segments.clock import SystemClock
from segments.stores.memory_index import MemoryIndex
from tests.api import Api
from tests.builders import a_camera
from tests.command_line import Keepsight
from tests.house.test_routes_have_rules import rules
from tests.reported_site import NAMES, NOW_US, TODAY, ZONE, Site
from tests.retention_builders import write_policy

FEBRUARY = {"from": "2026-02-01", "to": "2026-03-01"}
PATH = "reports/retention"


@pytest.fixture
async def api() -> Api:
    api = Api()
    api.clock.at_us = NOW_US
    await Site(api.index).fill()
    return api


async def test_the_route_answers_with_the_report(api: Api) -> None:
    """As JSON the very values, with the site and the name it was asked for in, of any script."""
    answer = await api.get(PATH, params=FEBRUARY, headers={"Keepsight-By": quote("李雷")})
    assert answer.status_code == 200, answer.text
    order = Order(TODAY.replace(month=2, day=1), TODAY.replace(day=1), site="home", by="李雷")
    assert answer.json() == as_json(await retention_report(order, index=api.index, now_us=NOW_US))
    assert answer.headers["cache-control"] == "no-store"


async def test_the_route_writes_tables_and_pages(api: Api) -> None:
    """CSV to be kept under a name, HTML to be looked at, which nothing may run in."""
    table = await api.get(PATH, params={**FEBRUARY, "format": "csv", "area": "/harbour/"})
    assert table.headers["content-type"].startswith("text/csv")
    assert table.headers["content-disposition"] == 'attachment; filename="retention-2026-02-01-2026-03-01.csv"'
    rows = csv.DictReader(io.StringIO(table.text, newline=""))
    assert [row["name"] for row in rows if row["of"] == "camera"] == ["held", "new", "pressed", "whole"]
    page = await api.get(PATH, params={**FEBRUARY, "format": "html", "lang": "zh"})
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "存储时长达标率" in page.text


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"from": "2026-02"},
        {"from": "2026-03-01", "to": "2026-02-01"},
        {**FEBRUARY, "to": "2026-03-15"},
        {**FEBRUARY, "lang": "fr"},
        {**FEBRUARY, "format": "pdf"},
    ],
)
async def test_wrong_questions_are_refused(api: Api, query: dict[str, str]) -> None:
    """A problem that says what is wrong."""
    answer = await api.get(PATH, params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_too_many_cameras_are_refused() -> None:
    """Before any of them is read; a smaller area is answered."""
    api = Api()
    await write_policy(api.index)
    for number in range(MOST_CAMERAS + 1):
        await api.index.add_camera(a_camera(f"c{number}", area="one" if number else "other", tier=""))
    query = {"from": "2026-03-01", "to": "2026-03-02"}
    refused = await api.get(PATH, params=query)
    assert refused.status_code == 422
    assert "ask for an area" in refused.text
    assert (await api.get(PATH, params={**query, "area": "other"})).json()["total"]["cameras"] == 1


async def test_the_route_is_behind_the_rule_of_looks(api: Api) -> None:
    """One rule, that of what inspects; and the token, where one is set."""
    assert [rule.verb.value for path, found in rules(api.app()) if path.endswith(PATH) for rule in found] == ["inspect"]
    async with api.client(token="secret") as asks:
        assert (await asks.get(PATH, params=FEBRUARY)).status_code == 401


# --- the command


@pytest.fixture
def keepsight(tmp_path: Path) -> Keepsight:
    """A configuration whose index has the site; its footage is of long ago, by this machine's clock."""
    keepsight = Keepsight(tmp_path)

    async def fill() -> None:
        async with open_index(load_settings(keepsight.config, {})) as index:
            await Site(index).fill()

    asyncio.run(fill())
    return keepsight


def test_the_command_writes_the_report(keepsight: Keepsight) -> None:
    """To standard output, and to a new file, which is never written over; SQLite has what the memory has."""
    dates = ("--from", "2026-02-01", "--to", "2026-03-01")
    said = json.loads(keepsight("report", "retention", *dates, "--format", "json", "--by", "Li").stdout)
    assert [line["camera"] for line in said["cameras"]] == list(NAMES)
    assert (said["site"], said["by"]) == ("home", "Li")

    async def in_memory() -> dict[str, object]:
        index = MemoryIndex()
        await Site(index).fill()
        order = Order(TODAY.replace(month=2, day=1), TODAY.replace(day=1), site="home", by="Li")
        return as_json(await retention_report(order, index=index, now_us=SystemClock().now_us()))

    assert said | {"made": ""} == asyncio.run(in_memory()) | {"made": ""}
    target = keepsight.folder / "february.html"
    assert "7 cameras in" in keepsight("report", "retention", *dates, "--out", str(target), "--lang", "zh").stdout
    assert target.read_text().startswith("<!DOCTYPE html>")
    assert "录像完整率" in target.read_text()
    assert "is there already" in keepsight.refused("report", "retention", *dates, "--out", str(target), code=2)


def test_the_command_refuses_what_is_wrong(keepsight: Keepsight) -> None:
    """A sentence each, and nothing is written."""
    tomorrow = civil_day(SystemClock().now_us(), ZONE) + timedelta(2)
    target = keepsight.folder / "wrong.html"
    assert "is no day" in keepsight.refused("report", "retention", "--from", "2026-02", "--out", str(target), code=2)
    wrong = ("--from", "2026-02-01", "--to", str(tomorrow), "--out", str(target))
    assert "only whole days" in keepsight("report", "retention", *wrong, code=2).stderr
    assert not target.exists()
