"""Pools that are probed again while the service runs: a store that was put right at the start may be configured anew afterwards."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

from deploy.pool_checks import needs_of, probe_pool
from deploy.settings import Settings
from segments.clock import Clock
from segments.errors import KeepsightError
from segments.pools import PoolState
from segments.ports import ObjectStore

log = logging.getLogger(__name__)

EVERY_S = 86_400.0


class PoolProbes:
    """Probes every open pool once a day, and tells what came of it."""

    def __init__(self, registry: CollectorRegistry, settings: Settings, pools: Mapping[str, ObjectStore], clock: Clock) -> None:
        self._pools = {name: (pool, pools[name]) for name, pool in settings.pools.items() if pool.state is PoolState.OPEN}
        self._clock = clock
        self._ok = Gauge(
            "keepsight_pool_probe_ok",
            "1 if the pool's store did all that is needed of it when it was last tried.",
            ["pool"],
            registry=registry,
        )
        for name in self._pools:
            self._ok.labels(name).set(1)  # else the program had refused to start

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self._clock.sleep(EVERY_S)
            for name in self._pools:
                await self.probe(name)

    async def probe(self, name: str) -> None:
        """Tries a pool now. One that does not answer keeps what was found before: that it is away is told elsewhere."""
        pool, objects = self._pools[name]
        try:
            findings = await probe_pool(pool, objects, needs_of(pool), quick=True)
        except KeepsightError as error:
            log.warning("probe.unanswered: pool %(pool)s could not be probed: %(error)s", {"pool": name, "error": error})
            return
        missing = [f"{found.ability} ({found.said})" for found in findings if not found.passed and found.ability in needs_of(pool)]
        self._ok.labels(name).set(not missing)
        if missing:
            log.error(
                "probe.failed: pool %(pool)s does not do any more what is needed of it: %(missing)s",
                {"pool": name, "missing": "; ".join(missing)},
            )
