"""How footage is delivered, by the settings: which pools players are sent to, and the keys of our own links."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from typing import Protocol

from deploy.settings import Settings
from deploy.wiring import internal_key
from playback.delivery import Delivery, PoolLinks
from playback.link_token import LEAST_KEY_CHARS, LinkKeys
from retention.rules import Rules, read_rules
from segments.clock import Clock
from segments.errors import BadInput, NotFound, StartRefused
from segments.ports import Cameras, Records, SignLinks
from segments.secrets import read_secret_file

_KEPT_NS = 10_000_000_000
"""A policy that was written binds here within ten seconds."""


class TierIndex(Records, Cameras, Protocol):
    """What knowing a camera's tiers needs of an index."""


class OpenedStores(Protocol):
    """The stores of a site."""

    @property
    def index(self) -> TierIndex:
        """The index."""

    @property
    def pools(self) -> Mapping[str, SignLinks]:
        """The pools by name."""


class PolicyTiers:
    """See `playback.delivery.Tiers`: by the policies in force, read once in a while."""

    def __init__(self, index: TierIndex, clock: Clock) -> None:
        self._index = index
        self._clock = clock
        self._rules: tuple[int, Rules] | None = None

    async def one_of(self, camera: str, names: Collection[str]) -> bool:
        """See `Tiers`. Of a camera in no archive, or where no policy is in force, nobody knows."""
        try:
            found = await self._index.camera(camera)
            chosen = (await self._read()).circumstances(found, self._clock.now_us()).chosen
        except (NotFound, BadInput):
            return True
        return any(choice.tier.name in names for choice in chosen)

    async def _read(self) -> Rules:
        now_ns = self._clock.monotonic_ns()
        if self._rules is None or now_ns - self._rules[0] >= _KEPT_NS:
            self._rules = now_ns, await read_rules(self._index)
        return self._rules[1]


def pool_links(settings: Settings, stores: OpenedStores, clock: Clock) -> PoolLinks:
    """Which pools may be opened by links."""
    own = settings.playback
    signers = {name: pool for name, pool in stores.pools.items() if name not in own.no_links_pools}
    return PoolLinks(signers, Delivery(own.delivery), own.no_links_tiers, PolicyTiers(stores.index, clock))


def link_keys(settings: Settings) -> LinkKeys:
    """The keys of our own links: those of their file, or one made of the key that all processes of the site have anyway.

    Raises StartRefused for a file that others can read, or a key that could be guessed.
    """
    path = settings.playback.link_keys_file
    if path is None:
        made = hmac.digest(internal_key(settings).encode(), b"keepsight: the key of links", hashlib.sha256)
        return LinkKeys(settings.site.name, [made.hex()])
    keys = read_secret_file(path, what="the keys of links").split()
    try:
        return LinkKeys(settings.site.name, keys)
    except BadInput:
        raise StartRefused(f"{path}: each key of links has to have {LEAST_KEY_CHARS} characters or more, one a line") from None
