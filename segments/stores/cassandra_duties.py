"""Leases, epochs, places and placings in Cassandra.

Leases, epochs and placings are conditional writes (Paxos), so no clock decides them. Places report themselves each second, plainly.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence

from segments.duty import Duty, Place, Placing
from segments.errors import DataDamaged, NotFound, TryAgain, Unknown
from segments.model import Lease
from segments.stores import lease_rules
from segments.stores.cassandra_session import CassandraSession, Found

EPOCH_LIMIT_S = 8.0
"""How long an epoch is fought for; then it is TryAgain."""
_STEP_ASIDE_S = 0.05
"""The longest wait of one who lost the race for an epoch; it grows with each loss."""

_LEASE = "holder, epoch, expires_us, ttl_us, renewals, free, previous_expires_us"
_FIND_LEASE = f"SELECT {_LEASE} FROM lease WHERE kind = ? AND shard = ? AND shards = ?"
_FIRST_LEASE = f"INSERT INTO lease ({_LEASE}, kind, shard, shards) VALUES ({'?, ' * 9}?) IF NOT EXISTS"
_NEXT_LEASE = (
    f"UPDATE lease SET {_LEASE.replace(',', ' = ?,')} = ? WHERE kind = ? AND shard = ? AND shards = ? "
    "IF epoch = ? AND renewals = ? AND free = ?"
)
_EPOCH = "SELECT highest FROM epoch WHERE site = 0"
_RAISE_EPOCH = "UPDATE epoch SET highest = ? WHERE site = 0 IF highest = ?"

_REPORT = "url, kinds, recorders, room, load, spooled, shards, beat"
_PUT_PLACE = f"INSERT INTO place (site, name, {_REPORT}) VALUES (0, {'?, ' * 8}?)"
_PLACES = f"SELECT name, {_REPORT}, draining FROM place WHERE site = 0"
_SET_DRAINING = "UPDATE place SET draining = ? WHERE site = 0 AND name = ?"
_REMOVE_PLACE = "DELETE FROM place WHERE site = 0 AND name = ?"

_PUT_PLACING = "UPDATE placing SET standby = ? WHERE place = ? AND kind = ? AND shard = ? AND shards = ? IF standby != ?"
_REMOVE_PLACING = "DELETE FROM placing WHERE place = ? AND kind = ? AND shard = ? AND shards = ? IF EXISTS"
_PLACINGS = "SELECT kind, shard, shards, standby FROM placing WHERE place = ?"


class CassandraDuties:
    """See `Leases` and `Places` in segments/ports.py."""

    _session: CassandraSession
    _epochs: Epochs

    # --- leases

    async def acquire(self, duty: Duty, holder: str, *, seen: Lease | None, now_us: int, ttl_us: int) -> Lease | None:
        """See `Leases`. An epoch that finds its duty taken is spent."""
        found = await self._session.read(_FIND_LEASE, _key(duty))
        if not lease_rules.is_as_seen(_lease(duty, found), seen):
            return None
        wanted = Lease(duty, holder, await self._epochs.take(), now_us + ttl_us, ttl_us)
        return await self._replace(seen, lease_rules.granted(seen, wanted, now_us))

    async def renew(self, lease: Lease, *, now_us: int, ttl_us: int) -> Lease | None:
        """See `Leases`. One write where the lease is as this holder knows it."""
        known: Lease | None = lease
        while (renewed := lease_rules.renewed(known, lease, now_us, ttl_us)) is not None:
            if await self._replace(known, renewed) is not None:
                return renewed
            known = await self.lease(lease.duty)
        return None

    async def release(self, lease: Lease, *, now_us: int) -> None:
        """See `Leases`."""
        known: Lease | None = lease
        while (released := lease_rules.released(known, lease, now_us)) is not None:
            if await self._replace(known, released) is not None:
                return
            known = await self.lease(lease.duty)

    async def lease(self, duty: Duty) -> Lease | None:
        """See `Leases`."""
        return _lease(duty, await self._session.read_serial(_FIND_LEASE, _key(duty)))

    async def spend_epochs(self, through: int) -> None:
        """See `Leases`."""
        await self._epochs.spend(through)

    async def _replace(self, seen: Lease | None, new: Lease) -> Lease | None:
        """The new lease, in place of the one that was seen; None if it is another by now.

        Raises Unknown only where the duty is still as it was seen: a write that got no answer may come yet.
        """
        values = (*_values(new), *_key(new.duty))
        cql = _FIRST_LEASE if seen is None else _NEXT_LEASE
        try:
            if await self._session.compare_and_set(cql, values if seen is None else (*values, seen.epoch, seen.renewals, seen.free)):
                return new
        except Unknown:
            present = await self.lease(new.duty)
            if present != new and lease_rules.is_as_seen(present, seen):
                raise
            return new if present == new else None
        return None

    # --- places

    async def put_place(self, place: Place) -> None:
        """See `Places`."""
        counts = (place.recorders, place.room, place.load, place.spooled, place.of, place.beat)
        await self._session.write(_PUT_PLACE, (place.name, place.url, place.kinds, *counts))

    async def remove_place(self, name: str) -> None:
        """See `Places`."""
        for placing in await self.placings(name):
            await self.remove_placing(placing)
        await self._session.write(_REMOVE_PLACE, (name,))

    async def places(self) -> Sequence[Place]:
        """See `Places`."""
        found = await self._session.read(_PLACES)
        return [
            Place(name, url, tuple(kinds or ()), recorders, room, load, tuple(spooled or ()), of, beat, bool(draining))
            for name, url, kinds, recorders, room, load, spooled, of, beat, draining in found
            if url is not None  # a wish for a place that was removed meanwhile makes none
        ]

    async def set_draining(self, name: str, draining: bool) -> None:
        """See `Places`."""
        if name not in [place.name for place in await self.places()]:
            raise NotFound(f"there is no place {name}")
        await self._session.write(_SET_DRAINING, (draining, name))

    async def put_placing(self, placing: Placing) -> None:
        """See `Places`."""
        await self._session.compare_and_set(_PUT_PLACING, (placing.standby, placing.place, *_key(placing.duty), placing.standby))

    async def remove_placing(self, placing: Placing) -> None:
        """See `Places`."""
        await self._session.compare_and_set(_REMOVE_PLACING, (placing.place, *_key(placing.duty)))

    async def placings(self, place: str) -> Sequence[Placing]:
        """See `Places`."""
        found = await self._session.read(_PLACINGS, (place,))
        return [Placing(Duty(kind, shard, of), place, standby) for kind, shard, of, standby in found]


class Epochs:
    """The site's one counter of epochs. Those who want one at the same time in this process get theirs by one write."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session
        self._highest: int | None = None
        self._waiting: list[asyncio.Future[int]] = []
        self._taking: asyncio.Task[None] | None = None

    async def take(self) -> int:
        """An epoch higher than any given before this call, given to nobody else. Raises TryAgain."""
        mine: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        if self._taking is None:
            self._taking = asyncio.create_task(self._take())
        return await mine

    async def spend(self, through: int) -> None:
        """Gives none up to this one any more."""
        await self._raise_to(lambda highest: max(highest, through))

    async def _take(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                first = 1 + await self._raise_by(len(waiting))
            except Exception as error:  # noqa: BLE001 - handed on to those who wait
                for mine in waiting:
                    if not mine.done():
                        mine.set_exception(error)
                continue
            for epoch, mine in enumerate(waiting, first):
                if not mine.done():
                    mine.set_result(epoch)
        self._taking = None

    async def _raise_by(self, count: int) -> int:
        return await self._raise_to(lambda highest: highest + count)

    async def _raise_to(self, wanted_above: Callable[[int], int]) -> int:
        """Raises the highest epoch given out; returns the one before. A write that got no answer only spends epochs."""
        end_s = self._session.now_s() + EPOCH_LIMIT_S
        losses = 0
        while self._session.now_s() < end_s:
            highest = self._highest if losses == 0 and self._highest is not None else await self._read()
            wanted = wanted_above(highest)
            with contextlib.suppress(Unknown):
                if wanted == highest or await self._session.compare_and_set(_RAISE_EPOCH, (wanted, highest)):
                    self._highest = wanted
                    return highest
            losses += 1
            await asyncio.sleep(random.uniform(0, _STEP_ASIDE_S * losses))
        raise TryAgain(f"the index gave no epoch in {EPOCH_LIMIT_S:g} s: too many want one")

    async def _read(self) -> int:
        found = await self._session.read_serial(_EPOCH)
        if not found:
            raise DataDamaged("the index has lost the count of its epochs: run `keepsight index rebuild`, which learns it from the pool")
        return int(found[0][0])


def _key(duty: Duty) -> tuple[str, int, int]:
    return (duty.kind, duty.shard, duty.of)


def _values(lease: Lease) -> tuple[object, ...]:
    times = (lease.expires_us, lease.ttl_us, lease.renewals, lease.free, lease.previous_expires_us)
    return (lease.holder, lease.epoch, *times)


def _lease(duty: Duty, found: Sequence[Found]) -> Lease | None:
    return Lease(duty, *found[0]) if found else None
