"""What a copier is given, and what it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from segments.duty import Duty
from segments.model import Camera, Partition, Row, RowPosition
from segments.shards import bucket_of

COPY = "copy"
"""The kind of the duty, and of the records its cursors are kept in."""
WishKey = tuple[str, RowPosition]


class CopyKind(StrEnum):
    """What became of a segment that is wanted."""

    COPIED = "copied"
    """Its bytes were verified, and it is stored and indexed here."""
    REFUSED = "refused"
    """It cannot be taken as it is: its bytes are not what its row says, say, or its key is taken here by something else."""
    MISSING = "missing"
    """The source shows its row, and has not its bytes: deleted meanwhile, or lost there."""
    RETRIED = "retried"
    """A fault that passes; its turn comes again."""
    WAITS = "waits"
    """Nothing is copied at present, for the reason in the text; of no segment."""


class CopyEvent(NamedTuple):
    """One segment. `committed_us`: when it was committed at its source, 0 where that is not known; `took_s`: from its turn to its row.

    `end_us` is that of its footage, `camera_class` its camera's as our archive has it; 0 where it is of no segment.
    """

    kind: CopyKind
    site: str
    camera: str = ""
    position: RowPosition | None = None
    size: int = 0
    committed_us: int = 0
    took_s: float = 0.0
    text: str = ""
    end_us: int = 0
    camera_class: int = 0


@dataclass(frozen=True, slots=True)
class CopyShard:
    """What of another site's footage one copier copies: the cameras whose bucket leaves `shard` as the rest of division by `of`."""

    site: str
    shard: int = 0
    of: int = 1

    @property
    def record_id(self) -> str:
        """Of the record its cursor is kept in; another division begins anew."""
        return f"{self.site}/{Duty(COPY, self.shard, self.of)}"

    def has(self, camera: str) -> bool:
        """Whether a camera belongs to it."""
        return bucket_of(camera) % self.of == self.shard


@dataclass(frozen=True, slots=True)
class CopySettings:
    """`at_once`: segments under way; `wanted`: those that are remembered as wanted; `flying_bytes`: of all that are under way.

    `memory_bytes`: a segment that is larger goes through a file. So `flying_bytes` is also the memory that bytes under way take, and a few
    pieces for each of `at_once`.
    """

    at_once: int = 8
    wanted: int = 4096
    flying_bytes: int = 256 << 20
    memory_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Wish:
    """A segment that is wanted. `asked_ns`: by the monotonic clock, when it was found to be; `tries` that failed."""

    row: Row
    camera: Camera
    asked_ns: int
    held: bool = False
    committed_us: int = 0
    tries: int = 0

    @property
    def key(self) -> WishKey:
        """What it is known by."""
        return self.row.camera, self.row.position

    @property
    def day(self) -> Partition:
        """Its camera-day."""
        return Partition(self.row.camera, self.row.day)


class HeldDays(Protocol):
    """Where evidence lies."""

    async def __call__(self) -> Sequence[Partition]:
        """Camera-days that holds cover, as far as they can be named: they are compared first."""
