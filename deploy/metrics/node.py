"""What a node tells of its cameras, its spool and its duties: values read by the uploader for each scrape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge

from recorder.uploader import Backlog
from segments.clock import US_PER_S
from segments.model import CameraState, Cause, FragmentState


@dataclass(frozen=True, slots=True)
class SpoolFacts:
    """The spool and its disk, in bytes; `backlog` by how far what waits has come; `refusing`: new footage finds no room."""

    used_bytes: int
    limit_bytes: int
    free_bytes: int
    refusing: bool = False
    backlog: Mapping[FragmentState, Backlog] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """The node as a place: recorders connected and wanted, cameras they have room for and carry, duties held and wanted by kind."""

    recorders: int
    recorders_wanted: int
    room: int
    load: int
    duties: Mapping[str, int] = field(default_factory=dict)
    duties_wanted: Mapping[str, int] = field(default_factory=dict)
    """Of the whole site."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """Everything at one moment. `fragments`: how many ever reached each state here, buffered: how many are in it now.

    `silent_s`: the longest time for which a camera that is recording has had nothing made durable.
    """

    now_us: int
    cameras: Mapping[tuple[CameraState, Cause | None], int]
    fragments: Mapping[FragmentState, int]
    silent_s: float
    sync_s: float
    spool: SpoolFacts
    place: PlaceFacts
    alarms: int


class NodeMetrics:
    """The instruments of the uploader, set from facts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(f"keepsight_{name}", what, labels, registry=registry)

        self._cameras = gauge("cameras", "Cameras of this node by state, and by cause where they are not recording.", "state", "cause")
        self._buffered = gauge("fragments_buffered", "Fragments written that a power cut could still take.")
        self._fragments = Counter("keepsight_fragments", "Fragments that became durable, stored and indexed.", ["state"], registry=registry)
        self._silent = gauge("footage_silent_seconds", "Longest time for which a camera that is recording had nothing made durable.")
        self._sync = gauge("sync_round_seconds", "How long the latest group sync took, of the slowest recorder.")
        self._used = gauge("spool_bytes", "Bytes the spool takes on its disk.")
        self._limit = gauge("spool_limit_bytes", "Bytes the spool may take (spool.max_bytes).")
        self._free = gauge("spool_free_bytes", "Bytes the spool's disk has left beside those that are kept free (spool.min_free_bytes).")
        self._refusing = gauge("spool_refusing", "1 while new footage is refused because the spool is full.")
        self._waiting = gauge("spool_segments", "Segments that wait in the spool, by how far they have come.", "state")
        self._oldest = gauge("spool_oldest_seconds", "Age of the oldest footage that waits in the spool; 0 if none does.", "state")
        self._recorders = gauge("recorders_connected", "Recorders connected to this node's uploader.")
        self._recorders_wanted = gauge("recorders_wanted", "Recorders this node should have (fleet.recorders).")
        self._room = gauge("cameras_room", "Cameras the connected recorders have room for.")
        self._load = gauge("cameras_assigned", "Cameras the connected recorders carry.")
        self._held = gauge("duties_held", "Duties this node holds a lease of, by kind.", "kind")
        self._wanted = gauge("duties_wanted", "Duties of the whole site that somebody should hold, by kind.", "kind")
        self._alarms = gauge("alarms", "Alarms of this node that a person must look at.")
        self._before: dict[FragmentState, int] = {}

    def show(self, facts: NodeFacts) -> None:
        """Sets everything. Cameras, kinds and backlogs that are no more are told no more."""
        for gauge in (self._cameras, self._held, self._wanted, self._waiting, self._oldest):
            gauge.clear()
        for (state, cause), count in facts.cameras.items():
            self._cameras.labels(state.value, cause.value if cause is not None else "").set(count)
        self._show_footage(facts)
        self._show_spool(facts.spool, facts.now_us)
        self._show_place(facts.place)
        self._alarms.set(facts.alarms)

    def _show_footage(self, facts: NodeFacts) -> None:
        """A recorder that starts anew counts from nothing: what it lost of the sum is not taken back, and rises are told on."""
        for state in (FragmentState.DURABLE, FragmentState.STORED, FragmentState.INDEXED):
            now = facts.fragments.get(state, 0)
            self._fragments.labels(state.value).inc(max(0, now - self._before.get(state, 0)))
            self._before[state] = now
        self._buffered.set(facts.fragments.get(FragmentState.BUFFERED, 0))
        self._silent.set(facts.silent_s)
        self._sync.set(facts.sync_s)

    def _show_spool(self, spool: SpoolFacts, now_us: int) -> None:
        self._used.set(spool.used_bytes)
        self._limit.set(spool.limit_bytes)
        self._free.set(spool.free_bytes)
        self._refusing.set(spool.refusing)
        for state, backlog in spool.backlog.items():
            self._waiting.labels(state.value).set(backlog.files)
            self._oldest.labels(state.value).set(max(0.0, (now_us - backlog.oldest_us) / US_PER_S) if backlog.files else 0)

    def _show_place(self, place: PlaceFacts) -> None:
        self._recorders.set(place.recorders)
        self._recorders_wanted.set(place.recorders_wanted)
        self._room.set(place.room)
        self._load.set(place.load)
        for kind, count in place.duties.items():
            self._held.labels(kind).set(count)
        for kind, count in place.duties_wanted.items():
            self._wanted.labels(kind).set(count)
