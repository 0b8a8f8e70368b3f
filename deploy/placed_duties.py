"""The duties of a site beside recording and supervising, and the place of a node that does them."""

from __future__ import annotations

from deploy.settings import Settings
from retention.lock_progress import LOCKS
from retention.sweep_values import SWEEP
from segments.duty import Duty


def placed_duties(settings: Settings) -> list[Duty]:
    """Every shard of every kind."""
    return [Duty(kind, shard, settings.sweep_shards) for kind in (SWEEP, LOCKS) for shard in range(settings.sweep_shards)]


def duties_place(node: str) -> str:
    """The name of the place of a node's duties program: no node can be called so."""
    return f"{node}/duties"
