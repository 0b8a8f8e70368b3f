"""The uploader's side of the recorders' sockets: leases, assignments, states, and what they report as durable."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from recorder.link import Assign, AssignedCamera, Counts, Durable, Hello, LeaseIs, Link, Message, Sealed, StateIs
from recorder.live import LiveEdge
from recorder.placement import shard_of
from segments.clock import US_PER_S, Clock, day_of
from segments.errors import KeepsightError, TryAgain
from segments.model import Camera, CameraState, Cause, Credential, Lease, StateChange
from segments.ports import Cameras, Credentials, Leases, States

log = logging.getLogger(__name__)

MAX_WAITING_STATES = 100_000


class ShardIndex(Cameras, Credentials, Leases, States, Protocol):
    """What is needed of the index here."""


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """`shards`: into how many the site's cameras are divided. The lease is renewed three times in its life."""

    site: str
    shards: int = 1
    lease_s: float = 15.0
    refresh_s: float = 2.0


@dataclass(slots=True)
class _Shard:
    """One connected recorder."""

    name: str
    shard: int
    link: Link
    lease: Lease | None = None
    cameras: tuple[AssignedCamera, ...] | None = None
    counts: Counts = field(default_factory=lambda: Counts(0, 0, False))


class ShardServer:
    """Gives connected recorders their epoch, lease and cameras, and writes down what they say."""

    def __init__(
        self,
        settings: ShardSettings,
        *,
        index: ShardIndex,
        open_credential: Callable[[str, bytes], Credential],
        live: LiveEdge,
        sealed: Callable[[], None],
        end_runs: Callable[[int, Iterable[str], Iterable[date]], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._index = index
        self._open_credential = open_credential
        self._live = live
        self._sealed = sealed
        self._end_runs = end_runs
        self._clock = clock
        self._connected: dict[int, _Shard] = {}
        self._states: asyncio.Queue[StateChange] = asyncio.Queue(MAX_WAITING_STATES)
        self._pools: dict[str, str] = {}
        self._present: dict[str, CameraState] = {}

    def pool_of(self, camera: str) -> str | None:
        """The pool of an assigned camera; None if the camera is not known here."""
        return self._pools.get(camera)

    def counts(self) -> list[Counts]:
        """The latest counts of the connected recorders."""
        return [shard.counts for shard in self._connected.values()]

    def camera_states(self) -> dict[str, int]:
        """How many cameras of the connected recorders are in each state."""
        return dict(Counter(state.value for camera, state in self._present.items() if camera in self._pools))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One recorder's connection, from its hello to its end."""
        link = Link(reader, writer)
        try:
            hello = await link.receive()
            if isinstance(hello, Hello):
                await self._serve(_Shard(hello.name, hello.shard, link), hello)
        except KeepsightError as error:
            log.error("recorder connection dropped: %s", error)
        except asyncio.CancelledError:
            return  # the service stops; asyncio's own server would log this as an error
        finally:
            link.close()

    async def write_states(self) -> None:
        """Writes state changes down, in order, as long as it takes; runs until cancelled."""
        while True:
            change = await self._states.get()
            while True:
                try:
                    await self._index.put_state(change)
                    break
                except TryAgain:
                    await self._clock.sleep(1.0)

    async def flush_states(self) -> None:
        """Writes what still waits, once each, before the process ends."""
        while not self._states.empty():
            await self._index.put_state(self._states.get_nowait())

    async def release(self) -> None:
        """Gives the leases back and says that nobody records: the orderly end."""
        for shard in list(self._connected.values()):
            self._say_away(shard)
            if shard.lease is not None:
                await self._index.release(shard.lease, now_us=self._clock.now_us())

    # --- one recorder ---

    async def _serve(self, shard: _Shard, hello: Hello) -> None:
        self._connected[shard.shard] = shard
        keeper = asyncio.create_task(self._keep(shard, hello.epoch))
        try:
            while (message := await shard.link.receive()) is not None:
                self._heard(shard, message)
        finally:
            keeper.cancel()
            if self._connected.get(shard.shard) is shard:
                del self._connected[shard.shard]
                self._say_away(shard)

    def _heard(self, shard: _Shard, message: Message) -> None:
        match message:
            case StateIs(camera, at_us, state, cause, detail):
                self._note(StateChange(camera, at_us, state, cause, detail))
            case Durable():
                self._live.durable(message)
            case Sealed(camera, run, counter):
                self._live.closed(camera, run, counter)
                self._sealed()
            case Counts():
                shard.counts = message
            case _:
                pass

    async def _keep(self, shard: _Shard, epoch: int) -> None:
        """Lease and cameras of one recorder, as long as it is connected."""
        answers = True
        refresh_ns = 0
        while True:
            try:
                if shard.lease is None or shard.lease.epoch != epoch:
                    epoch = await self._take(shard, epoch)
                else:
                    epoch = await self._renew(shard, epoch)
                now_ns = self._clock.monotonic_ns()
                if epoch and now_ns >= refresh_ns:
                    await self._refresh(shard, epoch)
                    refresh_ns = now_ns + int(self._settings.refresh_s * 1e9)
                answers = True
            except TryAgain as error:
                if answers:
                    log.warning("the index does not answer (%s); recording goes on", error)
                answers = False
            if epoch:
                left_s = (shard.lease.expires_us - self._clock.now_us()) / US_PER_S if shard.lease is not None else 0.0
                shard.link.send(LeaseIs(epoch, left_s, answers))
            await self._clock.sleep(min(1.0, self._settings.lease_s / 3))

    async def _take(self, shard: _Shard, epoch: int) -> int:
        """The epoch to record in: the present one if nobody took the shard since, else a new one; 0 while another holds it."""
        now_us, ttl_us = self._clock.now_us(), int(self._settings.lease_s * US_PER_S)
        if epoch:
            present = await self._index.lease(shard.shard)
            if present is not None and present.epoch == epoch:
                shard.lease = await self._index.renew(present, now_us=now_us, ttl_us=ttl_us)
                if shard.lease is not None:
                    return epoch
        shard.lease = await self._index.acquire(shard.shard, shard.name, now_us=now_us, ttl_us=ttl_us)
        if shard.lease is None:
            return 0
        shard.cameras = None
        await self._refresh(shard, shard.lease.epoch)
        await self._say_was_away(shard, shard.lease)
        return shard.lease.epoch

    async def _renew(self, shard: _Shard, epoch: int) -> int:
        assert shard.lease is not None
        ttl_us = int(self._settings.lease_s * US_PER_S)
        shard.lease = await self._index.renew(shard.lease, now_us=self._clock.now_us(), ttl_us=ttl_us)
        return epoch if shard.lease is not None else 0

    async def _refresh(self, shard: _Shard, epoch: int) -> None:
        """Sends the shard's cameras if they have changed."""
        cameras = tuple([item async for item in self._assigned(shard.shard)])
        if cameras != shard.cameras:
            for gone in {item.camera.id for item in shard.cameras or ()} - {item.camera.id for item in cameras}:
                self._pools.pop(gone, None)
            shard.cameras = cameras
            shard.link.send(Assign(self._settings.site, epoch, cameras))

    async def _assigned(self, shard: int) -> AsyncIterator[AssignedCamera]:
        after: str | None = ""
        while after is not None:
            page = await self._index.cameras(after=after)
            for camera in page.items:
                if shard_of(camera.id, self._settings.shards) == shard:
                    self._pools[camera.id] = camera.pool
                    yield await self._with_credential(camera)
            after = page.next

    async def _with_credential(self, camera: Camera) -> AssignedCamera:
        sealed = await self._index.credential(camera.id)
        if sealed is None:
            return AssignedCamera(camera, "", "")
        try:
            credential = self._open_credential(camera.id, sealed)
        except KeepsightError as error:
            log.error("%s", error)
            return AssignedCamera(camera, "", "")
        return AssignedCamera(camera, credential.user, credential.password)

    # --- states nobody else can tell ---

    def _say_away(self, shard: _Shard) -> None:
        for item in shard.cameras or ():
            if item.camera.enabled:
                self._away(item.camera.id, self._clock.now_us(), "the recorder is gone")

    async def _say_was_away(self, shard: _Shard, lease: Lease) -> None:
        """From the end of the lease before this one to now nobody recorded, and perhaps nobody was there to say so."""
        now_us = self._clock.now_us()
        enabled = [item.camera for item in shard.cameras or () if item.camera.enabled]
        for camera in enabled:
            since_us = max(lease.previous_expires_us, camera.added_us)
            if since_us <= now_us:
                self._away(camera.id, since_us, "no recorder was running")
        months = {day_of(now_us).replace(day=1), day_of(max(lease.previous_expires_us, 0) or now_us).replace(day=1)}
        await self._end_runs(lease.epoch, [camera.id for camera in enabled], sorted(months))

    def _away(self, camera: str, at_us: int, detail: str) -> None:
        self._note(StateChange(camera, at_us, CameraState.WAITING, Cause.RECORDER_AWAY, detail))

    def _note(self, change: StateChange) -> None:
        self._present[change.camera] = change.state
        if self._states.full():
            self._states.get_nowait()
            log.error("states wait for the index in too great a number; the oldest is dropped")
        self._states.put_nowait(change)
