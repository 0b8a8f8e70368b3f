"""The program that answers other sites: what is here, its bytes, cameras and holds. It runs only where other sites are configured."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any

from deploy.configured_program import run_configured
from deploy.health import live_part
from deploy.peers import site_keys
from deploy.safety import refuse_unsafe
from deploy.settings import Settings
from deploy.site_voice import LiveOfPlaces, OwnVoice
from deploy.tls import replication_certificate, trust_in_nodes
from deploy.watch import Watch
from deploy.web_server import Listening, serve_http
from deploy.wiring import internal_key, open_stores
from playback.live_client import LiveClient
from playback.live_places import LivePlaces
from playback.live_shared import SharedLive
from replication.admission import Admission, AtOnce
from replication.news_client import NewsClient
from replication.news_places import NewsOfPlaces
from replication.peer_routes import create_peer_app
from replication.source import Source
from retention.merged_holds import MergedHolds
from segments.clock import SystemClock

PEERS_NICENESS = 10
"""Recording goes first, as before the API."""


async def run_peers(settings: Settings) -> None:
    """Serves other sites."""
    os.nice(PEERS_NICENESS)
    await refuse_unsafe(settings)
    at = Listening(settings.replication.host, settings.replication.port, replication_certificate(settings))
    clock = SystemClock()
    inside: dict[str, Any] = {"key": internal_key(settings), "tls": trust_in_nodes(settings)}
    connect = partial(LiveClient, **inside)
    watch = Watch("peers", settings, clock)
    async with open_stores(settings) as opened:
        stores = watch.stores(opened)
        live = LivePlaces(stores.index, connect, clock)
        watch.parts.append(live_part(live))
        merged = MergedHolds(stores.index, clock.now_us)
        voice = OwnVoice(settings, stores.index, merged, clock)
        news = NewsOfPlaces(stores.index, partial(NewsClient, **inside), clock)
        source = Source(stores.index, stores.pools, voice, live=LiveOfPlaces(SharedLive(live)), news=news)
        app = create_peer_app(source, Admission(settings.site.name, site_keys(settings), clock))
        try:
            await serve_http(watch.around(AtOnce(app)), at)
        finally:
            await merged.close()
            await news.close()
            await live.close()


def main(arguments: list[str]) -> int:
    """`CONFIG`."""
    return run_configured("peers", arguments[0], run_peers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
