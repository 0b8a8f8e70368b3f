"""The values of Keepsight: camera, row, run, state change, batch, lease. Duties are in segments/duty.py.

Times are microseconds since 1970 UTC (`_us`) unless a name says ticks (1/90000 s). Everything is frozen and whole when made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from segments.clock import day_of
from segments.duty import Duty


class Span(NamedTuple):
    """Half-open interval of wall time: `start_us` belongs to it, `end_us` does not."""

    start_us: int
    end_us: int


# --- cameras ---------------------------------------------------------------------------------------------------------


class Sound(StrEnum):
    """What becomes of sound that MP4 cannot hold (G.711, G.726)."""

    AAC = "aac"
    OMIT = "omit"


class Transport(StrEnum):
    """How a camera is reached: our own RTSP client, or libav for everything else and for odd cameras."""

    AUTO = "auto"
    LIBAV = "libav"


@dataclass(frozen=True, slots=True)
class Camera:
    """One video source of the archive. `url` never holds a user or a password: those are sealed apart (`Credentials` port)."""

    id: str
    name: str
    url: str
    camera_class: int = 3
    area: str = ""
    """Path of areas, outermost first, joined by '/': `fujian/xiamen/siming`."""
    owner: str = ""
    latitude: float | None = None
    longitude: float | None = None
    tier: str = ""
    tags: tuple[str, ...] = ()
    enabled: bool = True
    sound: Sound = Sound.AAC
    transport: Transport = Transport.AUTO
    trust_clock: bool = False
    """Whether the sender reports of this camera place its footage on the wall clock."""
    pool: str = ""
    """Its pool by name; empty: by the rules of the settings."""
    twice: bool = False
    """Whether it is recorded in both lanes, by recorders of two nodes, so that the loss of one costs no frame."""
    added_us: int = 0
    home: str = ""  # the site whose camera it is, and whose archive decides what it is; empty: this one


@dataclass(frozen=True, slots=True)
class Credential:
    """User and password of a camera; never printed."""

    user: str
    password: str = field(repr=False)


# --- footage ---------------------------------------------------------------------------------------------------------


class Fragment(NamedTuple):
    """One moof + mdat inside a segment: where it lies and what it covers.

    `offset` and `length` are bytes in the object, `key_length` the bytes from its start to the end of its first key frame (0: it begins
    with none and is not a seek point). `pts` is its first presentation time and `duration` its length, both in ticks.
    """

    offset: int
    length: int
    key_length: int
    pts: int
    duration: int


@dataclass(frozen=True, slots=True)
class Row:
    """The index entry of a segment: a promise that the object is there.

    `start_us`..`end_us` is wall time of its first sample's presentation to the end of its last.
    """

    camera: str
    start_us: int
    run: str
    counter: int
    end_us: int
    size: int
    pool: str
    key: str
    version: str
    sha256: str
    codecs: str
    fragments: tuple[Fragment, ...]
    clock_synced: bool = True

    @property
    def day(self) -> date:
        """The camera-day it belongs to: the UTC date of its start."""
        return day_of(self.start_us)

    @property
    def position(self) -> RowPosition:
        """Its place in its camera-day."""
        return RowPosition(self.start_us, self.run, self.counter)


class Footage(NamedTuple):
    """A stretch of wall time of which there is footage, all of one run."""

    start_us: int
    end_us: int
    run: str
    codecs: str


class RowPosition(NamedTuple):
    """Clustering key of a row in its camera-day; also the cursor of a page."""

    start_us: int
    run: str
    counter: int


@dataclass(frozen=True, slots=True)
class Run:
    """One unbroken connection to a camera under one lease epoch.

    `init` is its ftyp + moov (1-4 kB), good for every segment of it. `last_us` is the end of its last indexed footage and is brought
    forward with each commit; `ended` says that no more will come, and `end_cause` why. `notes` are sentences for people (sound left out,
    clock not synchronised).
    """

    camera: str
    id: str
    start_us: int
    last_us: int
    init: bytes
    codecs: str
    width: int
    height: int
    ended: bool = False
    end_cause: str = ""
    notes: tuple[str, ...] = ()


class Cause(StrEnum):
    """Why there is no footage. The order here is the order of precedence where several hold at once (first wins)."""

    DELETED = "deleted"
    NOT_COMMISSIONED = "not-commissioned"
    FUTURE = "future"
    """Not yet happened, or being recorded just now."""
    ELSEWHERE = "elsewhere"
    """Recorded by another site, in our place or as its own; that site knows why it has nothing either."""
    DISABLED = "disabled"
    RECORDER_AWAY = "recorder-away"
    SPOOL_FULL = "spool-full"
    LOGIN_REFUSED = "login-refused"
    UNSUPPORTED = "unsupported"
    """The camera offers nothing that can be recorded."""
    CAMERA_AWAY = "camera-away"
    """Not reachable, or the connection was lost."""
    MEDIA_STOPPED = "media-stopped"
    """Connected, but no media comes."""
    NO_KEY_FRAME = "no-key-frame"
    RECONNECTING = "reconnecting"
    """A run ended (codec change, broken times) and the next has not begun."""
    UNKNOWN = "unknown"


class CameraState(StrEnum):
    """What a camera is doing now; every state but RECORDING comes with a `Cause`."""

    RECORDING = "recording"
    CONNECTING = "connecting"
    WAITING = "waiting"
    """Backing off before the next try."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StateChange:
    """From `at_us` on, this camera's state is this, for this cause, until its next change.

    `cause` is None exactly when `state` is RECORDING. `detail` is a sentence for people, without secrets.
    """

    camera: str
    at_us: int
    state: CameraState
    cause: Cause | None
    detail: str = ""


class FragmentState(StrEnum):
    """How far a fragment has come; the words used everywhere."""

    BUFFERED = "buffered"
    DURABLE = "durable"
    STORED = "stored"
    INDEXED = "indexed"
    REPLICATED = "replicated"


# --- partitions of the index -------------------------------------------------------------------------------------------


class PartitionKind(StrEnum):
    """What the index keeps in partitions: rows and batches by camera-day, runs and states by camera-month."""

    ROWS = "rows"
    RUNS = "runs"
    STATES = "states"
    BATCHES = "batches"


class Partition(NamedTuple):
    """A camera and a UTC day; of a camera-month, its first day."""

    camera: str
    date: date


# --- deletion and leases -----------------------------------------------------------------------------------------------


class BatchState(StrEnum):
    """Where a camera-day is on its way through deletion, in this order; HELD leads back, from any of them."""

    PENDING = "pending"  # decided; commits that had not seen it come to their end
    LISTED = "listed"  # its rows are in the batch, and are being taken out of the index
    UNPUBLISHED = "unpublished"  # they are out of it; links that were handed out run out
    DELETING = "deleting"  # claimed: a hold that comes now comes too late
    HELD = "held"  # taken back: its rows are being published again


@dataclass(frozen=True, slots=True)
class Batch:
    """The record of a camera-day on its way through deletion; read by key, never scanned as a queue.

    `decided_us` tells it from others of its camera-day; `since_us` is when its state began. `listed_us`: what is published later is not of
    it. `whole`: all rows of the camera-day go. `policy`: the newest version that counted. `finding` says to people why it does not go on.
    """

    camera: str
    day: date
    state: BatchState
    decided_us: int
    since_us: int = 0
    listed_us: int = 0
    whole: bool = False
    policy: int = 0
    finding: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of a place to do a duty; every new holder has a higher epoch, counted over the whole site.

    It lasts `ttl_us` from each renewal. Others see that it is kept by `renewals` rising, and measure its silence by their own clocks:
    `expires_us`, by the holder's wall clock, is for people and for coverage only. `free`: it was given back, and anyone may take it.
    """

    duty: Duty
    holder: str
    epoch: int
    expires_us: int
    ttl_us: int
    renewals: int = 0
    free: bool = False
    previous_expires_us: int = 0
    """When the duty's lease before this one ran out; 0 if there was none."""


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """A whole segment on its way to the pool, beside its bytes: the row it will have (version still empty), its attributes, its run."""

    row: Row
    run: Run
    attributes: tuple[tuple[str, str], ...] = ()
