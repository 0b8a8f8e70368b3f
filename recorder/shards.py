"""The uploader's side of the recorders' sockets: leases, assignments, states, and what they report as durable."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from recorder.link import Assign, AssignedCamera, Counts, Durable, Hello, LeaseIs, Link, Message, Sealed, StateIs
from recorder.live import LiveEdge
from recorder.placement import shard_of
from recorder.states import StateQueue
from segments.clock import US_PER_S, Clock, day_of
from segments.errors import DataDamaged, KeepsightError
from segments.model import Camera, CameraState, Cause, Credential, Lease, StateChange
from segments.patience import some_at_once
from segments.ports import Cameras, Credentials, Leases, States

log = logging.getLogger(__name__)

MAX_CAMERAS = 5_000
"""Of one shard: what a recorder can be told in one message. It carries far fewer."""
STATES_AT_ONCE = 16


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
    """One connected recorder. `epoch` is the one it was told; `taken` a lease whose beginning is not yet written down."""

    name: str
    shard: int
    link: Link
    epoch: int = 0
    lease: Lease | None = None
    taken: Lease | None = None
    cameras: tuple[AssignedCamera, ...] | None = None
    refresh_ns: int = 0
    counts: Counts | None = None
    alarms: tuple[str, ...] = ()


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
        self.states = StateQueue(index, clock)

    @property
    def alarms(self) -> list[str]:
        """What a person must look at, of the connected recorders."""
        return [alarm for shard in self._connected.values() for alarm in shard.alarms]

    def counts(self) -> list[Counts]:
        """The latest counts of the connected recorders."""
        return [shard.counts for shard in self._connected.values() if shard.counts is not None]

    def camera_states(self) -> dict[str, int]:
        """How many cameras of the connected recorders are in each state."""
        cameras = (item.camera.id for shard in self._connected.values() for item in shard.cameras or ())
        return dict(Counter(state.value for camera in cameras if (state := self.states.present(camera)) is not None))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One recorder's connection, from its hello to its end."""
        link = Link(reader, writer)
        try:
            hello = await link.receive()
            if isinstance(hello, Hello):
                await self._serve(_Shard(hello.name, hello.shard, link, hello.epoch))
        except KeepsightError as error:
            log.error("recorder connection dropped: %s", error)
        except asyncio.CancelledError:
            return  # the service stops; asyncio's own server would log this as an error
        finally:
            link.close()

    async def release(self) -> None:
        """Gives the leases back and says that nobody records: the orderly end."""
        for shard in list(self._connected.values()):
            self._say_away(shard)
            if shard.lease is not None:
                await self._index.release(shard.lease, now_us=self._clock.now_us())

    # --- one recorder ---

    async def _serve(self, shard: _Shard) -> None:
        self._connected[shard.shard] = shard
        keeper = asyncio.create_task(self._keep(shard))
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
                self.states.note(StateChange(camera, at_us, state, cause, detail))
            case Durable():
                self._live.durable(message)
            case Sealed(camera, run, counter):
                self._live.closed(camera, run, counter)
                self._sealed()
            case Counts():
                shard.counts = message
            case _:
                pass

    async def _keep(self, shard: _Shard) -> None:
        """Lease and cameras of one recorder while it is connected. It hears each second how its lease stands, even if the index hangs."""
        step_s = min(1.0, self._settings.lease_s / 3)
        answers = True
        while True:
            holding = asyncio.ensure_future(self._hold(shard))
            try:
                while not (await asyncio.wait((holding,), timeout=step_s))[0]:
                    self._say_lease(shard, answers=False)
                holding.result()
                answers = True
            except KeepsightError as error:
                if answers:
                    log.warning("the index does not answer (%s); recording goes on", error)
                answers = False
            finally:
                holding.cancel()
            self._say_lease(shard, answers=answers)
            await self._clock.sleep(step_s)

    def _say_lease(self, shard: _Shard, *, answers: bool) -> None:
        if shard.epoch:
            left_us = shard.lease.expires_us - self._clock.now_us() if shard.lease is not None else 0
            shard.link.send(LeaseIs(shard.epoch, left_us / US_PER_S, answers))

    async def _hold(self, shard: _Shard) -> None:
        """One turn: the lease taken or renewed, then the cameras sent if it is time. May be cut short by the index at any point."""
        if self._connected.setdefault(shard.shard, shard) is not shard:
            self._lose(shard)  # a newer connection has the shard; this one takes over if that one goes
            return
        if shard.lease is None:
            shard.lease = await self._take(shard)
        else:
            shard.lease = await self._index.renew(shard.lease, now_us=self._clock.now_us(), ttl_us=self._ttl_us)
        if shard.lease is None:
            self._lose(shard)
        elif self._clock.monotonic_ns() >= shard.refresh_ns:
            await self._refresh(shard, shard.lease)
            shard.refresh_ns = self._clock.monotonic_ns() + int(self._settings.refresh_s * 1e9)

    @property
    def _ttl_us(self) -> int:
        return int(self._settings.lease_s * US_PER_S)

    async def _take(self, shard: _Shard) -> Lease | None:
        """The lease of the epoch the recorder is in, if nobody took the shard since; else one of a new epoch; None while another has it."""
        now_us = self._clock.now_us()
        if shard.epoch:
            present = await self._index.lease(shard.shard)
            if present is not None and present.epoch == shard.epoch:
                kept = await self._index.renew(present, now_us=now_us, ttl_us=self._ttl_us)
                if kept is not None:
                    return kept
        shard.taken = await self._index.acquire(shard.shard, shard.name, now_us=now_us, ttl_us=self._ttl_us)
        if shard.taken is not None:
            shard.cameras, shard.refresh_ns = None, 0
        return shard.taken

    def _lose(self, shard: _Shard) -> None:
        """Somebody else has the shard, or may have: the recorder must stop at once."""
        if shard.epoch:
            shard.link.send(LeaseIs(shard.epoch, 0.0, answers=True))
        shard.epoch, shard.lease, shard.taken = 0, None, None

    async def _refresh(self, shard: _Shard, lease: Lease) -> None:
        """Sends the shard's cameras if they have changed, or the epoch has."""
        shard.alarms = ()
        cameras = tuple([item async for item in self._assigned(shard)])
        if len(cameras) > MAX_CAMERAS:
            shard.alarms += (f"recorder {shard.name} has {len(cameras)} cameras, {MAX_CAMERAS} can be recorded: raise fleet.recorders",)
            cameras = cameras[:MAX_CAMERAS]
        if shard.taken is not None:
            await self._say_was_away(shard.taken, [item.camera for item in cameras if item.camera.enabled])
        if cameras != shard.cameras or lease.epoch != shard.epoch:
            shard.cameras, shard.epoch = cameras, lease.epoch
            shard.link.send(Assign(self._settings.site, lease.epoch, cameras))
        if shard.taken is not None:
            taken, shard.taken = shard.taken, None
            await self._end_older_runs(taken, [item.camera.id for item in cameras])

    async def _assigned(self, shard: _Shard) -> AsyncIterator[AssignedCamera]:
        after: str | None = ""
        while after is not None:
            page = await self._index.cameras(after=after)
            for camera in page.items:
                if shard_of(camera.id, self._settings.shards) == shard.shard:
                    yield await self._with_credential(camera, shard)
            after = page.next

    async def _with_credential(self, camera: Camera, shard: _Shard) -> AssignedCamera:
        sealed = await self._index.credential(camera.id)
        if sealed is None:
            return AssignedCamera(camera, "", "")
        try:
            credential = self._open_credential(camera.id, sealed)
        except DataDamaged as error:
            shard.alarms += (str(error),)
            return AssignedCamera(camera, "", "")
        return AssignedCamera(camera, credential.user, credential.password)

    # --- states nobody else can tell ---

    def _say_away(self, shard: _Shard) -> None:
        for item in shard.cameras or ():
            if item.camera.enabled:
                self._away(item.camera.id, self._clock.now_us(), "the recorder is gone")

    async def _say_was_away(self, lease: Lease, cameras: Sequence[Camera]) -> None:
        """From the lease before this one to now nobody recorded, and perhaps nobody was there to say so.

        The moment is the last renewal there can have been, since a power cut comes before the lease it cuts off ends, but never before
        what the camera itself said last. Where it says too much it covers footage only, and footage goes before any cause.
        """
        now_us = self._clock.now_us()

        async def say(camera: Camera) -> None:
            last = await self._index.state_before(camera.id, now_us)
            if last is not None and last.cause is Cause.RECORDER_AWAY:
                return
            since_us = max(lease.previous_expires_us - self._ttl_us, camera.added_us, last.at_us + 1 if last is not None else 0)
            if since_us < now_us:
                self._away(camera.id, since_us, "no recorder was running")

        await some_at_once(say, cameras, STATES_AT_ONCE)

    async def _end_older_runs(self, lease: Lease, cameras: Sequence[str]) -> None:
        """Runs of older epochs get no more footage: the one that wrote them lost the shard."""
        now_us = self._clock.now_us()
        months = {day_of(us).replace(day=1) for us in (now_us, lease.previous_expires_us or now_us)}
        await self._end_runs(lease.epoch, cameras, sorted(months))

    def _away(self, camera: str, at_us: int, detail: str) -> None:
        self.states.note(StateChange(camera, at_us, CameraState.WAITING, Cause.RECORDER_AWAY, detail))
