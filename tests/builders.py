"""Builders of values that start good; a test spoils the one field it is about.

Every builder takes the value's own fields as keywords. What hangs together is kept so: a row's end, key and size follow its start and its
fragments unless they are given.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import Any

from segments.clock import US_PER_S, day_of, from_datetime
from segments.duty import Duty, Place, Placing
from segments.keys import SegmentKey
from segments.media import TIMESCALE
from segments.model import (
    Batch,
    BatchState,
    Camera,
    CameraState,
    Cause,
    Credential,
    Fragment,
    Lease,
    Row,
    Run,
    SealedSegment,
    StateChange,
)

NOON_US = from_datetime(datetime(2026, 3, 14, 12, tzinfo=UTC))
"""Where builders start: 2026-03-14 12:00 UTC, in the middle of a day and of a month."""

SEGMENT_S = 60
FRAGMENT_S = 2
HEADER_BYTES = 1_200
TAIL_BYTES = 9_000
FRAGMENT_BYTES = 1_000_000
KEY_FRAME_BYTES = 250_000
INIT = b"\x00\x00\x00\x08ftyp\x00\x00\x00\x08moov"
CODECS = "avc1.64001f,mp4a.40.2"
RUN = "home-a-1-1"


def at(text: str) -> int:
    """Microseconds of an RFC 3339 moment: `at("2026-03-14T12:00:00Z")`."""
    return from_datetime(datetime.fromisoformat(text))


def a_camera(camera_id: str = "gate", **fields: Any) -> Camera:
    """A camera at the gate, class 3."""
    good: dict[str, Any] = {
        "name": f"Camera {camera_id}",
        "url": f"rtsp://192.0.2.10:554/{camera_id}",
        "camera_class": 3,
        "area": "fujian/xiamen/siming",
        "owner": "harbour office",
        "latitude": 24.4453,
        "longitude": 118.0811,
        "tier": "general",
        "tags": ("gate", "outdoor"),
        "added_us": NOON_US - 86_400 * US_PER_S,
    }
    return Camera(id=camera_id, **good | fields)


def a_credential(**fields: Any) -> Credential:
    """A user with a password."""
    good: dict[str, Any] = {"user": "admin", "password": "correct horse"}
    return Credential(**good | fields)


def some_fragments(count: int = SEGMENT_S // FRAGMENT_S, *, first_pts: int = 10 * TIMESCALE) -> tuple[Fragment, ...]:
    """Fragments of 2 s that follow each other behind a header, each starting with a key frame."""
    step = FRAGMENT_S * TIMESCALE
    return tuple(
        Fragment(HEADER_BYTES + n * FRAGMENT_BYTES, FRAGMENT_BYTES, KEY_FRAME_BYTES, first_pts + n * step, step) for n in range(count)
    )


def a_row(**fields: Any) -> Row:
    """The row of a segment of 60 s at noon; its end, size and key follow `start_us`, `fragments`, `camera`, `run` and `counter`."""
    camera, run = fields.get("camera", "gate"), fields.get("run", RUN)
    start_us, counter = fields.get("start_us", NOON_US), fields.get("counter", 0)
    fragments = fields.get("fragments", some_fragments(first_pts=(10 + counter * SEGMENT_S) * TIMESCALE))
    key = str(SegmentKey(camera, run, start_us, counter))
    good: dict[str, Any] = {
        "camera": camera,
        "start_us": start_us,
        "run": run,
        "counter": counter,
        "end_us": start_us + sum(fragment.duration for fragment in fragments) * US_PER_S // TIMESCALE,
        "size": sum(fragment.length for fragment in fragments) + HEADER_BYTES + TAIL_BYTES,
        "pool": "main",
        "key": key,
        "version": "v1",
        "sha256": hashlib.sha256(key.encode()).hexdigest(),
        "codecs": CODECS,
        "fragments": fragments,
        "clock_synced": True,
    }
    return Row(**good | fields)


def some_rows(count: int, **fields: Any) -> list[Row]:
    """Rows of one run that follow each other without a gap, from `start_us` on."""
    start_us, first = fields.pop("start_us", NOON_US), fields.pop("counter", 0)
    return [a_row(start_us=start_us + n * SEGMENT_S * US_PER_S, counter=first + n, **fields) for n in range(count)]


def a_run(**fields: Any) -> Run:
    """A run that began at noon and has a minute of footage so far."""
    start_us = fields.get("start_us", NOON_US)
    good: dict[str, Any] = {
        "camera": "gate",
        "id": RUN,
        "start_us": start_us,
        "last_us": start_us + SEGMENT_S * US_PER_S,
        "init": INIT,
        "codecs": CODECS,
        "width": 1920,
        "height": 1080,
    }
    return Run(**good | fields)


def a_change(**fields: Any) -> StateChange:
    """The camera begins to record at noon; with a `cause`, it stops to."""
    state = CameraState.RECORDING if fields.get("cause") is None else CameraState.WAITING
    good: dict[str, Any] = {"camera": "gate", "at_us": NOON_US, "state": state, "cause": None}
    return StateChange(**good | fields)


def a_loss(**fields: Any) -> StateChange:
    """The camera is lost at noon."""
    good: dict[str, Any] = {"cause": Cause.CAMERA_AWAY, "detail": "connection refused"}
    return a_change(**good | fields)


def a_batch(**fields: Any) -> Batch:
    """The camera-day of noon, just decided on."""
    day: date = day_of(NOON_US)
    good: dict[str, Any] = {"camera": "gate", "day": day, "state": BatchState.PENDING, "decided_us": NOON_US}
    return Batch(**good | fields)


def a_lease(**fields: Any) -> Lease:
    """The first lease of a recording duty, good for 3 s from noon."""
    good: dict[str, Any] = {
        "duty": Duty("record-a"),
        "holder": "node-1",
        "epoch": 1,
        "expires_us": NOON_US + 3 * US_PER_S,
        "ttl_us": 3 * US_PER_S,
    }
    return Lease(**good | fields)


def a_place(name: str = "node-1", **fields: Any) -> Place:
    """A node with two recorders and some cameras, which can do everything."""
    good: dict[str, Any] = {
        "url": "http://192.0.2.20:8481",
        "kinds": ("record-a", "record-b", "supervise"),
        "recorders": 2,
        "room": 512,
        "load": 40,
        "spooled": (0, 3, 10),
        "of": 16,
        "beat": 1,
    }
    return Place(name=name, **good | fields)


def a_placing(**fields: Any) -> Placing:
    """The first recording duty, to be done by node-1."""
    good: dict[str, Any] = {"duty": Duty("record-a"), "place": "node-1"}
    return Placing(**good | fields)


def a_sealed_segment(*, attributes: tuple[tuple[str, str], ...] = (), **row_fields: Any) -> SealedSegment:
    """A segment on its way to the pool: a row without a version, and the run it belongs to, ending with it."""
    row_fields.setdefault("version", "")
    row = a_row(**row_fields)
    offset_us = row.counter * SEGMENT_S * US_PER_S
    run = a_run(camera=row.camera, id=row.run, start_us=row.start_us - offset_us, last_us=row.end_us, codecs=row.codecs)
    return SealedSegment(row, run, attributes or (("version", "1.0"), ("source", row.camera)))
