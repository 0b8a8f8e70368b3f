"""Footage as files: any span of a camera as playable mp4s that are written nowhere, what they are made of, and their bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from playback.access import needs
from playback.asked import AskedSpan, CameraId, check_length
from playback.byte_range import asked_range
from playback.consumers.delivered import seconds_of_file
from playback.consumers.passages import delivers
from playback.export import Parts, find_parts, gaps_of
from playback.file_answers import FootageFiles, Gaps, Manifest
from playback.file_bytes import begun, file_bytes
from playback.file_parts import Part
from playback.footage import no_footage
from playback.gate import admit
from playback.layouts import Layouts
from playback.limits import COSTLY
from playback.links import MP4, handed_on
from playback.problems import NoFootage, described
from playback.segment_routes import IfRangeHeader, Mp4Response, RangeHeader
from playback.services import Given, Services
from playback.snapshot_routes import TIME_HEADER
from playback.virtual_mp4 import MAX_FILE_US, Gap, VirtualMp4, manifest
from segments.access import Verb
from segments.audit import Action
from segments.clock import US_PER_DAY, iso, to_datetime
from segments.errors import BadInput, NotFound
from segments.model import Span

router = APIRouter()

MAX_LIST_US = 7 * US_PER_DAY
"""Longest span of a list: 10,000 segments of a minute."""

_BY_LINK = [*needs(Verb.EXPORT, MP4), COSTLY]
_SEARCH = [*needs(Verb.EXPORT, action=Action.SEARCH), COSTLY]
_HEADERS = {"Cache-Control": "no-store", "Accept-Ranges": "bytes"}
_MP4 = {"content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {**_MP4, "description": "The whole file"},
    206: {**_MP4, "description": "The range asked for"},
    304: {"description": "It is still the file of the ETag given"},
    307: {"description": "Opened by a link: the same file, by a token that lives as long as it takes to watch"},
    **described(403, 404, 416, 429, 502, 503),
}

GapsQuery = Annotated[Gaps, Query(description="What becomes of times without footage: left out, or the last picture held")]
NoneMatchHeader = Annotated[str | None, Header(alias="If-None-Match", description="ETags of files one has; 304 if it is one of them")]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which file."""

    camera: str
    span: Span
    part: int | None
    hold: bool


async def _asked(
    camera: CameraId,
    span: AskedSpan,
    part: Annotated[int | None, Query(ge=1, le=10_000, description="Which file, where the codec changes within the span; from 1")] = None,
    gaps: GapsQuery = Gaps.OUT,
) -> _Asked:
    return _Asked(camera, span, part, gaps is Gaps.HOLD)


AskedFile = Annotated[_Asked, Depends(_asked)]


# --- the list --------------------------------------------------------------------------------------------------------


@router.get("/cameras/{camera}/footage", dependencies=_SEARCH, responses={200: {"model": FootageFiles}, **described(404, 429, 502, 503)})
async def files(request: Request, services: Given, camera: CameraId, span: AskedSpan, gaps: GapsQuery = Gaps.OUT) -> Response:
    """The footage of a camera over at most 7 days as files of at most 24 h, and the times that are in none of them, with causes."""
    check_length(span, MAX_LIST_US, "list of files")
    layouts = _layouts(request) if span.end_us - span.start_us <= MAX_FILE_US else None
    listed: list[dict[str, object]] = []
    missing: list[Gap] = []
    headers: dict[str, str] = {}
    for start_us in range(span.start_us, span.end_us, MAX_FILE_US):
        window = Span(start_us, min(start_us + MAX_FILE_US, span.end_us))
        found = await _found(services, camera, window, hold=gaps is Gaps.HOLD)
        for number, part in enumerate(found.parts if found else (), start=1):
            laid = await layouts.of(services, part) if layouts else None
            listed.append(_listed(part, laid, _query(window, number, gaps)))
        missing += await gaps_of(services, camera, window, found.rows if found else ())
        headers |= found.beside.headers if found else {}
    if not listed:
        raise await no_footage(services, camera, span)
    answer = {"camera": camera, "from": iso(span.start_us), "to": iso(span.end_us), "files": listed}
    return JSONResponse(answer | {"gaps": [_gap(gap) for gap in missing]}, headers=headers | {"Cache-Control": "no-store"})


async def _found(services: Services, camera: str, window: Span, *, hold: bool) -> Parts | None:
    try:
        return await find_parts(services, camera, window, hold=hold)
    except NoFootage:
        return None


def _listed(part: Part, laid: VirtualMp4 | None, query: str) -> dict[str, object]:
    return {
        "file": f"footage.mp4?{query}",
        "manifest": f"footage.json?{query}",
        "from": iso(part.wall.start_us),
        "to": iso(part.wall.end_us),
        "codecs": part.cuts[0].row.codecs,
        "etag": part.etag,
        "segments": len(part.cuts),
        "footage_bytes": part.content_bytes,
        "size": laid.size if laid else None,
        "frames": laid.pictures if laid else None,
    }


def _query(window: Span, number: int, gaps: Gaps) -> str:
    """The same span to the microsecond: a millisecond less would begin a GOP earlier."""
    start, end = (to_datetime(us).isoformat().replace("+00:00", "Z") for us in window)
    return urlencode({"from": start, "to": end, "part": number} | ({} if gaps is Gaps.OUT else {"gaps": gaps.value}), safe=":")


def _gap(gap: Gap) -> dict[str, object]:
    return {"from": iso(gap.start_us), "to": iso(gap.end_us), "cause": gap.cause}


# --- one file --------------------------------------------------------------------------------------------------------


@router.get("/cameras/{camera}/footage.json", dependencies=_SEARCH, responses={200: {"model": Manifest}, **described(404, 429, 502, 503)})
async def file_manifest(request: Request, services: Given, asked: AskedFile) -> Response:
    """The manifest of a file: what it is made of, and which second of it shows which moment. A search: it shows no picture."""
    found, part = await _chosen(services, asked)
    laid = await _layouts(request).of(services, part)
    gaps = [gap for gap in await gaps_of(services, asked.camera, asked.span, found.rows) if _touches(gap, part.wall)]
    return JSONResponse(manifest(laid, gaps), headers={"Cache-Control": "no-store", **found.beside.headers})


def _touches(gap: Gap, wall: Span) -> bool:
    return gap.start_us < wall.end_us and wall.start_us < gap.end_us


@router.get("/cameras/{camera}/footage.mp4", dependencies=_BY_LINK, response_class=Mp4Response, responses=_ANSWERS)
async def file(
    request: Request,
    services: Given,
    asked: AskedFile,
    wanted: RangeHeader = None,
    if_range: IfRangeHeader = None,
    if_none_match: NoneMatchHeader = None,
) -> Response:
    """The footage of a span of at most 24 h as one mp4: the stored bytes, whole or a range of the file."""
    if (elsewhere := handed_on(request)) is not None:
        return elsewhere
    part, headers = await _let(request, services, asked)
    if _is_one_of(headers["ETag"], if_none_match):
        return Response(None, 304, headers)
    laid = await _layouts(request).of(services, part)
    ranged = asked_range(wanted, laid.size) if if_range is None or if_range == headers["ETag"] else None
    start, end = ranged or (0, laid.size)
    seconds_of = seconds_of_file(len(laid.head), laid.ranges, start)
    await delivers(request, Action.EXPORT, asked.camera, part.wall.start_us, end - start, seconds_of)
    headers |= {"Content-Length": str(end - start)}
    headers |= {"Content-Range": f"bytes {start}-{end - 1}/{laid.size}"} if ranged else {}
    body: AsyncIterator[bytes] = await begun(file_bytes(services, laid, start, end))
    return StreamingResponse(body, 206 if ranged else 200, headers, Mp4Response.media_type)


@router.head("/cameras/{camera}/footage.mp4", dependencies=_BY_LINK, response_class=Mp4Response, responses=_ANSWERS)
async def file_head(request: Request, services: Given, asked: AskedFile, if_none_match: NoneMatchHeader = None) -> Response:
    """What a GET of the whole file would say, without its bytes; ranges mean nothing to it (RFC 9110, 14.2)."""
    if (elsewhere := handed_on(request)) is not None:
        return elsewhere
    part, headers = await _let(request, services, asked)
    if _is_one_of(headers["ETag"], if_none_match):
        return Response(None, 304, headers)
    laid = await _layouts(request).of(services, part)
    return Mp4Response(None, 200, headers | {"Content-Length": str(laid.size)})


async def _let(request: Request, services: Services, asked: _Asked) -> tuple[Part, dict[str, str]]:
    """The part that is asked for, let pass and written down, and what every answer says of it."""
    found, part = await _chosen(services, asked)
    await admit(request, Action.EXPORT, "exported mp4", [asked.camera], part.wall)
    headers = {**_HEADERS, **found.beside.headers, "ETag": f'"{part.etag}"', TIME_HEADER: iso(part.wall.start_us)}
    return part, headers | {"Content-Disposition": f'attachment; filename="{_name(asked, len(found.parts))}"'}


async def _chosen(services: Services, asked: _Asked) -> tuple[Parts, Part]:
    found = await find_parts(services, asked.camera, asked.span, hold=asked.hold)
    count = len(found.parts)
    if asked.part is None and count > 1:
        raise BadInput(f"the codec changes within the span, so that it makes {count} files: ask for each with `part=1` to `part={count}`")
    number = asked.part or 1
    if number > count:
        raise NotFound(f"there is no part {number}: the span makes {count} file{'s' if count > 1 else ''}")
    return found, found.parts[number - 1]


def _name(asked: _Asked, parts: int) -> str:
    """Of camera and span; ASCII that any system takes (RFC 6266, 4.3): ids have no other characters."""
    start, end = (to_datetime(us).strftime("%Y%m%dT%H%M%SZ") for us in asked.span)
    return f"{asked.camera}_{start}_{end}{f'_part{asked.part}' if parts > 1 else ''}.mp4"


def _is_one_of(etag: str, header: str | None) -> bool:
    """Whether it is in an If-None-Match (RFC 9110, 13.1.2), compared weakly."""
    tags = [each.strip().removeprefix("W/") for each in (header or "").split(",")]
    return etag in tags or tags == ["*"]


def _layouts(request: Request) -> Layouts:
    return cast("Layouts", request.app.state.layouts)
