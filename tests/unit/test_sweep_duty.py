"""The sweep as a duty: what a node's duties program does with it, what it reports, and what the site tells of that."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry

from deploy.doctor import Verdict
from deploy.doctor_retention import findings
from deploy.metrics.retention import RetentionMetrics, retention_facts
from deploy.placed_duties import duties_place, placed_duties
from deploy.settings import Settings, load_settings
from deploy.sweep_duty import SweepParts, SweepRounds
from deploy.wiring import Stores
from retention.status import status
from retention.sweep_report import SweepReport, sweep_reports, write_report
from segments.duty import Duty
from segments.shards import bucket_of
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US
from tests.retention_builders import write_policy
from tests.sweep_site import Site, a_site, footage

DUTY = Duty("sweep")


def rounds_of(site: Site) -> SweepRounds:
    """The rounds of the only shard, at a node that was started anew and whose clock has a time source."""
    parts = SweepParts(Settings(), Stores(site.index, {"main": site.objects}), "node-1/duties", lambda: (), site.clock)
    return SweepRounds(DUTY, parts, "boot-1", lambda: True)


async def swept(site: Site, hours: float = 3) -> SweepReport:
    """The report after some hours of rounds a minute apart."""
    rounds = rounds_of(site)
    for _ in range(int(hours * 60)):
        await rounds.round()
        site.clock.stand_still(61)
    (report,) = await sweep_reports(site.index)
    return report


async def test_what_was_deleted_is_reported() -> None:
    """By the settings' own terms; sums go on over processes, and name the place."""
    rows = footage()
    site = await a_site(rows)
    first = await swept(site)
    again = await swept(site, hours=0.1)

    assert await site.rows() == []
    assert (first.duty, first.place, first.open_batches, first.held) == ("sweep.0-of-1", "node-1/duties", 0, "")
    assert (again.deleted_segments, again.deleted_bytes) == (3, sum(row.size for row in rows))
    assert again.finished_us > first.finished_us


async def test_the_next_round_comes_when_there_is_something_to_do() -> None:
    """At once while there is more to begin, a minute later at the latest."""
    rounds = rounds_of(await a_site())
    assert all([0 <= await rounds.round() <= 60 for _ in range(3)])


async def test_what_a_pool_refuses_is_told_everywhere() -> None:
    """Reported with its reason, in the metrics, and by the doctor with what to do; and no more once it went."""
    rows = footage()
    site = await a_site(rows)
    await site.objects.set_legal_hold(rows[1].key, "", held=True)
    report = await swept(site)
    assert report.faulty == 1
    assert rows[1].key in report.faults[0]
    registry = CollectorRegistry()
    metrics = RetentionMetrics(registry)
    metrics.show(await retention_facts(site.index, site.clock.now_us()))
    assert registry.get_sample_value("keepsight_sweep_faulty_batches", {"duty": str(DUTY)}) == 1
    ill = [one for one in findings(await status(site.index, now_us=site.clock.now_us())) if one.verdict is Verdict.ILL]
    assert [one.what for one in ill] == ["deletion"]
    assert rows[1].key in ill[0].seen

    await site.objects.set_legal_hold(rows[1].key, "", held=False)
    assert (await swept(site)).faulty == 0
    assert [one.verdict for one in findings(await status(site.index, now_us=site.clock.now_us()))] == [Verdict.GOOD]


async def test_a_site_without_a_policy_says_so() -> None:
    """Nothing is deleted; the report says why, the doctor what to do; no clock is blamed."""
    site = Site()
    await site.keep(footage())
    report = await swept(site)
    assert "no retention policy binds" in report.held
    assert len(await site.rows()) == 3

    registry = CollectorRegistry()
    metrics = RetentionMetrics(registry)
    metrics.show(await retention_facts(site.index, site.clock.now_us()))
    assert registry.get_sample_value("keepsight_retention_started") == 0
    assert registry.get_sample_value("keepsight_sweep_held", {"duty": str(DUTY)}) == 0
    (found,) = findings(await status(site.index, now_us=site.clock.now_us()))
    assert (found.verdict, "retention start" in found.do) == (Verdict.NOTED, True)


async def test_a_clock_that_was_set_ahead_is_told() -> None:
    """The sweep decides nothing, the metric says so, and the doctor names what to do if the clock is right."""
    site = await a_site()
    rounds = rounds_of(site)
    await rounds.round()
    site.clock.start_us += 400 * 86_400 * 1_000_000
    site.clock.stand_still(61)
    await rounds.round()
    registry = CollectorRegistry()
    RetentionMetrics(registry).show(await retention_facts(site.index, site.clock.now_us()))

    assert registry.get_sample_value("keepsight_sweep_held", {"duty": str(DUTY)}) == 1
    ill = [one for one in findings(await status(site.index, now_us=site.clock.now_us())) if one.verdict is Verdict.ILL]
    assert [one.what for one in ill] == [f"clock of {DUTY}"]
    assert "clock accept" in ill[0].do


async def test_a_sweep_that_finishes_nothing_is_told() -> None:
    """Six hours after its last report; and one that has never reported is noted."""
    index = MemoryIndex()
    await write_policy(index)
    (_, never) = findings(await status(index, now_us=NOON_US))
    assert (never.what, never.verdict) == ("sweep", Verdict.NOTED)
    await write_report(index, SweepReport(str(DUTY), "n1/duties", NOON_US, 1.0))

    late = findings(await status(index, now_us=NOON_US + 21_601 * 1_000_000))
    assert [(one.what, one.verdict) for one in late[1:]] == [(str(DUTY), Verdict.ILL)]
    assert len(findings(await status(index, now_us=NOON_US + 21_599 * 1_000_000))) == 1


async def test_only_the_node_that_supervises_tells_of_the_site() -> None:
    """Another one shows nothing, so that nothing is counted twice; sums that are taken up again are told whole."""
    index = MemoryIndex()
    await write_policy(index)
    await write_report(index, SweepReport(str(DUTY), "n1/duties", NOON_US, 1.5, open_batches=4, deleted_segments=7, deleted_bytes=70))
    registry = CollectorRegistry()
    metrics = RetentionMetrics(registry)
    labels = {"duty": str(DUTY)}
    facts = await retention_facts(index, NOON_US)

    for _ in range(2):
        metrics.show(facts)
        metrics.show(facts)
        assert registry.get_sample_value("keepsight_sweep_deleted_segments_total", labels) == 7
        assert registry.get_sample_value("keepsight_sweep_finished_timestamp_seconds", labels) == NOON_US / 1_000_000
        assert registry.get_sample_value("keepsight_retention_started") == 1
        metrics.show(None)
        assert registry.get_sample_value("keepsight_sweep_deleted_segments_total", labels) is None
        assert registry.get_sample_value("keepsight_sweep_open_batches", labels) is None
        assert registry.get_sample_value("keepsight_retention_started") == 0


def test_a_site_has_as_many_shards_as_its_settings_say(tmp_path: Path) -> None:
    """One for a single node, eight for a fleet, or what is set; no node can be called as a duties place is."""
    assert [str(duty) for duty in placed_duties(Settings())] == [
        "sweep.0-of-1",
        "locks.0-of-1",
        "scrub.0-of-1",
        "usage.0-of-1",
        "webhooks.0-of-1",
    ]
    assert len(placed_duties(load_settings(None, {"KEEPSIGHT_RETENTION__SWEEP_SHARDS": "3"}))) == 13
    assert "/" in duties_place("anna")


async def test_a_shard_leaves_the_cameras_of_others_alone() -> None:
    """Of two shards the one that has the camera's bucket deletes its footage."""
    site = await a_site()
    parts = SweepParts(Settings(), Stores(site.index, {"main": site.objects}), "n", lambda: (), site.clock)
    ours = bucket_of("gate") % 2
    for shard, begun in ((1 - ours, 0), (ours, 1)):
        await SweepRounds(Duty("sweep", shard, 2), parts, "boot-1", lambda: True).round()
        assert len(await site.batches()) == begun
