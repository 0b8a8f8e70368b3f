"""What the API counts of consumers: how often each limit was met, and streams in all. Never by consumer."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from playback.consumers.accounts import Consumers
from playback.consumers.rate_fields import POLICIES


class ConsumerMetrics(Collector):
    """Reads the accounts of a process when it is scraped."""

    def __init__(self, registry: CollectorRegistry, consumers: Consumers) -> None:
        self._consumers = consumers
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        refused = CounterMetricFamily("keepsight_api_refused", "Requests over a limit of their consumer.", labels=["limit"])
        for policy in POLICIES:
            refused.add_metric([policy], self._consumers.refusals[policy])
        yield refused
        yield GaugeMetricFamily("keepsight_api_streams", "Streams played from this process.", value=self._consumers.streams_now())
