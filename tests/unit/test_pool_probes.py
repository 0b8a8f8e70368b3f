"""Pools that are probed again while the service runs."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry

from deploy.metrics.probes import EVERY_S, PoolProbes
from deploy.settings import Settings
from segments.stores.memory_objects import MemoryObjects
from tests.fakes import SteppedClock, SwitchedObjects, until


async def test_a_store_that_changed_is_found_within_a_day() -> None:
    """It passes until it begins to say yes and store nothing; when it is put right, the next look says so. Away, it keeps its last word."""
    clock, registry, pool = SteppedClock(), CollectorRegistry(), SwitchedObjects(MemoryObjects())
    probes = PoolProbes(registry, Settings(), {"main": pool}, clock)

    def ok() -> float | None:
        return registry.get_sample_value("keepsight_pool_probe_ok", {"pool": "main"})

    running = asyncio.create_task(probes.run())
    assert ok() == 1
    pool.lies = True
    await clock.pass_(EVERY_S + 1)
    await until(lambda: ok() == 0)

    pool.away = True
    await probes.probe("main")
    assert ok() == 0

    pool.away = pool.lies = False
    await clock.pass_(EVERY_S + 1)
    await until(lambda: ok() == 1)
    running.cancel()
