"""The other sites of the settings as peers, each with its key and with how it is verified."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from deploy.settings import Settings
from deploy.site_sections import OtherSiteSettings
from deploy.tls import trust_in
from replication.peer_client import PeerClient
from replication.peer_http import PeerAddress
from segments.clock import Clock, SystemClock
from segments.secrets import read_secret_file


@asynccontextmanager
async def open_peers(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Mapping[str, PeerClient]]:
    """A client of each other site, by its name; none where none is configured. Nothing is connected to yet.

    Raises StartRefused naming a key or an authority that cannot be used.
    """
    async with AsyncExitStack() as stack:
        peers: dict[str, PeerClient] = {}
        for name, site in settings.sites.items():
            peers[name] = PeerClient(_address(settings, name, site), clock=clock or SystemClock())
            stack.push_async_callback(peers[name].close)
        yield peers


def site_keys(settings: Settings) -> dict[str, str]:
    """The keys we share with other sites, by site; raises StartRefused."""
    return {name: site_key(name, site) for name, site in settings.sites.items()}


def site_key(name: str, site: OtherSiteSettings) -> str:
    """The key we share with a site; raises StartRefused."""
    return read_secret_file(site.key_file, what=f"the key shared with site {name}")


def _address(settings: Settings, name: str, site: OtherSiteSettings) -> PeerAddress:
    trust = None if site.ca_file is None else trust_in(f"sites.{name}.ca_file", site.ca_file)
    stores: ssl.SSLContext | None = None
    if site.ca_file is not None and site.links:
        stores = ssl.create_default_context()  # a store may be of the same authority, or of one the system trusts
        stores.load_verify_locations(site.ca_file)
    return PeerAddress(
        site=name,
        url=site.url,
        asking=settings.site.name,
        key=site_key(name, site),
        tls=trust,
        links=frozenset(site.links),
        stores_tls=stores,
    )
