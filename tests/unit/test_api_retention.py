"""Retention through the API: the same words as on the command line, a name for every change, and nothing changed by a look."""

from __future__ import annotations

from typing import Any

import pytest

from retention.breaches import note_pressure
from retention.clock_notes import note_clock
from retention.hold_report import report
from retention.hold_values import report_json
from retention.pressure import Breach, Pressure, Relief
from retention.sweep_clock import Reading
from segments.clock import US_PER_DAY
from segments.model import BatchState
from segments.receipt import Fault, checked
from tests.api import Api
from tests.builders import NOON_US, a_batch, a_camera, a_row
from tests.house.test_routes_have_rules import rules
from tests.retention_builders import a_receipt, write_policy

BY = {"Keepsight-By": "Li"}
HOLD: dict[str, Any] = {"case": "2026-17", "reason": "collision", "from": "2026-03-01T00:00:00Z", "cameras": ["gate"]}


@pytest.fixture
async def api() -> Api:
    """A camera with a policy, 40 days after its footage."""
    api = Api()
    api.clock.at_us = NOON_US + 40 * US_PER_DAY
    await api.index.add_camera(a_camera(tier=""))
    await write_policy(api.index)
    return api


async def test_a_hold_is_placed_found_and_lifted(api: Api) -> None:
    """It stands when the answer comes, is found by its case, and after the lifting says who did what and why."""
    async with api.client() as asks:
        placed = await asks.post("holds", json=HOLD, headers=BY)
        assert placed.status_code == 201, placed.text
        hold = placed.json()["hold"]["id"]
        assert placed.json()["covered"] == ["gate"]
        assert [each["id"] for each in (await asks.get("holds", params={"case": "2026", "standing": True})).json()] == [hold]
        assert (await asks.post(f"holds/{hold}/lifting", json={"reason": "settled"}, headers=BY)).json()["waits_for_approval"] is False
        last = (await asks.get(f"holds/{hold}")).json()
        assert (last["from"], last["to"], last["stands"]) == ("2026-03-01T00:00:00.000Z", None, False)
        assert (last["lifted_by"], last["lifted_reason"]) == ("Li", "settled")
        assert [(each["by"], each["why"]) for each in last["changes"]] == [("Li", "settled")]


async def test_a_hold_takes_back_what_is_on_its_way_out(api: Api) -> None:
    """A batch that was decided on is gone, and its row is there."""
    await api.index.put_batch(a_batch(state=BatchState.LISTED), expect=None)
    await api.index.put_batch_rows(a_batch(), [a_row()])
    await api.index.put_usage("gate", a_row().day, {})
    async with api.client() as asks:
        answer = (await asks.post("holds", json=HOLD, headers=BY)).json()
    assert answer["taken_back"] == [{"camera": "gate", "day": a_row().day.isoformat()}]
    assert await api.index.batch("gate", a_row().day) is None
    assert (await api.index.rows("gate", a_row().day)).items == [a_row()]


@pytest.mark.parametrize("headers", [{}, {"Keepsight-By": " "}, {"Keepsight-By": "%FF"}, {"Keepsight-By": "%0A"}])
async def test_a_change_needs_a_name(api: Api, headers: dict[str, str]) -> None:
    """Without one, or with one that nobody can read, nothing is changed."""
    async with api.client() as asks:
        answer = await asks.post("holds", json=HOLD, headers=headers)
    assert answer.status_code == 422
    assert "Keepsight-By" in answer.text
    assert await api.index.records("hold") == []


async def test_a_name_may_be_of_any_script(api: Api) -> None:
    """Percent-encoded UTF-8, since headers are ASCII."""
    async with api.client() as asks:
        placed = await asks.post("holds", json=HOLD, headers={"Keepsight-By": "%E6%9D%8E%E9%9B%B7"})
    assert placed.json()["hold"]["placed_by"] == "李雷"


async def test_a_plan_is_shown_and_then_written(api: Api) -> None:
    """The look changes nothing; the change makes version 2; and what was shown for version 1 is refused then."""
    wanted = {"plan": {"areas": {"harbour": "key-area"}}, "on": 1, "reason": "inspection"}
    async with api.client() as asks:
        shown = await asks.post("retention/proposals", json=wanted, headers=BY)
        assert shown.status_code == 200, shown.text
        assert len((await asks.get("retention/policies")).json()) == 1
        written = await asks.post("retention/policies", json=wanted, headers=BY)
        assert (written.status_code, written.json()["version"]) == (201, 2)
        assert written.json()["changes"] == shown.json()["policy"]["changes"]
        assert (await asks.post("retention/policies", json=wanted, headers=BY)).status_code == 409


async def test_why_footage_stays_is_told(api: Api) -> None:
    """The rule that won, and for a day when its footage goes."""
    await api.index.publish(a_row())
    async with api.client() as asks:
        told = (await asks.get("retention/cameras/gate", params={"day": a_row().day.isoformat()})).json()
        assert (await asks.get("retention/cameras/nobody")).status_code == 404
    assert told["policies"][0]["tier"] == "general"
    assert told["day"]["groups"][0]["why"] == "due"


async def test_receipts_come_as_the_text_that_proves_them(api: Api) -> None:
    """The lines check out offline, and a camera's month lists what they say."""
    first = a_receipt()
    await api.index.put_receipt(first)
    await api.index.put_receipt(a_receipt(number=2, previous=first.digest))
    async with api.client() as asks:
        lines = (await asks.get("receipts")).text.splitlines()
        listed = (await asks.get("cameras/gate/receipts", params={"month": "2026-03-20"})).json()
    assert len(lines) == 2
    assert not [found for found in checked(lines) if isinstance(found, Fault)]
    assert [each["sha256"] for each in listed] == [first.digest, a_receipt(number=2, previous=first.digest).digest]


async def test_a_chain_that_nobody_wrote_is_not_found(api: Api) -> None:
    """An export of it would be empty, and look whole. One that is there gives what is behind a number, though that be nothing."""
    await api.index.put_receipt(a_receipt())
    async with api.client() as asks:
        unknown = await asks.get("receipts", params={"chain": "sweep.9-of-9"})
        assert unknown.status_code == 404
        assert unknown.json()["detail"] == "there is no chain of receipts 'sweep.9-of-9'; there is sweep.0-of-1"
        behind = [await asks.get("receipts", params={"chain": "sweep.0-of-1", "after": after}) for after in (0, 1)]
    assert [(answer.status_code, answer.text) for answer in behind] == [(200, f"{a_receipt().text}\n"), (200, "")]


async def test_what_a_hold_keeps_is_told_as_the_command_tells_it(api: Api) -> None:
    """The same words and values."""
    await api.index.publish(a_row())
    await api.index.put_receipt(a_receipt())
    async with api.client() as asks:
        assert (await asks.post("holds", json=HOLD, headers=BY)).status_code == 201
        found = (await asks.get("holds/report", params={"case": "2026-17"})).json()
    reports = await report("2026-17", index=api.index, now_us=api.clock.now_us())
    assert found == [report_json(each) for each in reports]
    assert found[0]["deleted"]


async def test_how_it_stands_and_what_would_go(api: Api) -> None:
    """The policy that binds, and the camera-day that a sweep would begin, which is still there afterwards."""
    await api.index.publish(a_row())
    await api.index.put_usage("gate", a_row().day, await api.index.row_sums("gate", a_row().day))
    async with api.client() as asks:
        assert (await asks.get("retention/status")).json()["policy"] == 1
        (begun,) = (await asks.get("retention/dry-run")).json()
    assert (begun["camera"], begun["segments"], begun["whole"]) == ("gate", 1, True)
    assert await api.index.batch("gate", a_row().day) is None


async def test_a_floor_that_cannot_be_kept_is_told(api: Api) -> None:
    """With its pool and what it hits first."""
    found = Breach("main", NOON_US, 7, (("gate", a_row().day),), 0)
    await note_pressure(api.index, Pressure(NOON_US, {"main": Relief(pressed=True, breach=found)}))
    (told,) = (await api.get("retention/breaches")).json()
    assert (told["pool"], told["closed"], told["missing_bytes"]) == ("main", None, 7)
    assert told["hits"] == [{"camera": "gate", "day": a_row().day.isoformat()}]


async def test_a_clock_is_accepted_by_somebody(api: Api) -> None:
    """A sweep that has stopped for its clock goes on when a person says so."""
    assert (await note_clock(api.index, "sweep.0-of-1", Reading(NOON_US, 0, "boot", synchronised=False))).held
    async with api.client() as asks:
        assert (await asks.post("retention/clock")).status_code == 422
        assert (await asks.post("retention/clock", headers=BY)).json() == {"shards": ["sweep.0-of-1"]}
        assert (await asks.get("retention/status")).json()["clocks_held"] == {}


def test_every_route_has_its_rule() -> None:
    """Looks want to inspect, changes want to administer, and nothing is open."""
    api = Api()
    found = [(path, [one.verb.value for one in before]) for path, before in rules(api.app()) if "retention" in path or "holds" in path]
    assert len(found) > 8
    assert {tuple(verbs) for _, verbs in found} == {("inspect",), ("administer",), ("hold",)}
