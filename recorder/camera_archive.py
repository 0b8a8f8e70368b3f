"""The camera archive as an uploader follows it: whole in memory (about 1 KiB a camera), and only the buckets that changed read again."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from recorder.link import AssignedCamera
from segments.clock import Clock
from segments.duty import RECORD, Duty
from segments.errors import DataDamaged, KeepsightError
from segments.model import Camera, Credential
from segments.patience import some_at_once
from segments.ports import CameraChanges, Records
from segments.shards import shard_of
from segments.takeover import ALONE, read_standing, recorded_after, recorded_here

log = logging.getLogger(__name__)

BUCKETS_AT_ONCE = 8
RETRY_S = 1.0
SILENT_S = 5.0
"""An index that has answered nothing for so long does not answer."""
MAX_CAMERAS = 5_000
"""Of one shard: what a recorder can be told in one message. It carries far fewer."""


class Assigned(NamedTuple):
    """The cameras of a duty with their credentials, in order of id, what is wrong with these, and the epoch above which they are to be
    recorded, since another site has recorded some of them up to it."""

    cameras: tuple[AssignedCamera, ...]
    alarms: tuple[str, ...]
    after_epoch: int = 0


NO_CAMERAS = Assigned((), ())


@dataclass(slots=True)
class _Bucket:
    """What one bucket held at its stamp. `shards` groups its cameras by the number of shards and the shard, as was asked."""

    stamp: str
    cameras: Sequence[Camera]
    sealed: Mapping[str, bytes]
    shards: dict[int, Mapping[int, Sequence[Camera]]] = field(default_factory=dict)
    opened: dict[str, Credential | str] = field(default_factory=dict)

    def of_shard(self, shard: int, of: int) -> Sequence[Camera]:
        """Its cameras of a shard."""
        if of not in self.shards:
            grouped: dict[int, list[Camera]] = defaultdict(list)
            for camera in self.cameras:
                grouped[shard_of(camera.id, of)].append(camera)
            self.shards[of] = grouped
        return self.shards[of].get(shard, ())


class CameraArchive:
    """The cameras of any duty that are recorded here, without a question to the index; as new as the last `refresh`."""

    def __init__(
        self,
        index: CameraChanges,
        open_credential: Callable[[str, bytes], Credential],
        *,
        shards: int,
        clock: Clock,
        takeovers: Records | None = None,
    ) -> None:
        """`shards`: into how many the cameras are divided as far as is known; other numbers cost a moment when first asked for.

        `takeovers`: where those between sites are written; None: this site stands alone.
        """
        self._index = index
        self._takeovers = takeovers
        self._standing = ALONE
        self._open_credential = open_credential
        self._of = shards
        self._clock = clock
        self._answered_ns = 0
        self._answers_since_ns: int | None = None
        self._buckets: dict[int, _Bucket] = {}
        self.is_whole = False
        """Whether all of it was read once."""

    @property
    def answers_since_ns(self) -> int | None:
        """Since when the index answers, by the monotonic clock; None while it does not."""
        silent = self._clock.monotonic_ns() - self._answered_ns >= SILENT_S * 1e9
        return None if silent else self._answers_since_ns

    async def follow(self, every_s: float, changed: Callable[[], None]) -> None:
        """Refreshes until cancelled, and says each time when something had changed."""
        while True:
            try:
                fresh = await self.refresh()
            except KeepsightError as error:
                if self._answers_since_ns is not None:
                    log.warning("index.silent: the index does not answer (%s); recording goes on", error)
                self._answers_since_ns = None
                await self._clock.sleep(RETRY_S)
                continue
            since_ns, self._answered_ns = self.answers_since_ns, self._clock.monotonic_ns()
            self._answers_since_ns = self._answered_ns if since_ns is None else since_ns
            if fresh:
                changed()
            await self._clock.sleep(every_s)

    async def refresh(self) -> bool:
        """Reads what has changed since the last time, and says whether anything had. What it read before an error is kept."""
        stamps = await self._index.camera_stamps()
        stale = [bucket for bucket, stamp in stamps.items() if bucket not in self._buckets or self._buckets[bucket].stamp != stamp]
        await some_at_once(lambda bucket: self._read(bucket, stamps[bucket]), stale, BUCKETS_AT_ONCE)
        standing = self._standing if self._takeovers is None else await read_standing(self._takeovers)
        fresh = bool(stale) or not self.is_whole or standing != self._standing
        self._standing = standing
        self.is_whole = True
        return fresh

    def assigned(self, duty: Duty) -> Assigned:
        """The cameras of a duty of recording: in lane b those that are recorded twice. Another site's are not among them, unless they were
        taken over."""
        cameras: list[AssignedCamera] = []
        alarms: list[str] = []
        after_epoch = 0
        for bucket in self._buckets.values():
            for camera in bucket.of_shard(duty.shard, duty.of):
                if (camera.twice or duty.kind == RECORD["a"]) and recorded_here(camera, self._standing):
                    after_epoch = max(after_epoch, recorded_after(camera, self._standing))
                    credential = self._credential(bucket, camera.id)
                    alarms += [credential] if isinstance(credential, str) else []
                    known = credential if isinstance(credential, Credential) else Credential("", "")
                    cameras.append(AssignedCamera(camera, known.user, known.password))
        if len(cameras) > MAX_CAMERAS:
            alarms.append(f"{duty} has {len(cameras)} cameras, and {MAX_CAMERAS} of a shard can be recorded: raise fleet.shards")
        return Assigned(tuple(sorted(cameras, key=lambda item: item.camera.id)[:MAX_CAMERAS]), tuple(alarms), after_epoch)

    async def _read(self, bucket: int, stamp: str) -> None:
        read = _Bucket(stamp, await self._index.cameras_in(bucket), await self._index.credentials_in(bucket))
        await asyncio.to_thread(read.of_shard, 0, self._of)  # a hash a camera and shard: thousands of cameras take a while
        self._buckets[bucket] = read

    def _credential(self, bucket: _Bucket, camera: str) -> Credential | str | None:
        """Opened once; None if the camera has none, a sentence if it does not open."""
        if camera not in bucket.sealed:
            return None
        if camera not in bucket.opened:
            try:
                bucket.opened[camera] = self._open_credential(camera, bucket.sealed[camera])
            except DataDamaged as error:
                bucket.opened[camera] = str(error)
        return bucket.opened[camera]
