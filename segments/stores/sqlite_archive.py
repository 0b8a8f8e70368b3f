"""Cameras and their credentials in SQLite, and the stamps that say which buckets of them have changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from segments.errors import Conflict, NotFound
from segments.model import Camera, Sound, Transport
from segments.ports import ALL_CAMERAS, CameraFilter, Page
from segments.shards import bucket_of
from segments.stores.partitions import areas_around, cut_page, page_limit
from segments.stores.sqlite_database import SqliteDatabase

_CAMERA = (
    "id, name, url, camera_class, area, owner, latitude, longitude, tier, tags, enabled, sound, transport, trust_clock, "
    "pool, twice, added_us, home"
)
_ANY_CLASS = 0


class SqliteArchive:
    """See `Cameras`, `Credentials` and `CameraChanges` in segments/ports.py."""

    _database: SqliteDatabase

    # --- cameras

    async def add_camera(self, camera: Camera) -> None:
        """See `Cameras`."""
        await self._database.write(lambda db: _add_camera(db, camera))

    async def set_camera(self, camera: Camera) -> None:
        """See `Cameras`."""
        await self._database.write(lambda db: _set_camera(db, camera))

    async def remove_camera(self, camera_id: str) -> None:
        """See `Cameras`."""
        await self._database.write(lambda db: _take_camera(db, camera_id))

    async def camera(self, camera_id: str) -> Camera:
        """See `Cameras`."""
        found = await self._database.read(lambda db: _find_camera(db, camera_id))
        if found is None:
            raise NotFound(f"there is no camera {camera_id}")
        return found

    async def cameras(self, only: CameraFilter = ALL_CAMERAS, *, after: str = "", limit: int = 1000) -> Page[Camera, str]:
        """See `Cameras`."""
        query = (
            f"SELECT {_CAMERA} FROM camera WHERE id IN (SELECT camera FROM camera_in_area "
            "WHERE area = ? AND camera_class = ? AND camera > ? ORDER BY camera LIMIT ?) ORDER BY id"
        )
        chosen = _ANY_CLASS if only.camera_class is None else only.camera_class
        parameters = (only.area, chosen, after, page_limit(limit) + 1)
        found = await self._database.read(lambda db: [_camera(values) for values in db.execute(query, parameters)])
        return cut_page(found, limit, lambda camera: camera.id)

    # --- credentials

    async def put_credential(self, camera_id: str, sealed: bytes) -> None:
        """See `Credentials`."""
        await self._database.write(lambda db: _put_credential(db, camera_id, sealed))

    async def credential(self, camera_id: str) -> bytes | None:
        """See `Credentials`."""
        query = "SELECT sealed FROM credential WHERE camera = ?"
        values = await self._database.read(lambda db: db.execute(query, (camera_id,)).fetchone())
        return values[0] if values else None

    async def remove_credential(self, camera_id: str) -> None:
        """See `Credentials`."""
        await self._database.write(lambda db: _remove_credential(db, camera_id))

    # --- changes

    async def camera_stamps(self) -> Mapping[int, str]:
        """See `CameraChanges`."""
        query = "SELECT bucket, changes FROM camera_stamp"
        return await self._database.read(lambda db: {bucket: str(changes) for bucket, changes in db.execute(query)})

    async def cameras_in(self, bucket: int) -> Sequence[Camera]:
        """See `CameraChanges`."""
        query = f"SELECT {_CAMERA} FROM camera WHERE bucket = ? ORDER BY id"
        return await self._database.read(lambda db: [_camera(values) for values in db.execute(query, (bucket,))])

    async def credentials_in(self, bucket: int) -> Mapping[str, bytes]:
        """See `CameraChanges`."""
        query = "SELECT camera, sealed FROM credential WHERE bucket = ?"
        return await self._database.read(lambda db: dict(db.execute(query, (bucket,)).fetchall()))


def _find_camera(db: sqlite3.Connection, camera_id: str) -> Camera | None:
    values = db.execute(f"SELECT {_CAMERA} FROM camera WHERE id = ?", (camera_id,)).fetchone()
    return _camera(values) if values else None


def _add_camera(db: sqlite3.Connection, camera: Camera) -> None:
    if _find_camera(db, camera.id):
        raise Conflict(f"there is a camera {camera.id} already")
    _put_camera(db, camera)


def _set_camera(db: sqlite3.Connection, camera: Camera) -> None:
    _take_camera(db, camera.id)
    _put_camera(db, camera)


def _put_camera(db: sqlite3.Connection, camera: Camera) -> None:
    place = (camera.id, camera.name, camera.url, camera.camera_class, camera.area, camera.owner, camera.latitude, camera.longitude)
    tags = json.dumps(camera.tags, ensure_ascii=False)
    how = (camera.tier, tags, camera.enabled, camera.sound, camera.transport, camera.trust_clock)
    rest = (camera.pool, camera.twice, camera.added_us, camera.home, bucket_of(camera.id))
    db.execute(f"INSERT INTO camera ({_CAMERA}, bucket) VALUES ({'?, ' * 18}?)", (*place, *how, *rest))
    listed = [(area, number, camera.id) for area in areas_around(camera.area) for number in (_ANY_CLASS, camera.camera_class)]
    db.executemany("INSERT INTO camera_in_area (area, camera_class, camera) VALUES (?, ?, ?)", listed)
    _stamp(db, camera.id)


def _take_camera(db: sqlite3.Connection, camera_id: str) -> None:
    camera = _find_camera(db, camera_id)
    if camera is None:
        raise NotFound(f"there is no camera {camera_id}")
    db.execute("DELETE FROM camera WHERE id = ?", (camera_id,))
    listed = [(area, number, camera_id) for area in areas_around(camera.area) for number in (_ANY_CLASS, camera.camera_class)]
    db.executemany("DELETE FROM camera_in_area WHERE area = ? AND camera_class = ? AND camera = ?", listed)
    _stamp(db, camera_id)


def _camera(values: Sequence[Any]) -> Camera:
    *place, tags, enabled, sound, transport, trust_clock, pool, twice, added_us, home = values
    switches = (bool(enabled), Sound(sound), Transport(transport), bool(trust_clock))
    return Camera(*(*place, tuple(json.loads(tags)), *switches, pool, bool(twice), added_us, home))


def _put_credential(db: sqlite3.Connection, camera_id: str, sealed: bytes) -> None:
    query = "INSERT OR REPLACE INTO credential (camera, sealed, bucket) VALUES (?, ?, ?)"
    db.execute(query, (camera_id, sealed, bucket_of(camera_id)))
    _stamp(db, camera_id)


def _remove_credential(db: sqlite3.Connection, camera_id: str) -> None:
    if db.execute("DELETE FROM credential WHERE camera = ?", (camera_id,)).rowcount:
        _stamp(db, camera_id)


def _stamp(db: sqlite3.Connection, camera_id: str) -> None:
    query = "INSERT INTO camera_stamp (bucket, changes) VALUES (?, 1) ON CONFLICT (bucket) DO UPDATE SET changes = changes + 1"
    db.execute(query, (bucket_of(camera_id),))
