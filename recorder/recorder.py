"""A recorder: one process, some hundred cameras on one event loop, told by its uploader what to record and in which epoch.

It holds no credential of store or index. If the uploader goes away it goes on recording in its epoch; what it writes waits in the spool.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from recorder.backoff import BackoffSettings, ConnectRate
from recorder.cutter import CutSettings
from recorder.link import Assign, AssignedCamera, Counts, Hello, LeaseIs, Link, Message, Sealed, TakeAway, connect
from recorder.open_fragments import OpenFragments
from recorder.recorded_shard import Means, RecordedShard
from recorder.runner import ROOM_BYTES, SegmentSpool
from recorder.session import RunAbout
from recorder.source import Source
from recorder.spool import OpenSegment, SyncRound
from segments.clock import Clock
from segments.duty import Duty
from segments.errors import DataDamaged
from segments.model import Cause, Fragment

log = logging.getLogger(__name__)

SYNC_EVERY_S = 1.0
RECONNECT_S = 0.5
MIND_LEASE_S = 0.25
SPEAK_S = 1.5
"""So long after its last word on its counts a recorder says them again, whatever its disk does: a silent one is taken for hung."""


class RoundSync(Protocol):
    """Makes everything written so far durable, for all cameras of a disk at once."""

    async def round(self) -> SyncRound:
        """One group sync; says what became durable, what was sealed, and what failed."""


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """What one recorder is told at its start."""

    name: str
    cut: CutSettings = field(default_factory=CutSettings)
    backoff: BackoffSettings = field(default_factory=BackoffSettings)


class Recorder:
    """Records what it is assigned; the shell around shards, spool and link."""

    def __init__(
        self,
        settings: RecorderSettings,
        *,
        spool: SegmentSpool,
        sync: RoundSync,
        open_source: Callable[[AssignedCamera], Awaitable[Source]],
        clock: Clock,
        clock_synced: Callable[[], bool],
    ) -> None:
        self._name = settings.name
        self._spool = spool
        self._sync = sync
        self._clock = clock
        self._link: Link | None = None
        self._runs: Counter[int] = Counter()
        self._shards: dict[Duty, RecordedShard] = {}
        self._open: dict[OpenSegment, OpenFragments] = {}
        self._buffered = self._durable = 0
        self._told_ns = self._sync_began_ns = clock.monotonic_ns()
        self._means = Means(
            cut=settings.cut,
            backoff=settings.backoff,
            spool=spool,
            open_source=open_source,
            clock=clock,
            clock_synced=clock_synced,
            rate=ConnectRate(clock),
            fragments=self,
            tell=self._tell,
            next_run=self._next_run,
        )

    async def run(self, socket_path: str) -> None:
        """Records until cancelled; then every run is ended, made durable and sealed before it returns."""
        speaking = asyncio.create_task(self._speak())
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._sync_rounds())
                tasks.create_task(self._mind_leases())
                tasks.create_task(self._keep_link(socket_path))
        finally:
            try:
                await asyncio.shield(self.drain())
            finally:
                speaking.cancel()

    async def drain(self) -> None:
        """Ends all runs in order; two rounds make their ends durable and their segments sealed."""
        for shard in self._shards.values():
            shard.end(Cause.RECORDER_AWAY, "the recorder was stopped")
        if self._means.closing:
            await asyncio.wait(list(self._means.closing.values()))
        for _ in range(2):
            await self._sync_round()
        if self._link is not None:
            await self._link.close_said()

    # --- the uploader's word ---

    async def _keep_link(self, socket_path: str) -> None:
        while True:
            try:
                self._link = await connect(socket_path)
            except OSError:
                await self._clock.sleep(RECONNECT_S)
                continue
            self._greet(self._link)
            await self._listen(self._link)  # cancelled here, the link stays: the last words go over it
            self._link.close()
            self._link = None
            for shard in self._shards.values():
                shard.uploader_is_gone()
            log.warning("uploader.gone: the uploader is gone; recording goes on, footage waits in the spool")
            await self._clock.sleep(RECONNECT_S)

    async def _listen(self, link: Link) -> None:
        try:
            while (message := await link.receive()) is not None:
                self._told(message)
        except DataDamaged as error:
            log.error("uploader.unreadable: the uploader cannot be understood: %s", error)

    def _greet(self, link: Link) -> None:
        """Says all there is to know, so that a new uploader stands where the old one stood."""
        link.send(Hello(self._name, tuple(shard.holding for shard in self._shards.values())))
        for shard in self._shards.values():
            for state in shard.said():
                link.send(state)
        for entry in self._open.values():
            link.send(entry.word())

    def _told(self, message: Message) -> None:
        match message:
            case Assign():
                self._shards.setdefault(message.duty, RecordedShard(message.duty, self._means)).assign(message)
            case LeaseIs() if message.duty in self._shards:
                self._shards[message.duty].lease_is(message)
            case TakeAway() if message.duty in self._shards and self._shards[message.duty].epoch <= message.epoch:
                self._shards.pop(message.duty).end(message.cause, message.detail)
            case _:
                pass

    def _next_run(self, epoch: int) -> int:
        """Numbers are counted for as long as this recorder lives: a duty it gets again must not use one twice."""
        self._runs[epoch] += 1
        return self._runs[epoch]

    # --- durability ---

    async def _sync_rounds(self) -> None:
        while True:
            await self._clock.sleep(SYNC_EVERY_S)
            await self._sync_round()

    async def _sync_round(self) -> None:
        self._sync_began_ns = self._clock.monotonic_ns()
        done = await self._sync.round()
        for segment, durable_bytes in done.acknowledged:
            self._acknowledge(segment, durable_bytes)
        for segment in done.sealed:
            self._open.pop(segment, None)
            self._tell(Sealed(segment.camera, segment.run, segment.counter))
        for segment in done.failed:
            for shard in self._shards.values():
                shard.segment_failed(segment)
        self._tell_counts()

    async def _speak(self) -> None:
        while True:
            await self._clock.sleep(SPEAK_S / 3)
            if self._clock.monotonic_ns() - self._told_ns >= SPEAK_S * 1e9:
                self._tell_counts()

    def _tell_counts(self) -> None:
        """Also while a sync is under way: its time so far."""
        self._told_ns = self._clock.monotonic_ns()
        sync_s = (self._told_ns - self._sync_began_ns) / 1e9
        self._tell(Counts(self._buffered, self._durable, not self._spool.has_room(ROOM_BYTES), sync_s))

    def _acknowledge(self, segment: OpenSegment, durable_bytes: int) -> None:
        entry = self._open.get(segment)
        word = entry.acknowledge(durable_bytes) if entry is not None else None
        if word is not None:
            self._buffered -= len(word.fragments)
            self._durable += len(word.fragments)
            self._tell(word)

    async def _mind_leases(self) -> None:
        while True:
            await self._clock.sleep(MIND_LEASE_S)
            for shard in self._shards.values():
                shard.mind_lease()

    # --- Fragments ---

    def buffered(self, segment: OpenSegment, fragment: Fragment, end_us: int, about: RunAbout) -> None:
        """See `recorded_shard.Fragments`."""
        entry = self._open.get(segment)
        if entry is None:
            entry = self._open[segment] = OpenFragments(segment, about)
        entry.add(fragment, end_us)
        self._buffered += 1

    def torn(self, segment: OpenSegment) -> None:
        """See `recorded_shard.Fragments`."""
        entry = self._open.pop(segment, None)
        if entry is not None:
            self._buffered -= entry.buffered

    def _tell(self, message: Message) -> None:
        if self._link is not None:
            self._link.send(message)
