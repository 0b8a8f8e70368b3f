"""The uploader's program: a node's place among the fleet's, and all that moves footage from its spool to pool and index."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from deploy.configured_program import run_configured
from deploy.metrics.probes import PoolProbes
from deploy.metrics.silence import WatchedEdge
from deploy.node_facts import NodeParts, node_status, watch_node
from deploy.node_place import node_place
from deploy.pool_checks import check_pools
from deploy.safety import refuse_unsafe
from deploy.settings import Settings
from deploy.tls import internal_certificate
from deploy.watch import Watch
from deploy.web_server import Listening, serve_http
from deploy.wiring import internal_key, make_folder, open_stores
from recorder.link import listen
from recorder.live import LiveEdge
from recorder.local_routes import create_local_app
from recorder.mend import highest_epoch, mend
from recorder.news import NewsRing
from recorder.shards import ShardServer
from recorder.spool_folder import spool_lock
from recorder.uploader import Uploader, UploadSettings
from recorder.usage import UsageCounter
from segments.clock import US_PER_DAY, SystemClock
from segments.commit import CommitRules
from segments.errors import KeepsightError
from segments.model import Row

LAST_WORK_S = 5.0
"""At the end, each of: writing states, a last upload. What is not done then is done at the next start."""


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
        usage, news = UsageCounter(stores.index, clock), NewsRing(clock)

        def indexed(row: Row) -> None:
            usage.indexed(row)
            news.indexed(row)

        uploader = Uploader(
            settings.spool_folder,
            pools=stores.pools,
            rules=settings.pool_assignment,
            index=stores.index,
            clock=clock,
            indexed=indexed,
            settings=UploadSettings(rules=rules),
        )
        place = node_place(settings, stores.index, live=live, sealed=uploader.hint, clock=clock)
        node = NodeParts(settings, uploader, place, live, stores.index, clock)
        watch_node(watch, node)
        probes = PoolProbes(watch.metrics.registry, settings, opened.pools, clock)
        local = create_local_app(live, key=internal_key(settings), status=lambda: node_status(node), news=news)
        await stores.index.spend_epochs(highest_epoch(settings.spool_folder))
        await mend(settings.spool_folder, stores.index)
        if settings.sites:
            from deploy.sites_duty import ask_other_sites  # what most sites do not need

            await ask_other_sites(settings, stores.index, clock)
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


def main(arguments: list[str]) -> int:
    """`CONFIG`."""
    return run_configured("uploader", arguments[0], run_uploader)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
