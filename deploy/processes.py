"""The programs a fleet starts beside recorders: uploader and api. Each runs until it is told to stop (SIGTERM) and then ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

from deploy.fleet.child import beside_parent, run_until_told
from deploy.health import live_part
from deploy.logs import set_up_logs
from deploy.metrics.probes import PoolProbes
from deploy.metrics.requests import RequestMetrics
from deploy.metrics.silence import WatchedEdge
from deploy.node_facts import NodeParts, node_status, watch_node
from deploy.node_place import node_place
from deploy.pool_checks import check_pools
from deploy.recorder_process import RecorderOrders
from deploy.safety import refuse_unsafe
from deploy.settings import Settings, load_settings
from deploy.tls import api_certificate, internal_certificate, trust_in_nodes
from deploy.watch import Watch
from deploy.web_server import Listening, serve_http
from deploy.wiring import api_token, internal_key, make_folder, open_stores
from playback.app import create_app
from playback.limits import Limits
from playback.live_client import LiveClient
from playback.live_places import LivePlaces
from playback.live_shared import SharedLive
from playback.services import Services
from recorder.link import listen
from recorder.live import LiveEdge
from recorder.local_routes import create_local_app
from recorder.mend import highest_epoch, mend
from recorder.shards import ShardServer
from recorder.spool_folder import spool_lock
from recorder.uploader import Uploader, UploadSettings
from recorder.usage import UsageCounter
from segments.clock import US_PER_DAY, SystemClock
from segments.commit import CommitRules
from segments.errors import KeepsightError

log = logging.getLogger(__name__)

LAST_WORK_S = 5.0
"""At the end, each of: writing states, a last upload. What is not done then is done at the next start."""
API_NICENESS = 10
"""Where processors are scarce, recorders and uploader go before the API: about nine to one."""
CONSOLE = Path(__file__).parent.parent / "playback" / "console" / "dist"


def recorder_orders(settings: Settings, number: int) -> RecorderOrders:
    """What a recorder of this node needs to know of the settings."""
    return RecorderOrders(
        name=f"{settings.site.name}-recorder-{number}",
        socket=str(settings.socket_path),
        spool=str(settings.spool_folder),
        max_bytes=settings.spool.max_bytes,
        min_free_bytes=settings.spool.min_free_bytes,
        segment_s=settings.recording.segment_s,
        silence_s=settings.recording.silence_s,
        networks=tuple(str(network) for network in settings.cameras.networks),
        allow_loopback=settings.cameras.allow_loopback,
        log_format=settings.logs.format,
    )


async def run_uploader(settings: Settings) -> None:
    """The node's place, and what moves footage from its spool to pool and index; raises StartRefused if another service has the spool."""
    make_folder("site.folder", settings.site.folder)
    make_folder("spool", settings.spool_folder)
    with spool_lock(settings.spool_folder):
        await _run_uploader(settings)


async def _run_uploader(settings: Settings) -> None:
    """Serves the recorders' socket and the local routes, does the place's duties and uploads."""
    await refuse_unsafe(settings)
    at = Listening(settings.internal.host, settings.internal.port, internal_certificate(settings))
    clock = SystemClock()
    watch = Watch("uploader", settings, clock)
    async with open_stores(settings) as opened:
        await check_pools(settings, opened.pools)
        stores = watch.stores(opened)
        live = WatchedEdge(settings.spool_folder, clock)
        rules = CommitRules(young_us=settings.retention.shortest_floor_days * US_PER_DAY // 2)
        usage = UsageCounter(stores.index, clock)
        uploader = Uploader(
            settings.spool_folder,
            pools=stores.pools,
            rules=settings.pool_assignment,
            index=stores.index,
            clock=clock,
            indexed=usage.indexed,
            settings=UploadSettings(rules=rules),
        )
        place = node_place(settings, stores.index, live=live, sealed=uploader.hint, clock=clock)
        node = NodeParts(settings, uploader, place, live, clock)
        watch_node(watch, node)
        probes = PoolProbes(watch.metrics.registry, settings, opened.pools, clock)
        local = create_local_app(live, key=internal_key(settings), status=lambda: node_status(node))
        await stores.index.spend_epochs(highest_epoch(settings.spool_folder))
        await mend(settings.spool_folder, stores.index)
        server = await listen(settings.socket_path, place.shards.serve)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(serve_http(watch.around(local), at))
                tasks.create_task(uploader.run())
                tasks.create_task(usage.run())
                tasks.create_task(place.run())
                tasks.create_task(_tidy(live, clock))
                tasks.create_task(probes.run())
        finally:
            server.close()
            await asyncio.shield(_end_uploader(place.shards, uploader))


async def run_api(settings: Settings) -> None:
    """Serves the API and the page."""
    os.nice(API_NICENESS)
    await refuse_unsafe(settings)
    at = Listening(settings.api.host, settings.api.port, api_certificate(settings))
    clock = SystemClock()
    connect = partial(LiveClient, key=internal_key(settings), tls=trust_in_nodes(settings))
    watch = Watch("api", settings, clock)
    requests = RequestMetrics(watch.metrics.registry, clock)
    async with open_stores(settings) as opened:
        stores = watch.stores(opened)
        live = LivePlaces(stores.index, connect, clock)
        watch.parts.append(live_part(live))
        services = Services(
            index=stores.index,
            pools=stores.pools,
            live=SharedLive(requests.live(live)),
            clock=clock,
            site=settings.site.name,
            token=api_token(settings),
            console=CONSOLE,
            hosts=("localhost", settings.api.host if ":" not in settings.api.host else f"[{settings.api.host}]"),
            limits=Limits(**settings.limits.model_dump()),
        )
        try:
            await serve_http(watch.around(requests.app(create_app(services))), at)
        finally:
            await live.close()


def main(arguments: list[str]) -> int:
    """`uploader CONFIG` or `api CONFIG`; CONFIG is a path, or `-` for defaults and environment."""
    program, argument = arguments
    set_up_logs(program)

    async def run() -> None:
        settings = load_settings(None if argument == "-" else Path(argument))
        set_up_logs(program, settings.logs.format)
        await beside_parent(run_uploader(settings) if program == "uploader" else run_api(settings))

    return run_until_told(run)


# --- parts of the uploader ---


async def _tidy(live: LiveEdge, clock: SystemClock) -> None:
    while True:
        await clock.sleep(5.0)
        live.forget_gone()


async def _end_uploader(shards: ShardServer, uploader: Uploader) -> None:
    """Recorders have ended before, and the duties are given back: states are written, and the last segments go up if that is quick."""
    for last in (shards.states.flush, uploader.work_at_last):
        with contextlib.suppress(KeepsightError, TimeoutError):
            async with asyncio.timeout(LAST_WORK_S):
                await last()


def command_for(program: str, argument: str | RecorderOrders) -> list[str]:
    """The command line that starts a program."""
    if isinstance(argument, RecorderOrders):
        return [sys.executable, "-m", "deploy.recorder_process", json.dumps(asdict(argument))]
    return [sys.executable, "-m", "deploy.processes", program, argument]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
