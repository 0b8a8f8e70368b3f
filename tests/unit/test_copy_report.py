"""What people see of copies: records written while they are made, reports, metrics, and the commands that tell them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from deploy.copy_page import CopyReport, copy_page
from deploy.metrics.copies import CopyMetrics
from deploy.settings import load_settings
from deploy.wiring import Stores, open_stores
from replication.copy_ledger import CopyLedger
from replication.copy_report import MOST_NAMED, copy_days
from replication.copy_values import CopyEvent, CopyKind, Wish
from replication.drill import Spread
from replication.lag import Behind, Promise
from replication.lag_record import LagReport, add_report, lag_reports
from replication.rpo import Rpo
from segments.clock import US_PER_DAY, US_PER_S, SystemClock
from segments.errors import TryAgain
from segments.model import RowPosition
from segments.ports import Records
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_camera, a_row
from tests.clocks import HandClock
from tests.command_line import Keepsight
from tests.fakes import SwitchedIndex

S = US_PER_S
DUTY = "copy.0-of-1"
DAY = date(2026, 3, 14)


def an_event(kind: CopyKind = CopyKind.COPIED, **fields: Any) -> CopyEvent:
    """A segment of a minute that ended at noon and was committed then."""
    good: dict[str, Any] = {"camera": "gate", "size": 1000, "committed_us": NOON_US, "end_us": NOON_US, "camera_class": 3}
    good["position"] = RowPosition(NOON_US - 60 * S, "north-a-1-1", fields.pop("counter", 0))
    return CopyEvent(kind, "north", **good | fields)


def a_ledger(index: Records, clock: Any, duty: str = DUTY) -> CopyLedger:
    """Of copies from north, with the usual promise."""
    return CopyLedger("north", duty, Promise(60, 900), index=index, clock=clock)


async def test_what_was_copied_is_told_by_day_and_class() -> None:
    """Within a minute, within a quarter of an hour, later by name; the day is that of its commit, however late it comes."""
    index, clock = MemoryIndex(), HandClock()
    ledger = a_ledger(index, clock)
    ledger.saw(an_event())
    clock.move(100)
    ledger.saw(an_event(counter=1, camera_class=1))
    clock.move(86_400)
    ledger.saw(an_event(counter=2))
    ledger.saw(an_event(counter=3, committed_us=clock.now_us()))
    await ledger.flush([], 0, {})

    first, second = await copy_days(index)
    assert (first.day, second.day) == (DAY, DAY + timedelta(days=1))
    assert {number: (each.segments, each.soon, each.in_time, each.late) for number, each in first.classes.items()} == {
        1: (1, 0, 1, 0),
        3: (2, 1, 1, 1),
    }
    assert [(each.camera, each.start_us, each.delay_s) for each in first.missed] == [("gate", NOON_US - 60 * S, 86_500.0)]
    assert (second.total.segments, second.missed) == (1, ())
    assert await copy_days(index, DAY) == [first]


async def test_shards_and_flushes_are_put_together() -> None:
    """Each adds what is new; flushing twice adds nothing; a new process goes on from the sums there are."""
    index, clock = MemoryIndex(), HandClock()
    for duty in ("copy.0-of-2", "copy.1-of-2"):
        for _ in range(2):
            ledger = a_ledger(index, clock, duty)
            ledger.saw(an_event())
            await ledger.flush([], 0, {})
            await ledger.flush([], 0, {})
    (day,) = await copy_days(index)
    assert day.total.segments == 4
    assert [report.copied[3].segments for report in await lag_reports(index)] == [2, 2]


@pytest.mark.parametrize("fault", ["put_record", "record", "conflict"])
async def test_what_cannot_be_written_is_kept(fault: str) -> None:
    """An index that fails, or another process that was faster: the next flush writes it, once."""
    index, clock = SwitchedIndex(), HandClock()
    ledger = a_ledger(index, clock)
    ledger.saw(an_event())
    if fault == "conflict":
        other = a_ledger(index.inner, clock)
        other.saw(an_event(counter=1, size=2000))
        await _meanwhile(index, lambda: other.flush([], 0, {}), ledger)
    else:
        index.fails[fault] = TryAgain("away")
        with pytest.raises(TryAgain):
            await ledger.flush([], 0, {})
    await ledger.flush([], 0, {})
    (day,) = await copy_days(index)
    (report,) = await lag_reports(index)
    assert day.total.segments == report.copied[3].segments == (2 if fault == "conflict" else 1)


async def _meanwhile(index: SwitchedIndex, work: Callable[[], Awaitable[None]], ledger: CopyLedger) -> None:
    """Another process writes between what is read and what is written."""
    real, begun = index.inner.put_record, []

    async def put(record):
        if not begun:
            begun.append("")
            await work()
        await real(record)

    index.inner.put_record = put  # type: ignore[method-assign]
    await ledger.flush([], 0, {})


async def test_a_day_takes_the_place_of_one_a_month_ago() -> None:
    """So records do not grow for ever; what is older than the day in its place is not kept."""
    index, clock = MemoryIndex(), HandClock()
    ledger = a_ledger(index, clock)
    for days in (0, 31, 1, 0):
        at_us = NOON_US + days * US_PER_DAY
        clock.start_us = max(clock.start_us, at_us)
        ledger.saw(an_event(committed_us=at_us, end_us=at_us))
        await ledger.flush([], 0, {})
    assert [each.day for each in await copy_days(index)] == [DAY + timedelta(days=1), DAY + timedelta(days=31)]
    assert len(await index.records("copy-day")) == 2


async def test_a_commit_in_the_future_is_of_today() -> None:
    """A source whose clock is wrong cannot take a day's place for years."""
    index, clock = MemoryIndex(), HandClock()
    ledger = a_ledger(index, clock)
    ledger.saw(an_event(committed_us=NOON_US + 9000 * US_PER_DAY))
    await ledger.flush([], 0, {})
    assert [each.day for each in await copy_days(index)] == [DAY]


async def test_names_are_bounded() -> None:
    """After so many late ones of a day only their number is told."""
    index, clock = MemoryIndex(), HandClock(NOON_US + 1000 * S)
    ledger = a_ledger(index, clock)
    for number in range(MOST_NAMED + 20):
        ledger.saw(an_event(counter=number))
        if number % 60 == 0:
            await ledger.flush([], 0, {})
    await ledger.flush([], 0, {})
    (day,) = await copy_days(index)
    assert (day.total.late, len(day.missed)) == (MOST_NAMED + 20, MOST_NAMED)


async def test_what_waits_is_told_with_its_reason() -> None:
    """A segment that was refused stays wanted and is named when it is late; why nothing is copied is told until something is."""
    index, clock = MemoryIndex(), HandClock()
    ledger = a_ledger(index, clock)
    row = a_row(run="north-a-1-1", start_us=NOON_US - 60 * S)
    wish = Wish(row, a_camera(), 0, committed_us=NOON_US)
    ledger.saw(an_event(CopyKind.REFUSED, text="its bytes are wrong"))
    ledger.saw(CopyEvent(CopyKind.WAITS, "north", text="north does not answer"))
    clock.move(60)
    await ledger.flush([wish], 7, {})
    (report,) = await lag_reports(index)
    assert (report.waits, report.differing, report.refused, report.late) == ("north does not answer", 7, 1, ())
    clock.move(900)
    await ledger.flush([wish], 0, {})
    (report,) = await lag_reports(index)
    assert report.late == (Behind("gate", row.start_us, NOON_US, "its bytes are wrong"),)
    assert (report.waits, report.backlog[3].late, report.refused) == ("", 1, 1)
    ledger.saw(an_event())
    await ledger.flush([], 0, {})
    (report,) = await lag_reports(index)
    assert (report.backlog, report.late) == ({}, ())


async def test_shards_of_a_former_division_are_forgotten() -> None:
    """After `sweep_shards` has changed, what the old ones said last does not stay for ever."""
    index = MemoryIndex()
    for at_us, duty in ((1, "copy.0-of-1"), (2, "copy.0-of-2"), (3, "copy.1-of-2")):
        await add_report(index, LagReport("north", duty, at_us))
    await add_report(index, LagReport("east", "copy.0-of-1", 1))
    assert [report.record_id for report in await lag_reports(index)] == ["east/copy.0-of-1", "north/copy.0-of-2", "north/copy.1-of-2"]


async def a_told_index(index: Records, now_us: int, *, late: bool = True) -> None:
    """Copies from north by two shards."""
    clock = HandClock(now_us)
    for shard in range(2):
        ledger = a_ledger(index, clock, f"copy.{shard}-of-2")
        for delay_s in (5, 50, 500, 5000):
            at_us = now_us - delay_s * S
            ledger.saw(an_event(camera=f"<gate{shard}>", committed_us=at_us, end_us=at_us))
        since_us = now_us - (1000 if late else 100) * S
        wish = Wish(a_row(start_us=since_us, size=500, camera=f"quay{shard}"), a_camera(), 0, committed_us=since_us)
        rpo = {3: Rpo(10, 1, Spread(60 * S, 90 * S, (100 + shard) * S), f"worst{shard}")}
        await ledger.flush([wish], 3 + shard, rpo)


async def test_metrics_tell_all_shards_together() -> None:
    """As Prometheus reads them; a site that fell silent shows in a lag that grows; a node that does not supervise tells nothing."""
    index, registry, clock = MemoryIndex(), CollectorRegistry(), HandClock(NOON_US + 10 * S)
    await a_told_index(index, NOON_US)
    metrics = CopyMetrics(registry, clock)
    await metrics.sample(index, supervises=True)

    def told(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"keepsight_{name}", {"other": "north", **labels})

    assert told("copy_told_timestamp_seconds") == NOON_US / S
    assert told("copy_wanted_segments", **{"class": "3"}) == 2
    assert told("copy_wanted_bytes", **{"class": "3"}) == 1000
    assert told("copy_late_segments", **{"class": "3"}) == 2
    assert told("copy_differing_camera_days") == 7
    assert told("copy_lag_seconds", **{"class": "3"}) == 1010
    assert told("copied_bytes_total", **{"class": "3"}) == 8000
    assert told("copy_delay_seconds_count", **{"class": "3"}) == 8
    assert told("copy_delay_seconds_bucket", **{"class": "3"}, le="60") == 4
    assert told("copy_delay_seconds_bucket", **{"class": "3"}, le="+Inf") == 8
    assert told("copy_delay_seconds_sum", **{"class": "3"}) == 2 * 5555
    assert told("copy_rpo_seconds", **{"class": "3"}, quantile="1") == 101
    assert len(list(text_string_to_metric_families(generate_latest(registry).decode()))) == 10

    await metrics.sample(index, supervises=False)
    assert told("copy_told_timestamp_seconds") is None


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.names.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


async def test_the_page_prints_and_runs_nothing() -> None:
    """Figures, a plot, the late ones by name; a camera's name is text, whatever it is."""
    index = MemoryIndex()
    await a_told_index(index, NOON_US)
    report = CopyReport("home", NOON_US, Promise(60, 900), await copy_days(index), {"north": (await lag_reports(index))[0].late})
    tags = _Tags()
    tags.feed(copy_page(report))
    assert {"svg", "rect", "table"} <= set(tags.names)
    assert not {"script", "img", "link", "gate0"} & set(tags.names)
    assert {"50.00 %", "75.00 %", "<gate0>", "<gate1>", "quay0"} <= set(tags.texts)
    empty = copy_page(CopyReport("home", NOON_US, Promise(), [], {}))
    assert "nobody" in empty


# --- commands


SITES = '[sites.north]\nurl = "https://north.example.org"\nkey_file = "key"\n'


@pytest.fixture
def keepsight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keepsight:
    monkeypatch.chdir(tmp_path)
    found = Keepsight(tmp_path)
    found.configure(SITES)
    return found


def put(keepsight: Keepsight, work: Callable[[Stores], Awaitable[None]]) -> None:
    """Does something in its index."""

    async def whole() -> None:
        async with open_stores(load_settings(keepsight.config, {})) as stores:
            await work(stores)

    asyncio.run(whole())


def test_lag_tells_what_is_behind(keepsight: Keepsight) -> None:
    """A table with its reasons, and all of it for scripts; exit code 1 while something is late or nobody tells."""
    assert "nothing is told yet" in keepsight("site", "lag", code=1).stderr
    put(keepsight, lambda stores: a_told_index(stores.index, SystemClock().now_us()))
    shown = keepsight("site", "lag", "north", code=1)
    assert "worst1" in shown.stdout
    assert "quay0" in shown.stderr
    told = keepsight.json("site", "lag", code=1)["north"]
    assert (told["backlog"]["3"]["late"], told["rpo"]["3"]["worst"], told["silent"]) == (2, "worst1", False)
    put(keepsight, lambda stores: a_told_index(stores.index, SystemClock().now_us(), late=False))
    keepsight("site", "lag")
    put(keepsight, lambda stores: a_told_index(stores.index, SystemClock().now_us() - 400 * S, late=False))
    assert "has told nothing since" in keepsight("site", "lag", code=1).stderr
    assert "no site 'south' is in the settings" in keepsight.refused("site", "lag", "south", code=2)


def test_the_report_comes_in_three_forms(keepsight: Keepsight, tmp_path: Path) -> None:
    """The same figures in each; only one day if it is named; a file that is there is not written over."""
    put(keepsight, lambda stores: a_told_index(stores.index, NOON_US))
    lines = list(csv.DictReader(io.StringIO(keepsight("site", "report", "--format", "csv").stdout)))
    assert [(line["from"], line["to"], line["segments"], line["soon"], line["late"]) for line in lines] == [
        ("north", "home", "8", "4", "2")
    ]
    told = json.loads(keepsight("site", "report", "2026-03-14", "--format", "json").stdout)
    assert told["days"][0]["in_time"] == 6
    assert len(told["missed"]) == 2
    assert json.loads(keepsight("site", "report", "2026-03-13", "--format", "json").stdout)["days"] == []
    page = tmp_path / "page.html"
    keepsight("site", "report", "--out", str(page))
    assert "<svg" in page.read_text()
    keepsight.refused("site", "report", "--out", str(page), code=2)
    keepsight.refused("site", "report", "yesterday", code=2)
