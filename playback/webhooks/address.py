"""Where a webhook's messages may go: its host is resolved, every address looked at, and the connection goes to the very one that was.

What an administrator registers is still not trusted to point anywhere: the receiver's own name may lead inside later (rebinding).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from playback.webhooks.subscription import check_url
from segments.errors import Refused, TryAgain

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""Gives the numeric addresses of a host name; raises OSError."""

_NEVER: Sequence[Network] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "169.254.0.0/16",
            "192.0.0.0/24",
            "224.0.0.0/3",
            "::/128",
            "::ffff:0:0/96",
            "64:ff9b::/96",
            "2002::/16",
            "fe80::/10",
            "fd00:ec2::/32",
            "ff00::/8",
        ),
    )
)
"""This machine, link-local and cloud metadata, reserved, multicast, and IPv6 addresses that hide an IPv4 one: whatever settings say."""
_METADATA = frozenset(map(ip_address, ("100.100.100.200", "168.63.129.16")))
"""Metadata services of clouds that lie elsewhere."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What the settings let webhooks reach. `networks`: only these; none: all but this machine. `loopback`: this machine, too."""

    http: bool = False
    loopback: bool = False
    networks: tuple[Network, ...] = ()

    def allows(self, address: Address) -> bool:
        """Whether a message may go there."""
        if address.is_loopback:
            return self.loopback
        if address in _METADATA or any(address in network for network in _NEVER):
            return False
        return not self.networks or any(address in network for network in self.networks)

    def checked(self, url: str) -> str:
        """An address that may be registered; raises BadInput."""
        return check_url(url, http=self.http, loopback=self.loopback)


async def resolve(host: str) -> Sequence[str]:
    """Asks the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in found]


async def pinned(host: str, reach: Reach, resolver: Resolver = resolve) -> Address:
    """The one address to connect to; raises Refused if any of the host's is forbidden, TryAgain if it has none now."""
    try:
        found = [ip_address(text.partition("%")[0]) for text in await resolver(host)]
    except (OSError, UnicodeError):
        found = []
    if not found:
        raise TryAgain("its host has no address now")
    if not all(map(reach.allows, found)):
        raise Refused("its host leads to an address webhooks may not reach (settings [webhooks]: loopback, networks)")
    return found[0]
