"""What the application is given: the ports it reads from, and nothing global."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request

from playback.access import Access, Open
from playback.consents import Consents, NoConsents
from playback.consumers.accounts import Consumers
from playback.consumers.allowance import UNLIMITED, Allowance
from playback.consumers.metering import Metering
from playback.delivery import PoolLinks
from playback.elsewhere import Elsewhere, Nowhere
from playback.exports.queue import Exports
from playback.identity.identity import Identity
from playback.limits import Limits
from playback.link_token import LONGEST_START_S, LinkKeys
from playback.live import LiveFootage
from playback.planning.planner import NoPlanner, Planner
from playback.webhooks.telling import Means
from segments.audit import NoRegister, Register
from segments.clock import Clock
from segments.model import Row
from segments.ports import Cameras, ReadAudit, ReadObject, ReadReceipts, ReadRows, Records, Runs, States


class PlaybackIndex(ReadRows, Runs, States, ReadReceipts, ReadAudit, Cameras, Records, Protocol):
    """What playback needs of an index."""


class Damage(Protocol):
    """What is known to be damaged here."""

    async def has(self, row: Row) -> bool:
        """Whether a segment is; costs a question to the index once in a while only."""


class NoDamage:
    """Nothing is known."""

    async def has(self, row: Row) -> bool:  # noqa: ARG002
        """See `Damage`."""
        return False


@dataclass(frozen=True, slots=True)
class Services:
    """The surroundings of one application.

    `pools` are the object stores by the name rows call them. `access` stands before every route, `identity` is
    what sign-in and the routes of users and keys work on; None: that of the index. `console` is the folder of the
    built page, served at `/` if it is there. `hosts` are the names the service answers to where no access is controlled, so that a page of
    another name cannot read from it through a browser (DNS rebinding); empty: any. `elsewhere` are the other sites.
    `damage` knows which segments are not served from here. `consent_hours` is how long an approval of sensitive footage lasts.
    `exports` are None where export jobs are not set up.
    `links` says which pools may be opened by a link, `link_keys` sign links of our own, to be opened within `link_s` seconds at most.
    `allowance` is what one consumer may ask for. `planner` works out questions of planners.
    """

    index: PlaybackIndex
    pools: Mapping[str, ReadObject]
    live: LiveFootage
    clock: Clock
    site: str
    access: Access = field(default_factory=Open)
    identity: Identity | None = field(default=None, repr=False)
    console: Path | None = None
    hosts: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    elsewhere: Elsewhere = field(default_factory=Nowhere)
    damage: Damage = field(default_factory=NoDamage)
    register: Register = field(default_factory=NoRegister)
    consents: Consents = field(default_factory=NoConsents)
    webhooks: Means | None = None
    consent_hours: float = 8.0
    exports: Exports | None = None
    links: PoolLinks = field(default_factory=PoolLinks)
    link_keys: LinkKeys = field(default_factory=LinkKeys.of_this_process)
    link_s: int = LONGEST_START_S
    consumers: Consumers = field(init=False)
    allowance: Allowance = UNLIMITED
    planner: Planner = field(default_factory=NoPlanner)

    def __post_init__(self) -> None:
        """Opens the accounts of consumers: their default limits are `allowance`."""
        accounts = Consumers(self.index, self.clock, self.allowance, Metering(self.index, self.clock))
        object.__setattr__(self, "consumers", accounts)


def services_of(request: Request) -> Services:
    """The services of the application that answers this request."""
    return cast("Services", request.app.state.services)


async def _given(request: Request) -> Services:
    """`services_of` as a dependency: what is not a coroutine function runs in a thread, which takes longer than all it does."""
    return services_of(request)


Given = Annotated[Services, Depends(_given)]
