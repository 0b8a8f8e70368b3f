"""What is told: events out of rows, states, holds and exports, each with an id that stays. Pure; never a link, never a secret."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from playback.exports.job import Job, State
from playback.webhooks.cursor import Happening
from playback.webhooks.subscription import EventType
from segments.clock import iso
from segments.digest import Mark
from segments.hold import FOR_EVER_US, Hold
from segments.model import CameraState, StateChange

MAX_NAMED = 100
"""So many cameras and areas are named in a message; there may be more."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `mark` names it within its source, `camera` is '' where it is of none."""

    type: EventType
    at_us: int
    mark: str
    camera: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def happening(self) -> Happening:
        """Its place in its source."""
        return Happening(self.at_us, self.mark)


def message_id(webhook: str, event: Event) -> str:
    """The same for the same event of a webhook, however often and by whomever it is sent."""
    said = f"{webhook}\n{event.type}\n{event.camera}\n{event.mark}"
    return f"msg_{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def message(identity: str, event: Event, site: str) -> bytes:
    """The body that is sent."""
    about = {"site": site, "camera": event.camera or None, "data": event.data}
    said = {"id": identity, "type": event.type, "timestamp": iso(event.at_us), **about}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def stored(marks: Iterable[Mark]) -> Iterator[Event]:
    """`segment.stored` of rows."""
    for one in marks:
        data = {
            "from": iso(one.start_us),
            "to": iso(one.end_us),
            "run": one.run,
            "counter": one.counter,
            "bytes": one.size,
            "sha256": one.sha256,
        }
        yield Event(EventType.SEGMENT_STORED, one.start_us, f"s{one.start_us:x}.{one.run}.{one.counter}", one.camera, data)


def gaps(before: StateChange | None, states: Sequence[StateChange]) -> Iterator[Event]:
    """`gap.opened` where recording stops, `gap.closed` where it goes on; `before` is the state in force before the first."""
    for change in states:
        recorded, records = before is not None and before.state is CameraState.RECORDING, change.state is CameraState.RECORDING
        if recorded and not records:
            data = {"from": iso(change.at_us), "cause": change.cause, "detail": change.detail}
            yield Event(EventType.GAP_OPENED, change.at_us, f"o{change.at_us:x}", change.camera, data)
        elif records and before is not None and not recorded:
            data = {"to": iso(change.at_us), "cause": before.cause}
            yield Event(EventType.GAP_CLOSED, change.at_us, f"c{change.at_us:x}", change.camera, data)
        before = change


def placed(holds: Iterable[Hold], cameras: Mapping[str, Sequence[str]]) -> Iterator[Event]:
    """`hold.placed` of holds; `cameras` are those of each that the webhook may know of."""
    for hold in holds:
        data = {
            "hold": hold.id,
            "case": hold.case,
            "from": iso(hold.start_us),
            "to": None if hold.end_us >= FOR_EVER_US else iso(hold.end_us),
            "cameras": list(cameras[hold.id][:MAX_NAMED]),
            "camera_count": len(cameras[hold.id]),
            "areas": list(hold.areas[:MAX_NAMED]),
        }
        yield Event(EventType.HOLD_PLACED, hold.placed_us, hold.id, data=data)


def ready(jobs: Iterable[Job]) -> Iterator[Event]:
    """`export.ready` of jobs whose result is there."""
    for job in jobs:
        if job.state is State.DONE and job.result is not None:
            data = {
                "export": job.id,
                "form": job.form,
                "bytes": job.result.size,
                "sha256": job.result.sha256,
                "expires": iso(job.expires_us),
                "cameras": list(job.cameras[:MAX_NAMED]),
                "camera_count": len(job.cameras),
            }
            yield Event(EventType.EXPORT_READY, job.ended_us, job.id, data=data)
