"""The embedded index: cameras, credentials and leases in SQLite, joined with its footage into one index."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from segments.errors import Conflict, NotFound
from segments.model import Camera, Lease, Sound, Transport
from segments.ports import ALL_CAMERAS, CameraFilter, Page
from segments.stores import lease_rules
from segments.stores.partitions import areas_around, cut_page, page_limit
from segments.stores.sqlite_database import SqliteDatabase
from segments.stores.sqlite_footage import SqliteFootage

_CAMERA = (
    "id, name, url, camera_class, area, owner, latitude, longitude, tier, tags, enabled, sound, transport, trust_clock, pool, added_us"
)
_LEASE = "shard, holder, epoch, expires_us, previous_expires_us"
_ANY_CLASS = 0


async def open_sqlite_index(path: Path) -> SqliteIndex:
    """The index in this file, made if there is none, with its schema brought up to date.

    Raises StartRefused for a file that cannot be written, is no index, or is of a newer program; TryAgain if others keep it busy.
    """
    database = SqliteDatabase(path)
    try:
        await database.open()
    except BaseException:
        await database.close()
        raise
    return SqliteIndex(database)


class SqliteIndex(SqliteFootage):
    """See `segments.ports.Index`. Several processes may have the same file open; use `open_sqlite_index`."""

    async def close(self) -> None:
        """See `Index`."""
        await self._database.close()

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
        query = "INSERT OR REPLACE INTO credential (camera, sealed) VALUES (?, ?)"
        await self._database.write(lambda db: db.execute(query, (camera_id, sealed)))

    async def credential(self, camera_id: str) -> bytes | None:
        """See `Credentials`."""
        query = "SELECT sealed FROM credential WHERE camera = ?"
        values = await self._database.read(lambda db: db.execute(query, (camera_id,)).fetchone())
        return values[0] if values else None

    async def remove_credential(self, camera_id: str) -> None:
        """See `Credentials`."""
        await self._database.write(lambda db: db.execute("DELETE FROM credential WHERE camera = ?", (camera_id,)))

    # --- leases

    async def acquire(self, shard: int, holder: str, *, now_us: int, ttl_us: int) -> Lease | None:
        """See `Leases`."""
        wanted = Lease(shard, holder, epoch=0, expires_us=now_us + ttl_us)
        return await self._database.write(lambda db: _acquire(db, wanted, now_us))

    async def renew(self, lease: Lease, *, now_us: int, ttl_us: int) -> Lease | None:
        """See `Leases`."""
        return await self._database.write(
            lambda db: _put_lease(db, lease_rules.renewed(_find_lease(db, lease.shard), lease, now_us + ttl_us))
        )

    async def release(self, lease: Lease, *, now_us: int) -> None:
        """See `Leases`."""
        await self._database.write(lambda db: _put_lease(db, lease_rules.released(_find_lease(db, lease.shard), lease, now_us)))

    async def lease(self, shard: int) -> Lease | None:
        """See `Leases`."""
        return await self._database.read(lambda db: _find_lease(db, shard))

    async def spend_epochs(self, through: int) -> None:
        """See `Leases`."""
        await self._database.write(lambda db: db.execute("UPDATE epoch SET highest = max(highest, ?)", (through,)))


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
    rest = (camera.tier, tags, camera.enabled, camera.sound, camera.transport, camera.trust_clock, camera.pool, camera.added_us)
    db.execute(f"INSERT INTO camera ({_CAMERA}) VALUES ({'?, ' * 15}?)", (*place, *rest))
    listed = [(area, number, camera.id) for area in areas_around(camera.area) for number in (_ANY_CLASS, camera.camera_class)]
    db.executemany("INSERT INTO camera_in_area (area, camera_class, camera) VALUES (?, ?, ?)", listed)


def _take_camera(db: sqlite3.Connection, camera_id: str) -> None:
    camera = _find_camera(db, camera_id)
    if camera is None:
        raise NotFound(f"there is no camera {camera_id}")
    db.execute("DELETE FROM camera WHERE id = ?", (camera_id,))
    listed = [(area, number, camera_id) for area in areas_around(camera.area) for number in (_ANY_CLASS, camera.camera_class)]
    db.executemany("DELETE FROM camera_in_area WHERE area = ? AND camera_class = ? AND camera = ?", listed)


def _camera(values: Sequence[Any]) -> Camera:
    *place, tags, enabled, sound, transport, trust_clock, pool, added_us = values
    switches = (bool(enabled), Sound(sound), Transport(transport), bool(trust_clock))
    return Camera(*(*place, tuple(json.loads(tags)), *switches, pool, added_us))


def _find_lease(db: sqlite3.Connection, shard: int) -> Lease | None:
    values = db.execute(f"SELECT {_LEASE} FROM lease WHERE shard = ?", (shard,)).fetchone()
    return Lease(*values) if values else None


def _put_lease(db: sqlite3.Connection, lease: Lease | None) -> Lease | None:
    if lease is not None:
        values = (lease.shard, lease.holder, lease.epoch, lease.expires_us, lease.previous_expires_us)
        db.execute(f"INSERT OR REPLACE INTO lease ({_LEASE}) VALUES (?, ?, ?, ?, ?)", values)
    return lease


def _acquire(db: sqlite3.Connection, wanted: Lease, now_us: int) -> Lease | None:
    present = _find_lease(db, wanted.shard)
    if not lease_rules.is_free(present, wanted.holder, now_us):
        return None
    db.execute("UPDATE epoch SET highest = highest + 1")
    (epoch,) = db.execute("SELECT highest FROM epoch").fetchone()
    return _put_lease(db, lease_rules.granted(present, replace(wanted, epoch=epoch), now_us))
