"""Addresses of cameras: what a URL may be, credentials split off it, and the one network address it is pinned to.

A camera's URL comes from outside, so it may neither read files nor reach services inside: schemes are an allow-list, the name is resolved
once, the address must lie in the networks where cameras live, and the connection goes to that very address.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import unquote

from segments.errors import BadInput, TryAgain
from segments.model import Credential

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""Gives the numeric addresses of a host name; raises OSError."""

RTSP_SCHEMES: Mapping[str, int] = {"rtsp": 554, "rtsps": 322}
"""Schemes of our own client, with their default ports."""

CAMERA_SCHEMES: Mapping[str, int] = {**RTSP_SCHEMES, "http": 80, "https": 443, "tcp": 0, "udp": 0, "srt": 0, "rtmp": 1935}
"""All schemes a camera may have; 0: the port must be named."""

PRIVATE_NETWORKS: Sequence[Network] = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""Where cameras live unless a setting says otherwise (RFC 1918, RFC 4193)."""

LOOPBACK_NETWORKS: Sequence[Network] = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
"""Cameras of this very machine; added by a setting only."""

URL_CHARACTERS = 2048
"""The longest URL taken."""

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>[/?][^#]*)?")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")
_PRINTABLE = re.compile(r"[!-\[\]-~]+")
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
_SECRET = re.compile(r"(?i)((?:password|passwd|pass|pwd|token|secret)\s*[=:]\s*)[^&;,\s\"']+")
_FORBIDDEN: Sequence[Network] = tuple(
    map(ip_network, ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/128", "::ffff:0:0/96", "fe80::/10", "ff00::/8"))
)


class CameraUrl(NamedTuple):
    """A URL taken apart; `rest` is path and query as written, `host` is without brackets."""

    scheme: str
    host: str
    port: int
    rest: str


class PinnedAddress(NamedTuple):
    """The one numeric address a connection may go to, and the name it was found under (for TLS)."""

    address: Address
    port: int
    host: str


def split_credentials(url: str) -> tuple[str, Credential | None]:
    """Takes user and password (percent-encoded, RFC 3986 part 3.2.1) off a URL; returns the URL without them.

    Raises BadInput, whose text never repeats any part of the URL.
    """
    found = _match(url)
    user_info, at, place = found["authority"].rpartition("@")
    clean = f"{found['scheme'].lower()}://{place}{found['rest'] or ''}"
    if not at:
        return clean, None
    user, _, password = user_info.partition(":")
    return clean, Credential(unquote(user), unquote(password))


def parse_url(url: str, schemes: Mapping[str, int] = CAMERA_SCHEMES) -> CameraUrl:
    """Takes a URL without credentials apart; raises BadInput, whose text never repeats any part of the URL."""
    found = _match(url)
    scheme = found["scheme"].lower()
    if scheme not in schemes:
        raise BadInput(f"the camera's URL must begin with one of {', '.join(f'{name}://' for name in schemes)}")
    if "@" in found["authority"]:
        raise BadInput("the camera's URL must not hold a user or a password here: they are kept apart")
    place = _AUTHORITY.fullmatch(found["authority"])
    if place is None:
        raise BadInput(
            "the camera's URL needs a host and, after a colon, a port; percent-encode special characters in a password (/ is %2F, # is %23)"
        )
    port = int(place["port"]) if place["port"] else schemes[scheme]
    if not 0 < port < 65536:
        raise BadInput("the camera's URL needs a port from 1 to 65535")
    return CameraUrl(scheme, place["host"].strip("[]"), port, found["rest"] or "")


def _match(url: str) -> re.Match[str]:
    if len(url) > URL_CHARACTERS:
        raise BadInput(f"the camera's URL is longer than {URL_CHARACTERS} characters")
    if not _PRINTABLE.fullmatch(url):
        raise BadInput("the camera's URL may hold printable ASCII only, without spaces and backslashes: percent-encode everything else")
    found = _URL.fullmatch(url)
    if found is None:
        raise BadInput("the camera's URL must look like rtsp://host:port/path, without '#': percent-encode special characters (# is %23)")
    return found


def redact(text: str) -> str:
    """The text with users and passwords of URLs, and values of password-like parameters, replaced by `***`."""
    return _SECRET.sub(r"\1***", _USERINFO.sub("***@", text))


def allowed(address: Address, networks: Sequence[Network]) -> bool:
    """Whether a camera may have this address.

    Never: unspecified, link-local (cloud metadata), multicast, reserved, IPv4-mapped IPv6, whatever the networks say.
    """
    return not any(address in network for network in _FORBIDDEN) and any(address in network for network in networks)


async def resolve(host: str) -> Sequence[str]:
    """Asks the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in found]


async def resolve_and_pin(
    url: str, networks: Sequence[Network], *, schemes: Mapping[str, int] = CAMERA_SCHEMES, resolver: Resolver = resolve
) -> PinnedAddress:
    """Resolves the URL's host once and gives its first allowed address.

    Raises BadInput if the URL is bad or no address of the host is allowed, TryAgain if the host is not known now.
    """
    parts = parse_url(url, schemes)
    try:
        found = [_numeric(parts.host)] if _numeric(parts.host) else [_numeric(text) for text in await resolver(parts.host)]
    except (OSError, UnicodeError):
        raise TryAgain(f"the camera's host {parts.host} is not known to the resolver") from None
    for address in found:
        if address and allowed(address, networks):
            return PinnedAddress(address, parts.port, parts.host)
    raise BadInput(f"the camera's host {parts.host} does not lie in a camera network: add its network to the settings if it is a camera")


def _numeric(text: str) -> Address | None:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None
