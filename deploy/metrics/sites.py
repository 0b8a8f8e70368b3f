"""What a site tells of the others: when they were heard, and who records for whom. The node that supervises tells it."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

from replication.site_record import SiteSeen, read_sites
from segments.clock import US_PER_S
from segments.ports import Records
from segments.takeover import ALONE, Standing, read_standing


class SiteMetrics:
    """The instruments; empty on nodes that do not supervise, and where there is no other site."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._heard = Gauge(
            "keepsight_site_heard_timestamp_seconds", "When another site answered last; told about each 10 s.", ["other"], registry=registry
        )
        self._takeovers = Gauge(
            "keepsight_takeovers",
            "Whether cameras of another site are recorded here (here), or ours there (there), in its owner's place.",
            ["other", "recorded"],
            registry=registry,
        )

    async def sample(self, records: Records, *, supervises: bool) -> None:
        """Reads the records, and sets both."""
        if supervises:
            self.show(await read_sites(records), await read_standing(records))
        else:
            self.show({}, ALONE)

    def show(self, sites: Mapping[str, SiteSeen], standing: Standing) -> None:
        """Sets both; of a site that was never heard nothing is told."""
        self._heard.clear()
        self._takeovers.clear()
        for name, seen in sites.items():
            if seen.heard_us:
                self._heard.labels(name).set(seen.heard_us / US_PER_S)
        for name, takeover in standing.takeovers.items():
            self._takeovers.labels(name, "here").set(not takeover.ended_us)
        for name, taken in standing.taken.items():
            self._takeovers.labels(name, "there").set(not taken.ended_us)
