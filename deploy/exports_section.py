"""The section of the configuration that says what export jobs may take, and where their results lie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from deploy.sections import GIB, Section
from deploy.store_sections import FilePool, Pool

if TYPE_CHECKING:
    from deploy.settings import Settings


class ExportsSettings(Section):
    """Export jobs: limits, where results lie, and with what pictures are made anew."""

    pool: Pool | None = None
    """The pool of results, which is no pool of footage; none: a folder of the site's with the local fleet, no export jobs with another."""
    running: int = Field(1, ge=1, le=16)
    """Jobs a node makes at a time."""
    threads: int = Field(1, ge=1, le=64)
    """Threads of each of the encoder's parts."""
    waiting: int = Field(100, ge=1, le=10_000)
    waiting_per_subject: int = Field(10, ge=1, le=10_000)
    max_span_hours: int = Field(168, ge=1, le=24 * 366)
    """Footage of one job, summed over its cameras."""
    max_result_bytes: int = Field(50 * GIB, ge=1 << 20)
    min_free_bytes: int = Field(GIB, ge=0)
    """What a job leaves free of the disks it writes to."""
    keep_hours: int = Field(48, ge=1, le=24 * 366)
    remember_days: int = Field(30, ge=1, le=3660)
    ffmpeg: Path | None = None
    font_file: Path | None = None
    time_zone: str = "UTC"
    """Of the time in a watermark."""

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone: write it as Asia/Shanghai") from None
        return name


def exports_pool(settings: Settings) -> Pool | None:
    """Where results of export jobs lie; None: there are no export jobs, as every node would need the same folder."""
    alone = settings.fleet.kind == "local"
    return settings.exports.pool or (FilePool(folder=settings.site.folder / "exports") if alone else None)
