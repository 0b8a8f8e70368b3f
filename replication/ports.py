"""What one site asks another: one protocol, answered by `replication.source.Source` over an index and pools, and by `PeerClient` over HTTP.

A site only ever reads from another (it pulls), but for holds, which are told at once. What is asked for is compared by digests, so no
question needs to be remembered by who answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple, Protocol

from segments.digest import Digest
from segments.hold import Hold, Stretch
from segments.model import Camera, Footage, Partition, Row, RowPosition, Run, Span
from segments.ports import Page

PROTOCOL = 1
"""The version of these questions; a site that speaks another is refused by name."""
MOST_DAYS = 1000
"""Camera-days whose digests are asked for at once, and positions of `has`."""
MOST_GONE = 1000
"""Stretches that a site names as gone when it is told of a hold."""
MOST_FOOTAGE_DAYS = 400
"""Days of a span that `footage` is asked for."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a site says of itself. `epoch`: the highest epoch it has given out; `camera_key`: the fingerprint of the key its cameras'
    passwords are sealed with, by which another site sees whether it could open them.
    """

    site: str
    protocol: int
    version: str
    now_us: int
    epoch: int
    camera_key: str


class Named(NamedTuple):
    """A segment as sites call it to one another: its place in its camera-day, and what its bytes are."""

    position: RowPosition
    sha256: str


class Has(StrEnum):
    """What a site has of a segment."""

    HERE = "here"
    GONE = "gone"
    """It was here, and was deleted when it was due by this site's rules: a receipt names it."""
    EARLY = "early"
    """It was here, and was deleted before it was due, or is in a batch, of which that is not known: who has it may be the last."""
    MISSING = "missing"


class Commit(NamedTuple):
    """A segment that was committed at a site a moment ago."""

    camera: str
    position: RowPosition
    committed_us: int


@dataclass(frozen=True, slots=True)
class News:
    """What was committed since another `News`, and where to go on from. `lost`: some of it is not known any more: compare digests."""

    commits: Sequence[Commit]
    next: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Bytes:
    """An object, or a range of it, as it comes from another site, in pieces; nothing of it is to be believed before it is hashed.

    `size`: how many bytes come; only of a whole read is it the object's size.
    """

    size: int
    attributes: Mapping[str, str]
    pieces: AsyncIterator[bytes]


class AskFootage(Protocol):
    """What there is at a site, and its bytes."""

    async def digests(self, days: Sequence[Partition]) -> Sequence[Digest]:
        """Of up to `MOST_DAYS` camera-days, in their order; that of a camera-day without rows is `NOTHING`."""

    async def camera_days(self, *, after: str = "", limit: int = MOST_DAYS) -> Page[tuple[Partition, Digest], str]:
        """All camera-days there are rows of, in no order one could rely on; eventual, as `Partitions`."""

    async def hours(self, camera: str, day: date) -> Sequence[Digest]:
        """The 24 digests of a camera-day's rows, by the UTC hour of their start."""

    async def rows(self, camera: str, day: date, hours: Collection[int]) -> Sequence[Row]:
        """The rows that start in these hours, in order of position, as they are at that site (pool and version are its own)."""

    async def run(self, camera: str, run_id: str) -> Run:
        """One run; raises NotFound."""

    async def between(self, camera: str, span: Span) -> Sequence[tuple[Row, Run]]:
        """Rows of which a part lies in a span of at most a day, with their runs; what is not indexed there yet is included where it can be
        told (such rows have no pool)."""

    async def footage(self, camera: str, span: Span) -> Sequence[Footage]:
        """When there is footage of which a part lies in a span of at most `MOST_FOOTAGE_DAYS` days, in order of time, what is not indexed
        there yet included where it can be told. Over more than a day it is told from runs, without what receipts of that site name: a copy
        that is under way may be told of before all of it is there.
        """

    async def read(self, row: Row, start: int = 0, end: int | None = None) -> Bytes:
        """The bytes of a segment at that site, or a range of them; raises NotFound if it has none of this place and hash, DataDamaged
        if they are known to be damaged there. What else the row says (its pool, say) does not count.
        """

    async def has(self, camera: str, day: date, named: Sequence[Named]) -> Sequence[Has]:
        """What it has of up to `MOST_DAYS` segments, in their order. HERE: a row of this hash, whose object has its size and
        is not known to be damaged."""

    async def news(self, after: str) -> News:
        """What was committed there since (''; from now on); only a shortcut."""


class AskSite(Protocol):
    """What a site says beside its footage."""

    async def hello(self) -> Hello:
        """Who it is."""

    async def camera_stamps(self) -> Mapping[int, str]:
        """See `CameraChanges`."""

    async def cameras_in(self, bucket: int) -> Sequence[Camera]:
        """The cameras of a bucket that are at home there (not those it knows from other sites), in order of id."""

    async def credentials_in(self, bucket: int) -> Mapping[str, bytes]:
        """Their sealed credentials, sealed by that site's key."""

    async def holds(self) -> Sequence[Hold]:
        """All holds it knows of, lifted ones included."""

    async def tell_holds(self, holds: Sequence[Hold]) -> Sequence[Stretch] | None:
        """Has it merge these into its own; they bind its sweep when this returns.

        What of their time they came too late for there, the first `MOST_GONE` stretches of it; None if it is not known yet.
        """

    async def taken_over(self, site: str) -> Sequence[str] | None:
        """The cameras of `site` it records in its place at present; an empty sequence: all of them. None: it does not."""

    async def heard_us(self, site: str) -> int:
        """When it last had an answer of that site, by its own clock; 0: never. Asked of a witness."""


class Peer(AskFootage, AskSite, Protocol):
    """Another site."""

    async def close(self) -> None:
        """Lets go of connections."""


class Keeping(Protocol):
    """Whose rules decide what is kept here. Retention's, through the wiring."""

    async def kept(self, camera: str, day: date, rows: Sequence[Row]) -> Collection[RowPosition]:
        """Those of another site's rows that would be kept here now: not past their keep-for here, or covered by a hold, and not named in a
        receipt of here, nor in a batch. What is not among them is not asked for. While no policy binds nothing is deleted here, so all
        others are kept. Raises BadInput if the policies contradict each other."""

    async def may_keep(self, camera: str, day: date) -> bool:
        """Whether anything that starts in a camera-day could be kept here now, by its time alone. Raises BadInput as `kept`."""

    async def held(self, camera: str, rows: Sequence[Row]) -> Collection[RowPosition]:
        """Those that a hold covers."""
