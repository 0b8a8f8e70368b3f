"""What `/exports` is asked with and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from playback.asked import Moment
from playback.exports.job import Job
from segments.clock import iso
from segments.keys import CAMERA_ID

MAX_ITEMS = 256
_Camera = Annotated[str, Field(pattern=f"^{CAMERA_ID.pattern}$")]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ItemWanted(_Asked):
    """A camera and a span of it."""

    camera: _Camera
    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> ItemWanted:
        if self.end <= self.start:
            raise ValueError("`to` must be later than `from`")
        return self


class TranscodingWanted(_Asked):
    """Pictures made anew as H.264, which every browser plays. 0: as they are."""

    height: int = Field(0, ge=0, le=4320, description="At most so high, in pixels; smaller pictures stay as they are")
    bitrate_kbps: int = Field(0, ge=0, le=100_000, description="About so many kbit/s")
    watermark: bool = Field(default=False, description="Burn in who exports, their unit, and the running time of the footage")


class ExportWanted(_Asked):
    """An export job. Without `transcode` footage is taken byte for byte as it was stored."""

    items: list[ItemWanted] = Field(min_length=1, max_length=MAX_ITEMS)
    form: Literal["mp4", "zip"] = Field("zip", description="`mp4`: one film of one item; `zip`: any number, with a manifest")
    transcode: TranscodingWanted | None = None
    reason: str = Field("", max_length=1000)

    @model_validator(mode="after")
    def _one_film_of_one_item(self) -> ExportWanted:
        if self.form == "mp4" and len(self.items) > 1:
            raise ValueError("`form` mp4 is one film of one item: ask for zip")
        return self


class ItemView(BaseModel):
    """A camera and a span of it."""

    camera: str
    start: str = Field(alias="from", json_schema_extra={"format": "date-time"})
    end: str = Field(alias="to", json_schema_extra={"format": "date-time"})


class ExportView(BaseModel):
    """An export job."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled", "expired"]
    said: str = Field(description="Why it failed or was put off, in a sentence")
    progress: float = Field(description="0 to 1")
    read_bytes: int = Field(description="Footage read so far")
    made_s: float = Field(description="Film made so far, where pictures are made anew")
    asked: str = Field(json_schema_extra={"format": "date-time"})
    by: str
    unit: str
    reason: str
    form: Literal["mp4", "zip"]
    items: list[ItemView]
    transcode: TranscodingWanted | None
    size: int | None = Field(description="Of the result, once it is there")
    sha256: str | None
    expires: str | None = Field(description="When the result is removed", json_schema_extra={"format": "date-time"})


class ExportList(BaseModel):
    """Export jobs, the newest first."""

    exports: list[ExportView]


def view(job: Job) -> ExportView:
    """A job as it is shown."""
    order = job.transcoding
    return ExportView(
        id=job.id,
        state=job.state.value,
        said=job.said,
        progress=round(job.progress, 4),
        read_bytes=job.read_bytes,
        made_s=round(job.made_s, 2),
        asked=iso(job.asked_us),
        by=job.name,
        unit=job.unit,
        reason=job.reason,
        form=job.form.value,
        items=[ItemView(**{"camera": item.camera, "from": iso(item.start_us), "to": iso(item.end_us)}) for item in job.items],
        transcode=TranscodingWanted(height=order.height, bitrate_kbps=order.bitrate_bps // 1000, watermark=order.watermark)
        if order
        else None,
        size=job.result.size if job.result else None,
        sha256=job.result.sha256 if job.result else None,
        expires=iso(job.expires_us) if job.expires_us else None,
    )
