"""The API's program: the API and the page."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from functools import partial
from pathlib import Path

from deploy.api_access import open_access
from deploy.api_app import whole_app
from deploy.configured_program import run_configured
from deploy.copies import sites_of
from deploy.delivery import link_keys, pool_links
from deploy.export_jobs import exports_beside
from deploy.health import live_part
from deploy.metrics.consumers import ConsumerMetrics
from deploy.metrics.register import CountedRegister
from deploy.metrics.requests import RequestMetrics
from deploy.peers import open_peers
from deploy.planner import ProcessPlanner
from deploy.safety import refuse_unsafe
from deploy.settings import Settings
from deploy.tls import api_certificate, trust_in_nodes
from deploy.watch import Watch
from deploy.web_server import Listening, serve_http
from deploy.webhook_duty import webhook_means
from deploy.wiring import internal_key, open_stores, policy_limits
from playback.consumers.allowance import Allowance
from playback.consumers.metering import kept
from playback.elsewhere import Nowhere
from playback.limits import Limits
from playback.live_client import LiveClient
from playback.live_places import LivePlaces
from playback.live_shared import SharedLive
from playback.register import ChainRegister
from playback.sensitive.checks import RecordedConsents
from playback.services import Services
from replication.elsewhere import PeerElsewhere
from replication.namesakes import but_namesakes
from retention.asked import RetentionServices
from segments.clock import SystemClock
from segments.damage import KnownDamage

API_NICENESS = 10
"""Where processors are scarce, recorders and uploader go before the API: about nine to one."""
CONSOLE = Path(__file__).parent.parent / "playback" / "console" / "dist"


async def run_api(settings: Settings, config: str = "-") -> None:
    """Serves the API and the page; `config` is where the settings come from (a path, or `-`), for the processes it starts."""
    os.nice(API_NICENESS)
    await refuse_unsafe(settings)
    at = Listening(settings.api.host, settings.api.port, api_certificate(settings))
    clock = SystemClock()
    connect = partial(LiveClient, key=internal_key(settings), tls=trust_in_nodes(settings))
    watch = Watch("api", settings, clock)
    requests = RequestMetrics(watch.metrics.registry, clock)
    async with (
        open_stores(settings) as opened,
        open_peers(settings, clock) as peers,
        webhook_means(settings, opened.index, clock) as means,
        exports_beside(settings, opened, clock) as exports,
        open_access(settings, opened.index, clock) as who,
    ):
        stores = watch.stores(opened)
        live = LivePlaces(stores.index, connect, clock)
        watch.parts.append(live_part(live))
        register = ChainRegister(stores.index, f"api.{settings.node_name}", clock)
        services = Services(
            index=stores.index,
            pools=stores.pools,
            live=SharedLive(requests.live(live)),
            clock=clock,
            site=settings.site.name,
            consents=RecordedConsents(stores.index, clock),
            consent_hours=settings.access.consent_hours,
            access=who.access,
            identity=who.identity,
            console=CONSOLE,
            hosts=("localhost", settings.api.host if ":" not in settings.api.host else f"[{settings.api.host}]"),
            limits=Limits(**settings.limits.model_dump(exclude={"consumer", "plan_s"})),
            allowance=Allowance(**settings.limits.consumer.model_dump()),
            exports=exports,
            damage=KnownDamage(stores.index, clock),
            webhooks=means,
            links=pool_links(settings, stores, clock),
            link_keys=link_keys(settings),
            link_s=settings.playback.link_s,
            planner=ProcessPlanner(config, limit_s=settings.limits.plan_s),
            register=CountedRegister(watch.metrics.registry, register),
            elsewhere=requests.elsewhere(PeerElsewhere(but_namesakes(peers, stores.index, clock), clock)) if peers else Nowhere(),
        )
        ConsumerMetrics(watch.metrics.registry, services.consumers)
        async with sites_of(peers, stores.index, clock) as others, kept(services.consumers.metering, clock):
            retention = RetentionServices(stores.index, clock, policy_limits(settings), others.sites, others.copies)
            ties = asyncio.create_task(register.run())
            gc.collect()
            gc.freeze()  # what lives as long as the process is not looked through again and again while answers are made
            try:
                await serve_http(watch.around(requests.app(whole_app(services, retention, who.routes))), at)
            finally:
                ties.cancel()
                await register.close()
                await live.close()


def main(arguments: list[str]) -> int:
    """`CONFIG`."""
    return run_configured("api", arguments[0], partial(run_api, config=arguments[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
