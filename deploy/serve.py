"""`keepsight serve`: the whole service on one machine. Checks first, then starts; refuses with a sentence where it would be unsafe."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.clock_sync import ClockSync
from deploy.first_start import first_start
from deploy.fleet.local import LocalFleet
from deploy.pool_checks import check_pools
from deploy.programs import programs
from deploy.safety import problems_of, problems_of_clock, problems_of_files, problems_of_index, refuse
from deploy.settings import FilePool, Settings
from deploy.wiring import camera_sealer, internal_key, make_folder, open_stores, pool_folder
from recorder.spool_folder import check_spool, free_bytes, spool_lock
from segments.clock import SystemClock
from segments.errors import StartRefused

log = logging.getLogger(__name__)

LEAST_POOL_BYTES = 64 << 20


@contextmanager
def checked(settings: Settings) -> Iterator[None]:
    """Holds the spool while everything a start needs is found right; raises StartRefused. Nothing is recorded yet."""
    make_folder("site.folder", settings.site.folder)
    check_spool(settings.spool_folder, min_free_bytes=settings.spool.min_free_bytes)
    with spool_lock(settings.spool_folder):
        camera_sealer(settings)
        internal_key(settings)
        refuse([*problems_of(settings), *problems_of_files(settings), *problems_of_clock(settings)])
        check_port("api", settings.api.host, settings.api.port)
        check_port("internal", settings.internal.host, settings.internal.port)
        if settings.sites:
            check_port("replication", settings.replication.host, settings.replication.port)
        if not ClockSync()():
            log.warning("clock.unsynchronised: this machine's clock is not synchronised (NTP): footage is recorded and flagged so")
        yield


async def check_stores(settings: Settings) -> None:
    """Opens the index, and probes the pools for what is needed of them; raises StartRefused."""
    refuse(await problems_of_index(settings))
    async with open_stores(settings) as stores:
        await check_pools(settings, stores.pools)
    for name, pool in settings.pools.items():
        if isinstance(pool, FilePool):
            folder = pool_folder(name, pool, settings)
            if free_bytes(folder) < LEAST_POOL_BYTES:
                raise StartRefused(f"pool {name}: the disk of {folder} has only {free_bytes(folder)} bytes free")


async def serve(
    settings: Settings,
    config: Path | None,
    *,
    ready: Callable[[LocalFleet], None] = lambda _: None,
    say: Callable[[str], None] = print,
) -> None:
    """Runs the fleet until cancelled. `say` shows a line to the person who started it."""
    with checked(settings):
        await check_stores(settings)
        await first_start(settings, say)
    fleet = LocalFleet(programs(settings, config), clock=SystemClock())
    await fleet.run(lambda: ready(fleet))


def check_port(what: str, host: str, port: int) -> None:
    """Raises StartRefused if the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartRefused(f"{what}.port: {host}:{port} cannot be listened on ({error.strerror}); choose another port") from None
