"""`/exports`: asking for export jobs, seeing how far they are, ending them, and fetching what they made."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response, StreamingResponse

from playback.access import Asker, needs
from playback.byte_range import asked_range
from playback.consumers.passages import delivers_made
from playback.exports.job import Form, Item, Job, State, Transcoding, ended
from playback.exports.names import media_type, result_name
from playback.exports.queue import ExportQueue, Exports
from playback.exports.results import keys_of, read_result, remove
from playback.exports.rights import cameras_in_scope
from playback.exports.views import ExportList, ExportView, ExportWanted, view
from playback.gate import admit
from playback.problems import FootageGone, described
from playback.segment_routes import IfRangeHeader, RangeHeader
from playback.services import Given, Services
from segments.access import Reach, Subject, Verb
from segments.audit import Action
from segments.clock import US_PER_S
from segments.errors import Conflict, KeepsightError, NotFound
from segments.model import Span

router = APIRouter()

_ID = r"^[a-z0-9]{8,40}$"
ExportId = Annotated[str, Path(alias="export", pattern=_ID, description="Id of an export job")]


async def exports_of(services: Given) -> Exports:
    """Those of the application that answers; raises NotFound where export jobs are not set up."""
    if services.exports is None:
        raise NotFound("export jobs are not set up at this site: give them a pool in [exports]")
    return services.exports


Jobs = Annotated[Exports, Depends(exports_of)]


async def _seen(services: Given, exports: Jobs, who: Asker, job_id: ExportId) -> Job:
    job = await _found(exports.queue, job_id)
    if not await _sees(services, who, job):
        raise NotFound(f"there is no export {job_id}")
    return job


Seen = Annotated[Job, Depends(_seen)]
"""A job that whoever asks may see; others are answered as if there were none."""


@router.post("/exports", status_code=202, dependencies=needs(Verb.EXPORT, reach=Reach.SCOPE), responses=described(400, 404, 429, 503))
async def ask(request: Request, services: Given, exports: Jobs, who: Asker, wanted: ExportWanted) -> ExportView:
    """Ask for footage to be made into one film (`mp4`) or an archive (`zip`). Every camera must be one of yours."""
    items = tuple(Item(item.camera, item.start, item.end) for item in wanted.items)
    order = wanted.transcode
    transcoding = Transcoding(order.height, order.bitrate_kbps * 1000, order.watermark) if order else None
    job = Job(
        id=secrets.token_hex(10),
        subject=who.id,
        name=who.name,
        unit=who.unit,
        reason=wanted.reason or request.query_params.get("reason", ""),
        asked_us=services.clock.now_us(),
        items=items,
        form=Form(wanted.form),
        transcoding=transcoding,
    )
    exports.queue.check(job)
    await cameras_in_scope(who, job.cameras, services.index)
    await services.consumers.export(who.id, job.asked_span_us / US_PER_S)
    await _admit(request, job, f"asked for export {job.id}")
    await exports.queue.ask(job)
    return view(job)


@router.get("/exports", dependencies=needs(Verb.OWN), responses=described(404))
async def jobs(services: Given, exports: Jobs, who: Asker) -> ExportList:
    """Your export jobs, the newest first; administrators and auditors see those of all."""
    return ExportList(exports=[view(job) for job in await exports.queue.jobs() if await _sees(services, who, job)])


@router.get("/exports/{export}", dependencies=needs(Verb.OWN), responses=described(404))
async def one(job: Seen) -> ExportView:
    """How far an export job is."""
    return view(job)


@router.delete("/exports/{export}", dependencies=needs(Verb.OWN), responses=described(404, 409))
async def end(services: Given, exports: Jobs, who: Asker, job: Seen) -> ExportView:
    """Cancel a job that waits or runs; remove the result of one that is done. Its own, or an administrator's."""
    if job.subject != who.id and not who.may(Verb.ADMINISTER):
        raise NotFound(f"there is no export {job.id}")
    was_done = keys_of(job) if job.state is State.DONE else []
    after = await exports.queue.change(job.id, lambda present: ended(present, services.clock.now_us()))
    if was_done:
        await remove(exports.results, was_done)
    return view(after)


_BYTES: dict[str, Any] = {"content": {"video/mp4": {}, "application/zip": {}}}
_FILE: dict[str, Any] = {
    "dependencies": needs(Verb.EXPORT, reach=Reach.SCOPE),
    "response_class": Response,
    "responses": {200: {**_BYTES, "description": "The result"}, 206: {**_BYTES, "description": "The range asked for"}}
    | described(404, 409, 416, 503),
}


@router.head("/exports/{export}/file", **_FILE)
@router.get("/exports/{export}/file", **_FILE)
async def file(request: Request, exports: Jobs, job: Seen, wanted: RangeHeader = None, if_range: IfRangeHeader = None) -> Response:
    """The result of a job that is done, or one range of it; for whoever asked for it, or may export from all its cameras."""
    services = cast("Services", request.app.state.services)
    who = cast("Subject", request.state.subject)
    await cameras_in_scope(who, job.cameras, services.index)
    if job.state is State.EXPIRED:
        raise FootageGone(f"the result of export {job.id} is removed: ask for it again")
    if job.state is not State.DONE or job.result is None:
        raise Conflict(f"export {job.id} is {job.state}: there is a result when it is done")
    etag, size = f'"{job.result.sha256}"', job.result.size
    part = asked_range(wanted, size) if if_range is None or if_range == etag else None
    start, stop = part or (0, size)
    delivers_made(request, Action.EXPORT)
    await _admit(request, job, f"fetched export {job.id}")
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        "ETag": etag,
        "Content-Length": str(stop - start),
        "Content-Disposition": f'attachment; filename="{result_name(job)}"',
    }
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    status = 200 if part is None else 206
    if request.method == "HEAD":
        return Response(None, status, headers, media_type(job))
    return StreamingResponse(read_result(exports.results, job, start, stop), status, headers, media_type(job))


async def _found(queue: ExportQueue, job_id: str) -> Job:
    try:
        return await queue.job(job_id)
    except NotFound:
        raise NotFound(f"there is no export {job_id}") from None


async def _sees(services: Services, who: Subject, job: Job) -> bool:
    """Its own; those who administer or audit see all that is about cameras of theirs."""
    if job.subject == who.id:
        return True
    if not (who.may(Verb.ADMINISTER) or who.may(Verb.AUDIT)):
        return False
    try:
        await cameras_in_scope(who, job.cameras, services.index)
    except KeepsightError:
        return who.scope.everything
    return True


async def _admit(request: Request, job: Job, what: str) -> None:
    """Through the gate with each stretch of time, and all cameras that are wanted of it."""
    spans: dict[Span, list[str]] = {}
    for item in job.items:
        spans.setdefault(item.span, []).append(item.camera)
    for span, cameras in spans.items():
        await admit(request, Action.EXPORT, what, list(dict.fromkeys(cameras)), span, why=job.reason)
