"""`/capacity` of plans: what a planner's texts come to, what is wrong with them, and how much is worked out at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from capacity.plan import work_out
from capacity.plan_answers import MOST_GROUPS
from capacity.plan_file import PLANS, read_plan
from deploy.capacity_process import answered
from playback.planning import planner
from playback.planning.planner import WAITING, Turns
from playback.problems import TooMuch
from segments.errors import BadInput
from tests.api import Api
from tests.unit.test_capacity_files import GOOD

MORE = 'extends = "ours.toml"\n[cameras.streets]\nstock = { 2026 = 200, 2027 = 400 }\n'
OURS = {"ours.toml": GOOD, "more.toml": MORE}


class Here:
    """Works questions out in this process."""

    async def answer(self, question: str, asked: Mapping[str, Any]) -> Any:
        """See `Planner`."""
        said = answered(question, asked)
        if "error" in said:
            assert said["error"] == "BadInput"
            raise BadInput(said["said"])
        return said["answer"]


async def asked(path: str, body: object) -> httpx2.Response:
    """The answer to a question with this body."""
    transport = httpx2.ASGITransport(app=Api().app(planner=Here()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://keepsight/api/v1/capacity") as client:
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await client.post(f"/{path}", **content, headers={"Content-Type": "application/json"})


async def test_a_shipped_plan_comes_to_what_the_command_line_says() -> None:
    """The figures of the API are those of `work_out`, one by one."""
    said = await asked("plan", {"plan": "province", "year": 2020, "site": ""})
    whole = work_out(read_plan(PLANS / "province.toml"))[2020]
    found = {one["figure"]: (one["low"], one["likely"], one["high"]) for one in said.json()["figures"]}
    assert found["stored_bytes"] == tuple(whole.of("stored_bytes"))
    assert found["storage_nodes"] == tuple(whole.of("storage_nodes"))


async def test_two_plans_of_a_question_are_compared() -> None:
    """Twice the cameras, twice the bytes: to the last digit, as both are in the same worlds."""
    said = await asked("comparison", {"plan": "ours.toml", "other": "more.toml", "files": OURS, "site": "town"})
    assert said.status_code == 200
    assert {one["year"]: one["change"] for one in said.json()["figures"] if one["figure"] == "stored_bytes"} == {2026: 1.0, 2027: 1.0}


async def test_a_figure_is_explained_by_its_formulas_and_inputs() -> None:
    """From the figure down to what the plan says."""
    said = (await asked("explanation", {"plan": "ours.toml", "files": OURS, "figure": "stored_bytes"})).json()
    assert said["year"] == 2027
    assert said["steps"][0]["name"] == "stored_bytes"
    assert {"h265_rate", "bitrate_mbit_per_s"} <= {step["name"] for step in said["steps"]}


BIG = "".join(f'[cameras.c{n}]\nsite="town"\nclass=1\nstock={{2026=1}}\nbitrate_mbit_per_s=2\ntier="general"\n' for n in range(MOST_GROUPS))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace('tier = "general"', 'tier = "genral"'), "ours.toml, line 16: cameras.streets.tier"),
        ('extends = "../../etc/passwd"', "there is no plan"),
        ('extends = "/etc/hostname"', "there is no plan"),
        ('extends = "costs.toml"', "there is no plan"),
        ('extends = "ours.toml"', "circle"),
        ("a = " + "[" * 50_000, "no TOML"),
        ("a = " + "9" * 10_000, "no TOML"),
        (GOOD.replace("class = 2", "class = 2\ngrowth_per_year = inf"), "a number is wanted"),
        (GOOD.replace("class = 2", "class = 2\nrecorded_share = 1e308"), "is no number"),
        (GOOD.replace("years = [2026, 2027]", "years = [999999]"), "less than or equal"),
        (GOOD + BIG, "groups and sites"),
    ],
)
async def test_what_is_wrong_with_a_text_is_said(text: str, says: str) -> None:
    """422 with the line or the rule; no file of this machine is read but the shipped plans."""
    said = await asked("plan", {"plan": "ours.toml", "files": {"ours.toml": text}})
    assert (said.status_code, says in said.json()["detail"]) == (422, True), said.text[:500]


async def test_a_lost_site_with_many_to_take_it_over_is_counted_as_what_it_becomes() -> None:
    """A plan of a few lines does not grow beyond the limit by losing a site."""
    sites = "".join(f'[sites.s{n}]\nname = "S"\n' for n in range(60))
    cameras = "".join(f'[cameras.c{n}]\nsite="town"\nclass=1\nstock={{2026=1}}\nbitrate_mbit_per_s=2\ntier="general"\n' for n in range(20))
    text = GOOD.replace('name = "Town"', 'name = "Town"\nlost = true') + sites + cameras
    said = await asked("plan", {"plan": "ours.toml", "files": {"ours.toml": text}})
    assert (said.status_code, "groups and sites" in said.json()["detail"]) == (422, True)


async def test_larger_bodies_are_not_taken() -> None:
    """413, whether the length is said or not."""
    body = b'{"plan": "' + b"x" * (9 << 20) + b'"}'
    assert (await asked("plan", body)).status_code == 413
    app = Api().app(planner=Here())

    async def parts() -> Any:
        for start in range(0, len(body), 1 << 20):
            yield body[start : start + (1 << 20)]

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://keepsight") as client:
        said = await client.post("/api/v1/capacity/plan", content=parts())
    assert (said.status_code, said.json()["type"]) == (413, "urn:keepsight:problem:too-large")


async def test_so_many_are_worked_on_and_the_rest_waits_or_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once of those asked; the line is bounded, and nobody stands in it for ever."""
    monkeypatch.setattr(planner, "TURN_S", 0.05)
    turns, done, worked, most = Turns(2), asyncio.Event(), 0, 0

    async def ask() -> str:
        nonlocal worked, most
        try:
            async with turns.turn():
                worked += 1
                most = max(most, worked)
                await done.wait()
                worked -= 1
        except TooMuch:
            return "refused"
        return "done"

    asking = [asyncio.create_task(ask()) for _ in range(2 * (1 + WAITING) + 1)]
    for refused in asyncio.as_completed(asking):
        await refused
        if sum(task.done() for task in asking) == len(asking) - 2:
            break
    done.set()
    said = await asyncio.gather(*asking)
    assert (most, said.count("done"), said.count("refused")) == (2, 2, 2 * WAITING + 1)
    assert await ask() == "done"
