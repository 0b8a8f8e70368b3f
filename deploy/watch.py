"""Puts metrics and health around a program: its stores counted, its application with `/metrics` and `/health` before it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from starlette.types import ASGIApp

from deploy.clock_sync import ClockSync
from deploy.health import Health, Part, index_part, pool_part, told_part
from deploy.metrics.machine import MachineMetrics
from deploy.metrics.program import ProgramMetrics
from deploy.metrics.stores import StoreMetrics
from deploy.monitored import monitored
from deploy.settings import CassandraIndexSettings, FilePool, Settings
from deploy.wiring import Stores, metrics_key, pool_folder
from segments.clock import Clock


class Watch:
    """The metrics and the health of one program. `parts` are what it stands on; a program adds its own."""

    def __init__(self, program: str, settings: Settings, clock: Clock) -> None:
        self.metrics = ProgramMetrics(program)
        self.parts: list[Part] = []
        self._settings = settings
        self._clock = clock
        self._stores = StoreMetrics(self.metrics.registry, clock)
        clock_synced = ClockSync()
        self._clock_part = told_part("clock", lambda: "" if clock_synced() else "this machine's clock is not synchronised (NTP)")
        machine = MachineMetrics(
            self.metrics.registry, clock_synced=clock_synced, certificates=certificates(settings), pool_folders=pool_folders(settings)
        )
        self.metrics.sample_with(machine.sample)

    def stores(self, stores: Stores) -> Stores:
        """The same stores, counted. Health asks them uncounted: its questions are not the program's work."""
        pools = [pool_part(name, pool) for name, pool in stores.pools.items()]
        self.parts += [index_part(stores.index, self._settings.node_name), *pools, self._clock_part]
        return Stores(self._stores.index(stores.index), self._stores.pools(stores.pools))

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application as it is served."""
        health = Health(self.parts, self._clock)
        return monitored(app, health=health, metrics=self.metrics, key=metrics_key(self._settings))


def certificates(settings: Settings) -> Mapping[str, Path]:
    """The certificate files of the settings, by whose they are."""
    index = settings.index.certificate_file if isinstance(settings.index, CassandraIndexSettings) else None
    files = {"api": settings.api.certificate_file, "internal": settings.internal.certificate_file, "index": index}
    if settings.sites:
        files["replication"] = settings.replication.certificate_file
    return {name: path for name, path in files.items() if path is not None}


def pool_folders(settings: Settings) -> Mapping[str, Path]:
    """The folders of pools that are folders."""
    return {name: pool_folder(name, pool, settings) for name, pool in settings.pools.items() if isinstance(pool, FilePool)}
