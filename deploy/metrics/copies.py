"""What a site tells of its copies of other sites' footage. The node that supervises tells it, from what the shards have written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from replication.drill import Spread
from replication.lag import BOUNDS_S, Backlog, Copied, cumulative
from replication.lag_record import LagReport, lag_reports, summed
from replication.rpo import Rpo
from segments.clock import US_PER_S, Clock
from segments.ports import Records

_BY_CLASS = ("other", "class")


class CopyMetrics(Collector):
    """The instruments; empty on nodes that do not supervise, and where nothing is copied. `other`: the site the footage comes from."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._reports: Sequence[LagReport] = ()
        registry.register(self)

    async def sample(self, records: Records, *, supervises: bool) -> None:
        """Reads the records."""
        self.show(await lag_reports(records) if supervises else ())

    def show(self, reports: Sequence[LagReport]) -> None:
        """What is told from now on."""
        self._reports = reports

    def collect(self) -> Iterator[Metric]:
        """See `prometheus_client`."""
        by_site: dict[str, list[LagReport]] = {}
        for report in self._reports:
            by_site.setdefault(report.site, []).append(report)
        yield from self._present(by_site)
        yield from _past(by_site)
        yield _rpo(by_site)

    def _present(self, by_site: Mapping[str, Sequence[LagReport]]) -> Iterator[Metric]:
        told = _gauge("told_timestamp_seconds", "When the shard that has said nothing for longest told how its copies stand.", ("other",))
        wanted = _gauge("wanted_segments", "Segments that are known to be wanted and are not here yet.", _BY_CLASS)
        size = _gauge("wanted_bytes", "Their bytes.", _BY_CLASS)
        late = _gauge("late_segments", "Of those, the ones that are wanted for longer than replication.late_s.", _BY_CLASS)
        lag = _gauge("lag_seconds", "How long ago the oldest of them was committed at its source; 0 if none is wanted.", _BY_CLASS)
        differing = _gauge("differing_camera_days", "Camera-days that differ, of which it is not known yet what is wanted.", ("other",))
        for site, reports in by_site.items():
            differing.add_metric([site], sum(report.differing for report in reports))
            told.add_metric([site], min(report.at_us for report in reports) / US_PER_S)
            for number, each in backlog_of(reports).items():
                labels = [site, str(number)]
                wanted.add_metric(labels, each.segments)
                size.add_metric(labels, each.size_bytes)
                late.add_metric(labels, each.late)
                lag.add_metric(labels, max(0, self._clock.now_us() - each.oldest_us) / US_PER_S if each.oldest_us else 0)
        yield from (told, wanted, size, late, lag, differing)


def backlog_of(reports: Sequence[LagReport]) -> dict[int, Backlog]:
    """Of all shards of a site together, by class; of a class that was copied before and of which nothing is wanted, 0."""
    found = {number: Backlog() for report in reports for number in (*report.copied, *report.backlog)}
    for report in reports:
        for number, each in report.backlog.items():
            found[number] += each
    return dict(sorted(found.items()))


def _past(by_site: Mapping[str, Sequence[LagReport]]) -> Iterator[Metric]:
    stored = CounterMetricFamily("keepsight_copied_bytes", "Bytes of segments that were copied here.", labels=_BY_CLASS)
    refused = CounterMetricFamily("keepsight_copy_refused", "How often a segment was not taken as it came.", labels=("other",))
    delay = HistogramMetricFamily(
        "keepsight_copy_delay_seconds", "From the commit of a segment at its source to that of its copy here.", labels=_BY_CLASS
    )
    for site, reports in by_site.items():
        refused.add_metric([site], sum(report.refused for report in reports))
        sums: dict[int, Copied] = {}
        for report in reports:
            sums = summed(sums, report.copied)
        for number, each in sums.items():
            stored.add_metric([site, str(number)], each.size_bytes)
            buckets = zip([*map(str, BOUNDS_S), "+Inf"], cumulative(each.delays.counts), strict=True)
            delay.add_metric([site, str(number)], list(buckets), each.delays.sum_s)
    yield from (stored, refused, delay)


def _rpo(by_site: Mapping[str, Sequence[LagReport]]) -> Metric:
    what = "How much footage of a camera would be lost with its site: of half, of 99 %, and of all of its cameras no more than this."
    told = _gauge("rpo_seconds", what, (*_BY_CLASS, "quantile"))
    for site, reports in by_site.items():
        for number, found in rpo_of(reports).items():
            for quantile, value_us in zip(("0.5", "0.99", "1"), found.spread, strict=True):
                if value_us is not None:
                    told.add_metric([site, str(number), quantile], value_us / US_PER_S)
    return told


def rpo_of(reports: Sequence[LagReport]) -> dict[int, Rpo]:
    """Of all shards of a site together, by class: cameras are summed up, and of each figure that of the worst shard is told."""
    found: dict[int, Rpo] = {}
    for report in reports:
        for number, each in report.rpo.items():
            found[number] = _worse(found[number], each) if number in found else each
    return dict(sorted(found.items()))


def _worse(one: Rpo, other: Rpo) -> Rpo:
    worst = max(one, other, key=lambda each: each.spread.max_us or 0).worst
    values = (max((value for value in pair if value is not None), default=None) for pair in zip(one.spread, other.spread, strict=True))
    return Rpo(one.cameras + other.cameras, one.quiet + other.quiet, Spread(*values), worst)


def _gauge(name: str, what: str, labels: Sequence[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"keepsight_copy_{name}", what, labels=labels)
