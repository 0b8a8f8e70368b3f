"""How much footage of a camera would be lost if its site were lost now (RPO): from the moment up to which it is here, to now.

It is read from footage: all that the source tells of, spools and open segments included, without what is here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from replication.copy_values import CopyShard
from replication.drill import Spread, spread
from replication.ports import AskFootage
from segments.clock import US_PER_DAY, US_PER_HOUR, US_PER_S, Clock
from segments.errors import KeepsightError
from segments.model import Camera, Footage, Span
from segments.patience import some_at_once
from segments.ports import CameraChanges, ReadRows
from segments.shards import CAMERA_BUCKETS
from segments.timeline import footage_between, outside

log = logging.getLogger(__name__)

QUIET_US = 300 * US_PER_S
"""No segment lasts longer: of a camera that recorded just now its source tells something younger."""
REACHES_US = (US_PER_HOUR, US_PER_DAY)
"""How far back is looked; further only where the first look finds that its beginning is missing. What is missing longer is told as lag."""
A_LOOK = 50
"""Cameras in one look, so that a shard of a thousand is through in ten minutes."""
AT_ONCE = 4
LOOK_S = 20.0
CAMERAS_S, FEW_CAMERAS_S = 600, 60
"""So often the archive is read; more often where all cameras are measured in one look."""
NOTHING = Spread(None, None, None)
KEPT_US = US_PER_HOUR
"""What was measured longer ago is told no more."""


class Measured(NamedTuple):
    """Of one camera at `at_us`: up to `until_us` its footage is here; 0: none of it is missing, and the source tells of nothing young."""

    camera_class: int
    at_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class Rpo:
    """Of cameras of one class. `quiet` ones are not counted in: what they recorded is here, and nothing younger is told, since they are
    away, or since nobody at the source can tell. `worst`: the camera with the greatest.
    """

    cameras: int = 0
    quiet: int = 0
    spread: Spread = NOTHING
    worst: str = ""


def here_until_us(theirs: Sequence[Footage], ours: Iterable[Footage], now_us: int) -> int:
    """Up to when all footage that the source tells of is here; 0 as of `Measured`."""
    missing = outside(theirs, _joined(ours))
    if missing:
        return min(one.start_us for one in missing)
    newest_us = max((one.end_us for one in theirs), default=0)
    return newest_us if now_us - newest_us <= QUIET_US else 0


def summary(measured: Mapping[str, Measured], now_us: int, *, answers: bool) -> dict[int, Rpo]:
    """By class. While the source does not answer, nothing more comes here: then it is as much as up to now."""
    classes: dict[int, dict[str, Measured]] = {}
    for camera, one in measured.items():
        classes.setdefault(one.camera_class, {})[camera] = one
    return {number: _of_class(found, now_us, answers=answers) for number, found in sorted(classes.items())}


def _of_class(found: Mapping[str, Measured], now_us: int, *, answers: bool) -> Rpo:
    values = {camera: max(0, (one.at_us if answers else now_us) - one.until_us) for camera, one in found.items() if one.until_us}
    worst = max(values, key=lambda camera: (values[camera], camera), default="")
    return Rpo(len(values), len(found) - len(values), spread(list(values.values())), worst)


def _joined(footage: Iterable[Footage]) -> list[Span]:
    """Spans in order that do not overlap."""
    spans: list[Span] = []
    for one in sorted(footage):
        if spans and one.start_us <= spans[-1].end_us:
            spans[-1] = Span(spans[-1].start_us, max(spans[-1].end_us, one.end_us))
        else:
            spans.append(Span(one.start_us, one.end_us))
    return spans


class RpoIndex(ReadRows, CameraChanges, Protocol):
    """What measuring needs of the index."""


class RpoWatch:
    """Measures the cameras of a shard that are at home at the source, some at a time, again and again."""

    def __init__(self, shard: CopyShard, *, peer: AskFootage, index: RpoIndex, clock: Clock) -> None:
        self._shard = shard
        self._peer = peer
        self._index = index
        self._clock = clock
        self._line: list[Camera] = []
        self._read_ns: int | None = None
        self._measured: dict[str, Measured] = {}
        self._answers = True

    async def look(self) -> None:
        """Measures those whose turn it is, for `LOOK_S`. A source or an index that does not answer is asked again in the next look."""
        done: dict[str, Camera] = {}

        async def one(camera: Camera) -> None:
            self._measured[camera.id] = await self._measure(camera)
            done[camera.id] = camera

        try:
            async with asyncio.timeout(LOOK_S):
                await self._read_archive()
                await some_at_once(one, self._line[:A_LOOK], AT_ONCE)
            self._answers = True
        except (KeepsightError, TimeoutError) as error:
            self._answers = bool(done) and isinstance(error, TimeoutError)
            if not self._answers:
                log.info("copy.unmeasured: how far footage of %s is here: %s", self._shard.site, error or f"no answer within {LOOK_S:g} s")
        self._line = [camera for camera in self._line if camera.id not in done] + list(done.values())

    def summary(self) -> dict[int, Rpo]:
        """Of what was measured within the last hour, by class."""
        now_us = self._clock.now_us()
        if self._answers:
            self._measured = {camera: one for camera, one in self._measured.items() if now_us - one.at_us <= KEPT_US}
        return summary(self._measured, now_us, answers=self._answers)

    async def _read_archive(self) -> None:
        now_ns = self._clock.monotonic_ns()
        every_s = CAMERAS_S if len(self._line) > A_LOOK else FEW_CAMERAS_S
        if self._line and self._read_ns is not None and now_ns - self._read_ns < every_s * 1e9:
            return
        buckets = range(self._shard.shard, CAMERA_BUCKETS, self._shard.of)
        known = {
            camera.id: camera
            for bucket in buckets
            for camera in await self._index.cameras_in(bucket)
            if camera.home == self._shard.site and camera.enabled
        }
        stay = [known.pop(camera.id) for camera in self._line if camera.id in known]
        self._line = [*known.values(), *stay]
        self._measured = {camera.id: self._measured[camera.id] for camera in self._line if camera.id in self._measured}
        self._read_ns = now_ns

    async def _measure(self, camera: Camera) -> Measured:
        until_us = now_us = 0
        for reach_us in REACHES_US:
            now_us = self._clock.now_us()
            span = Span(now_us - reach_us, now_us + 1)
            theirs = await self._peer.footage(camera.id, span)
            until_us = here_until_us(theirs, await footage_between(self._index, camera.id, span), now_us)
            if not 0 < until_us <= span.start_us + QUIET_US:
                break
        return Measured(camera.camera_class, now_us, until_us)
