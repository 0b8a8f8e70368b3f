"""The duties program: a place of its own beside its node's uploader, for work on what is stored already.

It has no port. What a sweep has done is in the index, and told by the node that supervises.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

from deploy.backup_duty import BACKUP, backup_rounds
from deploy.configured_program import run_configured
from deploy.copies import other_sites
from deploy.copy_duty import CopyParts, copy_rounds
from deploy.fleet.duty_holder import DutyHolder
from deploy.fleet.rounds import RoundsDuty
from deploy.locks_duty import lock_rounds
from deploy.peers import open_peers
from deploy.placed_duties import duties_place
from deploy.pressure_watch import PressureWatch
from deploy.safety import refuse_unsafe
from deploy.scrub_duty import ScrubSources, scrub_rounds
from deploy.settings import Settings
from deploy.sites_duty import sites_rounds
from deploy.sweep_duty import SweepParts, sweep_rounds
from deploy.usage_duty import USAGE, usage_rounds
from deploy.webhook_duty import webhook_means, webhook_rounds
from deploy.wiring import Stores, open_lock_keepers, open_stores
from playback.webhooks.rounds import WEBHOOK_DUTY
from playback.webhooks.telling import Means
from replication.copy_values import COPY
from replication.peer_client import PeerClient
from replication.scrub_progress import SCRUB
from replication.sites import SITES
from retention.copies import Copies
from retention.lock_progress import LOCKS
from retention.missing_copies import MissingCopies
from retention.sweep_values import SWEEP
from segments.clock import SystemClock
from segments.duty import Place
from segments.ports import LegalHolds

DUTIES_NICENESS = 10
"""Recording goes first, as before the API."""
GC_THRESHOLD = 50_000, 20, 20
"""A camera-day's rows are some hundred thousand tuples that live for a second: looking through them again and again is half the work."""


async def run_duties(settings: Settings) -> None:
    """Does what is placed here until cancelled; then it is given back at once. What was begun is gone on with by whoever has it next."""
    os.nice(DUTIES_NICENESS)
    await refuse_unsafe(settings)
    clock = SystemClock()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    async with (
        open_stores(settings) as stores,
        other_sites(settings, stores.index, clock) as others,
        open_peers(settings, clock) as peers,
        open_peers(settings, clock) as asked,
        webhook_means(settings, stores.index, clock) as means,
    ):
        with open_lock_keepers(settings, stores) as keepers:
            await _run(settings, _Reached(stores, keepers, others.copies, peers, asked, means), clock)


class _Reached(NamedTuple):
    """What duties work with, of this site and of others. `peers` are not those the sweep asks, nor those that are `asked` whether they are
    there: these do not wait behind bytes."""

    stores: Stores
    keepers: Mapping[str, LegalHolds]
    copies: Copies
    peers: Mapping[str, PeerClient]
    asked: Mapping[str, PeerClient]
    told: Means


async def _run(settings: Settings, reached: _Reached, clock: SystemClock) -> None:
    place, stores = duties_place(settings.node_name), reached.stores
    pressure = PressureWatch(settings, stores.index, clock, MissingCopies(stores.index, reached.copies, clock))
    sweep = sweep_rounds(SweepParts(settings, stores, place, pressure.chosen, clock, reached.copies))
    holder = DutyHolder(
        place,
        index=stores.index,
        handlers={
            SWEEP: RoundsDuty(sweep, clock),
            LOCKS: RoundsDuty(lock_rounds(reached.keepers, stores.index, clock), clock),
            SCRUB: RoundsDuty(scrub_rounds(ScrubSources(settings, stores, reached.keepers, reached.peers, clock)), clock),
            SITES: RoundsDuty(sites_rounds(settings, stores.index, reached.asked, clock), clock),
            WEBHOOK_DUTY: RoundsDuty(webhook_rounds(settings, reached.told), clock),
            USAGE: RoundsDuty(usage_rounds(stores.index, place, clock), clock),
            BACKUP: RoundsDuty(backup_rounds(settings, stores, clock), clock),
            COPY: RoundsDuty(copy_rounds(CopyParts(settings, stores, reached.peers, pressure.chosen, clock)), clock),
        },
        report=lambda: Place(place, "", (), recorders=0, room=0, load=0, spooled=(), of=settings.shards, beat=0),
        clock=clock,
        ttl_s=settings.lease_s,
        linger_s=0.0,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(pressure.run(lambda: bool(holder.held())))
        tasks.create_task(holder.run())
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.shield(holder.leave())


def main(arguments: list[str]) -> int:
    """`CONFIG`."""
    return run_configured("duties", arguments[0], run_duties)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
