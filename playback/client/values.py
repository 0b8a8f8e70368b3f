"""What the service says, as values. All moments are aware datetimes in UTC; what is not known is None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera and what it is doing."""

    id: str
    name: str
    camera_class: int
    area: str
    owner: str
    state: str
    cause: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Footage, or a gap with its one cause; it ends before `end`."""

    start: datetime
    end: datetime
    kind: Literal["footage", "gap"]
    run: str = ""
    codecs: str = ""
    sites: tuple[str, ...] = ()
    cause: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Bucket:
    """How much of a stretch of time has footage."""

    start: datetime
    footage_s: float
    gap_s: float
    cause: str | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """What there is of a camera: exact stretches, or buckets of `resolution_s` seconds where these would be too many."""

    camera: str
    start: datetime
    end: datetime
    resolution_s: int
    stretches: Sequence[Stretch]
    buckets: Sequence[Bucket]

    @property
    def footage_s(self) -> float:
        """How much footage there is, in seconds."""
        exact = sum((one.end - one.start).total_seconds() for one in self.stretches if one.kind == "footage")
        return exact + sum(one.footage_s for one in self.buckets)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A picture (JPEG), and when it was taken."""

    jpeg: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class FootageFile:
    """One mp4 of a span: `address` is below the API; `size` is not known for spans over a day."""

    address: str
    start: datetime
    end: datetime
    codecs: str
    etag: str
    size: int | None


@dataclass(frozen=True, slots=True)
class ExportItem:
    """A camera and the time wanted of it."""

    camera: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Export:
    """An export job. `said` is why it failed or waits; `size` and `sha256` are there when it is done."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled", "expired"]
    progress: float
    said: str
    form: str
    size: int | None
    sha256: str | None
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold; without `end` it has none."""

    id: str
    case: str
    reason: str
    start: datetime
    end: datetime | None
    cameras: tuple[str, ...]
    areas: tuple[str, ...]
    stands: bool


@dataclass(frozen=True, slots=True)
class Link:
    """An address that plays without a key, until it expires."""

    url: str
    expires: datetime


def text_of(moment: datetime) -> str:
    """A moment as the service reads it; raises ValueError for one without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: use datetime(..., tzinfo=UTC)")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def moment_of(text: str) -> datetime:
    """A moment as the service writes it."""
    return datetime.fromisoformat(text)


def moment_or_none(text: str | None) -> datetime | None:
    """The same of one that may be missing."""
    return None if text is None else moment_of(text)


def camera_of(said: Mapping[str, Any]) -> Camera:
    """Of a camera's JSON."""
    state = said["state"]
    known = {name: said[name] for name in ("id", "name", "area", "owner")}
    return Camera(**known, camera_class=said["class"], state=state["state"], cause=state["cause"], since=moment_or_none(state["since"]))


def timeline_of(said: Mapping[str, Any]) -> Timeline:
    """Of a timeline's JSON."""
    stretches = [
        Stretch(
            moment_of(one["from"]),
            moment_of(one["to"]),
            one["kind"],
            one.get("run", ""),
            one.get("codecs", ""),
            tuple(one.get("sites", ())),
            one.get("cause", ""),
            one.get("detail", ""),
        )
        for one in said["spans"]
    ]
    buckets = [Bucket(moment_of(one["from"]), one["footage_s"], one["gap_s"], one["cause"]) for one in said["buckets"]]
    return Timeline(said["camera"], moment_of(said["from"]), moment_of(said["to"]), said["resolution_s"], stretches, buckets)


def file_of(camera: str, said: Mapping[str, Any]) -> FootageFile:
    """Of one entry of a list of files."""
    address = f"cameras/{camera}/{said['file']}"
    return FootageFile(address, moment_of(said["from"]), moment_of(said["to"]), said["codecs"], said["etag"], said["size"])


def export_of(said: Mapping[str, Any]) -> Export:
    """Of an export job's JSON."""
    known = {name: said[name] for name in ("id", "state", "progress", "said", "form", "size", "sha256")}
    return Export(**known, expires=moment_or_none(said["expires"]))


def hold_of(said: Mapping[str, Any]) -> Hold:
    """Of a hold's JSON."""
    known = {name: said[name] for name in ("id", "case", "reason", "stands")}
    return Hold(
        **known, start=moment_of(said["from"]), end=moment_or_none(said["to"]), cameras=tuple(said["cameras"]), areas=tuple(said["areas"])
    )
