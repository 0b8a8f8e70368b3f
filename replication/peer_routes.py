"""The routes one site answers another on: a thin skin over a `Source`. Every request is signed; a site's key opens these routes only.

A question is `POST /sites/QUESTION` with its arguments as JSON, the bytes of a segment are `GET /sites/object`
(docs/reference/between-sites.md).
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple, cast

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from replication import wire, wire_site
from replication.admission import OBJECTS, Admission, NotAdmitted
from replication.ports import PROTOCOL
from replication.source import Source, after
from replication.wire_values import as_bytes, items, members, parsed, text, to_json, whole
from segments.errors import BadInput, Conflict, DataDamaged, KeepsightError, NotFound, Refused, TryAgain
from segments.keys import SegmentKey
from segments.model import Row

log = logging.getLogger(__name__)

PROTOCOL_HEADER, ATTRIBUTES, SIZE = "keepsight-protocol", "keepsight-attributes", "keepsight-size"
LINK_S = 30
"""How long a signed link lives."""
DAYS_A_REQUEST = 250
"""Of digests and of camera-days: so an answer takes some seconds at most."""
_SMALL, _LISTS, _HOLDS = 4096, 1 << 19, 16 << 20
"""Of bodies."""
_KINDS: tuple[tuple[type[KeepsightError], int, str], ...] = (
    (NotAdmitted, 401, "not-admitted"),
    (NotFound, 404, "not-found"),
    (BadInput, 422, "bad-input"),
    (Conflict, 409, "conflict"),
    (TryAgain, 503, "try-again"),
    (Refused, 502, "refused"),
    (DataDamaged, 502, "data-damaged"),
)


class _Question(NamedTuple):
    """How a question is answered, how large it may be, and whether it waits its turn: where much is read, and nobody is in a hurry."""

    answer: Callable[[Any], Awaitable[Any]]
    most_bytes: int = _SMALL
    costly: bool = False


def create_peer_app(source: Source, admission: Admission) -> Starlette:
    """The application; `admission` knows who may ask."""
    questions = _questions(source)

    async def ask(request: Request) -> Response:
        question = questions.get(request.path_params["question"])
        if question is None:
            raise NotFound("there is no such question")
        body = await admission.body(request, question.most_bytes)
        async with admission.turn(costly=question.costly):
            return Response(as_bytes(await question.answer(parsed(body))), media_type="application/json")

    async def give(request: Request) -> Response:
        await admission.body(request, 0)
        return await _object(source, request)

    def guarded(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guard(request: Request) -> Response:
            try:
                admission.admit(request)
                _same_protocol(request)
                return await answer(request)
            except KeepsightError as error:
                return _problem(error)
            except ClientDisconnect:
                return Response(status_code=499)

        return guard

    routes = [
        Route(OBJECTS, guarded(give), methods=["GET"]),
        Route("/sites/{question}", guarded(ask), methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={Exception: _unforeseen})


def _questions(source: Source) -> Mapping[str, _Question]:
    """All questions, by their names in addresses. Their arguments are what `PeerClient` sends."""
    return {**_of_footage(source), **_of_site(source)}


def _of_footage(source: Source) -> Mapping[str, _Question]:
    async def digests(value: Any) -> Any:
        (days,) = members(value, "days")
        days = wire.camera_days(items(days, "days", most=DAYS_A_REQUEST))
        return [str(found) for found in await source.digests(days)]

    async def camera_days(value: Any) -> Any:
        after_, limit = members(value, "after", "limit")
        page = await source.camera_days(after=wire.cursor(after_), limit=whole(limit, "limit", least=1, most=DAYS_A_REQUEST))
        return {"days": [[to_json(day), str(digest)] for day, digest in page.items], "next": page.next or ""}

    async def hours(value: Any) -> Any:
        camera, day = members(value, "camera", "day")
        return [str(digest) for digest in await source.hours(wire.camera_id(camera), wire.day(day))]

    async def rows(value: Any) -> Any:
        camera, day, wanted = members(value, "camera", "day", "hours")
        return [wire.row_values(row) for row in await source.rows(wire.camera_id(camera), wire.day(day), wire.hours(wanted))]

    async def run(value: Any) -> Any:
        camera, run = members(value, "camera", "run")
        return to_json(await source.run(wire.camera_id(camera), wire.run_id(run)))

    async def between(value: Any) -> Any:
        camera, span = members(value, "camera", "span")
        return wire.rows_with_runs(await source.between(wire.camera_id(camera), wire.span(span)))

    async def footage(value: Any) -> Any:
        camera, span = members(value, "camera", "span")
        return to_json(list(await source.footage(wire.camera_id(camera), wire.span(span))))

    async def has(value: Any) -> Any:
        camera, day, named = members(value, "camera", "day", "segments")
        return to_json(list(await source.has(wire.camera_id(camera), wire.day(day), wire.named(named))))

    async def news(value: Any) -> Any:
        found = await source.news(wire.cursor(*members(value, "after")))
        most = wire.MOST_COMMITS
        return {"commits": to_json(list(found.commits[:most])), "next": found.next, "lost": found.lost or len(found.commits) > most}

    return {
        "digests": _Question(digests, _LISTS, costly=True),
        "camera-days": _Question(camera_days, costly=True),
        "hours": _Question(hours, costly=True),
        "rows": _Question(rows, costly=True),
        "run": _Question(run),
        "between": _Question(between),
        "footage": _Question(footage),
        "has": _Question(has, _LISTS, costly=True),
        "news": _Question(news),
    }


def _of_site(source: Source) -> Mapping[str, _Question]:
    async def hello(value: Any) -> Any:
        members(value)
        return to_json(await source.hello())

    async def stamps(value: Any) -> Any:
        members(value)
        return [[bucket, stamp] for bucket, stamp in (await source.camera_stamps()).items()]

    async def cameras(value: Any) -> Any:
        return wire_site.cameras_values(await source.cameras_in(wire.bucket(*members(value, "bucket"))))

    async def credentials(value: Any) -> Any:
        found = await source.credentials_in(wire.bucket(*members(value, "bucket")))
        return [[camera, to_json(sealed)] for camera, sealed in found.items()]

    async def holds(value: Any) -> Any:
        (known,) = members(value, "stamp")
        found = to_json(list(await source.holds()))
        stamp = hashlib.blake2b(as_bytes(found), digest_size=16).hexdigest()
        return {"stamp": stamp, "holds": None if text(known, "stamp", most=64) == stamp else found}

    async def told_holds(value: Any) -> Any:
        gone = await source.tell_holds(wire_site.holds_of(*members(value, "holds")))
        return {"gone": None if gone is None else to_json(list(gone))}

    async def taken_over(value: Any) -> Any:
        found = await source.taken_over(wire.site_name(*members(value, "site")))
        return {"cameras": None if found is None else list(found)}

    async def heard(value: Any) -> Any:
        return {"heard_us": await source.heard_us(wire.site_name(*members(value, "site")))}

    return {
        "hello": _Question(hello),
        "camera-stamps": _Question(stamps),
        "cameras": _Question(cameras, costly=True),
        "credentials": _Question(credentials, costly=True),
        "holds": _Question(holds),
        "told-holds": _Question(told_holds, _HOLDS),
        "taken-over": _Question(taken_over),
        "heard": _Question(heard),
    }


# --- bytes ---------------------------------------------------------------------------------------------------------------


async def _object(source: Source, request: Request) -> Response:
    """The bytes from `start` to `end`, or the way to them: a link that the asker accepts."""
    query = request.query_params
    row, start, end = _asked_bytes(query)
    accepted = query.getlist("links")[:16]
    linked = await source.linked(row, accepted, LINK_S) if accepted and end > start else None
    if linked is not None:
        where = {"Location": linked.link, SIZE: str(linked.size), "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return Response(status_code=307, headers={**where, ATTRIBUTES: _packed(linked.attributes)})
    found = await source.read(row, start, end)
    first = await anext(found.pieces, b"")
    headers = {"Content-Length": str(found.size), ATTRIBUTES: _packed(found.attributes), "Cache-Control": "no-store"}
    return StreamingResponse(_closed(after(first, found.pieces), found.pieces), 200, headers, "application/octet-stream")


def _asked_bytes(query: Mapping[str, str]) -> tuple[Row, int, int]:
    """The segment as it is asked for: its place, its hash and its size are all that counts of it."""
    try:
        numbers = {name: int(query[name]) for name in ("start_us", "counter", "size", "start", "end") if len(query[name]) < 20}
        camera, place = wire.camera_id(query["camera"]), wire.position([numbers["start_us"], query["run"], numbers["counter"]])
        size = whole(numbers["size"], "size", most=wire.MOST_OBJECT_BYTES)
        start, end = whole(numbers["start"], "start", most=size), whole(numbers["end"], "end", most=size)
        sha256 = wire.sha256(query["sha256"]) if query["sha256"] else ""
    except (KeyError, ValueError):
        raise BadInput("camera, start_us, run, counter, size, sha256, start and end are wanted") from None
    key = str(SegmentKey(camera, place.run, place.start_us, place.counter))
    return Row(camera, *place, place.start_us, size, "", key, "", sha256, "", ()), start, end


def _packed(attributes: Mapping[str, str]) -> str:
    return base64.b64encode(as_bytes(dict(attributes))).decode()


async def _closed(pieces: AsyncIterator[bytes], inner: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces; a reader that goes away lets go of the store."""
    async with aclosing(cast("Any", inner)):
        async for piece in pieces:
            yield piece


# --- problems ------------------------------------------------------------------------------------------------------------


def _same_protocol(request: Request) -> None:
    spoken = request.headers.get(PROTOCOL_HEADER, "")
    if spoken != str(PROTOCOL):
        raise Refused(f"this site speaks protocol {PROTOCOL} between sites, and is asked in {spoken[:8]!r}: run the same version on both")


def _problem(error: KeepsightError) -> Response:
    """RFC 9457, in the kinds of the API for users."""
    status, name = next((kind[1:] for kind in _KINDS if isinstance(error, kind[0])), (500, "internal"))
    problem = {"type": f"urn:keepsight:problem:{name}", "title": name, "status": status, "detail": str(error)}
    return JSONResponse(problem, status, {PROTOCOL_HEADER: str(PROTOCOL)}, "application/problem+json")


async def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("site.unforeseen: %(path)s failed in a way that was not foreseen", {"path": request.url.path}, exc_info=error)
    return _problem(KeepsightError("this site failed in a way it did not foresee; its log has the details"))
