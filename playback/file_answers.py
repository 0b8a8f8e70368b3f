"""What the routes of files answer with, as the description of the API has it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field, WithJsonSchema

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A moment of an answer, RFC 3339."""


class Gaps(StrEnum):
    """What becomes of times without footage in a file."""

    OUT = "out"
    """They are left out: the file goes on with the next picture there is."""
    HOLD = "hold"
    """The last picture before stands for as long, so that the time of the file runs as the wall clock does."""


class FootageFile(BaseModel):
    """One file that can be had. Its addresses are relative to that of the list."""

    file: str = Field(description="Address of the mp4")
    manifest: str = Field(description="Address of its manifest: which second shows which moment, and the SHA-256 of all it is made of")
    start: Time = Field(alias="from", description="When its first picture was; up to a GOP before what was asked for")
    end: Time = Field(alias="to")
    codecs: str
    etag: str = Field(description="Of the file, without its quotes")
    segments: int
    footage_bytes: int = Field(description="Stored bytes it holds; its own size is that of its head more")
    size: int | None = Field(description="Its exact size; null in lists of over 24 h, where HEAD tells it")
    frames: int | None = Field(description="How many pictures it has; null in lists of over 24 h")


class FileGap(BaseModel):
    """A time without footage, and why."""

    start: Time = Field(alias="from")
    end: Time = Field(alias="to")
    cause: str


class FootageFiles(BaseModel):
    """All footage of a span as files, in order of time: one for each day from its beginning, and for each change of codec."""

    camera: str
    start: Time = Field(alias="from")
    end: Time = Field(alias="to")
    files: list[FootageFile]
    gaps: list[FileGap]


class PlacedSegment(BaseModel):
    """A stored segment in a file."""

    file_s: float = Field(description="Second of the file its first picture is shown at")
    at: Time = Field(description="When that was")
    at_us: int = Field(description="The same in microseconds since 1970 UTC")
    key: str = Field(description="Key of the object")
    sha256: str = Field(description="SHA-256 of the whole object")
    bytes: list[int] = Field(description="Which of its bytes the file holds: start, and end (not in it)")


class PlacedRun(BaseModel):
    """The segments of a run."""

    camera: str
    run: str
    start: Time = Field(alias="from")
    end: Time = Field(alias="to")
    segments: list[PlacedSegment]


class Manifest(BaseModel):
    """What a file is made of, and which second of it shows which moment."""

    layout_version: int
    etag: str
    codecs: str
    size: int
    frames: int
    start: Time = Field(alias="from")
    end: Time = Field(alias="to")
    runs: list[PlacedRun]
    gaps: list[FileGap]
