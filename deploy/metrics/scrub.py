"""What a site tells of its scrub, and of footage known to be damaged. The node that supervises tells it."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from replication.scrub_progress import Progress, Tally, all_progress
from segments.clock import US_PER_S
from segments.damage import Damaged, all_damage
from segments.ports import Records


class ScrubMetrics:
    """The instruments; empty or 0 on nodes that do not supervise."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, what: str) -> Counter:
            return Counter(f"keepsight_scrub_{name}", what, ["duty"], registry=registry)

        self._damaged = Gauge(
            "keepsight_damaged_segments",
            "Segments known to be damaged or missing, and not healed; 0 where another node tells it.",
            registry=registry,
        )
        self._faults = Gauge("keepsight_scrub_receipt_faults", "Chains of receipts that do not hold.", ["duty"], registry=registry)
        self._looked = Gauge(
            "keepsight_scrub_looked_timestamp_seconds", "When everything had been looked at last.", ["duty"], registry=registry
        )
        self._found = counter("found_segments", "Segments found damaged or missing.")
        self._healed = counter("healed_segments", "Segments healed from another site.")
        self._bytes = counter("read_bytes", "Bytes read and hashed.")
        self._before: dict[str, Tally] = {}

    async def sample(self, records: Records, *, supervises: bool) -> None:
        """Reads the records, and sets everything."""
        if supervises:
            self.show(await all_progress(records), await all_damage(records))
        else:
            self.show((), ())

    def show(self, shards: Sequence[Progress], damage: Sequence[Damaged]) -> None:
        """Sets everything; without shards nothing is told."""
        self._damaged.set(len(damage))
        for one in (self._faults, self._looked):
            one.clear()
        if not shards:
            for counted in (self._found, self._healed, self._bytes):
                counted.clear()
            self._before = {}
        for each in shards:
            self._show(each)

    def _show(self, shard: Progress) -> None:
        before = self._before.get(shard.duty, Tally())
        self._faults.labels(shard.duty).set(len(shard.faults))
        if shard.looked.ended_us:
            self._looked.labels(shard.duty).set(shard.looked.ended_us / US_PER_S)
        self._found.labels(shard.duty).inc(max(0, shard.tally.found - before.found))
        self._healed.labels(shard.duty).inc(max(0, shard.tally.healed - before.healed))
        self._bytes.labels(shard.duty).inc(max(0, shard.tally.hashed_bytes - before.hashed_bytes))
        self._before[shard.duty] = shard.tally
