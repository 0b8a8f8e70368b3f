"""How bytes reach a player: through this service, or straight from the pool by a link that lives for seconds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from playback.byte_range import ByteRange
from playback.links import touched
from segments.from_sites import site_of
from segments.model import Row
from segments.ports import SignLinks

if TYPE_CHECKING:
    from playback.link_token import Link
    from playback.services import Services

LINK_S = 30
"""So long a pool's link is good: far shorter than the grace between a row's going and its object's."""


class Delivery(StrEnum):
    """The two ways."""

    PROXIED = "proxied"
    LINKS = "links"


class Tiers(Protocol):
    """Which tiers decide on a camera's footage."""

    async def one_of(self, camera: str, names: Collection[str]) -> bool:
        """Whether one of these does; yes where nobody knows."""


class NoTiers:
    """Nobody knows."""

    async def one_of(self, camera: str, names: Collection[str]) -> bool:  # noqa: ARG002
        """See `Tiers`."""
        return True


@dataclass(frozen=True, slots=True)
class PoolLinks:
    """Where pools may be opened by links: those of `signers`, but for footage of cameras of the tiers in `not_tiers`.

    `usual` is the way where a request names none.
    """

    signers: Mapping[str, SignLinks] = field(default_factory=dict)
    usual: Delivery = Delivery.PROXIED
    not_tiers: Collection[str] = ()
    tiers: Tiers = field(default_factory=NoTiers)

    async def allow(self, row: Row) -> bool:
        """Whether this segment may be opened by a link of its pool."""
        if row.pool not in self.signers or not row.sha256 or site_of(row):
            return False
        return not self.not_tiers or not await self.tiers.one_of(row.camera, self.not_tiers)


async def pool_link(services: Services, row: Row, part: ByteRange | None, asked: str | None, by: Link | None) -> str | None:
    """The address of these bytes in their pool, good for `LINK_S` seconds; None where this service has to send them itself.

    `asked` is the Range header as it came, which the pool's link is signed for, too: it then opens these bytes alone. Footage that is not
    in its pool, or is known to be damaged there, has no such address. Nor has a whole segment of which a link of ours (`by`) opens a part.
    """
    links = services.links
    if not await links.allow(row) or await services.damage.has(row):
        return None
    signed_range = asked if part is not None else None
    if signed_range is None and by is not None and touched(row, by.span) != (0, row.size):
        return None
    return await links.signers[row.pool].link(row.key, row.version, LINK_S, signed_range)
