"""The scrub as a duty, and as a command: made from the settings, healing from the sites there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deploy.fleet.rounds import Round
from deploy.settings import Settings
from deploy.wiring import Stores
from replication.heal import Healer, Here, ReadElsewhere
from replication.mend import Mender
from replication.scrub import Scrub, ScrubParts
from replication.scrub_day import CheckParts
from segments.clock import Clock
from segments.duty import Duty
from segments.pace import Pace
from segments.ports import LegalHolds

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ScrubSources:
    """What a scrub is made of: this site, the pools that keep locks, and the sites it may be healed from."""

    settings: Settings
    stores: Stores
    locks: Mapping[str, LegalHolds]
    peers: Mapping[str, ReadElsewhere]
    clock: Clock


def scrub_rounds(sources: ScrubSources) -> Callable[[Duty], Round]:
    """Makes the rounds of a shard."""

    def begin(duty: Duty) -> Round:
        parts = ScrubParts(sources.stores.index, check_parts(sources), sources.settings.replication.scrub_days)
        return Scrub(duty, parts).round

    return begin


def check_parts(sources: ScrubSources) -> CheckParts:
    """The checks and the healing behind them, with one budget for all they read."""
    stores, clock = sources.stores, sources.clock
    budget = Pace(sources.settings.replication.scrub_mib_per_s * _MIB, clock)
    here = Here(stores.index, stores.pools, sources.locks, sources.settings.site.folder / "healing")
    mender = Mender(stores.index, Healer(here, sources.peers, clock, budget), clock)
    return CheckParts(stores.index, stores.pools, mender, budget, clock)
