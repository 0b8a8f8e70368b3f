"""Leases, places and placings in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from segments.duty import Duty, Place, Placing
from segments.errors import NotFound
from segments.model import Lease
from segments.stores import lease_rules
from segments.stores.sqlite_database import SqliteDatabase

_LEASE = "kind, shard, shards, holder, epoch, expires_us, ttl_us, renewals, free, previous_expires_us"
_PLACE = "name, url, kinds, recorders, room, load, spooled, shards, beat, draining"
_REPORTED = _PLACE.split(", ")[1:-1]


class SqliteDuties:
    """See `Leases` and `Places` in segments/ports.py."""

    _database: SqliteDatabase

    # --- leases

    async def acquire(self, duty: Duty, holder: str, *, seen: Lease | None, now_us: int, ttl_us: int) -> Lease | None:
        """See `Leases`."""
        wanted = Lease(duty, holder, epoch=0, expires_us=now_us + ttl_us, ttl_us=ttl_us)
        return await self._database.write(lambda db: _acquire(db, wanted, seen, now_us))

    async def renew(self, lease: Lease, *, now_us: int, ttl_us: int) -> Lease | None:
        """See `Leases`."""
        return await self._database.write(
            lambda db: _put_lease(db, lease_rules.renewed(_find_lease(db, lease.duty), lease, now_us, ttl_us))
        )

    async def release(self, lease: Lease, *, now_us: int) -> None:
        """See `Leases`."""
        await self._database.write(lambda db: _put_lease(db, lease_rules.released(_find_lease(db, lease.duty), lease, now_us)))

    async def lease(self, duty: Duty) -> Lease | None:
        """See `Leases`."""
        return await self._database.read(lambda db: _find_lease(db, duty))

    async def spend_epochs(self, through: int) -> None:
        """See `Leases`."""
        await self._database.write(lambda db: db.execute("UPDATE epoch SET highest = max(highest, ?)", (through,)))

    # --- places

    async def put_place(self, place: Place) -> None:
        """See `Places`."""
        kinds, spooled = json.dumps(place.kinds), json.dumps(place.spooled)
        values = (place.name, place.url, kinds, place.recorders, place.room, place.load, spooled, place.of, place.beat)
        changes = ", ".join(f"{name} = excluded.{name}" for name in _REPORTED)
        query = f"INSERT INTO place ({_PLACE}) VALUES ({'?, ' * 9}0) ON CONFLICT (name) DO UPDATE SET {changes}"
        await self._database.write(lambda db: db.execute(query, values))

    async def remove_place(self, name: str) -> None:
        """See `Places`."""
        await self._database.write(lambda db: _remove_place(db, name))

    async def places(self) -> Sequence[Place]:
        """See `Places`."""
        query = f"SELECT {_PLACE} FROM place ORDER BY name"
        return await self._database.read(lambda db: [_place(*values) for values in db.execute(query)])

    async def set_draining(self, name: str, draining: bool) -> None:
        """See `Places`."""
        query = "UPDATE place SET draining = ? WHERE name = ?"
        if not await self._database.write(lambda db: db.execute(query, (draining, name)).rowcount):
            raise NotFound(f"there is no place {name}")

    async def put_placing(self, placing: Placing) -> None:
        """See `Places`."""
        duty = placing.duty
        query = "INSERT OR REPLACE INTO placing (place, kind, shard, shards, standby) VALUES (?, ?, ?, ?, ?)"
        await self._database.write(lambda db: db.execute(query, (placing.place, duty.kind, duty.shard, duty.of, placing.standby)))

    async def remove_placing(self, placing: Placing) -> None:
        """See `Places`."""
        duty = placing.duty
        query = "DELETE FROM placing WHERE place = ? AND kind = ? AND shard = ? AND shards = ?"
        await self._database.write(lambda db: db.execute(query, (placing.place, duty.kind, duty.shard, duty.of)))

    async def placings(self, place: str) -> Sequence[Placing]:
        """See `Places`."""
        query = "SELECT kind, shard, shards, standby FROM placing WHERE place = ? ORDER BY kind, shard, shards"
        return await self._database.read(
            lambda db: [Placing(Duty(*duty), place, bool(standby)) for *duty, standby in db.execute(query, (place,))]
        )


def _find_lease(db: sqlite3.Connection, duty: Duty) -> Lease | None:
    query = f"SELECT {_LEASE} FROM lease WHERE kind = ? AND shard = ? AND shards = ?"
    values = db.execute(query, (duty.kind, duty.shard, duty.of)).fetchone()
    if values is None:
        return None
    *_, holder, epoch, expires_us, ttl_us, renewals, free, previous_us = values
    return Lease(duty, holder, epoch, expires_us, ttl_us, renewals, bool(free), previous_us)


def _put_lease(db: sqlite3.Connection, lease: Lease | None) -> Lease | None:
    if lease is not None:
        name = (lease.duty.kind, lease.duty.shard, lease.duty.of)
        ends = (lease.expires_us, lease.ttl_us, lease.renewals, lease.free, lease.previous_expires_us)
        db.execute(f"INSERT OR REPLACE INTO lease ({_LEASE}) VALUES ({'?, ' * 9}?)", (*name, lease.holder, lease.epoch, *ends))
    return lease


def _acquire(db: sqlite3.Connection, wanted: Lease, seen: Lease | None, now_us: int) -> Lease | None:
    if not lease_rules.is_as_seen(_find_lease(db, wanted.duty), seen):
        return None
    db.execute("UPDATE epoch SET highest = highest + 1")
    (epoch,) = db.execute("SELECT highest FROM epoch").fetchone()
    return _put_lease(db, lease_rules.granted(seen, replace(wanted, epoch=epoch), now_us))


def _place(name: str, url: str, kinds: str, *numbers: int | str) -> Place:
    recorders, room, load, spooled, of, beat, draining = numbers
    counts = (int(recorders), int(room), int(load))
    return Place(name, url, tuple(json.loads(kinds)), *counts, tuple(json.loads(str(spooled))), int(of), int(beat), bool(draining))


def _remove_place(db: sqlite3.Connection, name: str) -> None:
    db.execute("DELETE FROM placing WHERE place = ?", (name,))
    db.execute("DELETE FROM place WHERE name = ?", (name,))
