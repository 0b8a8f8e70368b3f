"""What the routes of usage answer."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, Field


class UsageLine(BaseModel):
    """What some cameras recorded over the days, and what is kept of them now. A figure is null where it would be divided by nothing."""

    of: dict[str, str | int] = Field(description="Whose it is: what was summed `by`", examples=[{"pool": "main"}])
    cameras: int
    camera_days: int
    segments: int = Field(description="Objects, and rows of the index, one of each a segment")
    recorded_bytes: int
    recorded_s: float
    kept_bytes: int
    held_bytes: int = Field(description="Of the bytes kept, those of camera-days that a legal hold covers")
    bytes_per_camera_day: float | None
    s_per_camera_day: float | None
    objects_per_camera_day: float | None
    rows_per_camera_day: float | None
    requests_per_camera_day: float | None = Field(description="A PUT for each object, and a DELETE later")
    bytes_per_day: float | None
    puts_per_s: float | None
    bit_per_s: float | None
    held_share: float | None


class UsageView(BaseModel):
    """What was recorded on some days, the one that recorded most first."""

    first: date | None = Field(description="Of the days counted on which anything was recorded; null: there is none")
    last: date | None
    days: int
    groups: int = Field(description="How many there are; `lines` has at most `limit` of them")
    lines: list[UsageLine]


class BitrateLine(BaseModel):
    """The bitrates of the cameras of a kind: where 5, 25, 50, 75 and 95 of 100 of them lie below."""

    kind: str = Field(description="Codec and picture size", examples=["avc1 1920x1080"])
    cameras: int
    p05_bit_per_s: float
    p25_bit_per_s: float
    p50_bit_per_s: float
    p75_bit_per_s: float
    p95_bit_per_s: float
    most_bit_per_s: float


class HotCamera(BaseModel):
    """A camera far above its kind: its encoder is probably misconfigured."""

    camera: str
    kind: str = Field(examples=["avc1 1920x1080"])
    area: str
    owner: str
    camera_class: int = Field(alias="class")
    bit_per_s: float
    usual_bit_per_s: float = Field(description="The middle of its kind")
    factor: float
    wasted_bytes_per_day: float


class EncodersView(BaseModel):
    """How encoders are set, and which waste most."""

    bitrates: list[BitrateLine]
    hot: list[HotCamera]
