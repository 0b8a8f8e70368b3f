"""The duties of a site beside recording and supervising, and the place of a node that does them."""

from __future__ import annotations

from deploy.backup_duty import BACKUP
from deploy.settings import Settings
from deploy.usage_duty import USAGE
from playback.webhooks.rounds import WEBHOOK_DUTY
from replication.copy_values import COPY
from replication.scrub_progress import SCRUB
from replication.sites import SITES
from retention.lock_progress import LOCKS
from retention.sweep_values import SWEEP
from segments.duty import Duty


def placed_duties(settings: Settings) -> list[Duty]:
    """Every shard of every kind."""
    copied = (COPY,) if any(site.copy_footage for site in settings.sites.values()) else ()
    sharded = (SWEEP, LOCKS, SCRUB, USAGE, *copied)
    duties = [Duty(kind, shard, settings.sweep_shards) for kind in sharded for shard in range(settings.sweep_shards)]
    duties.append(Duty(WEBHOOK_DUTY))
    if settings.replication.backup_pool:
        duties.append(Duty(BACKUP))
    if settings.sites:
        duties.append(Duty(SITES))
    return duties


def duties_place(node: str) -> str:
    """The name of the place of a node's duties program: no node can be called so."""
    return f"{node}/duties"
