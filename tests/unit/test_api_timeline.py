"""The timeline over HTTP: exact spans, buckets, the live edge, and what is read for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest

from segments.clock import US_PER_DAY, US_PER_S
from segments.errors import KeepsightError
from segments.model import BatchState
from tests.api import Api, asked
from tests.builders import CODECS, NOON_US, a_batch, a_camera, a_change, a_loss, a_row, a_run, at, some_rows
from tests.retention_builders import a_gone, a_receipt

DAY_S = 86_400


async def an_api(rows: int = 3) -> Api:
    """A camera with so many minutes of footage from noon, then lost; it is 13:00."""
    api = Api()
    await api.index.add_camera(a_camera())
    for row in some_rows(rows):
        await api.index.put_run(a_run(last_us=row.end_us))
        await api.index.publish(row)
    await api.index.put_state(a_change(at_us=NOON_US))
    await api.index.put_state(a_loss(at_us=NOON_US + rows * 60 * US_PER_S))
    return api


async def spans(api: Api, start_s: float, end_s: float) -> list[tuple[float, float, str]]:
    """The spans of a timeline, in seconds after noon, each with its run or cause."""
    answer = await api.get("cameras/gate/timeline", params=asked(start_s, end_s))
    assert answer.status_code == 200, answer.text
    return [
        (
            (at(one["from"]) - NOON_US) / US_PER_S,
            (at(one["to"]) - NOON_US) / US_PER_S,
            one["run"] if one["kind"] == "footage" else one["cause"],
        )
        for one in answer.json()["spans"]
    ]


async def test_the_answer_is_as_described() -> None:
    """The whole of a small answer, as docs/reference/api.md has it."""
    api = await an_api()
    answer = await api.get("cameras/gate/timeline", params=asked(120, 240))
    assert answer.json() == {
        "camera": "gate",
        "from": "2026-03-14T12:02:00.000Z",
        "to": "2026-03-14T12:04:00.000Z",
        "resolution_s": 0,
        "spans": [
            {
                "from": "2026-03-14T12:02:00.000Z",
                "to": "2026-03-14T12:03:00.000Z",
                "kind": "footage",
                "run": "home-a-1-1",
                "codecs": CODECS,
                "sites": ["home"],
            },
            {
                "from": "2026-03-14T12:03:00.000Z",
                "to": "2026-03-14T12:04:00.000Z",
                "kind": "gap",
                "cause": "camera-away",
                "detail": "connection refused",
            },
        ],
        "buckets": [],
    }


async def test_before_and_after_have_their_causes() -> None:
    """Before the camera was added, before anything was written, after now: each is its own gap."""
    api = await an_api()
    assert await spans(api, -DAY_S + 10, 10) == [(-DAY_S + 10, 0, "unknown"), (0, 10, "home-a-1-1")]
    assert await spans(api, -DAY_S - 10, -DAY_S + 10) == [(-DAY_S - 10, -DAY_S, "not-commissioned"), (-DAY_S, -DAY_S + 10, "unknown")]
    assert await spans(api, 3590, 3610) == [(3590, 3600, "camera-away"), (3600, 3610, "future")]


async def test_the_live_edge_belongs_to_the_timeline() -> None:
    """Segments still in the spool are footage; where one is indexed by now, the index is right."""
    api = await an_api(rows=2)
    growing = replace(a_row(start_us=NOON_US + 120 * US_PER_S, counter=2, sha256="", pool=""), end_us=NOON_US + 130 * US_PER_S)
    stale = replace(some_rows(2)[1], end_us=NOON_US + 70 * US_PER_S, sha256="")
    api.live.found = [(stale, a_run()), (growing, a_run())]
    assert (await spans(api, 0, 200))[0] == (0, 130, "home-a-1-1")


async def test_without_the_recording_side_the_timeline_goes_on() -> None:
    """What is indexed is shown, and a header says that the live edge is missing."""
    api = await an_api()
    api.live.away = True
    answer = await api.get("cameras/gate/timeline", params=asked(0, 60))
    assert (answer.status_code, answer.headers["keepsight-live"]) == (200, "away")
    assert [one["kind"] for one in answer.json()["spans"]] == ["footage"]


async def test_footage_of_a_camera_that_left_the_archive_is_still_there() -> None:
    """A removed camera keeps its timeline; one that never was has none."""
    api = await an_api()
    await api.index.remove_camera("gate")
    assert await spans(api, 0, 60) == [(0, 60, "home-a-1-1")]
    assert (await api.get("cameras/nowhere/timeline", params=asked(0, 60))).status_code == 404


async def test_with_a_resolution_there_are_buckets() -> None:
    """Buckets of a minute sum up what is in them, with the cause of most of what is missing."""
    api = await an_api()
    answer = (await api.get("cameras/gate/timeline", params={**asked(150, 210), "resolution": 60})).json()
    assert (answer["spans"], answer["resolution_s"]) == ([], 60)
    assert answer["buckets"] == [
        {"from": "2026-03-14T12:02:30.000Z", "footage_s": 30.0, "gap_s": 0.0, "cause": None},
        {"from": "2026-03-14T12:03:00.000Z", "footage_s": 0.0, "gap_s": 30.0, "cause": "camera-away"},
    ]


async def test_too_many_spans_become_buckets() -> None:
    """A day of a camera that comes and goes is answered in buckets, never in more than 2,000 entries."""
    api = await an_api(rows=0)
    for n in range(1500):
        run = f"home-a-1-{n + 1}"
        row = replace(a_row(start_us=NOON_US + n * 20 * US_PER_S, run=run), end_us=NOON_US + (n * 20 + 10) * US_PER_S)
        await api.index.publish(row)
    answer = (await api.get("cameras/gate/timeline", params=asked(0, DAY_S / 2))).json()
    assert answer["spans"] == []
    assert (answer["resolution_s"], len(answer["buckets"])) == (30, 1440)
    assert sum(bucket["footage_s"] for bucket in answer["buckets"]) == 15_000


class NoRows:
    """An index of which no row may be read."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        if name in ("rows", "row", "footage"):
            raise KeepsightError("rows were read")
        return getattr(self._inner, name)


@pytest.mark.parametrize("days", [1.01, 400])
async def test_over_a_day_no_row_is_read(days: float) -> None:
    """Long timelines come from runs and states alone; a day does read rows, which is the negative control."""
    api = await an_api()
    api.index = NoRows(api.index)
    answer = await api.get("cameras/gate/timeline", params=asked(-1000, days * DAY_S - 1000))
    assert answer.status_code == 200
    footage = [one for one in answer.json()["spans"] if one["kind"] == "footage"]
    assert [(one["from"], one["to"]) for one in footage] == [("2026-03-14T12:00:00.000Z", "2026-03-14T12:03:00.000Z")]
    assert (await api.get("cameras/gate/timeline", params=asked(-1000, DAY_S - 1000))).status_code == 500


async def test_a_year_of_many_runs_stays_small() -> None:
    """A year with a run a quarter of an hour comes in at most 2,000 buckets that follow each other."""
    api = Api()
    year_us = at("2025-03-14T12:00:00Z")
    await api.index.add_camera(a_camera(added_us=year_us))
    for n in range(6_000):
        start_us = year_us + n * 900 * US_PER_S
        await api.index.put_run(a_run(id=f"home-a-1-{n + 1}", start_us=start_us, last_us=start_us + 600 * US_PER_S))
    answer = (await api.get("cameras/gate/timeline", params={"from": "2025-03-14T12:00:00Z", "to": "2026-03-14T12:00:00Z"})).json()
    starts = [at(bucket["from"]) for bucket in answer["buckets"]]
    assert len(starts) <= 2000
    assert {b - a for a, b in pairwise(starts[1:])} == {answer["resolution_s"] * US_PER_S}
    assert sum(bucket["footage_s"] + bucket["gap_s"] for bucket in answer["buckets"]) == 365 * US_PER_DAY / US_PER_S
    assert sum(bucket["footage_s"] for bucket in answer["buckets"]) == 6_000 * 600


async def delete(api: Api, start_us: int, end_us: int) -> None:
    """Takes the rows that end within a span out of the index, and writes the receipt of it, as the sweep leaves it."""
    listed = (await api.index.rows("gate", a_row().day)).items
    gone = [row for row in listed if start_us < row.end_us <= end_us]
    batch = a_batch(state=BatchState.LISTED)
    await api.index.put_batch(batch, expect=None)
    await api.index.unpublish(batch, [row.position for row in gone])
    await api.index.forget_batch(batch.camera, batch.day, expect=BatchState.LISTED)
    await api.index.put_receipt(a_receipt(segments=tuple(a_gone(row) for row in gone)))


async def test_deleted_footage_is_a_gap_of_that_cause() -> None:
    """What a receipt names is shown as deleted, exactly, and what stays beside it as footage."""
    api = await an_api()
    await delete(api, NOON_US, NOON_US + 120 * US_PER_S)

    assert await spans(api, 0, 180) == [(0, 120, "deleted"), (120, 180, "home-a-1-1")]


async def test_long_spans_do_not_show_deleted_footage_as_there() -> None:
    """A run outlives its footage: spans that are read from runs are cut by the receipts."""
    api = await an_api()
    await delete(api, NOON_US, NOON_US + 120 * US_PER_S)
    found = await spans(api, -DAY_S, DAY_S)

    assert (0, 120, "deleted") in found
    assert (120, 180, "home-a-1-1") in found


async def test_deleted_footage_of_the_month_before_is_found() -> None:
    """A segment of the last minutes of a month reaches into the next, and its receipt is the month's it starts in."""
    api = await an_api()
    midnight_us = at("2026-03-01T00:00:00Z")
    gone = a_gone(start_us=midnight_us - 30 * US_PER_S, end_us=midnight_us + 30 * US_PER_S)
    await api.index.put_receipt(a_receipt(day=date(2026, 2, 28), segments=(gone,)))
    start_s = (midnight_us - NOON_US) / US_PER_S

    assert (await spans(api, start_s, start_s + 60))[0] == (start_s, start_s + 30, "deleted")


async def test_what_was_deleted_is_said_where_footage_is_asked_for() -> None:
    """A snapshot and a playlist of deleted footage name the cause, and so does the timeline of a camera that is not in the archive."""
    api = await an_api()
    await delete(api, NOON_US, NOON_US + 180 * US_PER_S)
    answer = await api.get("cameras/gate/hls/multivariant.m3u8", params=asked(0, 60))
    assert (answer.status_code, answer.json()["cause"]) == (404, "deleted")

    await api.index.remove_camera("gate")
    assert await spans(api, 0, 180) == [(0, 180, "deleted")]
