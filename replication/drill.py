"""Drills: what would have been lost of some cameras if their site had been lost at a moment (RPO), and how long it took until they were
recorded here (RTO), read from the footage that is here. The home site goes on meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from segments.clock import US_PER_DAY, US_PER_S
from segments.errors import BadInput, KeepsightError
from segments.keys import parse_run
from segments.model import Row, Span
from segments.patience import some_at_once
from segments.ports import ReadObject, ReadRows
from segments.timeline import footage_between, rows_between

LOOK_BACK_US = US_PER_DAY
"""Of a camera whose newest footage here is older, none counts as there."""
_AT_ONCE = 8


class Measured(NamedTuple):
    """Of one camera: how much of its footage was not here at the decision, and how long after it the first footage of ours begins.

    None: there is nothing of its home here (RPO), or nothing was recorded here that can be played (RTO); `finding` says why.
    """

    camera: str
    rpo_us: int | None
    rto_us: int | None
    finding: str = ""


class Spread(NamedTuple):
    """Of values of cameras, by nearest rank; None: it is beyond all that was measured."""

    p50_us: int | None
    p99_us: int | None
    max_us: int | None


@dataclass(frozen=True, slots=True)
class DrillReport:
    """What a drill came to: cameras of `site`, recorded at `own` from `since_us` to `until_us`, in order of id."""

    site: str
    own: str
    by: str
    since_us: int
    until_us: int
    cameras: Sequence[Measured]

    @property
    def rpo(self) -> Spread:
        """Footage that would have been lost."""
        return spread([each.rpo_us for each in self.cameras])

    @property
    def rto(self) -> Spread:
        """Time until they were recorded again."""
        return spread([each.rto_us for each in self.cameras])

    @property
    def failed(self) -> Sequence[Measured]:
        """Cameras that were not recorded here in that time."""
        return [each for each in self.cameras if each.rto_us is None]


def spread(values: Sequence[int | None]) -> Spread:
    """Median, 99th percentile and greatest; a missing value is greater than all."""
    ordered = sorted(value for value in values if value is not None)

    def rank(per_cent: int) -> int | None:
        place = -(-len(values) * per_cent // 100) - 1
        return ordered[place] if 0 <= place < len(ordered) else None

    return Spread(rank(50), rank(99), rank(100))


async def newest_here(site: str, cameras: Sequence[str], index: ReadRows, *, now_us: int) -> Mapping[str, int]:
    """The end of the newest footage of each camera that its home site has recorded and that is here now; without those it has none of."""
    span = Span(now_us - LOOK_BACK_US, now_us + 1)

    async def of_camera(camera: str) -> int:
        found = await footage_between(index, camera, span)
        return max((each.end_us for each in found if _site_of(each.run) == site), default=0)

    ends = await some_at_once(of_camera, cameras, _AT_ONCE)
    return {camera: end_us for camera, end_us in zip(cameras, ends, strict=True) if end_us}


class Decision(NamedTuple):
    """The moment it was decided, and what was here then (see `newest_here`)."""

    at_us: int
    newest: Mapping[str, int]


async def measured(
    own: str, cameras: Sequence[str], decision: Decision, until_us: int, *, index: ReadRows, pools: Mapping[str, ReadObject]
) -> list[Measured]:
    """What the footage says, camera by camera. The first segment of ours is read and hashed: what cannot be played was not recorded."""
    span = Span(decision.at_us, until_us + 1)

    async def of_camera(camera: str) -> Measured:
        newest_us = decision.newest.get(camera)
        rpo_us = None if newest_us is None else max(0, decision.at_us - newest_us)
        ours = [row for row in await rows_between(index, camera, span) if _site_of(row.run) == own]
        if not ours:
            return Measured(camera, rpo_us, None, "no footage of it was recorded here")
        if finding := await _unplayable(ours[0], pools):
            return Measured(camera, rpo_us, None, finding)
        return Measured(camera, rpo_us, max(0, ours[0].start_us - decision.at_us))

    return await some_at_once(of_camera, cameras, _AT_ONCE)


async def _unplayable(row: Row, pools: Mapping[str, ReadObject]) -> str:
    """Why a segment cannot be played, '' if it can: its bytes are those that were recorded, and it begins with a key frame."""
    if row.pool not in pools:
        return f"{row.key}: its pool {row.pool!r} is not configured here"
    try:
        found = await pools[row.pool].get(row.key)
    except KeepsightError as error:
        return f"{row.key}: {error}"
    if len(found) != row.size or hashlib.sha256(found).hexdigest() != row.sha256:
        return f"{row.key}: its bytes are not those that were recorded"
    return "" if row.fragments and row.fragments[0].key_length else f"{row.key}: it begins with no key frame"


def _site_of(run: str) -> str:
    try:
        return parse_run(run).site
    except BadInput:
        return ""


def as_json(report: DrillReport) -> dict[str, object]:
    """For programs; all times in seconds but those that are moments."""
    return {
        "site": report.site,
        "recorded_at": report.own,
        "by": report.by,
        "since_us": report.since_us,
        "until_us": report.until_us,
        "rpo_s": {name.removesuffix("_us"): seconds(value) for name, value in report.rpo._asdict().items()},
        "rto_s": {name.removesuffix("_us"): seconds(value) for name, value in report.rto._asdict().items()},
        "failed": len(report.failed),
        "cameras": [
            {"camera": each.camera, "rpo_s": seconds(each.rpo_us), "rto_s": seconds(each.rto_us), "finding": each.finding}
            for each in report.cameras
        ],
    }


def seconds(value_us: int | None) -> float | None:
    """Of microseconds, to the millisecond."""
    return None if value_us is None else round(value_us / US_PER_S, 3)
