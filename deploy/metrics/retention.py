"""What a site tells of retention: rules, holds, and what each shard of the sweep has reported. The node that supervises tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from retention.breaches import breaches
from retention.rules import standing_holds
from retention.sweep_report import SweepReport, sweep_reports, why_not_started
from segments.clock import US_PER_S
from segments.ports import Records


@dataclass(frozen=True, slots=True)
class RetentionFacts:
    """Everything at one moment. `started`: a policy binds."""

    started: bool
    holds: int
    breaches: int
    sweeps: Sequence[SweepReport]


async def retention_facts(records: Records, now_us: int) -> RetentionFacts:
    """Reads it: four small tables."""
    return RetentionFacts(
        started=not await why_not_started(records, now_us),
        holds=len(await standing_holds(records)),
        breaches=sum(not breach.closed_us for breach in await breaches(records)),
        sweeps=await sweep_reports(records),
    )


class RetentionMetrics:
    """The instruments, set from facts; empty or 0 on nodes that do not supervise."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(f"keepsight_{name}", what, labels, registry=registry)

        def counter(name: str, what: str) -> Counter:
            return Counter(f"keepsight_{name}", what, ["duty"], registry=registry)

        self._started = gauge("retention_started", "1 if a policy binds, without which nothing is deleted; 0 where another node tells it.")
        self._holds = gauge("holds_standing", "Legal holds that stand; 0 where another node tells it.")
        self._breaches = gauge("breaches_open", "Pools whose floors cannot all be kept; 0 where another node tells it.")
        self._batches = gauge("sweep_open_batches", "Camera-days on their way through deletion.", "duty")
        self._faulty = gauge("sweep_faulty_batches", "Camera-days of which something is left that should be gone.", "duty")
        self._held = gauge("sweep_held", "1 while nothing is decided, since the clock cannot be trusted.", "duty")
        self._round = gauge("sweep_round_seconds", "How long the last finished round took.", "duty")
        self._finished = gauge("sweep_finished_timestamp_seconds", "When the last round was finished.", "duty")
        self._segments = counter("sweep_deleted_segments", "Segments that were deleted and have their receipt.")
        self._bytes = counter("sweep_deleted_bytes", "Their bytes.")
        self._before: dict[str, SweepReport] = {}

    def show(self, facts: RetentionFacts | None) -> None:
        """Sets everything; None: another node tells it."""
        for one in (self._batches, self._faulty, self._held, self._round, self._finished):
            one.clear()
        self._started.set(facts is not None and facts.started)
        self._holds.set(facts.holds if facts else 0)
        self._breaches.set(facts.breaches if facts else 0)
        if facts is None:
            self._segments.clear()
            self._bytes.clear()
            self._before = {}
            return
        for report in facts.sweeps:
            self._show_sweep(report, started=facts.started)

    def _show_sweep(self, report: SweepReport, *, started: bool) -> None:
        duty = report.duty
        self._batches.labels(duty).set(report.open_batches)
        self._faulty.labels(duty).set(report.faulty)
        self._held.labels(duty).set(bool(report.held) and started)
        self._round.labels(duty).set(report.took_s)
        self._finished.labels(duty).set(report.finished_us / US_PER_S)
        before = self._before.get(duty)
        segments, stored_bytes = (before.deleted_segments, before.deleted_bytes) if before else (0, 0)
        self._segments.labels(duty).inc(max(0, report.deleted_segments - segments))
        self._bytes.labels(duty).inc(max(0, report.deleted_bytes - stored_bytes))
        self._before[duty] = report
