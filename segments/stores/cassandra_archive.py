"""Cameras and their credentials in Cassandra, by bucket, and the stamps that say which buckets have changed.

Changes are conditional writes: what an administrator was told is done is not lost to the slower clock of another node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from uuid import uuid4

from segments.errors import Conflict, NotFound
from segments.model import Camera, Sound, Transport
from segments.ports import ALL_CAMERAS, CameraFilter, Page
from segments.shards import CAMERA_BUCKETS, bucket_of
from segments.stores.cassandra_session import UNSET, CassandraSession, Found
from segments.stores.partitions import areas_around, cut_page, page_limit

_FIELDS = (
    "name, url, camera_class, area, areas, owner, latitude, longitude, tier, tags, enabled, sound, transport, trust_clock, "
    "pool, twice, added_us, home"
)
_CAMERA = f"id, {_FIELDS.replace(' areas,', '')}"
_ADD = f"INSERT INTO camera (bucket, id, {_FIELDS}) VALUES ({'?, ' * 19}?) IF NOT EXISTS"
_SET = f"UPDATE camera SET {_FIELDS.replace(',', ' = ?,')} = ? WHERE bucket = ? AND id = ? IF EXISTS"
_REMOVE = "DELETE FROM camera WHERE bucket = ? AND id = ? IF EXISTS"
_ONE = f"SELECT {_CAMERA} FROM camera WHERE bucket = ? AND id = ?"
_BUCKET = f"SELECT {_CAMERA} FROM camera WHERE bucket = ?"
_BEHIND = f"SELECT {_CAMERA} FROM camera WHERE bucket = ? AND id > ?"
# The server goes through one bucket, some thousands of cameras at most, and sends those that fit.
_IN_AREA = f"{_BEHIND} AND areas CONTAINS ?"
_OF_CLASS = " AND camera_class = ?"
_LIMITED = " LIMIT ?"
_FILTERED = " LIMIT ? ALLOW FILTERING"

_PUT_CREDENTIAL = "UPDATE credential SET sealed = ? WHERE bucket = ? AND camera = ? IF sealed != ?"
_CREDENTIAL = "SELECT sealed FROM credential WHERE bucket = ? AND camera = ?"
_CREDENTIALS = "SELECT camera, sealed FROM credential WHERE bucket = ?"
_REMOVE_CREDENTIAL = "DELETE FROM credential WHERE bucket = ? AND camera = ? IF EXISTS"

_STAMPS = "SELECT bucket, stamp FROM camera_stamp WHERE site = 0"
_STAMPED_US = "SELECT WRITETIME(stamp) FROM camera_stamp WHERE site = 0 AND bucket = ?"
_STAMP = "INSERT INTO camera_stamp (site, bucket, stamp) VALUES (0, ?, ?) USING TIMESTAMP ?"


class CassandraArchive:
    """See `Cameras`, `Credentials` and `CameraChanges` in segments/ports.py."""

    _session: CassandraSession

    # --- cameras

    async def add_camera(self, camera: Camera) -> None:
        """See `Cameras`."""
        position = (UNSET if camera.latitude is None else camera.latitude, UNSET if camera.longitude is None else camera.longitude)
        if not await self._change(_ADD, camera.id, (bucket_of(camera.id), camera.id, *_values(camera, position))):
            raise Conflict(f"there is a camera {camera.id} already")

    async def set_camera(self, camera: Camera) -> None:
        """See `Cameras`."""
        position = (camera.latitude, camera.longitude)
        if not await self._change(_SET, camera.id, (*_values(camera, position), bucket_of(camera.id), camera.id)):
            raise NotFound(f"there is no camera {camera.id}")

    async def remove_camera(self, camera_id: str) -> None:
        """See `Cameras`."""
        if not await self._change(_REMOVE, camera_id, (bucket_of(camera_id), camera_id)):
            raise NotFound(f"there is no camera {camera_id}")

    async def camera(self, camera_id: str) -> Camera:
        """See `Cameras`."""
        found = await self._session.read(_ONE, (bucket_of(camera_id), camera_id))
        if not found:
            raise NotFound(f"there is no camera {camera_id}")
        return _camera(found[0])

    async def cameras(self, only: CameraFilter = ALL_CAMERAS, *, after: str = "", limit: int = 1000) -> Page[Camera, str]:
        """See `Cameras`; buckets are read side by side, a little of each at a time, and merged."""
        wanted = page_limit(limit) + 1
        some = 2 * wanted // CAMERA_BUCKETS + 8
        found: list[Camera] = []
        reached = dict.fromkeys(range(CAMERA_BUCKETS), after)
        while reached:
            pages = await asyncio.gather(*(self._behind(bucket, only, last, some) for bucket, last in reached.items()))
            found = sorted((camera for page in (found, *pages) for camera in page), key=lambda camera: camera.id)
            enough = found[wanted - 1].id if len(found) >= wanted else None
            ends = {bucket: page[-1].id for bucket, page in zip(reached, pages, strict=True) if len(page) == some}
            reached = {bucket: last for bucket, last in ends.items() if enough is None or last < enough}
        return cut_page(found, limit, lambda camera: camera.id)

    async def _behind(self, bucket: int, only: CameraFilter, after: str, some: int) -> list[Camera]:
        cql, values = (_IN_AREA, (only.area,)) if only.area else (_BEHIND, ())
        if only.camera_class is not None:
            cql, values = cql + _OF_CLASS, (*values, only.camera_class)
        cql += _FILTERED if values else _LIMITED
        return [_camera(row) for row in await self._session.read(cql, (bucket, after, *values, some))]

    # --- credentials

    async def put_credential(self, camera_id: str, sealed: bytes) -> None:
        """See `Credentials`."""
        await self._change(_PUT_CREDENTIAL, camera_id, (sealed, bucket_of(camera_id), camera_id, sealed))

    async def credential(self, camera_id: str) -> bytes | None:
        """See `Credentials`."""
        found = await self._session.read(_CREDENTIAL, (bucket_of(camera_id), camera_id))
        return found[0][0] if found else None

    async def remove_credential(self, camera_id: str) -> None:
        """See `Credentials`."""
        await self._change(_REMOVE_CREDENTIAL, camera_id, (bucket_of(camera_id), camera_id))

    # --- changes

    async def camera_stamps(self) -> Mapping[int, str]:
        """See `CameraChanges`."""
        return {bucket: str(stamp) for bucket, stamp in await self._session.read(_STAMPS)}

    async def cameras_in(self, bucket: int) -> Sequence[Camera]:
        """See `CameraChanges`."""
        return [_camera(row) for row in await self._session.read(_BUCKET, (bucket,))]

    async def credentials_in(self, bucket: int) -> Mapping[str, bytes]:
        """See `CameraChanges`."""
        return dict(await self._session.read(_CREDENTIALS, (bucket,)))

    async def _change(self, cql: str, camera_id: str, values: Sequence[object]) -> bool:
        """A conditional write and, whatever became of it, a new stamp: who repeats a change that got no answer stamps it, too."""
        applied = await self._session.compare_and_set(cql, values)
        await self._stamp(bucket_of(camera_id))
        return applied

    async def _stamp(self, bucket: int) -> None:
        """Its time is above that of the stamp before it, so that no clock hides it; of two at once either may stay.

        The one that stays was written after both changes, or its writer saw the other's: a follower misses none.
        """
        found = await self._session.read(_STAMPED_US, (bucket,))
        stamped_us = found[0][0] if found else 0
        await self._session.write(_STAMP, (bucket, uuid4(), max(self._session.now_us(), stamped_us + 1)))


def _values(camera: Camera, position: tuple[object, object]) -> tuple[object, ...]:
    areas = areas_around(camera.area)
    place = (camera.name, camera.url, camera.camera_class, camera.area, set(areas), camera.owner, *position)
    switches = (camera.enabled, camera.sound, camera.transport, camera.trust_clock)
    return (*place, camera.tier, camera.tags, *switches, camera.pool, camera.twice, camera.added_us, camera.home)


def _camera(values: Found) -> Camera:
    *place, tags, enabled, sound, transport, trust_clock, pool, twice, added_us, home = values
    switches = (enabled, Sound(sound), Transport(transport), trust_clock)
    return Camera(*(*place, tuple(tags or ()), *switches, pool, twice, added_us, home or ""))
