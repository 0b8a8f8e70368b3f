"""Copying other sites' footage as a duty: a copier of its own for each site, made from the settings for a shard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import partial
from pathlib import Path

from deploy.fleet import rounds
from deploy.keeping import RetentionKeeping
from deploy.settings import Settings
from deploy.site_sections import OtherSiteSettings
from deploy.wiring import Stores
from recorder.usage import UsageCounter
from replication.bandwidth import Bandwidth, Schedule, Stretch
from replication.copier import Copier, CopierParts
from replication.copy_ledger import CopyLedger
from replication.copy_values import CopyEvent, CopyKind, CopyShard
from replication.lag import Promise
from replication.namesakes import PeerButNamesakes
from replication.own_digests import IndexDigests
from replication.ports import Peer
from replication.rpo import RpoWatch
from retention.look import Pressed, look
from segments.clock import Clock, day_of
from segments.duty import Duty
from segments.errors import BadInput, KeepsightError
from segments.pools import pool_for

log = logging.getLogger(__name__)

ROUND_S = 600.0
"""The rounds of all sites together; each has its own within."""
FAILED_S = 60.0
COUNTED_S = 120
"""So long after footage was copied its camera-day is counted, with what else came meanwhile: what is not counted is not scrubbed."""
TOLD_S = 30.0
"""So often it is told how copies stand; more often where `replication.late_s` is so short that it would be told late."""


@dataclass(frozen=True, slots=True)
class CopyParts:
    """What copying at this place is made of; `seen` is told what becomes of each segment."""

    settings: Settings
    stores: Stores
    peers: Mapping[str, Peer]
    pressed: Pressed
    clock: Clock
    seen: Callable[[CopyEvent], None] = lambda _: None


def copy_rounds(parts: CopyParts) -> Callable[[Duty], rounds.Round]:
    """Makes the rounds of a shard."""

    def begin(duty: Duty) -> rounds.Round:
        return CopyRounds(duty, parts).round

    return begin


class CopyRounds:
    """The rounds of one shard, for all sites whose footage is copied."""

    def __init__(self, duty: Duty, parts: CopyParts) -> None:
        self._duty = duty
        self._parts = parts
        self._keeping = RetentionKeeping(parts.stores.index, parts.clock, parts.pressed)
        self._copiers: dict[str, Copier] = {}
        self._usage = UsageCounter(parts.stores.index, parts.clock)
        self._ledgers: dict[str, CopyLedger] = {}
        self._rpo: dict[str, RpoWatch] = {}

    async def round(self) -> float:
        """Some minutes of copying; no site waits for another."""
        if not self._copiers:
            zone = await self._zone()
            sites = self._parts.settings.sites.items()
            self._copiers = {name: self._copier(name, site, zone) for name, site in sites if site.copy_footage}
        end_ns = self._parts.clock.monotonic_ns() + int(ROUND_S * 1e9)
        async with asyncio.TaskGroup() as tasks:
            for name, copier in self._copiers.items():
                tasks.create_task(self._of_site(name, copier, end_ns))
                tasks.create_task(self._tell(name, copier, end_ns))
        return 0.0

    async def _of_site(self, name: str, copier: Copier, end_ns: int) -> None:
        while self._parts.clock.monotonic_ns() < end_ns:
            wait_s = FAILED_S
            try:
                wait_s = await copier.round()
            except Exception:
                log.exception("copy.failed: site %s; tried again in %.0f s", name, FAILED_S)
            await self._parts.clock.sleep(wait_s)

    def _saw(self, ledger: CopyLedger, event: CopyEvent) -> None:
        ledger.saw(event)
        if event.kind is CopyKind.COPIED and event.position is not None:
            self._usage.changed(event.camera, day_of(event.position.start_us), COUNTED_S)
        self._parts.seen(event)

    async def _tell(self, name: str, copier: Copier, end_ns: int) -> None:
        """What is told is a record of our index; where that does not answer, nothing is copied either. No fault here stops the copying."""
        clock, watch = self._parts.clock, self._rpo[name]
        every_s = min(TOLD_S, self._parts.settings.replication.late_s / 2)
        while clock.monotonic_ns() < end_ns:
            try:
                await watch.look()
                await self._usage.count_due()
                await self._ledgers[name].flush(copier.wanted(), copier.differing, watch.summary())
            except KeepsightError as error:
                log.warning("copy.untold: site %s: %s", name, error)
            except Exception:
                log.exception("copy.telling-failed: site %s", name)
            await clock.sleep(every_s)

    def _ledger(self, name: str) -> CopyLedger:
        settings = self._parts.settings.replication
        promise = Promise(settings.soon_s, settings.late_s)
        return CopyLedger(name, str(self._duty), promise, index=self._parts.stores.index, clock=self._parts.clock)

    def _copier(self, name: str, site: OtherSiteSettings, zone: tzinfo) -> Copier:
        settings, stores, clock = self._parts.settings, self._parts.stores, self._parts.clock
        shard = CopyShard(name, self._duty.shard, self._duty.of)
        self._ledgers[name] = self._ledger(name)
        self._rpo[name] = RpoWatch(shard, peer=self._parts.peers[name], index=stores.index, clock=clock)
        return Copier(
            CopierParts(
                shard=shard,
                peer=PeerButNamesakes(name, self._parts.peers[name], stores.index, clock),
                here=IndexDigests(stores.index),
                keeping=self._keeping,
                index=stores.index,
                pools=stores.pools,
                pool_for=partial(pool_for, pools=settings.pool_assignment),
                bandwidth=Bandwidth(schedule_of(site), clock, zone=zone, shares=self._duty.of),
                folder=copy_folder(settings, name, self._duty),
                clock=clock,
                held_days=self._keeping.held_days,
                seen=partial(self._saw, self._ledgers[name]),
            )
        )

    async def _zone(self) -> tzinfo:
        """The site's civil time is that of its policies; UTC before there is one that binds."""
        try:
            return (await look(self._parts.stores.index, self._parts.clock)).zone
        except BadInput:
            return UTC


def schedule_of(site: OtherSiteSettings) -> Schedule:
    """How fast a site's footage may come."""
    return Schedule(site.mbit_per_s, [Stretch(each.from_, each.to, each.mbit_per_s) for each in site.hours])


def copy_folder(settings: Settings, site: str, duty: Duty) -> Path:
    """Where segments lie that are too large for memory, while they come."""
    return settings.site.folder / "copying" / site / str(duty)
