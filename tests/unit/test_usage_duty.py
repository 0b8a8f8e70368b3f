"""The duty that writes usage down: its passes, what it says of itself, and what doctor and metrics make of that."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from deploy.doctor import Verdict
from deploy.doctor_usage import findings
from deploy.metrics.usage import UsageMetrics
from deploy.placed_duties import placed_duties
from deploy.settings import load_settings
from deploy.usage_duty import FIRST_S, PASS_S, RETRY_S, UsageRounds, usage_rounds
from deploy.usage_report import LATE_US, UsageReport, usage_reports
from segments.clock import US_PER_S
from segments.duty import Duty
from segments.errors import TryAgain
from segments.shards import CAMERA_BUCKETS, bucket_of
from segments.stores.memory_index import MemoryIndex
from segments.usage import DayUsage, PackedHistory, UsageSum
from tests.clocks import HandClock

MARCH = date(2026, 3, 1)
YESTERDAY, TODAY = date(2026, 3, 13), date(2026, 3, 14)
DUTY = Duty("usage")
CAMERAS = [f"cam{n}" for n in range(200)]


async def a_pass(rounds: UsageRounds) -> float:
    """Rounds until a report is made; the seconds until the next pass."""
    waited_s = 0.0
    while not waited_s:
        waited_s = await rounds.round()
    return waited_s


@pytest.fixture
async def index() -> MemoryIndex:
    """Two hundred cameras with a day that is closed and one that is not."""
    index = MemoryIndex()
    for camera in CAMERAS:
        for day in (YESTERDAY, TODAY):
            await index.put_usage(camera, day, {"main": UsageSum(1, 100)})
    return index


async def kept(index: MemoryIndex) -> int:
    """How many buckets have a history."""
    return sum([bool((await index.usage_history(MARCH, bucket)).revision) for bucket in range(CAMERA_BUCKETS)])


async def test_every_bucket_is_kept_and_it_is_said(index: MemoryIndex) -> None:
    """After other things of a start; then a bucket a round, a report, and again six hours later."""
    clock = HandClock()
    rounds = UsageRounds(DUTY, index, "node-1", clock)
    assert await rounds.round() == FIRST_S
    assert await kept(index) == 0
    assert await a_pass(rounds) == PASS_S
    assert await kept(index) == len({bucket_of(camera) for camera in CAMERAS})
    (report,) = await usage_reports(index)
    assert report == UsageReport(str(DUTY), "node-1", clock.now_us(), "2026-03-14", len(CAMERAS), [])
    clock.move(PASS_S)
    await a_pass(rounds)
    (report,) = await usage_reports(index)
    assert (report.finished_us, report.lines) == (clock.now_us(), 0)


async def test_shards_divide_the_buckets(index: MemoryIndex) -> None:
    """Each keeps its own; all together keep everything, as placed by the settings."""
    duties = [duty for duty in placed_duties(load_settings(None, {"KEEPSIGHT_RETENTION__SWEEP_SHARDS": "3"})) if duty.kind == "usage"]
    assert [str(duty) for duty in duties] == ["usage.0-of-3", "usage.1-of-3", "usage.2-of-3"]
    found = []
    for duty in duties:
        rounds = UsageRounds(duty, index, "node-1", HandClock())
        await rounds.round()
        await a_pass(rounds)
        found.append(await kept(index))
    assert found[0] < found[1] < found[2] == len({bucket_of(camera) for camera in CAMERAS})
    assert callable(usage_rounds(index, "node-1", HandClock())(DUTY))


async def test_a_bucket_that_cannot_be_kept_holds_up_no_other(index: MemoryIndex) -> None:
    """A damaged history and an index that is away for one bucket: the others are kept, both are named, and it is tried again soon."""
    damaged, away = bucket_of("cam0"), next(bucket for camera in CAMERAS if (bucket := bucket_of(camera)) != bucket_of("cam0"))
    rounds = UsageRounds(DUTY, index, "node-1", HandClock())
    await rounds.round()
    await a_pass(rounds)
    finished_us = (await usage_reports(index))[0].finished_us
    before = await index.usage_history(MARCH, damaged)
    await index.put_usage_history(before.changed(b"no parquet"))
    good, index.usage = index.usage, _away_for(away, index.usage)  # type: ignore[method-assign]
    await index.put_usage("cam9", date(2026, 3, 2), {"main": UsageSum(1, 100)})
    assert await a_pass(rounds) == RETRY_S
    (report,) = await usage_reports(index)
    assert len(report.faults) == 2
    assert report.finished_us == finished_us, "what finished before is still told"
    index.usage = good  # type: ignore[method-assign]
    await index.put_usage_history(PackedHistory(MARCH, damaged, before.revision + 2, before.packed))
    assert await a_pass(rounds) == PASS_S
    assert (await usage_reports(index))[0].faults == []


def _away_for(bucket: int, usage: Any) -> Any:
    async def away(month: date, of: int) -> list[DayUsage]:
        if of == bucket:
            raise TryAgain("the index is away")
        return list(await usage(month, of))

    return away


def test_doctor_says_how_far_it_is() -> None:
    """Nothing yet is noted; a day without a pass, and faults, are ill and named."""
    good = UsageReport("usage.0-of-1", "node-1", 10 * US_PER_S, "2026-03-14")
    ill = UsageReport("usage.0-of-1", "node-1", 0, "", faults=("bucket 3: damaged",))

    def verdicts(*reports: UsageReport, now_us: int = 10 * US_PER_S) -> list[Verdict]:
        return [found.verdict for found in findings(reports, now_us=now_us)]

    assert verdicts() == [Verdict.NOTED]
    assert verdicts(good, now_us=good.finished_us + LATE_US) == [Verdict.GOOD]
    assert verdicts(good, now_us=good.finished_us + LATE_US + 1) == [Verdict.ILL]
    assert verdicts(good, ill) == [Verdict.ILL]
    assert "bucket 3: damaged" in findings([ill], now_us=0)[0].seen
    assert good.kept_before == date(2026, 3, 14)
    assert ill.kept_before is None


async def test_when_it_was_done_is_told(index: MemoryIndex) -> None:
    """By the node that supervises, and by no other."""
    clock, registry = HandClock(), CollectorRegistry()
    rounds = UsageRounds(DUTY, index, "node-1", clock)
    await rounds.round()
    await a_pass(rounds)
    metrics, name = UsageMetrics(registry), "keepsight_usage_finished_timestamp_seconds"
    for supervises, told in ((True, clock.now_us() / US_PER_S), (False, None)):
        await metrics.sample(index, supervises=supervises)
        assert registry.get_sample_value(name, {"duty": str(DUTY)}) == told
