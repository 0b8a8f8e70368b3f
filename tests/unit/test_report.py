"""The retention report over an index: every camera that misleads such reports says what it should, and the sums are of them."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

import pytest

from retention.report import MOST_DAYS_BACK, Order, Report, retention_report
from retention.report_tables import COLUMNS, as_csv, as_json
from segments.errors import BadInput
from segments.stores.memory_index import MemoryIndex
from segments.takeover import Taken, write_taken
from tests.builders import a_camera
from tests.reported_site import NAMES, NOW_US, TODAY, Site, at

FEBRUARY = Order(date(2026, 2, 1), date(2026, 3, 1), site="home", by="Li")
HOUR_S = 3600.0
FEBRUARY_S = 28 * 24 * HOUR_S


@pytest.fixture
async def index() -> MemoryIndex:
    index = MemoryIndex()
    await Site(index).fill()
    return index


def lies_in(area: str, other: str) -> bool:
    return area == other or (other != "" and area.startswith(f"{other}/"))


async def reported(index: MemoryIndex, order: Order = FEBRUARY) -> Report:
    return await retention_report(order, index=index, now_us=NOW_US)


async def as_values(index: MemoryIndex, order: Order = FEBRUARY) -> dict[str, Any]:
    return as_json(await reported(index, order))


async def test_every_camera_says_how_deep_it_is_and_why_not_deeper(index: MemoryIndex) -> None:
    """Thirty days, but four of the new camera and none of the one that is off; less deep are those that were away, or under pressure."""
    cameras = {line["camera"]: line for line in (await as_values(index))["cameras"]}
    assert tuple(cameras) == NAMES
    depths = {name: (line["required_days"], line["depth_days"], line["missing"], line["not_required"]) for name, line in cameras.items()}
    assert depths == {
        "away": (30, 26, {"camera-away": 4 * 24 * HOUR_S}, None),
        "due": (30, 30, {}, None),
        "held": (30, 30, {}, None),
        "new": (4, 4, {}, None),
        "off": (0, 0, {}, "disabled"),
        "pressed": (30, 19, {"deleted-early": 48 * HOUR_S}, None),
        "whole": (30, 30, {}, None),
    }


async def test_the_days_asked_for_are_complete_but_for_what_was_lost(index: MemoryIndex) -> None:
    """What went when it was due was complete; what went early was not; the one that came in March is not of February."""
    cameras = {line["camera"]: line for line in (await as_values(index))["cameras"]}
    lost = {name: (line["integrity"]["complete_s"], line["integrity"]["expected_s"], line["lost"]) for name, line in cameras.items()}
    assert lost == {
        "away": (13 * 24 * HOUR_S, FEBRUARY_S, {"camera-away": 15 * 24 * HOUR_S}),
        "due": (FEBRUARY_S, FEBRUARY_S, {}),
        "held": (FEBRUARY_S, FEBRUARY_S, {}),
        "new": (0, 0, {}),
        "off": (0, 0, {}),
        "pressed": (FEBRUARY_S - 48 * HOUR_S, FEBRUARY_S, {"deleted-early": 48 * HOUR_S}),
        "whole": (FEBRUARY_S, FEBRUARY_S, {}),
    }
    assert {name: line["not_expected"] for name, line in cameras.items() if line["not_expected"]} == {
        "new": "not-commissioned",
        "off": "disabled",
    }
    assert cameras["away"]["online"] == {"online_s": 13 * 24 * HOUR_S, "observed_s": FEBRUARY_S, "unobserved_s": 0, "rate": 13 / 28}


async def test_what_another_site_was_to_record_says_so(index: MemoryIndex) -> None:
    """Where it is not here, it is lacking and lost here with that cause, and not observed; one that is switched off lacks nothing."""
    taken = Taken("north", ("away",), at(date(2026, 2, 5)), ended_us=at(date(2026, 2, 16)))
    await write_taken(index, taken, before=None)
    await index.add_camera(a_camera("guest", tier="", home="north", added_us=at(date(2025, 12, 31))))
    await index.add_camera(a_camera("idle", tier="", home="north", added_us=at(date(2025, 12, 31)), enabled=False))
    cameras = {line["camera"]: line for line in (await as_values(index))["cameras"]}
    assert cameras["away"]["missing"] == {"elsewhere": 4 * 24 * HOUR_S}
    assert cameras["away"]["lost"] == {"camera-away": 4 * 24 * HOUR_S, "elsewhere": 11 * 24 * HOUR_S}
    seen_s = 17 * 24 * HOUR_S
    assert cameras["away"]["online"] == {
        "online_s": 13 * 24 * HOUR_S,
        "observed_s": seen_s,
        "unobserved_s": FEBRUARY_S - seen_s,
        "rate": 13 / 17,
    }
    assert (cameras["guest"]["depth_days"], cameras["guest"]["missing"]) == (0, {"elsewhere": 30 * 24 * HOUR_S})
    assert cameras["guest"]["online"]["observed_s"] == 0
    assert (cameras["idle"]["required_days"], cameras["idle"]["not_required"]) == (0, "disabled")


async def test_rates_are_the_sums_of_their_cameras(index: MemoryIndex) -> None:
    """The total, each area with what lies below it, classes and owners: recounted from the cameras."""
    values = await as_values(index)
    lines = values["cameras"]
    for group, its in (
        (values["total"], lines),
        *(
            (area, [line for line in lines if f"{line['area']}/".startswith(f"{area['area']}/")])
            for area in values["areas"]
            if area["area"]
        ),
        *((owner, [line for line in lines if line["owner"] == owner["owner"]]) for owner in values["owners"]),
        *((each, [line for line in lines if line["class"] == each["class"]]) for each in values["classes"]),
    ):
        counted = [line for line in its if not line["not_required"]]
        assert group["cameras"] == len(its)
        assert group["storage_duration"]["counted"] == len(counted)
        assert group["storage_duration"]["reached"] == sum(line["required_days"] == line["depth_days"] for line in counted)
        for rate, part, whole in (("integrity", "complete_s", "expected_s"), ("online", "online_s", "observed_s")):
            assert group[rate][part] == sum(line[rate][part] for line in its)
            assert group[rate][whole] == sum(line[rate][whole] for line in its)
            assert group[rate]["rate"] == (group[rate][part] / group[rate][whole] if group[rate][whole] else None)
    assert [area["area"] for area in values["areas"]] == ["", "harbour", "harbour/east", "harbour/west", "market"]
    assert values["total"]["storage_duration"] == {"reached": 4, "counted": 6, "rate": 4 / 6, "left_out": {"disabled": 1}}
    assert values["total"]["integrity"]["left_out"] == {"disabled": 1, "not-commissioned": 1}
    assert values["taken_out"] == 1


async def test_days_add_up_to_the_period(index: MemoryIndex) -> None:
    """Integrity by day: 28 of them, whose sum is that of the total; on 21 February a camera has nothing."""
    values = await as_values(index)
    assert len(values["days"]) == 28
    assert sum(day["complete_s"] for day in values["days"]) == values["total"]["integrity"]["complete_s"]
    by_day = {day["day"]: day for day in values["days"]}
    assert by_day["2026-02-21"]["complete_s"] == 4 * 24 * HOUR_S
    assert by_day["2026-02-21"]["expected_s"] == 5 * 24 * HOUR_S


async def test_an_area_is_reported_alone(index: MemoryIndex) -> None:
    """Only its cameras, and only of them what was taken out."""
    values = await as_values(index, Order(FEBRUARY.first, FEBRUARY.end, area="harbour"))
    assert [line["camera"] for line in values["cameras"]] == ["held", "new", "pressed", "whole"]
    assert values["taken_out"] == 0


async def test_the_table_says_the_same(index: MemoryIndex) -> None:
    """Read back as CSV: one header, the groups, all cameras, numbers as in JSON."""
    report = await reported(index)
    values, text = as_json(report), "".join(as_csv(report))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["of"] for row in rows] == ["total", *["area"] * 5, "class", *["owner"] * 3, *["camera"] * 7]
    assert [row["name"] for row in rows if row["of"] == "camera"] == list(NAMES)
    for row, camera in zip(rows[-7:], values["cameras"], strict=True):
        assert (int(row["required_days"]), int(row["depth_days"])) == (camera["required_days"], camera["depth_days"])
        assert float(row["complete_s"]) == camera["integrity"]["complete_s"]
    assert rows[0]["storage_duration_rate"] == "0.666667"
    assert rows[0]["not_expected"] == "disabled 1; not-commissioned 1"


async def test_a_name_is_no_formula(index: MemoryIndex) -> None:
    """A program that shows the table takes it for a text."""
    await index.add_camera(a_camera("trick", name='=HYPERLINK("x")', tier=""))
    rows = list(csv.DictReader(io.StringIO("".join(as_csv(await reported(index))), newline="")))
    assert [row["title"] for row in rows if row["name"] == "trick"] == ['\'=HYPERLINK("x")']


async def test_cameras_are_told_as_they_are_read(index: MemoryIndex) -> None:
    """Progress, up to all of them."""
    said: list[int] = []
    await retention_report(FEBRUARY, index=index, now_us=NOW_US, say=said.append)
    assert said == [4, 7]


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (Order(date(2026, 3, 1), date(2026, 3, 15)), "only whole days"),
        (Order(date(2026, 3, 1), date(2026, 3, 1)), "cannot begin"),
        (Order(TODAY), "cannot begin"),
        (Order(TODAY.replace(year=TODAY.year - 4)), f"at most {MOST_DAYS_BACK} days"),
        (Order(date(2026, 3, 1), most_cameras=6), "more than 6 cameras"),
    ],
)
async def test_what_cannot_be_reported_is_refused(index: MemoryIndex, order: Order, why: str) -> None:
    """Days that are not over, none at all, too long ago; and more cameras than are allowed."""
    with pytest.raises(BadInput, match=why):
        await reported(index, order)


async def test_without_a_policy_there_is_nothing_to_report() -> None:
    """What must be there is not known."""
    with pytest.raises(BadInput, match="no retention policy binds"):
        await reported(MemoryIndex())
