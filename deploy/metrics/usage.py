"""What a site tells of its usage. The node that supervises tells it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from deploy.usage_report import usage_reports
from segments.clock import US_PER_S
from segments.ports import Records


class UsageMetrics:
    """The instrument; nothing on nodes that do not supervise."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._finished = Gauge(
            "keepsight_usage_finished_timestamp_seconds",
            "When what was recorded was last written down for all cameras of a shard; 0 before the first time.",
            ["duty"],
            registry=registry,
        )

    async def sample(self, records: Records, *, supervises: bool) -> None:
        """Reads what the shards say of themselves."""
        self._finished.clear()
        for report in await usage_reports(records) if supervises else ():
            self._finished.labels(report.duty).set(report.finished_us / US_PER_S)
