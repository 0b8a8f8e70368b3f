"""What a sweep is given, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from segments.duty import Duty
from segments.model import Batch, Row
from segments.shards import bucket_of

SWEEP = "sweep"
"""The kind of the duty."""
CLOCKS_DIFFER_S = 10
"""So much the clocks of nodes may differ (docs/adr/0015). A batch is listed as of so long ago: what a hold then has published again, by
whatever node, is not hidden by the time of the listing.
"""
LOOK_GOOD_S = 10
"""A request to delete is sent no later than this after the last look at holds began."""


@dataclass(frozen=True, slots=True)
class SweepShard:
    """Shard `shard` of `of`: the cameras whose bucket leaves it as the rest. `place` does it; `boot` tells this start of its machine from
    others, since monotonic clocks begin anew with each.
    """

    shard: int = 0
    of: int = 1
    place: str = "local"
    boot: str = ""

    @property
    def name(self) -> str:
        """The duty's name, which its chain of receipts has too."""
        return str(Duty(SWEEP, self.shard, self.of))

    def has(self, camera: str) -> bool:
        """Whether a camera belongs to it."""
        return bucket_of(camera) % self.of == self.shard


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """`grace_s`: from the moment rows are out of the index to the removal of their objects; at least 120, much longer than a link lives.

    `objects_per_s` bounds the load on the pools; `open_batches` is how many camera-days of a shard are on their way at once at most.
    """

    grace_s: float = 3600
    objects_per_s: float = 500
    open_batches: int = 4096


class Step(StrEnum):
    """What happened to a camera-day."""

    BEGUN = "begun"
    LISTED = "listed"
    UNPUBLISHED = "unpublished"
    CLAIMED = "claimed"
    DELETED = "deleted"
    """Its segments are gone and have their receipt."""
    LET_GO = "let-go"
    """Nothing of it was to go any more, or nothing was left."""
    TAKEN_BACK = "taken-back"
    """Before its claim it was found that some of it is to stay."""
    GIVEN_BACK = "given-back"
    """Its rows are in the index again, and its batch is gone."""
    SPARED = "spared"
    """Claimed, but these segments stay: they are in the index again."""
    TOO_LATE = "too-late"
    """These segments were gone when it was decided that they stay."""
    LEFT = "left"
    """Something of it is still in a pool, which refuses to remove it, say."""
    RETRIED = "retried"
    """A fault that passes; it is tried again in the next round."""


class SweepEvent(NamedTuple):
    """A step of a camera-day; `text` is a sentence for people where there is more to say."""

    step: Step
    camera: str
    day: date
    segments: int = 0
    stored_bytes: int = 0
    text: str = ""


def event(step: Step, batch: Batch, rows: list[Row] | None = None, text: str = "") -> SweepEvent:
    """A step of a batch, with the sums of these rows."""
    rows = rows or []
    return SweepEvent(step, batch.camera, batch.day, len(rows), sum(row.size for row in rows), text)
