"""`GET /cameras/{camera}/timeline`: footage and gaps with their causes, exact or in buckets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from playback.access import Asker, needs
from playback.asked import AskedSpan, CameraId, check_length
from playback.footage import Beside, LiveEdge, camera_added_us, elsewhere_of, footage_of, live_edge, no_footage
from playback.limits import COSTLY
from playback.missing import missing, within
from playback.problems import described
from playback.services import Given, Services
from playback.timeline_sites import Sited, sited
from segments.access import Verb
from segments.audit import Action
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
    sites: list[str] = Field(description="Where it is; other sites are asked for what is not here, with `sites` for all")


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


@dataclass(frozen=True, slots=True)
class Asked:
    """How the answer is wanted."""

    resolution: int | None
    sites: bool


async def _asked(
    resolution: Annotated[
        int | None, Query(ge=1, le=31 * 86_400, description="Width of buckets in seconds; without it, exact spans where they fit")
    ] = None,
    sites: Annotated[bool, Query(description="Ask all other sites for the whole span, also for what is here")] = False,
) -> Asked:
    return Asked(resolution, sites)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a span, and of its footage at which site."""

    facts: Facts
    by_site: Mapping[str, Sequence[Footage]]
    beside: Beside


@router.get("/cameras/{camera}/timeline", dependencies=[*needs(Verb.VIEW, action=Action.SEARCH), COSTLY], responses=described(404, 429))
async def timeline(
    asker: Asker, services: Given, camera: CameraId, span: AskedSpan, asked: Annotated[Asked, Depends(_asked)], response: Response
) -> Timeline:
    """Footage and gaps of a camera over at most 400 days."""
    check_length(span, MAX_SPAN_US, "timeline")
    if asked.resolution and bucket_count(span, asked.resolution) > MAX_ENTRIES:
        least_s = least_resolution_s(span, MAX_ENTRIES)
        raise BadInput(f"`resolution` {asked.resolution} makes more than {MAX_ENTRIES} buckets: use {least_s} or more")
    await services.consumers.timeline(asker.id, span)
    known = await _known(services, camera, span, all_sites=asked.sites)
    response.headers.update(known.beside.headers)
    return await asyncio.to_thread(_timeline, camera, span, known, asked.resolution)  # of 50,000 runs it takes a second


def _timeline(camera: str, span: Span, known: _Known, resolution: int | None) -> Timeline:
    pieces = coverage(span, known.facts)
    exact = sited(pieces, known.by_site) if resolution is None else []
    if len(exact) > MAX_ENTRIES:
        resolution = least_resolution_s(span, MAX_ENTRIES)
    spans = [_span(piece) for piece in exact] if resolution is None else []
    summed = [_bucket(bucket) for bucket in buckets(span, pieces, resolution)] if resolution else []
    start, end = iso(span.start_us), iso(span.end_us)
    return Timeline.model_validate(
        {"camera": camera, "from": start, "to": end, "resolution_s": resolution or 0, "spans": spans, "buckets": summed}
    )


async def _known(services: Services, camera: str, span: Span, *, all_sites: bool) -> _Known:
    """What is known of a span: from rows up to a day, from runs beyond, without what receipts say was deleted of them."""
    deleted = await deleted_between(services.index, camera, span)
    (here, edge), states, added_us = await asyncio.gather(
        _footage(services, camera, span, deleted), states_between(services.index, camera, span), camera_added_us(services, camera)
    )
    theirs, away = await _elsewhere(services, camera, missing(span, () if all_sites else here, deleted, services.clock.now_us()))
    beside = Beside(live_away=edge.away, sites_away=away)
    footage = [*here, *(one for site in theirs.values() for one in site)]
    if added_us is None and not footage and not deleted:
        raise await no_footage(services, camera, span, beside)
    facts = Facts(footage, states, added_us or 0, services.clock.now_us(), deleted, await elsewhere_of(services, camera))
    return _Known(facts, {services.site: here} | theirs, beside)


async def _elsewhere(services: Services, camera: str, stretches: Sequence[Span]) -> tuple[dict[str, Sequence[Footage]], frozenset[str]]:
    """The footage of each other site in these stretches, and the sites that did not answer."""
    if not stretches or not services.elsewhere.sites:
        return {}, frozenset()
    said = await services.elsewhere.footage(camera, Span(stretches[0].start_us, stretches[-1].end_us))
    return {site: within(footage, stretches) for site, footage in said.by_site.items()}, said.away


async def _footage(services: Services, camera: str, span: Span, deleted: Sequence[Span]) -> tuple[Sequence[Footage], LiveEdge]:
    if span.end_us - span.start_us <= US_PER_DAY:
        return await footage_of(services, camera, span)
    runs, edge = await asyncio.gather(runs_between(services.index, camera, span), live_edge(services, camera, span))
    return outside(footage_of_runs(runs), deleted) + footage_of_rows(edge.rows), edge


def _span(piece: Sited | Gap) -> dict[str, object]:
    if isinstance(piece, Gap):
        return {**_ends(piece), "kind": "gap", "cause": piece.cause, "detail": piece.detail}
    footage = piece.footage
    return {**_ends(footage), "kind": "footage", "run": footage.run, "codecs": footage.codecs, "sites": list(piece.sites)}


def _ends(piece: Footage | Gap) -> dict[str, object]:
    return {"from": iso(piece.start_us), "to": iso(piece.end_us)}


def _bucket(bucket: Bucket) -> dict[str, object]:
    return {
        "from": iso(bucket.start_us),
        "footage_s": bucket.footage_us / US_PER_S,
        "gap_s": bucket.gap_us / US_PER_S,
        "cause": bucket.cause,
    }
