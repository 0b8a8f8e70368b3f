"""`GET /cameras/{camera}/timeline`: footage and gaps with their causes, exact or in buckets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from playback.access import Verb, needs
from playback.asked import AskedSpan, CameraId, check_length
from playback.footage import LiveEdge, camera_added_us, footage_of, live_edge, no_footage
from playback.limits import COSTLY
from playback.problems import described
from playback.services import Given, Services
from segments.clock import US_PER_DAY, US_PER_S, iso
from segments.coverage import Bucket, Facts, Gap, bucket_count, buckets, coverage, least_resolution_s
from segments.errors import BadInput
from segments.model import Cause, Footage, Span
from segments.timeline import deleted_between, footage_of_rows, footage_of_runs, outside, runs_between, states_between

MAX_SPAN_US = 400 * US_PER_DAY
MAX_ENTRIES = 2000
"""Most spans, or buckets, of one answer."""

router = APIRouter()


class FootageSpan(BaseModel):
    """A span with footage, all of one run."""

    start: str = Field(alias="from", json_schema_extra={"format": "date-time"})
    end: str = Field(alias="to", json_schema_extra={"format": "date-time"})
    kind: Literal["footage"] = "footage"
    run: str
    codecs: str = Field(description="RFC 6381, as in `avc1.64001f,mp4a.40.2`")


class GapSpan(BaseModel):
    """A span without footage, and why."""

    start: str = Field(alias="from", json_schema_extra={"format": "date-time"})
    end: str = Field(alias="to", json_schema_extra={"format": "date-time"})
    kind: Literal["gap"] = "gap"
    cause: Cause
    detail: str = Field(description="A sentence for people, often empty")


class TimelineBucket(BaseModel):
    """How much of a stretch has footage, and the cause behind most of what has none."""

    start: str = Field(alias="from", json_schema_extra={"format": "date-time"})
    footage_s: float
    gap_s: float
    cause: Cause | None


class Timeline(BaseModel):
    """What there is of a camera: each moment of the span in exactly one of the spans, or summed up in buckets."""

    camera: str
    start: str = Field(alias="from", json_schema_extra={"format": "date-time"})
    end: str = Field(alias="to", json_schema_extra={"format": "date-time"})
    resolution_s: int = Field(description="Width of the buckets; 0: exact spans")
    spans: list[Annotated[FootageSpan | GapSpan, Field(discriminator="kind")]]
    buckets: list[TimelineBucket]


Resolution = Annotated[
    int | None, Query(ge=1, le=31 * 86_400, description="Width of buckets in seconds; without it, exact spans where they fit")
]


@router.get("/cameras/{camera}/timeline", dependencies=[*needs(Verb.VIEW), COSTLY], responses=described(404, 429))
async def timeline(services: Given, camera: CameraId, span: AskedSpan, response: Response, resolution: Resolution = None) -> Timeline:
    """Footage and gaps of a camera over at most 400 days."""
    check_length(span, MAX_SPAN_US, "timeline")
    if resolution and bucket_count(span, resolution) > MAX_ENTRIES:
        raise BadInput(
            f"`resolution` {resolution} makes more than {MAX_ENTRIES} buckets: use {least_resolution_s(span, MAX_ENTRIES)} or more"
        )
    facts, edge = await _facts(services, camera, span)
    response.headers.update(edge.headers)
    return await asyncio.to_thread(_timeline, camera, span, facts, resolution)  # of 50,000 runs it takes a second


def _timeline(camera: str, span: Span, facts: Facts, resolution: int | None) -> Timeline:
    pieces = coverage(span, facts)
    if resolution is None and len(pieces) > MAX_ENTRIES:
        resolution = least_resolution_s(span, MAX_ENTRIES)
    spans = [_span(piece) for piece in pieces] if resolution is None else []
    summed = [_bucket(bucket) for bucket in buckets(span, pieces, resolution)] if resolution else []
    start, end = iso(span.start_us), iso(span.end_us)
    return Timeline.model_validate(
        {"camera": camera, "from": start, "to": end, "resolution_s": resolution or 0, "spans": spans, "buckets": summed}
    )


async def _facts(services: Services, camera: str, span: Span) -> tuple[Facts, LiveEdge]:
    """What is known of a span: from rows up to a day, from runs beyond, without what receipts say was deleted of them."""
    deleted = await deleted_between(services.index, camera, span)
    (footage, edge), states, added_us = await asyncio.gather(
        _footage(services, camera, span, deleted), states_between(services.index, camera, span), camera_added_us(services, camera)
    )
    if added_us is None and not footage and not deleted:
        raise await no_footage(services, camera, span)
    return Facts(footage, states, added_us or 0, services.clock.now_us(), deleted), edge


async def _footage(services: Services, camera: str, span: Span, deleted: Sequence[Span]) -> tuple[Sequence[Footage], LiveEdge]:
    if span.end_us - span.start_us <= US_PER_DAY:
        return await footage_of(services, camera, span)
    runs, edge = await asyncio.gather(runs_between(services.index, camera, span), live_edge(services, camera, span))
    return outside(footage_of_runs(runs), deleted) + footage_of_rows(edge.rows), edge


def _span(piece: Footage | Gap) -> dict[str, object]:
    ends = {"from": iso(piece.start_us), "to": iso(piece.end_us)}
    if isinstance(piece, Gap):
        return {**ends, "kind": "gap", "cause": piece.cause, "detail": piece.detail}
    return {**ends, "kind": "footage", "run": piece.run, "codecs": piece.codecs}


def _bucket(bucket: Bucket) -> dict[str, object]:
    return {
        "from": iso(bucket.start_us),
        "footage_s": bucket.footage_us / US_PER_S,
        "gap_s": bucket.gap_us / US_PER_S,
        "cause": bucket.cause,
    }
