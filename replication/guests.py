"""The cameras of another site in our archive, with their credentials, so that they can be recorded here when that site is lost.

Its archive decides what they are. Ours is never overwritten: a camera of another home with the same id stays as it is, and is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from replication.ports import AskSite
from segments.errors import DataDamaged
from segments.model import Camera
from segments.ports import CameraChanges, Cameras, Credentials

BUCKETS_A_ROUND = 8
"""So many changed buckets are read in a round; a first look at an archive takes as many rounds as it needs."""
MOST_CONFLICTS = 20
"""So many cameras whose names are taken are told by name."""
EMPTIED = "its camera archive was made anew: its cameras stay in ours as they were; those it has again are followed"


class GuestIndex(Cameras, Credentials, CameraChanges, Protocol):
    """What is needed of our index."""


class GuestChanges(Protocol):
    """How cameras are changed so that their footage goes no sooner than it would have. Retention's, through the wiring."""

    async def fitted(self, camera: Camera) -> Camera:
        """A camera of theirs as it can be in our archive: its tier may be none of ours."""

    async def change(self, before: Camera, after: Camera) -> None:
        """Replaces a camera."""

    async def take_out(self, camera: str) -> None:
        """Takes one out of the archive."""


class Followed(NamedTuple):
    """What a look came to: how many cameras were written or removed, how many there are, cameras whose names others have (the first of
    them), whether all that changed there was read, and what is wrong."""

    changed: int
    guests: int
    conflicts: tuple[str, ...]
    is_whole: bool
    finding: str = ""


class Guests:
    """Follows the archive of one other site by its stamps: only buckets that changed are read."""

    def __init__(self, site: str, peer: AskSite, *, index: GuestIndex, changes: GuestChanges) -> None:
        self._site = site
        self._peer = peer
        self._index = index
        self._changes = changes
        self._stamps: dict[int, str] = {}
        self._guests: dict[int, int] = {}
        self._conflicts: dict[int, list[str]] = {}
        self._unread: dict[int, str] = {}
        self._changed = 0

    def forget(self) -> None:
        """Looks at all of it again: what fits may have changed."""
        self._stamps.clear()

    async def follow(self) -> Followed:
        """Reads some of what has changed there. What was copied before an error stays; the rest comes with the next call."""
        self._changed = 0
        stamps = await self._peer.camera_stamps()
        emptied = await self._was_emptied(stamps)
        stale = [bucket for bucket, stamp in stamps.items() if self._stamps.get(bucket) != stamp]
        for bucket in stale[:BUCKETS_A_ROUND]:
            await self._copy_or_say(bucket, removing=not emptied)
            self._stamps[bucket] = stamps[bucket]
        conflicts = sorted(camera for some in self._conflicts.values() for camera in some)
        whole = len(stale) <= BUCKETS_A_ROUND
        finding = EMPTIED if emptied else next(iter(self._unread.values()), "")
        return Followed(self._changed, sum(self._guests.values()), tuple(conflicts[:MOST_CONFLICTS]), whole, finding)

    async def _was_emptied(self, stamps: Mapping[int, str]) -> bool:
        """Whether it has never written a bucket in which we know cameras of it: a stamp stays when the last camera goes, so its index is
        another one. Its cameras are then known here alone."""
        for bucket in await self._index.camera_stamps():
            if bucket not in stamps and bucket not in self._guests:
                self._guests[bucket] = len(self._ours(await self._index.cameras_in(bucket)))
        return any(count for bucket, count in self._guests.items() if bucket not in stamps)

    def _ours(self, cameras: Sequence[Camera]) -> list[Camera]:
        return [camera for camera in cameras if camera.home == self._site]

    async def _copy_or_say(self, bucket: int, *, removing: bool) -> None:
        """A bucket that makes no sense stays as it is here until it changes, or all are looked at again; the others are followed."""
        self._unread.pop(bucket, None)
        try:
            await self._copy(bucket, removing=removing)
        except DataDamaged as error:
            self._unread[bucket] = f"some of its cameras cannot be followed: {error}"

    async def _copy(self, bucket: int, *, removing: bool) -> None:
        theirs, sealed = await self._peer.cameras_in(bucket), await self._peer.credentials_in(bucket)
        present = {camera.id: camera for camera in await self._index.cameras_in(bucket)}
        known = await self._index.credentials_in(bucket)
        self._conflicts[bucket] = []
        for camera in theirs:
            before = present.get(camera.id)
            if before is not None and before.home != self._site:
                self._conflicts[bucket].append(camera.id)
                continue
            await self._set_credential(camera.id, sealed.get(camera.id), known.get(camera.id))
            await self._set_camera(before, await self._changes.fitted(replace(camera, home=self._site, pool="")))
        told = {camera.id for camera in theirs}
        gone = [camera.id for camera in self._ours(list(present.values())) if camera.id not in told]
        for camera_id in gone if removing else ():
            await self._changes.take_out(camera_id)
            await self._index.remove_credential(camera_id)
            self._changed += 1
        self._guests[bucket] = len(theirs) - len(self._conflicts[bucket]) + (0 if removing else len(gone))

    async def _set_credential(self, camera: str, sealed: bytes | None, known: bytes | None) -> None:
        """Before its camera: a recorder never sees one without the password it came with."""
        if sealed is None and known is not None:
            await self._index.remove_credential(camera)
        elif sealed is not None and sealed != known:
            await self._index.put_credential(camera, sealed)

    async def _set_camera(self, before: Camera | None, after: Camera) -> None:
        if before == after:
            return
        if before is None:
            await self._index.add_camera(after)
        else:
            await self._changes.change(before, after)
        self._changed += 1
