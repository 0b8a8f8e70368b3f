"""What the parts of an uploader know, gathered for its metrics, its health and its status."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.health import told_part
from deploy.metrics.backup import BackupMetrics
from deploy.metrics.copies import CopyMetrics
from deploy.metrics.node import NodeFacts, NodeMetrics, PlaceFacts, SpoolFacts
from deploy.metrics.platforms import PlatformMetrics
from deploy.metrics.retention import RetentionMetrics, retention_facts
from deploy.metrics.scrub import ScrubMetrics
from deploy.metrics.silence import WatchedEdge
from deploy.metrics.sites import SiteMetrics
from deploy.metrics.usage import UsageMetrics
from deploy.node_place import NodePlace
from deploy.settings import Settings
from deploy.watch import Watch
from recorder.link import Counts
from recorder.spool_folder import SpoolKind, free_bytes, spool_usage
from recorder.uploader import Backlog, Uploader
from segments.clock import Clock
from segments.duty import LANE_OF, RECORD, SUPERVISE
from segments.model import CameraState, FragmentState
from segments.ports import Records


@dataclass(frozen=True, slots=True)
class NodeParts:
    """The parts of a running uploader."""

    settings: Settings
    uploader: Uploader
    place: NodePlace
    live: WatchedEdge
    index: Records
    clock: Clock

    @property
    def alarms(self) -> list[str]:
        """What a person must look at."""
        full = ["the spool is full: new footage is refused until some is uploaded"] if self.refusing else []
        return [*self.uploader.alarms, *self.place.shards.alarms, *self.place.placer.alarms, *full]

    @property
    def refusing(self) -> bool:
        """Whether new footage finds no room in the spool."""
        return any(counts.spool_full for counts in self.place.shards.counts())


def watch_node(watch: Watch, parts: NodeParts) -> None:
    """Adds the node to what is told of the program."""
    metrics, retention = NodeMetrics(watch.metrics.registry), RetentionMetrics(watch.metrics.registry)
    backup = BackupMetrics(watch.metrics.registry, parts.settings)
    usage = UsageMetrics(watch.metrics.registry)
    scrub = ScrubMetrics(watch.metrics.registry)
    sites = SiteMetrics(watch.metrics.registry)
    copies = CopyMetrics(watch.metrics.registry, parts.clock)
    platforms = PlatformMetrics(watch.metrics.registry, parts.clock)

    async def sample() -> None:
        metrics.show(await node_facts(parts))

    async def sample_retention() -> None:
        supervises = any(duty.kind == SUPERVISE for duty in parts.place.holder.held())
        retention.show(await retention_facts(parts.index, parts.clock.now_us()) if supervises else None)
        await backup.sample(parts.index, supervises=supervises)
        await usage.sample(parts.index, supervises=supervises)
        await scrub.sample(parts.index, supervises=supervises)
        await sites.sample(parts.index, supervises=supervises)
        await copies.sample(parts.index, supervises=supervises)
        await platforms.sample(parts.index, supervises=supervises)

    watch.metrics.sample_with(sample)
    watch.metrics.sample_with(sample_retention)
    watch.parts += [
        told_part("spool", lambda: spool_trouble(parts), needed=True),
        told_part("recorders", lambda: "" if parts.place.shards.report().recorders else "no recorder is connected"),
    ]


def spool_trouble(parts: NodeParts) -> str:
    """What is wrong with the spool, in a sentence; empty if nothing is."""
    if not os.access(parts.settings.spool_folder, os.W_OK | os.X_OK):
        return f"{parts.settings.spool_folder} cannot be written to"
    return "the spool is full: new footage is refused" if parts.refusing else ""


def node_status(parts: NodeParts) -> Mapping[str, object]:
    """The node's part of `GET /status`."""
    return {
        "cameras": parts.place.shards.camera_states(),
        "fragments": fragments(parts.place.shards.counts(), parts.uploader),
        "spool": {
            "bytes": spool_usage(parts.settings.spool_folder),
            "limit": parts.settings.spool.max_bytes,
            "segments": parts.uploader.waiting,
        },
        "alarms": parts.alarms,
    }


async def node_facts(parts: NodeParts) -> NodeFacts:
    """All of it, now; the disk is asked in a thread."""
    counts, states = parts.place.shards.counts(), parts.place.shards.present()
    spool = await asyncio.to_thread(_spool, parts)
    recording = [change.camera for change in states if change.state is CameraState.RECORDING]
    return NodeFacts(
        now_us=parts.clock.now_us(),
        cameras=Counter((change.state, change.cause) for change in states),
        fragments=fragments(counts, parts.uploader),
        silent_s=parts.live.silent_s(recording),
        sync_s=max((one.sync_s for one in counts), default=0.0),
        spool=spool,
        place=_place(parts),
        alarms=len(parts.alarms),
    )


def fragments(counts: Sequence[Counts], uploader: Uploader) -> dict[FragmentState, int]:
    """How many fragments have come how far."""
    return {
        FragmentState.BUFFERED: sum(one.buffered for one in counts),
        FragmentState.DURABLE: sum(one.durable for one in counts),
        FragmentState.STORED: uploader.stored,
        FragmentState.INDEXED: uploader.indexed,
    }


def _spool(parts: NodeParts) -> SpoolFacts:
    settings, backlog = parts.settings, parts.uploader.backlog
    return SpoolFacts(
        used_bytes=spool_usage(settings.spool_folder),
        limit_bytes=settings.spool.max_bytes,
        free_bytes=max(0, free_bytes(settings.spool_folder) - settings.spool.min_free_bytes),
        refusing=parts.refusing,
        backlog={
            FragmentState.DURABLE: backlog.get(SpoolKind.SEALED, Backlog()),
            FragmentState.STORED: backlog.get(SpoolKind.STUB, Backlog()),
        },
    )


def _place(parts: NodeParts) -> PlaceFacts:
    """Duties of lane b are wanted for some shards only, as cameras ask for it: the place that supervises knows how many."""
    place, settings = parts.place.shards.report(), parts.settings
    held = Counter(duty.kind for duty in parts.place.holder.held())
    placed = Counter(duty.kind for duty in parts.place.placer.wanted if duty.kind in LANE_OF)
    wanted = {RECORD["a"]: settings.shards, SUPERVISE: 1, **placed}
    return PlaceFacts(
        recorders=place.recorders,
        recorders_wanted=settings.fleet.recorders,
        room=place.room,
        load=place.load,
        duties={kind: held.get(kind, 0) for kind in (*RECORD.values(), SUPERVISE)},
        duties_wanted=wanted,
    )
